import { ByteReader, ByteWriter } from '@skerry/base';
import {
  compareStamps,
  decodeValue,
  encodeValue,
  stampMax,
  stampZero,
  valueStamp,
  type Stamp,
  type Value,
} from '@skerry/crdt';
import type { StateKeys } from '../keys.ts';
import type { StagedStore } from '../staged-store.ts';
import type { StateHeader } from './header.ts';

/** Graves of one partition that are kept; of what is dropped beyond, the highest stamp stands for all. */
export const gravesMax = 65_536;

/** What the state's header says of its graves. */
export interface GraveFacts {
  /** Records that there are. */
  count: number;
  /** Of registers up to this stamp it is not known whether a later delete was dropped: {@link gravesMax} were there already. */
  floor: Stamp;
}

/**
 * What is left of a tombstone that is dropped while a region is out: the delete of the register alone. No digest, no page of
 * keys and no read knows of it. A register that such a region offers is compared with it, so that the later one of the two
 * counts, as it would if the tombstone were still in place (I11); where there is none, the register keeps the stamp that it
 * was written with, and whatever was written over it elsewhere stays later. Other types need none: what a delete took away
 * from them it names.
 */
export class Graves {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  readonly #header: Pick<StateHeader, 'graves'>;

  constructor(parts: {
    readonly keys: StateKeys;
    readonly store: StagedStore;
    readonly header: Pick<StateHeader, 'graves'>;
  }) {
    this.#keys = parts.keys;
    this.#store = parts.store;
    this.#header = parts.header;
  }

  /** `tombstone` of `key` is dropped, and a region is out. */
  add(key: string, tombstone: Value): void {
    const { graves } = this.#header;
    const deleted = onlyRegister(tombstone);
    if (deleted === null) return;
    const before = this.read(key);
    if (before !== null && compareStamps(valueStamp(before), valueStamp(deleted)) >= 0) return;
    if (before === null && graves.count >= gravesMax) {
      graves.floor = stampMax(graves.floor, valueStamp(deleted));
      return;
    }
    const writer = new ByteWriter(32);
    encodeValue(writer, deleted);
    this.#store.defer(this.#keys.grave(key), writer.finish());
    if (before === null) graves.count++;
  }

  /** Those of another region. */
  take(graves: readonly { readonly key: string; readonly value: Uint8Array }[]): void {
    for (const { key, value } of graves) this.add(key, decodeValue(new ByteReader(value.slice())));
  }

  /** The tombstone that was dropped, as far as it concerns the register; null: there is no grave. */
  read(key: string): Value | null {
    if (this.#header.graves.count === 0) return null;
    const record = this.#store.get(this.#keys.grave(key));
    return record === undefined ? null : decodeValue(new ByteReader(record.slice()));
  }

  /** A register with a stamp up to this one may have been deleted by a later write that is forgotten. */
  stampOf(key: string): Stamp {
    const grave = this.read(key);
    const { floor } = this.#header.graves;
    return grave === null ? floor : stampMax(floor, valueStamp(grave));
  }

  /** Names of keys above `after`, at most `limit`. */
  names(after: string, limit: number): string[] {
    if (this.#header.graves.count === 0) return [];
    const { from, to } = this.#keys.range('d');
    const range = { from: after === '' ? from : `${this.#keys.grave(after)}\0`, to, limit };
    return Array.from(this.#store.scan(range), ({ key }) => key.slice(from.length));
  }

  /** No region is out: nobody offers anything any more. Drops at most `limit`. */
  drop(limit: number): void {
    const { graves } = this.#header;
    const names = this.names('', limit);
    for (const key of names) this.#store.deferDelete(this.#keys.grave(key));
    graves.count -= names.length;
    graves.floor = stampZero;
  }

  /** True if {@link drop} would change anything. */
  get isAny(): boolean {
    return this.#header.graves.count > 0 || compareStamps(this.#header.graves.floor, stampZero) > 0;
  }
}

function onlyRegister(value: Value): Value | null {
  const parts = value.parts.filter(({ type }) => type === 'register');
  return parts.length === 0 ? null : { parts };
}
