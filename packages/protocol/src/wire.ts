import { asciiText, utf8Decode } from '@skerry/base';
import { Packr } from 'msgpackr';
import { ProtocolError } from './errors.ts';

/** What a frame is made of: the part of MessagePack that needs no extension and no map. */
export type Wire = null | boolean | number | string | Uint8Array | readonly Wire[];

/** Nesting of arrays in a frame. The deepest message (status: frame, message, answer, status, partitions, one, voters) has 7. */
export const wireDepthMax = 10;

/**
 * Stands for a text that is not UTF-8. It holds a lone surrogate, so no text that was decoded equals it, and whoever
 * checks a text for well-formedness refuses it.
 */
export const invalidText = '\ud800';

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true });

/** MessagePack of `value`, which must not be changed until then; the result is a view of memory that is not reused. */
export function packWire(value: Wire): Uint8Array {
  return packr.pack(value) as Uint8Array;
}

/**
 * Reads one MessagePack value that fills `bytes`; byte strings are views of them. Written by hand, unlike the other
 * direction, because the bytes come from strangers: msgpackr allocates whatever length an array claims, recurses without
 * a limit, builds extension types and reads bad UTF-8 as other text. This reads in time and memory that `bytes` bound,
 * and throws MALFORMED_FRAME for everything else.
 */
export function unpackWire(bytes: Uint8Array): Wire {
  const reader = new WireReader(bytes);
  const value = reader.value(0);
  if (reader.at !== bytes.length) throw malformed(`${bytes.length - reader.at} bytes left over`);
  return value;
}

function malformed(detail: string): ProtocolError {
  return new ProtocolError('MALFORMED_FRAME', detail);
}

class WireReader {
  readonly #bytes: Uint8Array;
  #view: DataView | null = null;
  at = 0;

  constructor(bytes: Uint8Array) {
    // Callers get plain views, also of a Buffer.
    this.#bytes =
      bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(depth: number): Wire {
    const head = this.#uint(1);
    if (head < 0x80) return head;
    if (head >= 0xe0) return head - 0x100;
    if (head < 0x90) throw malformed('maps are not used');
    if (head < 0xa0) return this.#array(head & 0x0f, depth);
    if (head < 0xc0) return this.#text(head & 0x1f);
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#take(this.#uint(1));
      case 0xc5:
        return this.#take(this.#uint(2));
      case 0xc6:
        return this.#take(this.#uint(4));
      case 0xca:
        return this.#dataView(4).getFloat32(this.at - 4);
      case 0xcb:
        return this.#dataView(8).getFloat64(this.at - 8);
      case 0xcc:
        return this.#uint(1);
      case 0xcd:
        return this.#uint(2);
      case 0xce:
        return this.#uint(4);
      case 0xcf:
        return safe(this.#dataView(8).getBigUint64(this.at - 8));
      case 0xd0:
        return this.#dataView(1).getInt8(this.at - 1);
      case 0xd1:
        return this.#dataView(2).getInt16(this.at - 2);
      case 0xd2:
        return this.#dataView(4).getInt32(this.at - 4);
      case 0xd3:
        return safe(this.#dataView(8).getBigInt64(this.at - 8));
      case 0xd9:
        return this.#text(this.#uint(1));
      case 0xda:
        return this.#text(this.#uint(2));
      case 0xdb:
        return this.#text(this.#uint(4));
      case 0xdc:
        return this.#array(this.#uint(2), depth);
      case 0xdd:
        return this.#array(this.#uint(4), depth);
      default:
        throw malformed(`byte ${head} starts nothing that is used`);
    }
  }

  #array(count: number, depth: number): Wire[] {
    if (depth >= wireDepthMax) throw malformed(`nested deeper than ${wireDepthMax}`);
    // Grown element by element: each takes a byte at least, so the input bounds it, not the count that it claims.
    const list: Wire[] = [];
    for (let i = 0; i < count; i++) list.push(this.value(depth + 1));
    return list;
  }

  #text(length: number): string {
    const start = this.at;
    if (length > this.#bytes.length - start)
      throw malformed(`need ${length} bytes, have ${this.#bytes.length - start}`);
    this.at = start + length;
    return asciiText(this.#bytes, start, this.at) ?? utf8Decode(this.#bytes.subarray(start, this.at)) ?? invalidText;
  }

  #take(length: number): Uint8Array {
    const start = this.at;
    if (length > this.#bytes.length - start)
      throw malformed(`need ${length} bytes, have ${this.#bytes.length - start}`);
    this.at = start + length;
    return this.#bytes.subarray(start, this.at);
  }

  #uint(size: 1 | 2 | 4): number {
    const bytes = this.#bytes;
    let value = 0;
    const end = this.at + size;
    if (end > bytes.length) throw malformed('the frame ends early');
    for (let i = this.at; i < end; i++) value = value * 256 + (bytes[i] as number);
    this.at = end;
    return value;
  }

  /** A view of everything, after stepping over `length` bytes. */
  #dataView(length: number): DataView {
    if (length > this.#bytes.length - this.at) throw malformed('the frame ends early');
    this.at += length;
    this.#view ??= new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    return this.#view;
  }
}

function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw malformed('an integer exceeds 2^53');
  return number;
}
