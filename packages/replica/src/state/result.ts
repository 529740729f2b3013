import { ByteReader, ByteWriter, DecodeError, unreachable } from '@skerry/base';
import {
  decodeDot,
  decodeStamp,
  decodeValue,
  encodeDot,
  encodeStamp,
  encodeValue,
  type Dot,
  type Stamp,
  type Value,
} from '@skerry/crdt';
import type { ReplicaErrorCode } from '../requests.ts';
import { readList, readOptionalBytes, writeOptionalBytes } from './fields.ts';

/** What a command came to. Kept per (client, sequence) until the client has it, so that a retry gets the same. */
export type CommandResult =
  | { readonly kind: 'applied'; readonly stamp: Stamp | null }
  /** A swap whose old value did not match: what was there. */
  | { readonly kind: 'refused'; readonly value: Uint8Array | null; readonly stamp: Stamp | null }
  | { readonly kind: 'txn'; readonly succeeded: boolean; readonly results: readonly TxnResult[] }
  | { readonly kind: 'lease'; readonly ttlMs: number }
  /** A write of another type than the register, and the value after it; null: not told. */
  | { readonly kind: 'updated'; readonly stamp: Stamp; readonly value: Value | null }
  /** The fence was first. */
  | { readonly kind: 'notApplied' }
  | { readonly kind: 'error'; readonly code: CommandErrorCode }
  /** A quorum-less write was promoted; its receipt says the rest. */
  | { readonly kind: 'promoted'; readonly stamp: Stamp | null; readonly dot: Dot };

export interface TxnResult {
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly stamp: Stamp | null;
}

export type CommandErrorCode = Extract<
  ReplicaErrorCode,
  'LEASE_NOT_FOUND' | 'LEASE_EXISTS' | 'WRONG_TYPE' | 'SESSION_EXPIRED' | 'SEQUENCE_ANSWERED' | 'LIMIT_EXCEEDED'
>;
const errorCodes: readonly CommandErrorCode[] = [
  'LEASE_NOT_FOUND',
  'LEASE_EXISTS',
  'WRONG_TYPE',
  'SESSION_EXPIRED',
  'SEQUENCE_ANSWERED',
  'LIMIT_EXCEEDED',
];

const kinds = ['applied', 'refused', 'txn', 'lease', 'notApplied', 'error', 'promoted', 'updated'] as const;

export function encodeResult(result: CommandResult): Uint8Array {
  const writer = new ByteWriter(32);
  writeResult(writer, result);
  return writer.finish();
}

/** True for results of some tens of bytes, whatever they tell of. */
export function isSmallResult({ kind }: CommandResult): boolean {
  return kind !== 'refused' && kind !== 'txn' && kind !== 'updated';
}

export function writeResult(writer: ByteWriter, result: CommandResult): void {
  writer.u8(kinds.indexOf(result.kind));
  switch (result.kind) {
    case 'applied':
      writeOptionalStamp(writer, result.stamp);
      break;
    case 'promoted':
      writeOptionalStamp(writer, result.stamp);
      encodeDot(writer, result.dot);
      break;
    case 'refused':
      writeOptionalStamp(writer, result.stamp);
      writeOptionalBytes(writer, result.value);
      break;
    case 'txn':
      writer.bool(result.succeeded).varint(result.results.length);
      for (const one of result.results) {
        writer.text(one.key);
        writeOptionalStamp(writer, one.stamp);
        writeOptionalBytes(writer, one.value);
      }
      break;
    case 'lease':
      writer.varint(result.ttlMs);
      break;
    case 'error':
      writer.u8(errorCodes.indexOf(result.code));
      break;
    case 'notApplied':
      break;
    case 'updated':
      encodeStamp(writer, result.stamp);
      writer.bool(result.value !== null);
      if (result.value !== null) encodeValue(writer, result.value);
      break;
    default:
      unreachable(result);
  }
}

export function decodeResult(bytes: Uint8Array): CommandResult {
  return readResult(new ByteReader(bytes.slice()));
}

/** Contents are views of what is read. */
export function readResult(reader: ByteReader): CommandResult {
  const kind = kinds[reader.u8()];
  switch (kind) {
    case 'applied':
      return { kind, stamp: readOptionalStamp(reader) };
    case 'promoted':
      return { kind, stamp: readOptionalStamp(reader), dot: decodeDot(reader) };
    case 'refused':
      return { kind, stamp: readOptionalStamp(reader), value: readOptionalBytes(reader) };
    case 'txn':
      return {
        kind,
        succeeded: reader.bool(),
        results: readList(reader, (r) => ({ key: r.text(), stamp: readOptionalStamp(r), value: readOptionalBytes(r) })),
      };
    case 'lease':
      return { kind, ttlMs: reader.varint() };
    case 'notApplied':
      return { kind };
    case 'updated':
      return { kind, stamp: decodeStamp(reader), value: reader.bool() ? decodeValue(reader) : null };
    case 'error': {
      const code = errorCodes[reader.u8()];
      if (code === undefined) throw new DecodeError('unknown error code');
      return { kind, code };
    }
    default:
      throw new DecodeError('unknown kind of result');
  }
}

export function writeOptionalStamp(writer: ByteWriter, stamp: Stamp | null): void {
  writer.bool(stamp !== null);
  if (stamp !== null) encodeStamp(writer, stamp);
}

export function readOptionalStamp(reader: ByteReader): Stamp | null {
  return reader.bool() ? decodeStamp(reader) : null;
}
