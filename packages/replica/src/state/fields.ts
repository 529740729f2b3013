import {
  DecodeError,
  isClientId,
  isName,
  nodeId,
  regionId,
  type ByteReader,
  type ByteWriter,
  type ClientId,
  type NodeId,
  type RegionId,
} from '@skerry/base';

export function writeOptionalBytes(writer: ByteWriter, value: Uint8Array | null): void {
  writer.bool(value !== null);
  if (value !== null) writer.bytes(value);
}

/** Encoded values by key. */
export function writeValues(
  writer: ByteWriter,
  values: readonly { readonly key: string; readonly value: Uint8Array }[],
): void {
  writer.varint(values.length);
  for (const { key, value } of values) writer.text(key).bytes(value);
}

export function readValues(reader: ByteReader): { key: string; value: Uint8Array }[] {
  return readList(reader, (r) => ({ key: r.text(), value: r.bytes() }));
}

export function readOptionalBytes(reader: ByteReader): Uint8Array | null {
  return reader.bool() ? reader.bytes() : null;
}

export function writeOptionalText(writer: ByteWriter, value: string | null): void {
  writer.bool(value !== null);
  if (value !== null) writer.text(value);
}

export function readOptionalText(reader: ByteReader): string | null {
  return reader.bool() ? reader.text() : null;
}

/** The last one read: the commands of one client mostly follow each other, and one string for all is compared at once. */
let lastClient: ClientId | null = null;

export function readClient(reader: ByteReader): ClientId {
  if (lastClient !== null && reader.skipText(lastClient)) return lastClient;
  const text = reader.text();
  if (!isClientId(text)) throw new DecodeError('not a client id');
  lastClient = text;
  return text;
}

export function readNode(reader: ByteReader): NodeId {
  const text = reader.text();
  if (!isName(text)) throw new DecodeError('not a node name');
  return nodeId(text);
}

export function readRegion(reader: ByteReader): RegionId {
  const text = reader.text();
  if (!isName(text)) throw new DecodeError('not a region name');
  return regionId(text);
}

export function readList<T>(reader: ByteReader, read: (reader: ByteReader) => T): T[] {
  const list: T[] = [];
  for (let left = reader.count(); left > 0; left--) list.push(read(reader));
  return list;
}
