import { ByteReader, ByteWriter, crc32, replicaId, type ReplicaId } from '@skerry/base';
import {
  compareStamps,
  decodeStamp,
  encodeStamp,
  encodeValue,
  isTombstone,
  stampMax,
  valueStamp,
  type Stamp,
  type Value,
} from '@skerry/crdt';
import type { StateKeys } from '../keys.ts';
import type { StagedStore } from '../staged-store.ts';
import type { KeyRecords } from './key-records.ts';
import { decodePositions, encodePositions } from './region-record.ts';

/** A position in each origin's log. */
export type Positions = ReadonlyMap<ReplicaId, number>;

/** Marks tombstones that came by state exchange: a vector of positions stands in their record. */
const exchanged = replicaId(0);

/** Tombstones that came by state exchange one after the other, and wait for the same positions. */
interface Run {
  /** Their numbers. */
  first: number;
  last: number;
  readonly positions: Positions;
}

/**
 * Tombstones by the log entry that made them. One goes when that entry is stable: every region has applied it, and this
 * region has applied everything that they had written before they did, so that nothing older than the delete can still
 * arrive (causal stability, Baquero, Almeida and Shoker 2014). I11 hangs on this.
 */
export class Tombstones {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  readonly #records: KeyRecords;
  /** Of all that came by state exchange, in order: a few for each exchange, however many tombstones that brought. null: not read yet. */
  #runs: Run[] | null = null;

  constructor(keys: StateKeys, store: StagedStore, records: KeyRecords) {
    this.#keys = keys;
    this.#store = store;
    this.#records = records;
  }

  /**
   * `value` has become a tombstone by entry `sequence` of `origin`, or stayed one. What other entries took away of a set, say, it
   * does not name, so then it waits for `positions`, too: for all that was applied here before (a register has its last delete alone).
   */
  add(
    key: string,
    value: Value,
    at: {
      readonly origin: ReplicaId;
      readonly sequence: number;
      readonly clusterMs: number;
      readonly positions: () => Positions;
    },
  ): void {
    const isRegister = value.parts.length === 1 && value.parts[0]?.type === 'register';
    const record = encodeRecord(value, at.clusterMs, isRegister ? new Map() : at.positions());
    this.#store.defer(this.#keys.tombstone(at.origin, at.sequence, key), record);
  }

  /** It came by state exchange with a region that had applied `positions`. `number` makes the record unique. */
  addExchanged(
    key: string,
    value: Value,
    at: { readonly positions: Positions; readonly number: number; readonly clusterMs: number },
  ): void {
    const record = encodeRecord(value, at.clusterMs, at.positions);
    this.#store.defer(this.#keys.tombstone(exchanged, at.number, key), record);
    if (this.#runs !== null) prolong(this.#runs, at.number, at.positions);
  }

  /**
   * Drops the tombstones that are stable and older than `untilMs`, looking at no more than `limit` records per origin, and hands
   * each to `dropped`. The result is the highest stamp among them; null: none went.
   */
  collect(
    stable: Positions,
    { untilMs, limit }: { readonly untilMs: number; readonly limit: number },
    dropped: (key: string, value: Value) => void,
  ): Stamp | null {
    let highest: Stamp | null = null;
    let exchangedLeft = limit;
    for (const { from, to, run } of this.#ranges(stable)) {
      const range = { from, to, limit: run === null ? limit : exchangedLeft };
      for (const { key: indexKey, value: record } of range.limit === 0 ? [] : [...this.#store.scan(range)]) {
        const tombstone = decodeRecord(record);
        // Those that come after it wait for as much.
        if (!isDue(tombstone, stable, untilMs)) break;
        this.#store.deferDelete(indexKey);
        if (run !== null) {
          exchangedLeft--;
          run.first = numberOf(indexKey, from) + 1;
        }
        const key = indexKey.slice(from.length);
        const value = this.#drop(key, tombstone);
        if (value === null) continue;
        dropped(key, value);
        highest = stampMax(highest ?? tombstone.stamp, tombstone.stamp);
      }
    }
    this.#runs = this.#runs?.filter(({ first, last }) => first <= last) ?? null;
    return highest;
  }

  /** True if there is a record that {@link collect} may drop. */
  isAnyDue(stable: Positions, untilMs: number): boolean {
    for (const { from, to } of this.#ranges(stable))
      for (const { value: record } of this.#store.scan({ from, to, limit: 1 }))
        if (isDue(decodeRecord(record), stable, untilMs)) return true;
    return false;
  }

  /** Where the records are that are stable, the oldest of each first. Those that wait, be they many, are not looked at. */
  *#ranges(stable: Positions): Generator<{ readonly from: string; readonly to: string; readonly run: Run | null }> {
    const { tombstone } = this.#keys;
    for (const run of this.#exchangedRuns()) {
      if (isReached(run.positions, stable))
        yield { from: tombstone(exchanged, run.first, ''), to: tombstone(exchanged, run.last + 1, ''), run };
    }
    for (const [origin, sequence] of stable)
      yield { from: tombstone(origin, 0, ''), to: tombstone(origin, sequence + 1, ''), run: null };
  }

  #exchangedRuns(): readonly Run[] {
    if (this.#runs !== null) return this.#runs;
    const runs: Run[] = [];
    const from = this.#keys.tombstone(exchanged, 0, '');
    for (const { key, value } of this.#store.scan({ from, to: this.#keys.tombstone(exchanged, 2 ** 47, '') })) {
      const { positions } = decodeRecord(value);
      prolong(runs, numberOf(key, from), positions);
    }
    return (this.#runs = runs);
  }

  /**
   * The tombstone, unless the key was written or deleted again since: by a delete with an earlier stamp, too, which took away what
   * others may still have.
   */
  #drop(key: string, { stamp, sum }: TombstoneRecord): Value | null {
    const value = this.#records.read(key)?.value ?? null;
    if (value === null || !isTombstone(value)) return null;
    if (compareStamps(valueStamp(value), stamp) !== 0 || sumOf(value) !== sum) return null;
    this.#records.delete(key);
    return value;
  }
}

interface TombstoneRecord {
  readonly clusterMs: number;
  readonly stamp: Stamp;
  /** Of the value. */
  readonly sum: number;
  /** Waits for these. */
  readonly positions: Positions;
}

function encodeRecord(value: Value, clusterMs: number, positions: Positions): Uint8Array {
  const writer = new ByteWriter(64).u48(clusterMs);
  encodeStamp(writer, valueStamp(value));
  encodePositions(writer.u32(sumOf(value)), positions);
  return writer.finish();
}

function decodeRecord(bytes: Uint8Array): TombstoneRecord {
  const reader = new ByteReader(bytes.slice());
  return {
    clusterMs: reader.u48(),
    stamp: decodeStamp(reader),
    sum: reader.u32(),
    positions: decodePositions(reader),
  };
}

/**
 * Of a record that an entry made. A log that is not known any more was known when it was made: this region was re-seeded since, by
 * one that has nothing of that log, and what it took away here is gone with the state.
 */
function isDue({ clusterMs, positions }: TombstoneRecord, stable: Positions, untilMs: number): boolean {
  if (clusterMs > untilMs) return false;
  return Array.from(positions).every(([origin, sequence]) => (stable.get(origin) ?? sequence) >= sequence);
}

/** Of each log the later position. */
export function laterPositions(a: Positions, b: Positions): Map<ReplicaId, number> {
  const later = new Map(a);
  for (const [origin, sequence] of b) later.set(origin, Math.max(sequence, later.get(origin) ?? 0));
  return later;
}

function isReached(positions: Positions, stable: Positions): boolean {
  return Array.from(positions).every(([origin, sequence]) => (stable.get(origin) ?? 0) >= sequence);
}

function sumOf(value: Value): number {
  const writer = new ByteWriter(64);
  encodeValue(writer, value);
  return crc32(writer.finish());
}

/** Of an index key of an exchanged tombstone; `from` is one without a key of a value. */
function numberOf(indexKey: string, from: string): number {
  return Number.parseInt(indexKey.slice(from.length - 13, from.length - 1), 16);
}

function prolong(runs: Run[], number: number, positions: Positions): void {
  const run = runs.at(-1);
  if (run !== undefined && (run.positions === positions || isSame(run.positions, positions))) run.last = number;
  else runs.push({ first: number, last: number, positions });
}

function isSame(a: Positions, b: Positions): boolean {
  return a.size === b.size && Array.from(a).every(([origin, sequence]) => b.get(origin) === sequence);
}
