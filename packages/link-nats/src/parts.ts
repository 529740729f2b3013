/** A piece of something too large for one message: bytes `offset` on, of `total`. */
export interface Part {
  readonly offset: number;
  readonly total: number;
  readonly bytes: Uint8Array;
}

/** Views of `bytes` of at most `size` bytes each; one (perhaps empty) part at least. */
export function splitParts(bytes: Uint8Array, size: number): Part[] {
  const parts: Part[] = [];
  let offset = 0;
  do {
    parts.push({ offset, total: bytes.length, bytes: bytes.subarray(offset, offset + size) });
    offset += size;
  } while (offset < bytes.length);
  return parts;
}

/**
 * Puts together what one sender sent in parts, one thing (`id`) at a time. A part that does not follow on what is
 * there is dropped with it: a first part begins anew, any other waits for the next first part.
 */
export class PartJoiner {
  readonly #bytesMax: number;
  #id = '';
  #bytes: Uint8Array | null = null;
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The whole, once its last part is there. `'waiting'`: more is to come. `'broken'`: this part was of no use. */
  add(id: string, part: Part): Uint8Array | 'waiting' | 'broken' {
    const end = part.offset + part.bytes.length;
    if (part.total > this.#bytesMax || end > part.total || (part.bytes.length === 0 && part.total > 0)) return 'broken';
    if (part.offset === 0) {
      this.#length = 0;
      this.#bytes = null;
      this.#id = id;
      if (end === part.total) return part.bytes;
      this.#bytes = new Uint8Array(part.total);
    }
    if (this.#bytes === null || id !== this.#id || part.offset > this.#length || part.total !== this.#bytes.length) {
      return 'broken';
    }
    // A repetition of what is there already.
    if (end <= this.#length) return 'waiting';
    this.#bytes.set(part.bytes, part.offset);
    this.#length = end;
    if (end < part.total) return 'waiting';
    const whole = this.#bytes;
    this.#bytes = null;
    return whole;
  }
}
