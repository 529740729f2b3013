import { assert } from './assert.ts';
import { asciiText, utf8Decode, utf8Encode, utf8Length } from './text.ts';

/** Thrown by {@link ByteReader} when bytes do not hold what was asked for. An operating failure: the bytes are bad. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

export const emptyBytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** Memory to write in, kept for the next writer: making an ArrayBuffer costs more than filling it. */
interface Scratch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
}

/** Kept by size, from the smallest up: what is needed for a moment many times over, and what a batch needs. */
const scratchSizes: readonly { readonly bytes: number; readonly countMax: number; readonly kept: Scratch[] }[] = [
  { bytes: 4_096, countMax: 64, kept: [] },
  { bytes: 64 * 1_024, countMax: 4, kept: [] },
  { bytes: 1_024 * 1_024, countMax: 1, kept: [] },
];

function scratchOf(capacityBytes: number): Scratch {
  let size = capacityBytes;
  for (const { bytes, kept } of scratchSizes) {
    if (capacityBytes > bytes) continue;
    const scratch = kept.pop();
    if (scratch !== undefined) return scratch;
    size = bytes;
    break;
  }
  const bytes = new Uint8Array(size);
  return { bytes, view: new DataView(bytes.buffer) };
}

function keepScratch(scratch: Scratch): void {
  for (const { bytes, countMax, kept } of scratchSizes)
    if (scratch.bytes.length === bytes && kept.length < countMax) kept.push(scratch);
}

const slabBytes = 32 * 1_024;
const slabRecordBytesMax = 2 * 1_024;

/**
 * Memory that many small records share, since an ArrayBuffer of its own costs more than a small record. All of it stays
 * until the last of them is gone: for records of one kind, which live about as long as each other.
 */
export class Slab {
  #bytes: Uint8Array<ArrayBuffer> = emptyBytes;
  #at = 0;

  /** A copy of `bytes`. Nobody writes over it. */
  copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const { length } = bytes;
    if (length > slabRecordBytesMax) return new Uint8Array(bytes);
    if (this.#at + length > this.#bytes.length) {
      this.#bytes = new Uint8Array(slabBytes);
      this.#at = 0;
    }
    const start = this.#at;
    this.#at += length;
    this.#bytes.set(bytes, start);
    return new Uint8Array(this.#bytes.buffer, start, length);
  }
}

/** Grows as needed. Integers are big-endian, so that encoded fields sort like their values. */
export class ByteWriter {
  #scratch: Scratch | null;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(capacityBytes = 256) {
    this.#scratch = scratchOf(capacityBytes);
    this.#bytes = this.#scratch.bytes;
    this.#view = this.#scratch.view;
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u16(value: number): this {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
    return this;
  }

  /** 6 bytes: 0 to 2^48-1. */
  u48(value: number): this {
    this.#reserve(6);
    this.#view.setUint16(this.#length, Math.floor(value / 2 ** 32));
    this.#view.setUint32(this.#length + 2, value >>> 0);
    this.#length += 6;
    return this;
  }

  /** LEB128 of a safe non-negative integer: 1 to 8 bytes. */
  varint(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'varint takes a safe non-negative integer', { value });
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
    return this;
  }

  bool(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  /** The bytes as they are, without a length. */
  raw(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A varint length and the bytes. */
  bytes(value: Uint8Array): this {
    return this.varint(value.length).raw(value);
  }

  /** A varint byte length and UTF-8. */
  text(value: string): this {
    // Short ASCII, the usual key or name, is written without a detour through an encoder.
    if (value.length < 64) {
      this.#reserve(value.length + 1);
      const start = this.#length;
      this.#bytes[start] = value.length;
      let i = 0;
      for (; i < value.length; i++) {
        const unit = value.charCodeAt(i);
        if (unit >= 0x80) break;
        this.#bytes[start + 1 + i] = unit;
      }
      if (i === value.length) {
        this.#length = start + 1 + i;
        return this;
      }
    }
    this.varint(utf8Length(value));
    return this.raw(utf8Encode(value));
  }

  /** What was written, as a copy of its own, or in `slab`. Nothing can be written any more. */
  finish(slab: Slab | null = null): Uint8Array<ArrayBuffer> {
    const scratch = this.#scratch;
    assert(scratch !== null, 'a writer finishes once');
    const written =
      slab === null ? this.#bytes.slice(0, this.#length) : slab.copy(this.#bytes.subarray(0, this.#length));
    this.#scratch = null;
    this.#bytes = emptyBytes;
    this.#length = 0;
    keepScratch(scratch);
    return written;
  }

  /** Writes what was written into `writer`, as {@link raw} or, with its length before it, as {@link bytes} does; and ends like {@link finish}. */
  finishInto(writer: ByteWriter, how: 'raw' | 'bytes'): void {
    const scratch = this.#scratch;
    assert(scratch !== null && writer !== this, 'a writer finishes once');
    writer[how](this.#bytes.subarray(0, this.#length));
    this.#scratch = null;
    this.#bytes = emptyBytes;
    this.#length = 0;
    keepScratch(scratch);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    assert(this.#scratch !== null, 'a writer that finished writes no more');
    const grown = scratchOf(Math.max(needed, this.#bytes.length * 2));
    grown.bytes.set(this.#bytes.subarray(0, this.#length));
    keepScratch(this.#scratch);
    this.#scratch = grown;
    this.#bytes = grown.bytes;
    this.#view = grown.view;
  }
}

/** Reads what {@link ByteWriter} wrote. Every method throws {@link DecodeError} rather than read past the end. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  get offset(): number {
    return this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  u16(): number {
    return this.#u16At(this.#take(2));
  }

  u32(): number {
    const at = this.#take(4);
    return this.#u16At(at) * 2 ** 16 + this.#u16At(at + 2);
  }

  u48(): number {
    const at = this.#take(6);
    return this.#u16At(at) * 2 ** 32 + this.#u16At(at + 2) * 2 ** 16 + this.#u16At(at + 4);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 128;
    }
    throw new DecodeError('varint is too long');
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) throw new DecodeError(`not a boolean: ${value}`);
    return value === 1;
  }

  /** A view of the next `count` bytes; it shares memory with the input. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** A view of what was read from `offset` on. */
  since(offset: number): Uint8Array {
    return this.#bytes.subarray(offset, this.#at);
  }

  /** A view; copy it before the input is reused. */
  bytes(): Uint8Array {
    return this.raw(this.varint());
  }

  text(): string {
    const length = this.varint();
    const at = this.#take(length);
    const short = asciiText(this.#bytes, at, at + length);
    if (short !== null) return short;
    const text = utf8Decode(this.#bytes.subarray(at, at + length));
    if (text === null) throw new DecodeError('text is not UTF-8');
    return text;
  }

  /** Steps over the text that follows if it is `known`, which is ASCII of less than 128 characters; else nothing happens. */
  skipText(known: string): boolean {
    const start = this.#at + 1;
    if (this.#bytes.length - start < known.length || this.#bytes[this.#at] !== known.length) return false;
    for (let i = 0; i < known.length; i++) if (this.#bytes[start + i] !== known.charCodeAt(i)) return false;
    this.#at = start + known.length;
    return true;
  }

  /** A count of elements that follow, each at least `elementBytesMin` bytes long; bounds allocation by the input. */
  count(elementBytesMin = 1): number {
    const count = this.varint();
    if (count * elementBytesMin > this.remaining) throw new DecodeError(`count ${count} exceeds the input`);
    return count;
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining !== 0) throw new DecodeError(`${this.remaining} bytes left over`);
  }

  /** Read from the bytes: a DataView for each reader costs more than most records take to read. */
  #u16At(at: number): number {
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number);
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw new DecodeError(`need ${count} bytes, have ${this.#bytes.length - at}`);
    this.#at = at + count;
    return at;
  }
}

/** Lexicographic order of bytes: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** Bytes of lower- or upper-case hex, or null if `text` is not that. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | null {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
