import { assert } from '@skerry/base';
import { OrderedMap } from './ordered-map.ts';
import type { StorageRange, StorageReader, StorageRecord, StorageSource, StorageWrite } from './ports/storage.ts';
import { RunStore, type LazyWrites } from './runs.ts';
import { scanOver } from './scan-over.ts';

interface Staged {
  value: Uint8Array | null;
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
 *   data are never apart (etcd #13766). They go into runs ({@link RunStore}), or, where their keys come in order anyway,
 *   with `deferDirect` straight into the tree: use it for all records of such a kind or for none.
 */
export class StagedStore implements StorageReader {
  readonly #durable: RunStore;
  readonly #overlay: OrderedMap<Staged> = new OrderedMap();
  /** What the next batch writes into the tree, and into a run. */
  #current: Map<string, Uint8Array | null> = new Map();
  #currentLazy: LazyWrites = new Map();
  #deferred: Map<string, Uint8Array | null> = new Map();
  #deferredDirect: Map<string, Uint8Array | null> = new Map();
  #deferredBytes = 0;
  /** Keys of the batches that were taken and are not durable, oldest first. */
  readonly #underWay: {
    readonly id: number;
    readonly direct: ReadonlyMap<string, unknown>;
    readonly lazy: ReadonlyMap<string, unknown>;
  }[] = [];
  #nextBatch = 1;

  constructor(storage: StorageSource, runsBytesMax: number = 8 * 1_024 * 1_024) {
    this.#durable = new RunStore(storage, runsBytesMax);
  }

  /** What is durable, without the overlay. */
  get durableSource(): StorageSource {
    return this.#durable;
  }

  get runsBytes(): number {
    return this.#durable.bytes;
  }

  get(key: string): Uint8Array | undefined {
    const staged = this.#overlay.get(key);
    if (staged !== undefined) return staged.value ?? undefined;
    return this.#durable.get(key);
  }

  /** What this process holds of `key` in memory, which stays as it is; null: deleted, undefined: storage has to be asked. */
  getHeld(key: string): Uint8Array | null | undefined {
    const staged = this.#overlay.get(key);
    return staged === undefined ? this.#durable.getHeld(key) : staged.value;
  }

  scan(range: StorageRange): Iterable<StorageRecord> {
    return scanOver(this.#durable, range, this.#overlay.range(range.from, range.to), (key) => this.get(key) ?? null);
  }

  put(key: string, value: Uint8Array): void {
    this.#write(key, value);
  }

  delete(key: string): void {
    this.#write(key, null);
  }

  defer(key: string, value: Uint8Array): void {
    this.#defer(this.#deferred, key, value);
  }

  deferDelete(key: string): void {
    this.#defer(this.#deferred, key, null);
  }

  /** For kinds of records whose new keys lie behind all others of their kind. */
  deferDirect(key: string, value: Uint8Array): void {
    this.#defer(this.#deferredDirect, key, value);
  }

  deferDeleteDirect(key: string): void {
    this.#defer(this.#deferredDirect, key, null);
  }

  get deferredCount(): number {
    return this.#deferred.size + this.#deferredDirect.size;
  }

  get deferredBytes(): number {
    return this.#deferredBytes;
  }

  /** Puts all deferred writes into the next batch. */
  promoteDeferred(): void {
    for (const [key, value] of this.#deferredDirect) this.#write(key, value);
    for (const key of this.#deferred.keys()) (this.#overlay.get(key) as Staged).batch = this.#nextBatch;
    if (this.#currentLazy.size === 0) this.#currentLazy = this.#deferred;
    else for (const [key, value] of this.#deferred) this.#currentLazy.set(key, value);
    this.#deferredDirect = new Map();
    this.#deferred = new Map();
    this.#deferredBytes = 0;
  }

  /** True if {@link takeBatch} would give a batch. */
  get hasBatch(): boolean {
    return this.#current.size > 0 || this.#currentLazy.size > 0;
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
    if (!this.hasBatch) return null;
    const id = this.#nextBatch++;
    this.#underWay.push({ id, direct: this.#current, lazy: this.#currentLazy });
    const writes = this.#durable.write(id, this.#current, this.#currentLazy);
    this.#current = new Map();
    this.#currentLazy = new Map();
    return { id, writes };
  }

  /** Batches up to `id` are durable. */
  durable(id: number): void {
    assert(id < this.#nextBatch, 'a batch is durable that was never taken', { id, next: this.#nextBatch });
    this.#durable.durable(id);
    for (;;) {
      const oldest = this.#underWay[0];
      if (oldest === undefined || oldest.id > id) return;
      this.#underWay.shift();
      for (const keys of [oldest.direct.keys(), oldest.lazy.keys()])
        for (const key of keys) if (this.#overlay.get(key)?.batch === oldest.id) this.#overlay.delete(key);
    }
  }

  #write(key: string, value: Uint8Array | null): void {
    // Whatever was said of the key before is overtaken.
    this.#deferred.delete(key);
    this.#deferredDirect.delete(key);
    this.#currentLazy.delete(key);
    // Re-inserting keeps the batch in the order of the last writes.
    this.#current.delete(key);
    this.#current.set(key, value);
    this.#stage(key, value, this.#nextBatch);
  }

  #defer(deferredWrites: Map<string, Uint8Array | null>, key: string, value: Uint8Array | null): void {
    this.#deferredBytes += key.length + (value?.length ?? 0);
    deferredWrites.set(key, value);
    this.#stage(key, value, deferred);
  }

  #stage(key: string, value: Uint8Array | null, batch: number): void {
    const staged = this.#overlay.get(key);
    if (staged === undefined) {
      this.#overlay.set(key, { value, batch });
      return;
    }
    staged.value = value;
    staged.batch = batch;
  }
}
