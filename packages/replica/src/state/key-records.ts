import type { StateKeys } from '../keys.ts';
import type { StagedStore } from '../staged-store.ts';
import { encodeKeyRecord, viewKeyRecord, type KeyRecord } from './key-record.ts';

/** Of one generation of the cache; there are two. */
const generationBytesMax = 1_024 * 1_024;
/** What an entry costs beside its key and record, about. */
const entryBytes = 128;

/**
 * The records of the keys of one partition. Those read from storage last are kept as bytes, since looking into storage, which
 * checks what it finds, costs more than the rest of a read; what was written last is held by the store. Two generations: what
 * was not used while the younger one filled up is forgotten.
 */
export class KeyRecords {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  #younger: Map<string, Uint8Array> = new Map();
  #older: Map<string, Uint8Array> = new Map();
  #youngerBytes = 0;
  /** A write reads a key and then puts it: its name in storage is made once. */
  #lastKey = '';
  #lastName: string;

  constructor(keys: StateKeys, store: StagedStore) {
    this.#keys = keys;
    this.#store = store;
    this.#lastName = keys.user('');
  }

  read(key: string): KeyRecord | null {
    const held = this.#store.getHeld(this.#nameOf(key));
    const record = held === undefined ? (this.#younger.get(key) ?? this.#recall(key)) : held;
    return record === null ? null : viewKeyRecord(record);
  }

  put(key: string, record: KeyRecord): void {
    this.#store.defer(this.#nameOf(key), encodeKeyRecord(record));
    this.#forget(key);
  }

  delete(key: string): void {
    this.#store.deferDelete(this.#nameOf(key));
    this.#forget(key);
  }

  #nameOf(key: string): string {
    if (key !== this.#lastKey) {
      this.#lastName = this.#keys.user(key);
      this.#lastKey = key;
    }
    return this.#lastName;
  }

  #forget(key: string): void {
    this.#younger.delete(key);
    this.#older.delete(key);
  }

  #recall(key: string): Uint8Array | null {
    const older = this.#older.get(key);
    // Storage's own memory does not stay as it is.
    const record = older ?? this.#store.get(this.#keys.user(key))?.slice();
    if (record === undefined) return null;
    this.#remember(key, record);
    return record;
  }

  #remember(key: string, bytes: Uint8Array): void {
    this.#younger.set(key, bytes);
    this.#youngerBytes += key.length + bytes.length + entryBytes;
    if (this.#youngerBytes <= generationBytesMax) return;
    this.#older = this.#younger;
    this.#younger = new Map();
    this.#youngerBytes = 0;
  }
}
