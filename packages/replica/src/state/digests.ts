import { ByteReader, ByteWriter, hashText } from '@skerry/base';
import { valueDigest, type Digest, type Value } from '@skerry/crdt';
import type { StateKeys } from '../keys.ts';
import type { StagedStore } from '../staged-store.ts';

export const bucketCount = 4_096;
/** Few buckets to a page: where little was written, little is saved. */
const pageCount = 256;
const pageBuckets = bucketCount / pageCount;

/** The bucket of a key. Partitions take the hash modulo their count; these are its high bits. */
export function bucketOf(key: string): number {
  return (Math.imul(hashText(key), 0x9e37_79b1) >>> 20) % bucketCount;
}

/**
 * Sums of the digests of all values by bucket of keys, kept along with the state: equal contents have equal sums, in
 * whatever order they came about. Two levels: the sum of all, and the buckets (DESIGN section 4).
 */
export class Digests {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  /** High and low halves, bucket by bucket. */
  readonly #sums: Uint32Array = new Uint32Array(bucketCount * 2);
  readonly #dirty: Set<number> = new Set();
  #rootHigh = 0;
  #rootLow = 0;

  constructor(keys: StateKeys, store: StagedStore) {
    this.#keys = keys;
    this.#store = store;
    for (let page = 0; page < pageCount; page++) {
      const record = store.get(keys.digestPage(page));
      if (record === undefined) continue;
      const reader = new ByteReader(record);
      for (let i = 0; i < pageBuckets * 2; i++) this.#sums[page * pageBuckets * 2 + i] = reader.u32();
    }
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      this.#rootHigh = (this.#rootHigh + (this.#sums[bucket * 2] as number)) >>> 0;
      this.#rootLow = (this.#rootLow + (this.#sums[bucket * 2 + 1] as number)) >>> 0;
    }
  }

  get root(): Digest {
    return { high: this.#rootHigh, low: this.#rootLow };
  }

  replace(key: string, before: Value | null, after: Value | null): void {
    const old = before === null ? null : valueDigest(key, before);
    const now = after === null ? null : valueDigest(key, after);
    const high = (now?.high ?? 0) - (old?.high ?? 0);
    const low = (now?.low ?? 0) - (old?.low ?? 0);
    if (high === 0 && low === 0) return;
    const bucket = bucketOf(key);
    // Stores modulo 2^32.
    this.#sums[bucket * 2] = (this.#sums[bucket * 2] as number) + high;
    this.#sums[bucket * 2 + 1] = (this.#sums[bucket * 2 + 1] as number) + low;
    this.#rootHigh = (this.#rootHigh + high) >>> 0;
    this.#rootLow = (this.#rootLow + low) >>> 0;
    this.#dirty.add(Math.floor(bucket / pageBuckets));
  }

  /** All sums, as {@link differing} takes them. */
  encode(): Uint8Array {
    const writer = new ByteWriter(bucketCount * 8);
    for (const half of this.#sums) writer.u32(half);
    return writer.finish();
  }

  /** Buckets whose sums differ from those in `other`; null: not an encoding of sums. */
  differing(other: Uint8Array): number[] | null {
    if (other.length !== bucketCount * 8) return null;
    const reader = new ByteReader(other);
    const buckets: number[] = [];
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const high = reader.u32();
      const low = reader.u32();
      if (high !== this.#sums[bucket * 2] || low !== this.#sums[bucket * 2 + 1]) buckets.push(bucket);
    }
    return buckets;
  }

  save(): void {
    for (const page of this.#dirty) {
      const writer = new ByteWriter(pageBuckets * 8);
      for (let i = 0; i < pageBuckets * 2; i++) writer.u32(this.#sums[page * pageBuckets * 2 + i] as number);
      this.#store.defer(this.#keys.digestPage(page), writer.finish());
    }
    this.#dirty.clear();
  }
}
