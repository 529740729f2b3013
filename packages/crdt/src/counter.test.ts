import fc from 'fast-check';
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
import { counterRequests, replicaCount, steps } from './testing/arbitraries.ts';
import {
  Cluster,
  stateText,
  valueBytes,
  valueFromBytes,
  type HistoryEntry,
  type PlannedRequest,
  type Step,
} from './testing/cluster.ts';
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

function promote(cluster: Cluster, at: number, pick = 0): void {
  cluster.step({ do: 'promote', at, pick });
}

/** Each member sums up what it can; then all tell each other what they have. */
function expectTotal(cluster: Cluster, expected: bigint): void {
  for (let at = 0; at < cluster.members.length; at++) cluster.step({ do: 'compact', at });
  cluster.exchange();
  expect(cluster.members.map(({ state }) => view(state))).toEqual(cluster.members.map(() => expected));
  cluster.settle();
  expect(cluster.members.map(({ state }) => view(state))).toEqual(cluster.members.map(() => expected));
}

describe('counter', () => {
  testLaws({ requests: counterRequests, view, model });

  // Deletes come often, and are delivered at once now and then, or hardly any tombstone would be stable.
  const recounted: fc.Arbitrary<Step[]> = fc
    .array(
      fc.oneof(
        { arbitrary: steps(counterRequests, { compacts: true, collects: true }), weight: 2 },
        { arbitrary: fc.constant<Step[]>([{ do: 'settle' }]), weight: 1 },
        {
          arbitrary: fc
            .record({ at: fc.nat({ max: 2 }), by: fc.array(fc.nat({ max: 2 }), { maxLength: 3 }) })
            .map(({ at, by }): Step[] => [
              { do: 'write', at, request: { type: 'delete' }, skipDots: 0, skewMs: 0 },
              { do: 'deliverAll' },
              ...by.map((member): Step => ({ do: 'collect', at: member })),
            ]),
          weight: 3,
        },
      ),
      { minLength: 2, maxLength: 8 },
    )
    .map((parts) => parts.flat());

  it('I9, I12: counted again where its tombstone is gone, and where it is not yet, it comes to the same', () => {
    let collected = 0;
    fc.assert(
      fc.property(recounted, (run) => {
        const cluster = new Cluster(replicaCount).run(run);
        collected += cluster.collected;
        cluster.settle();
        expect(cluster.members.map(({ state }) => view(state))).toEqual(
          cluster.members.map(() => model(cluster.history)),
        );
        for (let at = 0; at < replicaCount; at++) cluster.step({ do: 'compact', at });
        cluster.exchange();
        expect(cluster.members.map(({ state }) => view(state))).toEqual(
          cluster.members.map(() => model(cluster.history)),
        );
        expect(new Set(cluster.members.map(({ state }) => stateText(state))).size).toBe(1);
      }),
      { numRuns: Number(process.env['COUNTER_RUNS'] ?? 400) },
    );
    expect(collected).toBeGreaterThan(100);
  });

  it('merge is associative, commutative and idempotent on all states of a run in which tombstones are forgotten', () => {
    const merge = (a: Value, b: Value): Value => mergeValues(a, b).state;
    fc.assert(
      fc.property(recounted, fc.tuple(fc.nat(), fc.nat(), fc.nat()), (run, picks) => {
        const { states } = new Cluster(replicaCount).run(run);
        if (states.length === 0) return;
        const [a, b, c] = picks.map((at) => states[at % states.length]!) as [Value, Value, Value];
        expect(stateText(merge(merge(a, b), c))).toBe(stateText(merge(a, merge(b, c))));
        expect(stateText(merge(a, b))).toBe(stateText(merge(b, a)));
        expect(stateText(merge(a, a))).toBe(stateText(a));
        expect(stateText(valueFromBytes(valueBytes(merge(a, b))))).toBe(stateText(merge(a, b)));
      }),
      { numRuns: 200 },
    );
  });

  it('a sum that begins after a later increment was forgotten does not claim to hold it', () => {
    const cluster = new Cluster(2);
    cluster.write(0, add(5), { held: true });
    cluster.write(0, add(7), { held: true });
    promote(cluster, 0, 1);
    cluster.step({ do: 'deliverAll' });
    cluster.write(0, { type: 'delete' });
    cluster.step({ do: 'deliverAll' });
    cluster.step({ do: 'collect', at: 0 });
    promote(cluster, 0);
    cluster.step({ do: 'deliverAll' });
    cluster.write(0, add(1), { held: true, skipDots: 3 });
    promote(cluster, 0);
    expectTotal(cluster, 6n);
  });

  it('a delete that is promoted when what it saw is forgotten does not begin a sum', () => {
    const cluster = new Cluster(3);
    cluster.write(0, add(5), { held: true });
    promote(cluster, 0);
    cluster.step({ do: 'deliverAll' });
    cluster.write(1, { type: 'delete' }, { held: true });
    cluster.write(0, add(7), { held: true });
    promote(cluster, 0);
    cluster.write(0, add(1), { held: true });
    cluster.step({ do: 'deliverAll' });
    cluster.write(2, { type: 'delete' });
    cluster.step({ do: 'deliverAll' });
    for (const at of [0, 1]) cluster.step({ do: 'collect', at });
    expect(cluster.collected).toBe(2);
    promote(cluster, 1);
    cluster.step({ do: 'deliverAll' });
    promote(cluster, 0);
    cluster.write(0, add(2), { held: true, skipDots: 3 });
    promote(cluster, 0);
    expectTotal(cluster, 3n);
  });

  it('I8: a reset that is rejected ends nothing, though its writer counted on after it', () => {
    const cluster = new Cluster(2);
    cluster.write(0, add(5), { held: true });
    promote(cluster, 0);
    cluster.write(0, { type: 'counter', action: 'reset' }, { held: true });
    cluster.write(0, add(2), { held: true });
    cluster.reject(0);
    promote(cluster, 0);
    expectTotal(cluster, 7n);
  });

  it('what was counted before a reset is not kept for ever', () => {
    const cluster = new Cluster(2);
    for (let i = 0; i < 50; i++) {
      cluster.write(0, add(3));
      cluster.settle();
      cluster.write(i % 2, { type: i % 3 === 0 ? 'delete' : 'counter', action: 'reset' } as PlannedRequest);
      cluster.settle();
    }
    cluster.write(0, add(3));
    expect(stateText(cluster.member(0).state).length / 2).toBeLessThan(64);
  });

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
    // The first one begins a prefix.
    for (let i = 0; i < 4; i++) cluster.write(0, add(1), { skipDots: 1 });
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
