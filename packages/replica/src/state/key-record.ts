import { ByteReader, ByteWriter } from '@skerry/base';
import { decodeValue, encodeValue, type Value } from '@skerry/crdt';

/** What the state machine holds for one key: a value of any type, or the tombstone of one. */
export interface KeyRecord {
  readonly value: Value;
  /** The lease that the key hangs on; of this region alone. */
  readonly lease: string | null;
}

export function encodeKeyRecord(record: KeyRecord): Uint8Array {
  const first = record.value.parts[0];
  const writer = new ByteWriter(128 + (first?.type === 'register' ? (first.value?.length ?? 0) : 0));
  writer.bool(record.lease !== null);
  if (record.lease !== null) writer.text(record.lease);
  encodeValue(writer, record.value);
  return writer.finish();
}

/** The contents are copies, since `bytes` may be storage's own memory. */
export function decodeKeyRecord(bytes: Uint8Array): KeyRecord {
  const reader = new ByteReader(bytes.slice());
  const lease = reader.bool() ? reader.text() : null;
  return { value: decodeValue(reader), lease };
}
