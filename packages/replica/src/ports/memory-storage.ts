import { assert, compareText } from '@skerry/base';
import { lowerBound } from '../ordered-map.ts';
import type { StorageRange, StorageRecord, StorageSource, StorageView, StorageWrite } from './storage.ts';

/**
 * The storage port in memory, for tests and the simulator. Batches become durable only when the owner says so
 * ({@link flushOne}), so a test decides what a crash loses.
 */
export class MemoryStorage implements StorageSource {
  #durable: Map<string, Uint8Array> = new Map();
  /** Keys of `#durable` in order; null while nobody has asked for it. */
  #ordered: string[] | null = [];
  #queued: (readonly StorageWrite[])[] = [];
  /** True while a view shares `#durable`; the next write copies it first. */
  #shared = false;

  get(key: string): Uint8Array | undefined {
    return this.#durable.get(key);
  }

  scan(range: StorageRange): Iterable<StorageRecord> {
    this.#ordered ??= [...this.#durable.keys()].sort(compareText);
    return scanOrdered(this.#durable, this.#ordered, range);
  }

  view(): StorageView {
    this.#ordered ??= [...this.#durable.keys()].sort(compareText);
    this.#shared = true;
    const records = this.#durable;
    const ordered = this.#ordered;
    return { get: (key) => records.get(key), scan: (range) => scanOrdered(records, ordered, range), close: () => {} };
  }

  /** Queues a batch; it is not durable, and not visible, before {@link flushOne}. */
  enqueue(batch: readonly StorageWrite[]): void {
    this.#queued.push(batch);
  }

  get queuedCount(): number {
    return this.#queued.length;
  }

  /** Makes the oldest queued batch durable. */
  flushOne(): void {
    const batch = this.#queued.shift();
    assert(batch !== undefined, 'no batch is queued');
    if (this.#shared) {
      this.#durable = new Map(this.#durable);
      this.#ordered &&= [...this.#ordered];
      this.#shared = false;
    }
    for (const { key, value } of batch) {
      const isNew = !this.#durable.has(key);
      if (value === null) {
        this.#durable.delete(key);
        if (!isNew) this.#ordered?.splice(lowerBound(this.#ordered, key), 1);
      } else {
        this.#durable.set(key, value);
        if (isNew) this.#ordered?.splice(lowerBound(this.#ordered, key), 0, key);
      }
    }
  }

  /** A power cut: all that is not durable is gone. */
  crash(): void {
    this.#queued = [];
  }
}

function* scanOrdered(
  records: ReadonlyMap<string, Uint8Array>,
  ordered: readonly string[],
  { from, to, limit = Number.POSITIVE_INFINITY, reverse = false }: StorageRange,
): Iterable<StorageRecord> {
  const start = lowerBound(ordered, from);
  const end = lowerBound(ordered, to);
  const count = Math.min(limit, end - start);
  for (let i = 0; i < count; i++) {
    const key = ordered[reverse ? end - 1 - i : start + i] as string;
    yield { key, value: records.get(key) as Uint8Array };
  }
}
