import { assert, compareText } from '@skerry/base';
import type { StorageRange, StorageReader, StorageRecord, StorageWrite } from './ports/storage.ts';

interface Staged {
  readonly value: Uint8Array | null;
  /** Batch that carries the write; {@link deferred} while it is in none. */
  batch: number;
}

const deferred = -1;

/**
 * The storage as this replica has written it: durable records overlaid with what is under way. Two kinds of writes:
 *
 * - `put` and `delete` go into the next batch: what must be durable before something is sent or acknowledged (log, hard
 *   state, pending writes).
 * - `defer` and `deferDelete` wait for {@link promoteDeferred}: applied state, which the log can make again. Changes of
 *   one key in between cost one write. All deferred writes enter one batch together, so the applied index and the
 *   data are never apart (etcd #13766).
 */
export class StagedStore implements StorageReader {
  readonly #durable: StorageReader;
  readonly #overlay: Map<string, Staged> = new Map();
  #current: Map<string, Uint8Array | null> = new Map();
  #deferred: Map<string, Uint8Array | null> = new Map();
  #deferredBytes = 0;
  /** Keys of the batches that were taken and are not durable, oldest first. */
  readonly #underWay: { readonly id: number; readonly keys: readonly string[] }[] = [];
  #nextBatch = 1;

  constructor(durable: StorageReader) {
    this.#durable = durable;
  }

  get(key: string): Uint8Array | undefined {
    const staged = this.#overlay.get(key);
    if (staged !== undefined) return staged.value ?? undefined;
    return this.#durable.get(key);
  }

  /** Reads what is durable, without the overlay. */
  getDurable(key: string): Uint8Array | undefined {
    return this.#durable.get(key);
  }

  *scan(range: StorageRange): Iterable<StorageRecord> {
    const { from, to, limit = Number.POSITIVE_INFINITY, reverse = false } = range;
    const staged: string[] = [];
    for (const key of this.#overlay.keys()) {
      if (compareText(key, from) >= 0 && compareText(key, to) < 0) staged.push(key);
    }
    if (staged.length === 0) {
      yield* this.#durable.scan(range);
      return;
    }
    const sign = reverse ? -1 : 1;
    staged.sort((a, b) => sign * compareText(a, b));
    let count = 0;
    let at = 0;
    for (const record of this.#durable.scan({ from, to, reverse })) {
      while (at < staged.length && sign * compareText(staged[at] as string, record.key) < 0) {
        const own = this.#stagedRecord(staged[at++] as string);
        if (own === null) continue;
        if (count++ >= limit) return;
        yield own;
      }
      if (count >= limit) return;
      if (at < staged.length && staged[at] === record.key) continue;
      count++;
      yield record;
    }
    for (; at < staged.length && count < limit; at++) {
      const own = this.#stagedRecord(staged[at] as string);
      if (own === null) continue;
      count++;
      yield own;
    }
  }

  put(key: string, value: Uint8Array): void {
    this.#write(key, value);
  }

  delete(key: string): void {
    this.#write(key, null);
  }

  defer(key: string, value: Uint8Array): void {
    this.#defer(key, value);
  }

  deferDelete(key: string): void {
    this.#defer(key, null);
  }

  get deferredCount(): number {
    return this.#deferred.size;
  }

  get deferredBytes(): number {
    return this.#deferredBytes;
  }

  /** Puts all deferred writes into the next batch. */
  promoteDeferred(): void {
    for (const [key, value] of this.#deferred) this.#write(key, value);
    this.#deferred = new Map();
    this.#deferredBytes = 0;
  }

  /** True if {@link takeBatch} would give a batch. */
  get hasBatch(): boolean {
    return this.#current.size > 0;
  }

  /** The id that the next batch will have. */
  get nextBatchId(): number {
    return this.#nextBatch;
  }

  /** Batches taken and not durable. */
  get underWayCount(): number {
    return this.#underWay.length;
  }

  takeBatch(): { readonly id: number; readonly writes: readonly StorageWrite[] } | null {
    if (this.#current.size === 0) return null;
    const id = this.#nextBatch++;
    const writes: StorageWrite[] = [];
    const keys: string[] = [];
    for (const [key, value] of this.#current) {
      writes.push({ key, value });
      keys.push(key);
    }
    this.#underWay.push({ id, keys });
    this.#current = new Map();
    return { id, writes };
  }

  /** Batches up to `id` are durable. */
  durable(id: number): void {
    assert(id < this.#nextBatch, 'a batch is durable that was never taken', { id, next: this.#nextBatch });
    for (;;) {
      const oldest = this.#underWay[0];
      if (oldest === undefined || oldest.id > id) return;
      this.#underWay.shift();
      for (const key of oldest.keys) {
        if (this.#overlay.get(key)?.batch === oldest.id) this.#overlay.delete(key);
      }
    }
  }

  #write(key: string, value: Uint8Array | null): void {
    // Re-inserting keeps the batch in the order of the last writes, as a deferred delete must not undo a later put.
    this.#current.delete(key);
    this.#current.set(key, value);
    this.#overlay.set(key, { value, batch: this.#nextBatch });
  }

  #defer(key: string, value: Uint8Array | null): void {
    this.#deferredBytes += key.length + (value?.length ?? 0);
    this.#deferred.set(key, value);
    this.#overlay.set(key, { value, batch: deferred });
  }

  #stagedRecord(key: string): StorageRecord | null {
    const value = this.#overlay.get(key)?.value ?? null;
    return value === null ? null : { key, value };
  }
}
