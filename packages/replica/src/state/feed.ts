import { ByteReader, ByteWriter } from '@skerry/base';
import { decodeStamp, encodeStamp, type Stamp } from '@skerry/crdt';
import { readList, readOptionalBytes, writeOptionalBytes } from './command.ts';

/** One change of a committed value; the changes of a log entry travel together. */
export interface Change {
  readonly key: string;
  /** null: deleted. */
  readonly value: Uint8Array | null;
  readonly stamp: Stamp;
}

export function encodeChanges(changes: readonly Change[]): Uint8Array {
  const writer = new ByteWriter(256);
  writer.varint(changes.length);
  for (const change of changes) {
    writer.text(change.key);
    encodeStamp(writer, change.stamp);
    writeOptionalBytes(writer, change.value);
  }
  return writer.finish();
}

export function decodeChanges(bytes: Uint8Array): Change[] {
  return readList(new ByteReader(bytes.slice()), (r) => ({ key: r.text(), stamp: decodeStamp(r), value: readOptionalBytes(r) }));
}
