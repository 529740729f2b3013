import { replicaId, utf8Decode, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { applyOperation, clampStamp, HybridClock, prepareOperation, registerValue, type Value } from './index.ts';

describe('a clock in the future', () => {
  it('one write from ten years ahead does not win for ever once its stamp is clamped', () => {
    const tenYearsMs = 315_360_000_000;
    const nowMs = 1_700_000_000_000;
    const maxClockSkewMs = 500;
    const early = prepareOperation(
      null,
      { type: 'register', value: utf8Encode('future') },
      {
        dot: { replica: replicaId(1), sequence: 1 },
        stamp: new HybridClock(replicaId(1)).next(nowMs + tenYearsMs),
      },
    )!;
    const clamped = { ...early, stamp: clampStamp(early.stamp, nowMs + maxClockSkewMs, null) };
    const nextWriter = new HybridClock(replicaId(2));
    const later = prepareOperation(
      null,
      { type: 'register', value: utf8Encode('now') },
      {
        dot: { replica: replicaId(2), sequence: 1 },
        stamp: nextWriter.next(nowMs + maxClockSkewMs + 1),
      },
    )!;
    const shown = (...ops: (typeof later)[]): string | null => {
      const state = ops.reduce<Value | null>((value, op) => applyOperation(value, op).state, null);
      return utf8Decode(registerValue(state)!);
    };
    expect(shown(early, later)).toBe('future');
    expect(shown(clamped, later)).toBe('now');
    expect(shown(later, clamped)).toBe('now');
  });
});
