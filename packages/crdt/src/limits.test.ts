import { replicaId, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import {
  applyOperation,
  defaultLimits,
  LimitError,
  prepareOperation,
  stampAfter,
  stampZero,
  type Value,
  type ValueLimits,
  type WriteRequest,
} from './index.ts';

const text = (length: number): Uint8Array => utf8Encode('x'.repeat(length));

/** Writes under `limits` until one is refused; which limit refused it and after how many writes. */
function firstRefusal(limits: Partial<ValueLimits>, request: (i: number) => WriteRequest): [string, number] {
  let state: Value | null = null;
  let stamp = stampZero;
  for (let i = 0; i < 50; i++) {
    stamp = stampAfter(stamp, 0, replicaId(1));
    try {
      const dot = { replica: replicaId(1), sequence: 2 * i + 1 };
      const operation = prepareOperation(state, request(i), { dot, stamp, limits: { ...defaultLimits, ...limits } });
      if (operation !== null) state = applyOperation(state, operation).state;
    } catch (error) {
      if (error instanceof LimitError) return [error.limit, i];
      throw error;
    }
  }
  return ['none', 50];
}

describe('limits', () => {
  it('each type refuses the write that would exceed one, and names it', () => {
    const bytes = { valueBytesMax: 100 };
    expect(firstRefusal(bytes, (i) => ({ type: 'register', value: text(98 + i) }))).toEqual(['valueBytesMax', 3]);
    expect(firstRefusal(bytes, () => ({ type: 'multiRegister', value: text(30), context: null }))).toEqual([
      'valueBytesMax',
      3,
    ]);
    // An element costs 16 bytes beside its own.
    expect(firstRefusal(bytes, (i) => ({ type: 'set', action: 'add', element: text(i) }))).toEqual([
      'valueBytesMax',
      5,
    ]);
    expect(firstRefusal(bytes, () => ({ type: 'set', action: 'add', element: text(80) }))).toEqual(['none', 50]);
    expect(firstRefusal({ contextRangesMax: 7 }, (i) => ({ type: 'set', action: 'add', element: text(i) }))).toEqual([
      'contextRangesMax',
      8,
    ]);
    expect(firstRefusal({ contextRangesMax: 7 }, () => ({ type: 'flag', action: 'enable' }))).toEqual([
      'contextRangesMax',
      8,
    ]);
    expect(firstRefusal({ unfoldedIncrementsMax: 7 }, () => ({ type: 'counter', action: 'add', amount: 1 }))).toEqual([
      'unfoldedIncrementsMax',
      9,
    ]);
    expect(
      firstRefusal({ documentChunksMax: 7 }, () => ({
        type: 'document',
        action: 'change',
        bytes: text(1),
        operations: 1,
      })),
    ).toEqual(['documentChunksMax', 7]);
  });

  it('a remove and a delete are never refused for a limit, so that a full value can be emptied', () => {
    const none: ValueLimits = {
      valueBytesMax: 0,
      siblingsMax: 1,
      unfoldedIncrementsMax: 0,
      contextRangesMax: 0,
      documentChunksMax: 0,
      documentOperationsMax: 0,
    };
    const identity = (sequence: number) => ({
      dot: { replica: replicaId(1), sequence },
      stamp: stampAfter(stampZero, sequence, replicaId(1)),
    });
    for (const [write, undo] of [
      [
        { type: 'set', action: 'add', element: text(1) },
        { type: 'set', action: 'remove', element: text(1) },
      ],
      [
        { type: 'flag', action: 'enable' },
        { type: 'flag', action: 'disable' },
      ],
      [
        { type: 'counter', action: 'add', amount: 1 },
        { type: 'counter', action: 'reset' },
      ],
      [{ type: 'register', value: text(1) }, { type: 'delete' }],
      [{ type: 'document', action: 'change', bytes: text(1), operations: 1 }, { type: 'delete' }],
    ] as const) {
      const { state } = applyOperation(null, prepareOperation(null, write, identity(1))!);
      expect(prepareOperation(state, undo, { ...identity(2), limits: none })).not.toBeNull();
    }
  });
});
