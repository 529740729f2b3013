import { crc32, utf8Encode } from '@skerry/base';

/** All that happens in a run, as lines: two runs of one seed make the same, byte for byte. Only their hash is kept. */
export class Trace {
  readonly #nowMs: () => number;
  readonly #sink: ((line: string) => void) | null;
  #first = 0;
  #second = 0x5ee4;
  #count = 0;

  /** `sink` gets every line; without it lines are only hashed. */
  constructor(nowMs: () => number, sink: ((line: string) => void) | null) {
    this.#nowMs = nowMs;
    this.#sink = sink;
  }

  line(text: string): void {
    const line = `${this.#nowMs().toFixed(3)} ${text}`;
    this.#hash(utf8Encode(line));
    this.#sink?.(line);
  }

  /** Bytes that went over a wire or to a disk: `what` is only for people. */
  bytes(what: () => string, bytes: Uint8Array): void {
    this.#hash(bytes);
    this.#sink?.(`${this.#nowMs().toFixed(3)} ${what()}`);
  }

  get hash(): string {
    return [this.#first, this.#second, this.#count].map((part) => part.toString(16).padStart(8, '0')).join('');
  }

  #hash(bytes: Uint8Array): void {
    this.#first = crc32(bytes, this.#first);
    this.#second = (Math.imul(this.#second ^ this.#first, 0x01000193) + bytes.length) >>> 0;
    this.#count++;
  }
}
