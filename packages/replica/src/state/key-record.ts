import { ByteReader, ByteWriter, DecodeError } from '@skerry/base';
import { decodeDot, decodeStamp, encodeDot, encodeStamp, type Dot, type Stamp } from '@skerry/crdt';

/** What the state machine holds for one key: a register, or the tombstone of one (`value` null). */
export interface KeyRecord {
  readonly value: Uint8Array | null;
  readonly stamp: Stamp;
  /** The promoted quorum-less write that this value is; null when it came through a consistent call. */
  readonly dot: Dot | null;
  /** The lease that the key hangs on. */
  readonly lease: string | null;
}

const registerType = 1;
const hasValue = 1;
const hasDot = 2;
const hasLease = 4;

export function encodeKeyRecord(record: KeyRecord): Uint8Array {
  const writer = new ByteWriter(48 + (record.value?.length ?? 0));
  writer.u8(registerType);
  writer.u8((record.value !== null ? hasValue : 0) | (record.dot ? hasDot : 0) | (record.lease !== null ? hasLease : 0));
  encodeStamp(writer, record.stamp);
  if (record.dot) encodeDot(writer, record.dot);
  if (record.lease !== null) writer.text(record.lease);
  if (record.value !== null) writer.raw(record.value);
  return writer.finish();
}

/** The value is a copy, since `bytes` may be storage's own memory. */
export function decodeKeyRecord(bytes: Uint8Array): KeyRecord {
  const reader = new ByteReader(bytes);
  const type = reader.u8();
  if (type !== registerType) throw new DecodeError(`unknown type of value: ${type}`);
  const flags = reader.u8();
  const stamp = decodeStamp(reader);
  const dot = flags & hasDot ? decodeDot(reader) : null;
  const lease = flags & hasLease ? reader.text() : null;
  const value = flags & hasValue ? reader.raw(reader.remaining).slice() : null;
  return { value, stamp, dot, lease };
}
