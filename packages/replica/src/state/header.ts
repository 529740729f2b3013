import {
  ByteReader,
  ByteWriter,
  DecodeError,
  replicaId,
  type NodeId,
  type RegionId,
  type ReplicaId,
} from '@skerry/base';
import { CausalContext, decodeStamp, encodeStamp, stampZero, type Stamp } from '@skerry/crdt';
import { decodeConfigState, encodeConfigState, type ConfigState } from '@skerry/raft';
import { readNode, readRegion } from './fields.ts';
import type { GraveFacts } from './graves.ts';
import type { OriginState } from './region-log.ts';
import {
  decodePositions,
  decodeRegionRecord,
  encodePositions,
  encodeRegionRecord,
  type RegionRecord,
} from './region-record.ts';
import { TakenAway } from './taken-away.ts';

/** The facts of a partition's applied state that are not under a key of their own; one record, written with the data. */
export interface StateHeader {
  /** Index and term of the last entry that the state contains. */
  applied: number;
  term: number;
  /** The group's members as of `applied`. */
  config: ConfigState;
  /** Largest cluster time seen in an entry. */
  clusterMs: number;
  /** Above every stamp in the state. */
  clock: Stamp;
  /** Dots that were promoted; each takes effect once. */
  context: CausalContext;
  /** Last stamp that was clamped, by replica: keeps a node's own writes in order. */
  clampFloors: Map<ReplicaId, Stamp>;
  /** Sessions born before this and not known were forgotten: nobody knows what they did. */
  sessionHorizonMs: number;
  sessionQuorumlessHorizonMs: number;
  /** Receipts and conflicts are numbered from `first` to `next - 1`. */
  receipts: { first: number; next: number };
  conflicts: { first: number; next: number };
  /** The feed has all changes of entries from here on. */
  feedFirst: number;
  /** The incarnation under which each node was taken into this group. */
  admitted: Map<NodeId, ReplicaId>;
  /** Names this region's log of this partition; drawn from the first entry. 0: nothing was written yet. */
  origin: ReplicaId;
  /** Consistent writes take their dots from `origin`: the last one. */
  lastDot: number;
  /** The logs of all origins, the own one included. */
  origins: Map<ReplicaId, OriginState>;
  /** The other regions. */
  regions: Map<RegionId, RegionRecord>;
  /** In which region a replica or origin writes, as far as is known. */
  replicaRegions: Map<ReplicaId, RegionId>;
  /** The highest stamp of a tombstone that was dropped. */
  collected: Stamp;
  /** This region was evicted elsewhere and is being re-seeded; null: it is not. */
  reseeding: Reseeding | null;
  /** The last eviction after which it was re-seeded. */
  reseededFor: Stamp;
  /** What writes that are applied have taken away, and `context` does not hold. */
  takenAway: TakenAway;
  /** Counts the tombstones that came by state exchange. */
  exchangedTombstones: number;
  /** What is known of deletes that are forgotten while a region is out. */
  graves: GraveFacts;
}

/**
 * - waits: the own state is whole, and about to be replaced.
 * - yields: likewise; where regions wait for each other in a ring, one takes the offers and gives its state before the others.
 * - replaces: it is in part what it was and in part the other region's.
 */
export const reseedingStages = ['waits', 'yields', 'replaces'] as const;
export type ReseedingStage = (typeof reseedingStages)[number];

/** Re-seeding of an evicted region (DESIGN section 4): first its own unsent writes are offered, then its state is replaced. */
export interface Reseeding {
  readonly stage: ReseedingStage;
  /** The region that takes the offer and gives its state. */
  readonly from: RegionId;
  /** The own log that was ended, and its last entry. */
  readonly ended: ReplicaId;
  readonly until: number;
  /** When it was evicted. */
  readonly outSince: Stamp;
}

export function readStage(reader: ByteReader): ReseedingStage {
  const stage = reseedingStages[reader.u8()];
  if (stage === undefined) throw new DecodeError('unknown stage of re-seeding');
  return stage;
}

export function emptyHeader(config: ConfigState, applied: number, term: number): StateHeader {
  return {
    applied,
    term,
    config,
    clusterMs: 0,
    clock: stampZero,
    context: CausalContext.empty(),
    clampFloors: new Map(),
    sessionHorizonMs: 0,
    sessionQuorumlessHorizonMs: 0,
    receipts: { first: 0, next: 0 },
    conflicts: { first: 0, next: 0 },
    feedFirst: applied + 1,
    admitted: new Map(),
    origin: replicaId(0),
    lastDot: 0,
    origins: new Map(),
    regions: new Map(),
    replicaRegions: new Map(),
    collected: stampZero,
    reseeding: null,
    reseededFor: stampZero,
    takenAway: TakenAway.empty(),
    exchangedTombstones: 0,
    graves: { count: 0, floor: stampZero },
  };
}

const version = 5;

export function encodeHeader(header: StateHeader): Uint8Array {
  const writer = new ByteWriter(256);
  writer.u8(version).varint(header.applied).varint(header.term);
  encodeConfigState(writer, header.config);
  writer.u48(header.clusterMs);
  encodeStamp(writer, header.clock);
  header.context.encode(writer);
  writer.varint(header.clampFloors.size);
  for (const [replica, stamp] of header.clampFloors) {
    writer.u48(replica);
    encodeStamp(writer, stamp);
  }
  writer.u48(header.sessionHorizonMs).u48(header.sessionQuorumlessHorizonMs);
  for (const { first, next } of [header.receipts, header.conflicts]) writer.varint(first).varint(next);
  writer.varint(header.feedFirst).varint(header.admitted.size);
  for (const [node, replica] of header.admitted) writer.text(node).u48(replica);
  writer.u48(header.origin).varint(header.lastDot).varint(header.origins.size);
  for (const [origin, { region, applied, first, bytes, offered, ended, endedAt }] of header.origins) {
    writer.u48(origin).text(region).varint(applied).varint(first).varint(bytes).varint(offered).bool(ended);
    writer.bool(endedAt !== null);
    if (endedAt !== null) encodePositions(writer, endedAt);
  }
  writer.varint(header.regions.size);
  for (const record of header.regions.values()) encodeRegionRecord(writer, record);
  writer.varint(header.replicaRegions.size);
  for (const [replica, region] of header.replicaRegions) writer.u48(replica).text(region);
  encodeStamp(writer, header.collected);
  writer.varint(header.exchangedTombstones).bool(header.reseeding !== null);
  if (header.reseeding !== null) {
    const { stage, from, ended, until, outSince } = header.reseeding;
    writer.u8(reseedingStages.indexOf(stage)).text(from).u48(ended).varint(until);
    encodeStamp(writer, outSince);
  }
  encodeStamp(writer, header.reseededFor);
  header.takenAway.encode(writer);
  encodeStamp(writer.varint(header.graves.count), header.graves.floor);
  return writer.finish();
}

export function decodeHeader(bytes: Uint8Array): StateHeader {
  const reader = new ByteReader(bytes.slice());
  const found = reader.u8();
  if (found !== version) throw new DecodeError(`state header of version ${found}`);
  const applied = reader.varint();
  const term = reader.varint();
  const config = decodeConfigState(reader);
  const clusterMs = reader.u48();
  const clock = decodeStamp(reader);
  const context = CausalContext.decode(reader);
  const clampFloors = new Map<ReplicaId, Stamp>();
  for (let left = reader.count(); left > 0; left--) clampFloors.set(replicaId(reader.u48()), decodeStamp(reader));
  const sessionHorizonMs = reader.u48();
  const sessionQuorumlessHorizonMs = reader.u48();
  const receipts = { first: reader.varint(), next: reader.varint() };
  const conflicts = { first: reader.varint(), next: reader.varint() };
  const feedFirst = reader.varint();
  const admitted = new Map<NodeId, ReplicaId>();
  for (let left = reader.count(); left > 0; left--) admitted.set(readNode(reader), replicaId(reader.u48()));
  const origin = replicaId(reader.u48());
  const lastDot = reader.varint();
  const origins = new Map<ReplicaId, OriginState>();
  for (let left = reader.count(); left > 0; left--) {
    origins.set(replicaId(reader.u48()), {
      region: readRegion(reader),
      applied: reader.varint(),
      first: reader.varint(),
      bytes: reader.varint(),
      offered: reader.varint(),
      ended: reader.bool(),
      endedAt: reader.bool() ? decodePositions(reader) : null,
    });
  }
  const regions = new Map<RegionId, RegionRecord>();
  for (let left = reader.count(); left > 0; left--) {
    const record = decodeRegionRecord(reader);
    regions.set(record.region, record);
  }
  const replicaRegions = new Map<ReplicaId, RegionId>();
  for (let left = reader.count(); left > 0; left--) replicaRegions.set(replicaId(reader.u48()), readRegion(reader));
  const collected = decodeStamp(reader);
  const exchangedTombstones = reader.varint();
  const reseeding = reader.bool()
    ? {
        stage: readStage(reader),
        from: readRegion(reader),
        ended: replicaId(reader.u48()),
        until: reader.varint(),
        outSince: decodeStamp(reader),
      }
    : null;
  const reseededFor = decodeStamp(reader);
  const takenAway = TakenAway.decode(reader);
  const graves = { count: reader.varint(), floor: decodeStamp(reader) };
  reader.end();
  return {
    applied,
    term,
    config,
    clusterMs,
    clock,
    context,
    clampFloors,
    sessionHorizonMs,
    sessionQuorumlessHorizonMs,
    receipts,
    conflicts,
    feedFirst,
    admitted,
    origin,
    lastDot,
    origins,
    regions,
    replicaRegions,
    collected,
    reseeding,
    reseededFor,
    takenAway,
    exchangedTombstones,
    graves,
  };
}
