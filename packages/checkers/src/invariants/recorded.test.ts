import { describe, expect, it } from 'vitest';
import { checkDeletedByTime } from './i11-deleted.ts';
import { checkDiscarded, checkLosers } from './i12-recorded.ts';
import { checkRefused, checkTwins } from './i14-no-trace.ts';
import { checkCommittedOnce } from './i7-once.ts';
import { checkCommitted } from './i8-outcomes.ts';
import type { ReadFact, WriteFact } from './facts.ts';

const messages = (violations: readonly { readonly invariant: string; readonly message: string }[]): string[] =>
  violations.map(({ invariant, message }) => `${invariant} ${message}`);

const committed = [
  { key: 'k', value: 'a', version: '5', index: 3 },
  { key: 'k', value: null, version: '6', index: 4 },
];

describe('I7 in the log', () => {
  it('holds when a write is there once, as its receipt says, or not at all', () => {
    expect(
      checkCommittedOnce(
        [
          { key: 'k', value: 'a', version: '5' },
          { key: 'k', value: 'b', version: '9' },
          { key: 'k', value: 'a', version: null },
        ],
        committed,
      ),
    ).toEqual([]);
  });

  it('is violated by a write that is there twice, unless its region got it back when it was re-seeded', () => {
    const twice = [...committed, { key: 'k', value: 'a', version: '5', index: 8 }];
    const writes = [{ key: 'k', value: 'a', version: '5' }];
    expect(messages(checkCommittedOnce(writes, twice))).toEqual(['I7 k=a was committed 2 times, at 3, 8']);
    expect(checkCommittedOnce(writes, twice, { mayRepeat: true })).toEqual([]);
  });

  it('is violated by a receipt that tells another version', () => {
    expect(messages(checkCommittedOnce([{ key: 'k', value: 'a', version: '7' }], committed))).toEqual([
      'I7 the receipt of k=a says 7, the log says 5',
    ]);
  });
});

describe('I8 in the log', () => {
  it('is violated by an applied write that was never committed', () => {
    expect(checkCommitted([{ key: 'k', value: 'a' }], committed)).toEqual([]);
    expect(messages(checkCommitted([{ key: 'k', value: 'b' }], committed))).toEqual([
      'I8 k=b was applied, as its client was told, but never committed',
    ]);
  });
});

describe('I11 by real time', () => {
  const write = (value: string | null, invokedAt: number): WriteFact => ({
    process: 'c1',
    node: undefined,
    region: undefined,
    key: 'k',
    value,
    version: undefined,
    consistent: true,
    outcome: 'applied',
    invokedAt,
    acknowledgedAt: invokedAt + 1,
  });
  const read = (value: string | null, invokedAt: number): ReadFact => ({
    process: 'c2',
    node: undefined,
    region: undefined,
    key: 'k',
    value,
    version: undefined,
    consistent: true,
    behind: false,
    invokedAt,
    returnedAt: invokedAt + 1,
  });

  it('holds for reads that may come before the delete, and for what was written after it', () => {
    const writes = [write('a', 0), write(null, 10), write('b', 20)];
    expect(checkDeletedByTime({ writes, reads: [read('a', 9), read(null, 15), read('b', 30)] })).toEqual([]);
  });

  it('is violated by a later read of what was deleted', () => {
    expect(messages(checkDeletedByTime({ writes: [write('a', 0), write(null, 10)], reads: [read('a', 12)] }))).toEqual([
      'I11 k=a was deleted by c1, but c2 read it later',
    ]);
  });
});

describe('I12', () => {
  it('is violated by a quorum-less write that lost and is in no ledger', () => {
    const loser = { key: 'k', value: 'a', process: 'c1', state: 'superseded' };
    expect(checkLosers([loser], [{ key: 'k', loser: 'a' }])).toEqual([]);
    expect(messages(checkLosers([loser], [{ key: 'k', loser: 'b' }]))).toEqual([
      'I12 k=a was superseded and is not in the conflict ledger',
    ]);
  });

  it('holds between regions for what is visible, was replaced where it was seen, or is recorded', () => {
    const applied = ['a', 'b', 'c'].map((value) => ({ key: 'k', value, process: 'c1' }));
    const evidence = {
      visible: [{ key: 'k', value: 'a' }],
      replaced: [{ key: 'k', value: 'b' }],
      ledger: [{ key: 'k', loser: 'c' }],
    };
    expect(checkDiscarded(applied, evidence)).toEqual([]);
    expect(messages(checkDiscarded(applied, { ...evidence, ledger: [] }))).toEqual([
      'I12 k=c of c1 is gone, was overwritten by nobody who saw it, and is in no conflict ledger',
    ]);
  });
});

describe('I14', () => {
  it('is violated by twins that differ in one transaction', () => {
    expect(checkTwins([{ process: 'c1', values: ['a', 'a'] }])).toEqual([]);
    expect(messages(checkTwins([{ process: 'c1', values: ['a', null] }]))).toEqual([
      'I14 twins differ in one transaction of c1: a and ',
    ]);
  });

  it('is violated by what a refused call would have written', () => {
    const sighting = { key: 'k', value: 'a', version: '5', where: 'the log at 0/3' };
    expect(checkRefused([{ process: 'c1', key: 'k', value: 'b' }], [sighting])).toEqual([]);
    expect(messages(checkRefused([{ process: 'c1', key: 'k', value: 'a' }], [sighting]))).toEqual([
      'I14 k=a of c1 was refused, but the log at 0/3 shows it',
    ]);
  });
});
