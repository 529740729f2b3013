import { ByteReader, ByteWriter, DecodeError, Slab } from '@skerry/base';
import {
  decodeStamp,
  decodeValue,
  encodeStamp,
  encodeValue,
  equalStamps,
  valueStamp,
  type Operation,
  type Stamp,
  type Value,
} from '@skerry/crdt';

/** What the state machine holds for one key: a value of any type, or the tombstone of one. */
export interface KeyRecord {
  readonly value: Value;
  /** The lease that the key hangs on; of this region alone. */
  readonly lease: string | null;
  /**
   * The value's stamp was fixed by a leader, above or below the one that its writer gave it, which is this: whoever saw the
   * write before its promotion names it so. null: it is as it was given.
   */
  readonly given: Stamp | null;
}

/** They are held until they are durable, and then while they are used. */
const slab = new Slab();

const hasLease = 1;
const hasGiven = 2;

export function encodeKeyRecord(record: KeyRecord): Uint8Array {
  const first = record.value.parts[0];
  const writer = new ByteWriter(128 + (first?.type === 'register' ? (first.value?.length ?? 0) : 0));
  writer.u8((record.lease === null ? 0 : hasLease) | (record.given === null ? 0 : hasGiven));
  if (record.lease !== null) writer.text(record.lease);
  if (record.given !== null) encodeStamp(writer, record.given);
  encodeValue(writer, record.value);
  return writer.finish(slab);
}

/** The contents are copies, since `bytes` may be storage's own memory. */
export function decodeKeyRecord(bytes: Uint8Array): KeyRecord {
  return viewKeyRecord(bytes.slice());
}

/** The contents are views of `bytes`, which stay as they are. */
export function viewKeyRecord(bytes: Uint8Array): KeyRecord {
  const reader = new ByteReader(bytes);
  const flags = reader.u8();
  if (flags > (hasLease | hasGiven)) throw new DecodeError(`flags of a key: ${flags}`);
  const lease = (flags & hasLease) === 0 ? null : reader.text();
  const given = (flags & hasGiven) === 0 ? null : decodeStamp(reader);
  return { value: decodeValue(reader), lease, given };
}

/** What the writer of the latest write in `value` called it, where a leader has called it otherwise. */
export function givenOf(
  value: Value,
  { op, given, current }: { op: Operation; given: Stamp; current: KeyRecord | null },
): Stamp | null {
  const stamp = valueStamp(value);
  if (equalStamps(stamp, op.stamp)) return equalStamps(given, op.stamp) ? null : given;
  return current !== null && equalStamps(stamp, valueStamp(current.value)) ? current.given : null;
}
