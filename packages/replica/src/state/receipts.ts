import { ByteReader, ByteWriter } from '@skerry/base';
import { decodeDot, encodeDot, type Dot, type Stamp } from '@skerry/crdt';
import type { StateKeys } from '../keys.ts';
import type { ReceiptState } from '../requests.ts';
import type { StagedStore } from '../staged-store.ts';
import type { Copies, WriteName } from './copies.ts';
import { readClient, readOptionalText, writeOptionalText } from './fields.ts';
import { readOptionalStamp, writeOptionalStamp } from './result.ts';

/** What became of a quorum-less write. */
export interface ReceiptRecord {
  readonly state: Exclude<ReceiptState, 'accepted' | 'unknown'>;
  /** Stamp of the value that stands at the key because of it or instead of it. */
  readonly stamp: Stamp | null;
  readonly reason: string | null;
}

const states = ['promoted', 'merged', 'superseded', 'rejected'] as const;

/** Settled receipts of one partition, numbered in the order of settling so that the oldest can be forgotten. */
export class Receipts {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  /** Shared with the header, which stores it. */
  readonly #numbers: { first: number; next: number };
  readonly #copies: Copies;

  constructor(
    keys: StateKeys,
    store: StagedStore,
    { numbers, copies }: { numbers: { first: number; next: number }; copies: Copies },
  ) {
    this.#keys = keys;
    this.#store = store;
    this.#numbers = numbers;
    this.#copies = copies;
  }

  /** `write`: whose first copy this is; null: it is a second one, or was rejected. */
  settle(dot: Dot, receipt: ReceiptRecord, write: WriteName | null): void {
    const writer = new ByteWriter(24).u8(states.indexOf(receipt.state));
    writeOptionalStamp(writer, receipt.stamp);
    writeOptionalText(writer, receipt.reason);
    this.#store.defer(this.#keys.receipt(dot.replica, dot.sequence), writer.finish());
    const order = new ByteWriter(64);
    encodeDot(order, dot);
    order.bool(write !== null);
    if (write !== null) {
      order.text(write.client).varint(write.sequence);
      this.#copies.promoted(write, dot);
    }
    this.#store.defer(this.#keys.receiptOrder(this.#numbers.next++), order.finish());
  }

  find(dot: Dot): ReceiptRecord | null {
    const record = this.#store.get(this.#keys.receipt(dot.replica, dot.sequence));
    if (record === undefined) return null;
    const reader = new ByteReader(record.slice());
    const state = states[reader.u8()] ?? 'rejected';
    return { state, stamp: readOptionalStamp(reader), reason: readOptionalText(reader) };
  }

  get count(): number {
    return this.#numbers.next - this.#numbers.first;
  }

  /** Forgets the oldest down to `countMax`, at most `limit` of them. */
  trim(countMax: number, limit: number): void {
    for (let left = limit; left > 0 && this.count > countMax; left--) {
      const key = this.#keys.receiptOrder(this.#numbers.first++);
      const record = this.#store.get(key);
      if (record === undefined) continue;
      const reader = new ByteReader(record);
      const dot = decodeDot(reader);
      this.#copies.forget(dot, reader.bool() ? { client: readClient(reader), sequence: reader.varint() } : null);
      this.#store.deferDelete(this.#keys.receipt(dot.replica, dot.sequence));
      this.#store.deferDelete(key);
    }
  }
}
