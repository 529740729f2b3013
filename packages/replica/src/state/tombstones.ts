import { ByteReader, ByteWriter, replicaId, type ReplicaId } from '@skerry/base';
import {
  compareStamps,
  decodeStamp,
  encodeStamp,
  isTombstone,
  stampMax,
  valueStamp,
  type Stamp,
  type Value,
} from '@skerry/crdt';
import type { StateKeys } from '../keys.ts';
import type { StagedStore } from '../staged-store.ts';
import type { KeyRecords } from './key-records.ts';

/** A position in each origin's log. */
export type Positions = ReadonlyMap<ReplicaId, number>;

/** Marks tombstones that came by state exchange: a vector of positions stands in their record. */
const exchanged = replicaId(0);

/**
 * Tombstones by the log entry that made them. One goes when that entry is stable: every region has applied it, and this
 * region has applied everything that they had written before they did, so that nothing older than the delete can still
 * arrive (causal stability, Baquero, Almeida and Shoker 2014). I11 hangs on this.
 */
export class Tombstones {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  readonly #records: KeyRecords;

  constructor(keys: StateKeys, store: StagedStore, records: KeyRecords) {
    this.#keys = keys;
    this.#store = store;
    this.#records = records;
  }

  /** `value` has become a tombstone by entry `sequence` of `origin`, or stayed one. */
  add(
    key: string,
    value: Value,
    at: { readonly origin: ReplicaId; readonly sequence: number; readonly clusterMs: number },
  ): void {
    const writer = new ByteWriter(24).u48(at.clusterMs);
    encodeStamp(writer, valueStamp(value));
    this.#store.defer(this.#keys.tombstone(at.origin, at.sequence, key), writer.finish());
  }

  /** It came by state exchange with a region that had applied `positions`. `number` makes the record unique. */
  addExchanged(
    key: string,
    value: Value,
    at: { readonly positions: Positions; readonly number: number; readonly clusterMs: number },
  ): void {
    const writer = new ByteWriter(48).u48(at.clusterMs);
    encodeStamp(writer, valueStamp(value));
    writer.varint(at.positions.size);
    for (const [origin, sequence] of at.positions) writer.u48(origin).varint(sequence);
    this.#store.defer(this.#keys.tombstone(exchanged, at.number, key), writer.finish());
  }

  /**
   * Drops the tombstones that are stable and older than `untilMs`, looking at no more than `limit` records per origin. The
   * result is the highest stamp among them; null: none went.
   */
  collect(stable: Positions, untilMs: number, limit: number): Stamp | null {
    let highest: Stamp | null = null;
    for (const origin of [exchanged, ...stable.keys()]) {
      const range = {
        from: this.#keys.tombstone(origin, 0, ''),
        to: this.#keys.tombstone(origin, origin === exchanged ? 2 ** 47 : (stable.get(origin) ?? 0) + 1, ''),
        limit,
      };
      for (const { key: indexKey, value: record } of [...this.#store.scan(range)]) {
        const reader = new ByteReader(record.slice());
        if (reader.u48() > untilMs) break;
        const stamp = decodeStamp(reader);
        if (origin === exchanged && !covers(stable, reader)) continue;
        this.#store.deferDelete(indexKey);
        if (!this.#drop(indexKey.slice(range.from.length), stamp)) continue;
        highest = highest === null ? stamp : stampMax(highest, stamp);
      }
    }
    return highest;
  }

  /** True if there is a record that {@link collect} may drop. */
  isAnyDue(stable: Positions, untilMs: number): boolean {
    for (const origin of [exchanged, ...stable.keys()]) {
      const range = {
        from: this.#keys.tombstone(origin, 0, ''),
        to: this.#keys.tombstone(origin, origin === exchanged ? 2 ** 47 : (stable.get(origin) ?? 0) + 1, ''),
        limit: 1,
      };
      for (const { value: record } of this.#store.scan(range)) {
        const reader = new ByteReader(record.slice());
        if (reader.u48() > untilMs) continue;
        decodeStamp(reader);
        if (origin !== exchanged || covers(stable, reader)) return true;
      }
    }
    return false;
  }

  /** The tombstone, unless the key was written or deleted again since. */
  #drop(key: string, stamp: Stamp): boolean {
    const value = this.#records.read(key)?.value ?? null;
    if (value === null || !isTombstone(value) || compareStamps(valueStamp(value), stamp) !== 0) return false;
    this.#records.delete(key);
    return true;
  }
}

function covers(stable: Positions, reader: ByteReader): boolean {
  for (let left = reader.count(); left > 0; left--) {
    const origin = replicaId(reader.u48());
    if ((stable.get(origin) ?? 0) < reader.varint()) return false;
  }
  return true;
}
