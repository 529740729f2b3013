import { describe, expect, it } from 'vitest';
import {
  applyOperation,
  compactValue,
  counterTotal,
  defaultLimits,
  LimitError,
  mergeValues,
  prepareOperation,
  stampZero,
  type Value,
} from './index.ts';
import { counterRequests } from './testing/arbitraries.ts';
import { Cluster, stateText, type HistoryEntry } from './testing/cluster.ts';
import { isOvertaken, testLaws } from './testing/laws.ts';

const view = (state: Value | null): bigint => counterTotal(state) ?? 0n;

/** The sum of the increments that no later reset or delete had seen. */
function model(history: readonly HistoryEntry[]): bigint {
  const resets = ({ request }: HistoryEntry): boolean =>
    request.type === 'delete' || (request.type === 'counter' && request.action === 'reset');
  return history
    .filter((entry) => !isOvertaken(entry, history, resets))
    .reduce(
      (sum, { request }) =>
        request.type === 'counter' && request.action === 'add' ? sum + BigInt(request.amount) : sum,
      0n,
    );
}

const add = (amount: number) => ({ type: 'counter', action: 'add', amount }) as const;

describe('counter', () => {
  testLaws({ requests: counterRequests, view, model });

  it('Riak, Cassandra: an increment that is delivered again is not counted twice', () => {
    const cluster = new Cluster(2);
    const once = cluster.write(0, add(5))!;
    cluster.write(0, add(7), { skipDots: 2 });
    const state = cluster.member(0).state!;
    expect(stateText(applyOperation(state, once).state)).toBe(stateText(state));
    const compacted = compactValue(state, cluster.seenDots(cluster.member(0)));
    expect(counterTotal(applyOperation(compacted, once).state)).toBe(12n);
    expect(counterTotal(mergeValues(compacted, state).state)).toBe(12n);
  });

  it('an increment that is promoted after a later one of its replica is not lost', () => {
    const cluster = new Cluster(1);
    const early = cluster.write(0, add(5), { skipDots: 16 })!;
    const late = cluster.write(0, add(7), { skipDots: 16 })!;
    const state = [late, early].reduce<Value | null>((value, op) => applyOperation(value, op).state, null);
    expect(counterTotal(state)).toBe(12n);
    expect(counterTotal(mergeValues(applyOperation(null, late).state, applyOperation(null, early).state).state)).toBe(
      12n,
    );
  });

  it('a reset that races an increment takes what it saw and leaves the increment, in every order', () => {
    for (const request of [{ type: 'counter', action: 'reset' }, { type: 'delete' }] as const) {
      const cluster = new Cluster(2);
      cluster.write(0, add(10));
      cluster.settle();
      cluster.write(0, request);
      cluster.write(1, add(3));
      cluster.settle();
      cluster.step({ do: 'merge', at: 0, from: 1 });
      expect(cluster.members.map(({ state }) => counterTotal(state))).toEqual([3n, 3n]);
    }
  });

  it('a reset does not come undone by a state that was folded before it', () => {
    const cluster = new Cluster(2);
    cluster.write(0, add(10), { skipDots: 3 });
    cluster.write(0, add(1), { skipDots: 3 });
    cluster.settle();
    cluster.write(1, { type: 'counter', action: 'reset' });
    cluster.step({ do: 'compact', at: 0 });
    cluster.write(0, add(2), { skipDots: 3 });
    cluster.step({ do: 'compact', at: 0 });
    cluster.settle();
    expect(cluster.members.map(({ state }) => counterTotal(state))).toEqual([2n, 2n]);
  });

  it('a delete also takes increments that survived an earlier one and cancel out', () => {
    const cluster = new Cluster(3);
    cluster.write(2, add(1));
    cluster.settle();
    cluster.write(0, add(5));
    cluster.write(1, add(-5));
    cluster.write(2, { type: 'delete' }, { skewMs: 1_000 });
    const deliver = (at: number): void => {
      cluster.step({ do: 'deliver', at, pick: 0, twice: false });
    };
    deliver(2);
    cluster.write(2, { type: 'counter', action: 'reset' });
    deliver(0);
    deliver(0);
    expect(counterTotal(cluster.member(0).state)).toBeNull();
    cluster.write(0, { type: 'delete' }, { skewMs: 2_000 });
    cluster.settle();
    expect(cluster.members.map(({ state }) => counterTotal(state))).toEqual([null, null, null]);
  });

  it('increments between writes of other keys are folded once their dots are known to be applied', () => {
    const cluster = new Cluster(1);
    for (let i = 0; i < 300; i++) cluster.write(0, add(1), { skipDots: 9 });
    cluster.step({ do: 'compact', at: 0 });
    expect(counterTotal(cluster.member(0).state)).toBe(300n);
    expect(stateText(cluster.member(0).state).length / 2).toBeLessThan(64);
  });

  it('sums beyond a safe integer are exact', () => {
    const cluster = new Cluster(2);
    cluster.write(0, add(Number.MAX_SAFE_INTEGER));
    cluster.write(1, add(Number.MAX_SAFE_INTEGER));
    cluster.settle();
    expect(counterTotal(cluster.member(0).state)).toBe(2n * BigInt(Number.MAX_SAFE_INTEGER));
  });

  it('refuses an amount that is not a safe integer, and increments beyond the limit that nobody folded', () => {
    const cluster = new Cluster(1);
    expect(() => cluster.write(0, add(0.5))).toThrow(RangeError);
    for (let i = 0; i < 3; i++) cluster.write(0, add(1), { skipDots: 1 });
    const { state, replica } = cluster.member(0);
    const identity = {
      dot: { replica, sequence: 99 },
      stamp: stampZero,
      limits: { ...defaultLimits, unfoldedIncrementsMax: 2 },
    };
    expect(() => prepareOperation(state, add(1), identity)).toThrow(LimitError);
    const compacted = compactValue(state!, cluster.seenDots(cluster.member(0)));
    expect(prepareOperation(compacted, add(1), identity)).not.toBeNull();
  });
});
