import type { RangeOptions, Transaction } from 'lmdb';
import { compareText } from '@skerry/base';
import { StorageCorruptError, type StorageRange, type StorageReader, type StorageRecord } from '@skerry/replica';
import { errorNumberOf, type Environment } from './environment.ts';
import { afterRecords, decodeKey, decodeValue, encodeKey } from './record.ts';

/** Reads records at the newest durable state or, given a transaction, at that transaction's; checks each one. */
export class LmdbReader implements StorageReader {
  readonly #environment: Environment;
  readonly #onCorrupt: (problem: StorageCorruptError) => void;
  /** Empty: each call reads the newest durable state. */
  readonly #options: { readonly transaction?: Transaction };

  constructor(
    environment: Environment,
    onCorrupt: (problem: StorageCorruptError) => void,
    transaction: Transaction | null,
  ) {
    this.#environment = environment;
    this.#onCorrupt = onCorrupt;
    this.#options = transaction === null ? {} : { transaction };
  }

  get(key: string): Uint8Array | undefined {
    const storedKey = encodeKey(key);
    return this.#checked(() => {
      // A copy: lmdb-js reads into one buffer that all environments of the process share.
      const stored = this.#environment.get(storedKey, this.#options);
      return stored === undefined ? undefined : decodeValue(storedKey, stored);
    });
  }

  *scan({ from, to, limit, reverse = false }: StorageRange): Iterable<StorageRecord> {
    if (compareText(from, to) >= 0 || limit === 0) return;
    const [low, high] = [encodeKey(from), encodeKey(to)];
    yield* this.#range({
      ...(reverse
        ? { start: high, exclusiveStart: true, end: low, inclusiveEnd: true, reverse }
        : { start: low, end: high }),
      ...(limit === undefined ? {} : { limit }),
    });
  }

  /** All records with from <= key. */
  scanToEnd(from: string): Iterable<StorageRecord> {
    return this.#range({ start: encodeKey(from), end: afterRecords });
  }

  *#range(range: RangeOptions): Iterable<StorageRecord> {
    const records = this.#environment.getRange({ ...range, ...this.#options })[Symbol.iterator]();
    try {
      for (;;) {
        const record = this.#checked(() => {
          const { done, value } = records.next();
          return done === true ? null : { key: decodeKey(value.key), value: decodeValue(value.key, value.value) };
        });
        if (record === null) return;
        yield record;
      }
    } finally {
      records.return?.();
    }
  }

  /** Reports what is damaged to the owner before it is thrown, since a caller may not look at what it caught. */
  #checked<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      const problem = asCorrupt(error);
      if (problem === null) throw error;
      this.#onCorrupt(problem);
      throw problem;
    }
  }
}

/** LMDB's own numbers (-30799 to -30700) on a read all say that a page is not what it should be. */
function asCorrupt(error: unknown): StorageCorruptError | null {
  if (error instanceof StorageCorruptError) return error;
  const number = errorNumberOf(error);
  if (number === null || number < -30_799 || number > -30_700) return null;
  return new StorageCorruptError(`LMDB cannot read a page: ${(error as Error).message}`, 'data.mdb');
}
