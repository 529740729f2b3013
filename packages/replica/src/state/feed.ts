import { assert, ByteReader, ByteWriter, DecodeError } from '@skerry/base';
import { decodeStamp, encodeStamp, type Stamp } from '@skerry/crdt';
import { readList } from './fields.ts';

/** One change of a committed value; the changes of a log entry travel together. */
export interface Change {
  readonly key: string;
  readonly stamp: Stamp;
  /** The register's value; null: deleted, or of another type. */
  readonly value: Uint8Array | null;
  /** Of another type than the register: who is told reads the value as it is by then. */
  readonly typed: boolean;
}

/** How a value is stored: not at all, as it is, or as the place in the log entry where it stands already. */
const kinds = { none: 0, inline: 1, inEntry: 2 } as const;

/** A change as stored: its value may stand in the log entry that made it. */
export type StoredChange = Omit<Change, 'value'> & {
  readonly value: Uint8Array | null | { readonly start: number; readonly length: number };
};

/**
 * `entry`: the data of the log entry that made the changes. Values that are views of it are not stored again: the log keeps
 * an entry as long as the feed keeps its changes.
 */
export function encodeChanges(changes: readonly Change[], entry: Uint8Array | null): Uint8Array {
  const writer = new ByteWriter(256);
  writer.varint(changes.length);
  for (const { key, stamp, typed, value } of changes) {
    writer.text(key);
    encodeStamp(writer, stamp);
    writer.bool(typed);
    if (value === null) {
      writer.u8(kinds.none);
      continue;
    }
    const start = entry === null || value.buffer !== entry.buffer ? -1 : value.byteOffset - entry.byteOffset;
    if (entry === null || start < 0 || start + value.length > entry.length) writer.u8(kinds.inline).bytes(value);
    else writer.u8(kinds.inEntry).varint(start).varint(value.length);
  }
  return writer.finish();
}

export function decodeChanges(bytes: Uint8Array): StoredChange[] {
  return readList(new ByteReader(bytes.slice()), (r) => ({
    key: r.text(),
    stamp: decodeStamp(r),
    typed: r.bool(),
    value: decodeStored(r),
  }));
}

/** With its value, which is a view of `entry` if it stands there. */
export function resolveChange({ value, ...change }: StoredChange, entry: () => Uint8Array): Change {
  if (value === null || value instanceof Uint8Array) return { ...change, value };
  const data = entry();
  const { start, length } = value;
  assert(start + length <= data.length, 'a value lies within its log entry', { start, length, entry: data.length });
  return { ...change, value: data.subarray(start, start + length) };
}

function decodeStored(reader: ByteReader): StoredChange['value'] {
  const kind = reader.u8();
  switch (kind) {
    case kinds.none:
      return null;
    case kinds.inline:
      return reader.bytes();
    case kinds.inEntry:
      return { start: reader.varint(), length: reader.varint() };
    default:
      throw new DecodeError(`value of a change of kind ${kind}`);
  }
}
