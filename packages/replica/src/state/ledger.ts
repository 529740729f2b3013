import { ByteReader, ByteWriter } from '@skerry/base';
import { decodeStamp, encodeStamp, stampToText, type Stamp } from '@skerry/crdt';
import type { ConflictEntry } from '../requests.ts';
import { readOptionalBytes, writeOptionalBytes } from './command.ts';

/** A merge that discarded something (DESIGN section 5): what lost, to what, and when. */
export interface ConflictRecord {
  readonly key: string;
  readonly reason: ConflictEntry['reason'];
  readonly loser: Uint8Array | null;
  readonly loserStamp: Stamp;
  readonly winner: Uint8Array | null;
  readonly winnerStamp: Stamp;
  /** The leader's wall clock, for people. */
  readonly timeMs: number;
  /** Cluster time, by which the record ages: a wall clock that was wrong must not empty the ledger. */
  readonly clusterMs: number;
}

const reasons = ['superseded', 'overwrote', 'rejected'] as const satisfies readonly ConflictEntry['reason'][];

export function encodeConflict(record: ConflictRecord): Uint8Array {
  const writer = new ByteWriter(128);
  writer.u48(record.timeMs).u48(record.clusterMs).u8(reasons.indexOf(record.reason)).text(record.key);
  encodeStamp(writer, record.loserStamp);
  encodeStamp(writer, record.winnerStamp);
  writeOptionalBytes(writer, record.loser);
  writeOptionalBytes(writer, record.winner);
  return writer.finish();
}

export function decodeConflict(bytes: Uint8Array): ConflictRecord {
  const reader = new ByteReader(bytes.slice());
  const timeMs = reader.u48();
  const clusterMs = reader.u48();
  const reason = reasons[reader.u8()] ?? 'rejected';
  const key = reader.text();
  const loserStamp = decodeStamp(reader);
  const winnerStamp = decodeStamp(reader);
  return { timeMs, clusterMs, reason, key, loserStamp, winnerStamp, loser: readOptionalBytes(reader), winner: readOptionalBytes(reader) };
}

export function conflictEntry(record: ConflictRecord): ConflictEntry {
  return {
    key: record.key,
    reason: record.reason,
    loser: record.loser,
    loserVersion: stampToText(record.loserStamp),
    winner: record.winner,
    winnerVersion: stampToText(record.winnerStamp),
    timeMs: record.timeMs,
  };
}
