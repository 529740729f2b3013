import { clientId, partitionId, replicaId } from '@skerry/base';
import { expect, it } from 'vitest';
import { stateKeys } from '../keys.ts';
import { MemoryStorage } from '../ports/memory-storage.ts';
import { StagedStore } from '../staged-store.ts';
import { decodeReceipts, encodeReceipts, Receipts, receiptsPerPage, type Settled } from './receipts.ts';

const keys = stateKeys(partitionId(0), 0);
const client = (number: number) => clientId(number.toString(16).padStart(32, '0'));

/** The `n`-th receipt of a mix of replicas, clients and ends. */
function receiptOf(n: number): Settled {
  const replica = replicaId(1 + (n % 3));
  return {
    dot: { replica, sequence: 1 + Math.floor(n / 3) },
    receipt: {
      state: n % 7 === 0 ? 'superseded' : 'promoted',
      stamp: n % 11 === 0 ? null : { wallMs: 1_000 + n, counter: n % 5, replica },
      reason: n % 13 === 0 ? 'FENCED' : null,
    },
    write: n % 17 === 0 ? null : { client: client(n % 5), sequence: n + 1 },
  };
}

const all = (count: number): Settled[] => Array.from({ length: count }, (_, n) => receiptOf(n));

it('encodes and decodes a page', () => {
  expect(decodeReceipts(encodeReceipts(all(receiptsPerPage)))).toEqual(all(receiptsPerPage));
});

it('finds every receipt by its dot and by its write, before and after it is opened again', () => {
  const store = new StagedStore(new MemoryStorage());
  const numbers = { first: 0, next: 0 };
  const receipts = new Receipts(keys, store, numbers);
  const settled = all(3 * receiptsPerPage + 40);
  for (const one of settled) receipts.settle(one);
  receipts.save();
  for (const opened of [receipts, new Receipts(keys, store, numbers)]) {
    for (const one of settled) {
      expect(opened.find(one.dot)).toEqual(one.receipt);
      if (one.write !== null) expect(opened.firstOf(one.write)).toEqual(one);
    }
    expect(opened.find({ replica: replicaId(1), sequence: 100_000 })).toBeNull();
    expect(opened.firstOf({ client: client(1), sequence: 1 })).toBeNull();
  }
});

it('forgets the oldest by whole pages, never so many that fewer than wanted are left', () => {
  const store = new StagedStore(new MemoryStorage());
  const numbers = { first: 0, next: 0 };
  const receipts = new Receipts(keys, store, numbers);
  const settled = all(3 * receiptsPerPage + 40);
  for (const one of settled) receipts.settle(one);
  const countMax = receiptsPerPage + 10;
  expect([...receipts.trim(countMax, 100_000)]).toEqual(settled.slice(0, 2 * receiptsPerPage));
  expect(receipts.count).toBe(receiptsPerPage + 40);
  expect(receipts.isOver(countMax)).toBe(false);
  expect(receipts.find(receiptOf(0).dot)).toBeNull();
  expect(receipts.find(receiptOf(2 * receiptsPerPage).dot)).toEqual(receiptOf(2 * receiptsPerPage).receipt);
});
