import { assert, DecodeError, type ByteReader, type ByteWriter } from '@skerry/base';

/**
 * Longest LEB128 form that is written: 140 bits, far above any sum of safe integers that a cluster lives to see. What
 * is read is shorter, so that sums of what was read can always be written.
 */
const wideBytesMax = 20;
const wideBytesReadMax = 18;

/** LEB128 of a non-negative integer of any width. */
export function writeUnsigned(w: ByteWriter, value: bigint): void {
  assert(value >= 0n && value < 1n << BigInt(7 * wideBytesMax), 'wide integer out of range', {
    value: value.toString(),
  });
  let rest = value;
  while (rest >= 0x80n) {
    w.u8(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  w.u8(Number(rest));
}

export function readUnsigned(r: ByteReader): bigint {
  let value = 0n;
  for (let i = 0; i < wideBytesReadMax; i++) {
    const byte = r.u8();
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte >= 0x80) continue;
    if (byte === 0 && i > 0) throw new DecodeError('wide integer is padded');
    return value;
  }
  throw new DecodeError('wide integer is too long');
}

/** A safe integer as zigzag: the sign in the lowest bit. */
export function writeSigned(w: ByteWriter, value: bigint): void {
  writeUnsigned(w, value >= 0n ? value << 1n : (-value << 1n) - 1n);
}

export function readSigned(r: ByteReader): bigint {
  const zigzag = readUnsigned(r);
  const value = (zigzag & 1n) === 0n ? zigzag >> 1n : -((zigzag + 1n) >> 1n);
  if (!Number.isSafeInteger(Number(value))) throw new DecodeError('not a safe integer');
  return value;
}
