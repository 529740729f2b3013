import { ByteReader, ByteWriter, type RegionId } from '@skerry/base';
import { decodeStamp, decodeValue, encodeStamp, encodeValue, stampToText, type Stamp, type Value } from '@skerry/crdt';
import type { ConflictEntry } from '../requests.ts';
import { viewOfPart } from '../view.ts';
import { readRegion } from './fields.ts';

/** A merge that discarded something (DESIGN section 5): what lost, to what, and when. */
export interface ConflictRecord {
  readonly key: string;
  readonly reason: ConflictEntry['reason'];
  /** One part, the loser. */
  readonly loser: Value;
  readonly loserStamp: Stamp;
  readonly loserRegion: RegionId | null;
  /** One part, what stands instead; null: nothing does, or a document, which is not kept twice. */
  readonly winner: Value | null;
  readonly winnerStamp: Stamp;
  readonly winnerRegion: RegionId | null;
  /** The leader's wall clock, for people. */
  readonly timeMs: number;
  /** Cluster time, by which the record ages: a wall clock that was wrong must not empty the ledger. */
  readonly clusterMs: number;
}

const reasons = [
  'superseded',
  'overwrote',
  'rejected',
  'otherType',
  'siblingLimit',
  'documentDeleted',
] as const satisfies readonly ConflictEntry['reason'][];

export function encodeConflict(record: ConflictRecord): Uint8Array {
  const writer = new ByteWriter(192);
  writer.u48(record.timeMs).u48(record.clusterMs).u8(reasons.indexOf(record.reason)).text(record.key);
  encodeStamp(writer, record.loserStamp);
  encodeStamp(writer, record.winnerStamp);
  for (const region of [record.loserRegion, record.winnerRegion]) {
    writer.bool(region !== null);
    if (region !== null) writer.text(region);
  }
  encodeValue(writer, record.loser);
  writer.bool(record.winner !== null);
  if (record.winner !== null) encodeValue(writer, record.winner);
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
  const loserRegion = reader.bool() ? readRegion(reader) : null;
  const winnerRegion = reader.bool() ? readRegion(reader) : null;
  const loser = decodeValue(reader);
  return {
    timeMs,
    clusterMs,
    reason,
    key,
    loserStamp,
    winnerStamp,
    loserRegion,
    winnerRegion,
    loser,
    winner: reader.bool() ? decodeValue(reader) : null,
  };
}

/** `number` is the record's in its partition. */
export function conflictEntry(record: ConflictRecord, partition: number, number: number): ConflictEntry {
  const view = (value: Value | null): ConflictEntry['loser'] => {
    const part = value?.parts[0];
    return part === undefined ? null : viewOfPart(part);
  };
  return {
    id: `${partition}:${number}`,
    key: record.key,
    reason: record.reason,
    loser: view(record.loser),
    loserVersion: stampToText(record.loserStamp),
    loserRegion: record.loserRegion,
    winner: view(record.winner),
    winnerVersion: stampToText(record.winnerStamp),
    winnerRegion: record.winnerRegion,
    timeMs: record.timeMs,
  };
}
