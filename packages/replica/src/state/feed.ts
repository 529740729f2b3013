import { ByteReader, ByteWriter } from '@skerry/base';
import { decodeStamp, encodeStamp, type Stamp } from '@skerry/crdt';
import { readList, readOptionalBytes, writeOptionalBytes } from './fields.ts';

/** One change of a committed value; the changes of a log entry travel together. */
export interface Change {
  readonly key: string;
  readonly stamp: Stamp;
  /** The register's value; null: deleted, or of another type. */
  readonly value: Uint8Array | null;
  /** Of another type than the register: who is told reads the value as it is by then. */
  readonly typed: boolean;
}

export function encodeChanges(changes: readonly Change[]): Uint8Array {
  const writer = new ByteWriter(256);
  writer.varint(changes.length);
  for (const change of changes) {
    writer.text(change.key);
    encodeStamp(writer, change.stamp);
    writer.bool(change.typed);
    writeOptionalBytes(writer, change.value);
  }
  return writer.finish();
}

export function decodeChanges(bytes: Uint8Array): Change[] {
  return readList(new ByteReader(bytes.slice()), (r) => ({
    key: r.text(),
    stamp: decodeStamp(r),
    typed: r.bool(),
    value: readOptionalBytes(r),
  }));
}
