import { ByteReader, ByteWriter } from '@skerry/base';
import type { StateKeys } from '../keys.ts';
import type { StagedStore } from '../staged-store.ts';

interface Lease {
  readonly ttlMs: number;
  /** In cluster time. */
  readonly expiresMs: number;
}

/** Leases of one partition: times in cluster time, which stands still while there is no leader, so none ends early. */
export class Leases {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  /** No lease ends before this cluster time; found again after it has passed. */
  #nextExpiryMs: number | null = null;

  constructor(keys: StateKeys, store: StagedStore) {
    this.#keys = keys;
    this.#store = store;
  }

  find(lease: string): Lease | null {
    const record = this.#store.get(this.#keys.lease(lease));
    if (record === undefined) return null;
    const reader = new ByteReader(record);
    return { ttlMs: reader.varint(), expiresMs: reader.u48() };
  }

  /** Makes the lease or lengthens it to `ttlMs` from now. */
  extend(lease: string, ttlMs: number, clusterMs: number): void {
    const old = this.find(lease);
    if (old !== null) this.#store.deferDelete(this.#keys.leaseExpiry(old.expiresMs, lease));
    const expiresMs = clusterMs + ttlMs;
    this.#store.defer(this.#keys.lease(lease), new ByteWriter(16).varint(ttlMs).u48(expiresMs).finish());
    this.#store.defer(this.#keys.leaseExpiry(expiresMs, lease), new Uint8Array(0));
    if (this.#nextExpiryMs !== null && expiresMs < this.#nextExpiryMs) this.#nextExpiryMs = expiresMs;
  }

  attach(lease: string, key: string): void {
    this.#store.defer(this.#keys.leaseKey(lease, key), new Uint8Array(0));
  }

  detach(lease: string, key: string): void {
    this.#store.deferDelete(this.#keys.leaseKey(lease, key));
  }

  keysOf(lease: string): string[] {
    const from = this.#keys.leaseKeysFrom(lease);
    return Array.from(this.#store.scan({ from, to: this.#keys.leaseKeysTo(lease) }), ({ key }) =>
      key.slice(from.length),
    );
  }

  /** Removes the lease itself; the caller deletes its keys first. */
  remove(lease: string): void {
    const old = this.find(lease);
    if (old === null) return;
    this.#store.deferDelete(this.#keys.leaseExpiry(old.expiresMs, lease));
    this.#store.deferDelete(this.#keys.lease(lease));
  }

  /** Leases over at `clusterMs`, at most `limit`. */
  due(clusterMs: number, limit: number): string[] {
    const { from } = this.#keys.range('y');
    const found: string[] = [];
    for (const { key } of this.#store.scan({ from, to: this.#keys.leaseExpiry(clusterMs + 1, ''), limit })) {
      found.push(key.slice(from.length + 13));
    }
    return found;
  }

  /** Cheap enough for every tick: reads storage only when a lease may have ended. */
  isAnyDue(clusterMs: number): boolean {
    if (this.#nextExpiryMs !== null && clusterMs < this.#nextExpiryMs) return false;
    const { from, to } = this.#keys.range('y');
    this.#nextExpiryMs = Number.POSITIVE_INFINITY;
    for (const { key } of this.#store.scan({ from, to, limit: 1 })) {
      this.#nextExpiryMs = Number.parseInt(key.slice(from.length, from.length + 12), 16);
    }
    return clusterMs >= this.#nextExpiryMs;
  }
}
