import {
  hashText,
  replicaId,
  type ByteReader,
  type ByteWriter,
  type PartitionId,
  type RegionId,
  type ReplicaId,
} from '@skerry/base';
import type { StateKeys } from '../keys.ts';
import type { StagedStore } from '../staged-store.ts';
import { readList, readRegion } from './fields.ts';
import { decodeEntryList } from './region-entry.ts';
import type { Positions } from './tombstones.ts';

/** One origin's log in one region, and how much of it there is. */
export interface OriginState {
  readonly region: RegionId;
  /** Entries up to here took effect here. */
  applied: number;
  /** Entries from here on are kept. */
  first: number;
  /** Of the entries that are kept. */
  bytes: number;
  /** 0, or of a log that was ended: entries up to here were taken as an offer, into this region's own log. */
  offered: number;
  /** Its region was re-seeded since, and has begun another one. */
  ended: boolean;
  /**
   * What its region had applied of all logs when it first reported as another one: all that is left of this one is in there. It
   * is emptied once every region has that. null: it has not reported as another one.
   */
  endedAt: Positions | null;
}

/** A log is named after the leader that founded it: drawn once, and the same on every replica. */
export function originOf(region: RegionId, partition: PartitionId, founder: ReplicaId | string): ReplicaId {
  const seed = `${region}/${partition}/${founder}`;
  return replicaId((hashText(`origin ${seed}`) & 0xffff) * 0x1_0000_0000 + (hashText(`log ${seed}`) || 1));
}

/** A log of which nothing came as entries yet, or all up to `applied` otherwise. */
export function originState(region: RegionId, applied = 0, offered = 0): OriginState {
  return { region, applied, first: applied + 1, bytes: 0, offered, ended: false, endedAt: null };
}

/** How far a region has applied one origin's log. */
export interface OriginPosition {
  readonly origin: ReplicaId;
  /** The region that the origin belongs to. */
  readonly region: RegionId;
  readonly applied: number;
  /** See {@link OriginState}. */
  readonly offered: number;
}

export function encodePositionList(writer: ByteWriter, positions: readonly OriginPosition[]): void {
  writer.varint(positions.length);
  for (const { origin, region, applied, offered } of positions)
    writer.u48(origin).text(region).varint(applied).varint(offered);
}

export function decodePositionList(reader: ByteReader): OriginPosition[] {
  return readList(reader, (r) => ({
    origin: replicaId(r.u48()),
    region: readRegion(r),
    applied: r.varint(),
    offered: r.varint(),
  }));
}

/** What a region has of each log, be it as entries or as offers that were made of them. */
export function takenPositions(positions: readonly OriginPosition[]): Map<ReplicaId, number> {
  return new Map(positions.map(({ origin, applied, offered }) => [origin, Math.max(applied, offered)] as const));
}

/**
 * The logs of all origins as this region applied them (DESIGN section 4), kept until every known region has them. One
 * record holds the entries of one batch, under the number of its first.
 */
export class RegionLog {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  /** The newest entries once more, so that passing them on reads no storage. */
  readonly #tails: Map<ReplicaId, Tail> = new Map();

  constructor(keys: StateKeys, store: StagedStore) {
    this.#keys = keys;
    this.#store = store;
  }

  /** Appends what follows the last entry: so many entries, as `encodeEntryList` gives them. */
  append(
    origin: ReplicaId,
    state: OriginState,
    { count, record }: { readonly count: number; readonly record: Uint8Array },
  ): void {
    const first = state.applied + 1;
    this.#store.defer(this.#keys.regionLog(origin, first), record);
    state.bytes += record.length;
    this.#remember(origin, { first, last: first + count - 1, record });
  }

  /** Entries from `from` on, at least one if there is one, else at most about `bytesMax`. The caller knows that `from` is kept. */
  read(origin: ReplicaId, from: number, bytesMax: number): Uint8Array[] {
    const tail = this.#tails.get(origin);
    if (tail !== undefined && tail.records[0] !== undefined && from >= tail.records[0].first)
      return readTail(tail, from, bytesMax);
    const start = this.#recordOf(origin, from);
    const found: Uint8Array[] = [];
    if (start === null) return found;
    let bytes = 0;
    let expected = start;
    for (const { key, value } of this.#store.scan({
      from: this.#keys.regionLog(origin, start),
      to: this.#keys.regionLogEnd(origin),
    })) {
      if (sequenceOf(key) !== expected) break;
      for (const entry of decodeEntryList(value.slice())) {
        if (expected++ < from) continue;
        if (found.length > 0 && bytes + entry.length > bytesMax) return found;
        found.push(entry);
        bytes += entry.length;
      }
    }
    return found;
  }

  /** Forgets whole records that lie below `until`, at most `limit` of them. */
  trim(origin: ReplicaId, state: OriginState, until: number, limit: number): void {
    let previous: { key: string; bytes: number } | null = null;
    let left = limit;
    const range = {
      from: this.#keys.regionLog(origin, 0),
      to: this.#keys.regionLog(origin, until + 1),
      limit: limit + 1,
    };
    for (const { key, value } of this.#store.scan(range)) {
      const sequence = sequenceOf(key);
      // A record goes once the next one starts at or below `until`: then all of its entries lie below.
      if (previous !== null) {
        this.#store.deferDelete(previous.key);
        state.bytes -= previous.bytes;
        state.first = sequence;
        if (--left === 0) return;
      }
      previous = { key, bytes: value.length };
    }
    if (previous === null || until <= state.applied) return;
    this.#store.deferDelete(previous.key);
    state.bytes -= previous.bytes;
    state.first = state.applied + 1;
  }

  /** Drops all entries of an origin. */
  clear(origin: ReplicaId): void {
    this.#tails.delete(origin);
    for (const { key } of [
      ...this.#store.scan({ from: this.#keys.regionLog(origin, 0), to: this.#keys.regionLogEnd(origin) }),
    ]) {
      this.#store.deferDelete(key);
    }
  }

  #remember(origin: ReplicaId, appended: TailRecord): void {
    let tail = this.#tails.get(origin);
    if (tail === undefined || tail.records.at(-1)?.last !== appended.first - 1) {
      tail = { records: [], bytes: 0 };
      this.#tails.set(origin, tail);
    }
    tail.records.push(appended);
    tail.bytes += appended.record.length;
    if (tail.bytes <= 2 * tailBytes) return;
    let drop = 0;
    while (tail.bytes > tailBytes && drop < tail.records.length - 1)
      tail.bytes -= (tail.records[drop++] as TailRecord).record.length;
    tail.records.splice(0, drop);
  }

  #recordOf(origin: ReplicaId, sequence: number): number | null {
    const range = {
      from: this.#keys.regionLog(origin, 0),
      to: this.#keys.regionLog(origin, sequence + 1),
      limit: 1,
      reverse: true,
    };
    for (const { key } of this.#store.scan(range)) return sequenceOf(key);
    return null;
  }
}

/** Entries `first` to `last`, as they are stored. */
interface TailRecord {
  readonly first: number;
  readonly last: number;
  readonly record: Uint8Array;
}

/** Each record follows on the one before. */
interface Tail {
  readonly records: TailRecord[];
  bytes: number;
}

const tailBytes = 1_024 * 1_024;

function readTail({ records }: Tail, from: number, bytesMax: number): Uint8Array[] {
  const taken: Uint8Array[] = [];
  let bytes = 0;
  let at = records.length - 1;
  while (at > 0 && (records[at] as TailRecord).first > from) at--;
  for (const { first, last, record } of records.slice(at)) {
    if (last < from) continue;
    for (const entry of decodeEntryList(record).slice(Math.max(0, from - first))) {
      if (taken.length > 0 && bytes + entry.length > bytesMax) return taken;
      taken.push(entry);
      bytes += entry.length;
    }
  }
  return taken;
}

function sequenceOf(key: string): number {
  return Number.parseInt(key.slice(-12), 16);
}
