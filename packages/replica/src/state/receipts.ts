import { assert, ByteReader, ByteWriter, DecodeError, replicaId, type ClientId, type ReplicaId } from '@skerry/base';
import type { Dot, Stamp } from '@skerry/crdt';
import type { StateKeys } from '../keys.ts';
import type { ReceiptState } from '../requests.ts';
import type { StagedStore } from '../staged-store.ts';
import type { WriteName } from './copies.ts';
import { readClient, readOptionalText, writeOptionalText } from './fields.ts';
import { readOptionalStamp, writeOptionalStamp } from './result.ts';

/** What became of a quorum-less write. */
export interface ReceiptRecord {
  readonly state: Exclude<ReceiptState, 'accepted' | 'unknown'>;
  /** Stamp of the value that stands at the key because of it or instead of it. */
  readonly stamp: Stamp | null;
  readonly reason: string | null;
}

/** A receipt as it is kept. */
export interface Settled {
  readonly dot: Dot;
  readonly receipt: ReceiptRecord;
  /** Whose first copy it is; null: it is a second one, or was rejected. */
  readonly write: WriteName | null;
}

const states = ['promoted', 'merged', 'superseded', 'rejected'] as const;

/** Receipts in one record. */
export const receiptsPerPage = 256;

/** What may stand on a page, so that few are read to find one receipt: sequences from and to. */
interface PageIndex {
  readonly replicas: Map<ReplicaId, Range>;
  readonly clients: Map<ClientId, Range>;
}

interface Range {
  from: number;
  to: number;
}

/**
 * Settled receipts of one partition, numbered in the order of settling so that the oldest can be forgotten, and kept in
 * pages of {@link receiptsPerPage}.
 */
export class Receipts {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  /** Shared with the header, which stores it. `first` begins a page. */
  readonly #numbers: { first: number; next: number };
  readonly #index: Map<number, PageIndex> = new Map();
  /** The page that is not full. */
  #last: Settled[] = [];
  #lastDirty = false;

  constructor(keys: StateKeys, store: StagedStore, numbers: { first: number; next: number }) {
    this.#keys = keys;
    this.#store = store;
    this.#numbers = numbers;
    const lastPage = pageOf(numbers.next);
    for (let page = pageOf(numbers.first); page <= lastPage; page++) {
      const receipts = this.#read(page);
      for (const one of receipts) this.#note(page, one);
      if (page === lastPage) this.#last = receipts;
    }
  }

  get count(): number {
    return this.#numbers.next - this.#numbers.first;
  }

  settle(settled: Settled): void {
    const page = pageOf(this.#numbers.next++);
    this.#note(page, settled);
    this.#last.push(settled);
    this.#lastDirty = true;
    if (this.#last.length < receiptsPerPage) return;
    this.save();
    this.#last = [];
  }

  find(dot: Dot): ReceiptRecord | null {
    const found = this.#search(
      ({ replicas }) => isWithin(replicas.get(dot.replica), dot.sequence),
      (one) => one.dot.sequence === dot.sequence && one.dot.replica === dot.replica,
    );
    return found?.receipt ?? null;
  }

  /** The copy of the write that was promoted, as long as its receipt is kept. */
  firstOf({ client, sequence }: WriteName): Settled | null {
    return this.#search(
      ({ clients }) => isWithin(clients.get(client), sequence),
      ({ write }) => write !== null && write.sequence === sequence && write.client === client,
    );
  }

  /** True if a page can be forgotten and `countMax` be kept. */
  isOver(countMax: number): boolean {
    return this.count >= countMax + receiptsPerPage;
  }

  /** Forgets the oldest down to `countMax` or a page more, at most `limit` of them, and tells which. */
  *trim(countMax: number, limit: number): Generator<Settled, void, undefined> {
    for (let left = limit; left > 0 && this.isOver(countMax); left -= receiptsPerPage) {
      const page = pageOf(this.#numbers.first);
      yield* this.#read(page);
      this.#index.delete(page);
      this.#store.deferDelete(this.#keys.receipts(page));
      this.#numbers.first += receiptsPerPage;
    }
  }

  /** Writes what changed into the deferred writes; call before they enter a batch. */
  save(): void {
    if (!this.#lastDirty) return;
    this.#lastDirty = false;
    this.#store.defer(this.#keys.receipts(pageOf(this.#numbers.next - 1)), encodeReceipts(this.#last));
  }

  #note(page: number, { dot, write }: Settled): void {
    let index = this.#index.get(page);
    if (index === undefined) this.#index.set(page, (index = { replicas: new Map(), clients: new Map() }));
    widen(index.replicas, dot.replica, dot.sequence);
    if (write !== null) widen(index.clients, write.client, write.sequence);
  }

  /** The newest first. */
  #search(mayBeOn: (index: PageIndex) => boolean, isIt: (one: Settled) => boolean): Settled | null {
    const lastPage = pageOf(this.#numbers.next);
    for (let page = lastPage; page >= pageOf(this.#numbers.first); page--) {
      const index = this.#index.get(page);
      if (index === undefined || !mayBeOn(index)) continue;
      const found = (page === lastPage ? this.#last : this.#read(page)).find(isIt);
      if (found !== undefined) return found;
    }
    return null;
  }

  #read(page: number): Settled[] {
    const record = this.#store.get(this.#keys.receipts(page));
    return record === undefined ? [] : decodeReceipts(record);
  }
}

/** What recurs (replicas and clients) is written where it comes first; later its number stands there. */
export function encodeReceipts(receipts: readonly Settled[]): Uint8Array {
  assert(receipts.length <= receiptsPerPage, 'a page has room for all', { count: receipts.length });
  const writer = new ByteWriter(48 * receipts.length + 256);
  const replicas: Map<ReplicaId, number> = new Map();
  const clients: Map<ClientId, number> = new Map();
  for (const { dot, receipt, write } of receipts) {
    const replica = replicas.get(dot.replica);
    writer.varint(replica ?? replicas.size);
    if (replica === undefined) {
      replicas.set(dot.replica, replicas.size);
      writer.u48(dot.replica);
    }
    writer.varint(dot.sequence).u8(states.indexOf(receipt.state));
    writeOptionalStamp(writer, receipt.stamp);
    writeOptionalText(writer, receipt.reason);
    writer.bool(write !== null);
    if (write === null) continue;
    const client = clients.get(write.client);
    writer.varint(client ?? clients.size);
    if (client === undefined) {
      clients.set(write.client, clients.size);
      writer.text(write.client);
    }
    writer.varint(write.sequence);
  }
  return writer.finish();
}

export function decodeReceipts(bytes: Uint8Array): Settled[] {
  const reader = new ByteReader(bytes);
  const replicas: ReplicaId[] = [];
  const clients: ClientId[] = [];
  const receipts: Settled[] = [];
  while (reader.remaining > 0) {
    const replica = recurring(reader, replicas, () => replicaId(reader.u48()));
    const dot = { replica, sequence: reader.varint() };
    const state = states[reader.u8()];
    if (state === undefined) throw new DecodeError('unknown state of a receipt');
    const receipt = { state, stamp: readOptionalStamp(reader), reason: readOptionalText(reader) };
    const write = reader.bool()
      ? { client: recurring(reader, clients, () => readClient(reader)), sequence: reader.varint() }
      : null;
    receipts.push({ dot, receipt, write });
  }
  return receipts;
}

function recurring<T>(reader: ByteReader, known: T[], read: () => T): T {
  const number = reader.varint();
  if (number > known.length) throw new DecodeError(`number ${number} of ${known.length} names`);
  if (number === known.length) known.push(read());
  return known[number] as T;
}

function pageOf(number: number): number {
  return Math.floor(number / receiptsPerPage);
}

function widen<K>(ranges: Map<K, Range>, name: K, sequence: number): void {
  const range = ranges.get(name);
  if (range === undefined) ranges.set(name, { from: sequence, to: sequence });
  else if (sequence > range.to) range.to = sequence;
  else if (sequence < range.from) range.from = sequence;
}

function isWithin(range: Range | undefined, sequence: number): boolean {
  return range !== undefined && sequence >= range.from && sequence <= range.to;
}
