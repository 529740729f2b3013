import { DecodeError, type ByteReader, type ByteWriter } from '@skerry/base';
import { stampFromText } from '@skerry/crdt';
import type { Compare, TxnOperation } from '../requests.ts';
import { readOptionalBytes, readOptionalText, writeOptionalBytes, writeOptionalText } from './fields.ts';

const relations = ['<', '=', '>'] as const;

export function encodeCompare(writer: ByteWriter, compare: Compare): void {
  writer.bool(compare.kind === 'version').text(compare.key);
  if (compare.kind === 'value') return writeOptionalBytes(writer, compare.equals);
  writer.u8(relations.indexOf(compare.relation));
  writeOptionalText(writer, compare.version);
}

export function decodeCompare(reader: ByteReader): Compare {
  const isVersion = reader.bool();
  const key = reader.text();
  if (!isVersion) return { kind: 'value', key, equals: readOptionalBytes(reader) };
  const relation = relations[reader.u8()];
  if (relation === undefined) throw new DecodeError('unknown relation');
  const version = readOptionalText(reader);
  if (version !== null && stampFromText(version) === null) throw new DecodeError('not a version');
  return { kind: 'version', key, relation, version };
}

export function encodeTxnOperation(writer: ByteWriter, operation: TxnOperation): void {
  switch (operation.kind) {
    case 'get':
      writer.u8(0).text(operation.key);
      return;
    case 'set':
      writer.u8(1).text(operation.key).bytes(operation.value);
      writeOptionalText(writer, operation.lease ?? null);
      return;
    case 'delete':
      writer.u8(2).text(operation.key);
      return;
  }
}

export function decodeTxnOperation(reader: ByteReader): TxnOperation {
  const code = reader.u8();
  const key = reader.text();
  if (code === 0) return { kind: 'get', key };
  if (code === 2) return { kind: 'delete', key };
  if (code !== 1) throw new DecodeError(`unknown operation ${code}`);
  const value = reader.bytes();
  const lease = readOptionalText(reader);
  return lease === null ? { kind: 'set', key, value } : { kind: 'set', key, value, lease };
}
