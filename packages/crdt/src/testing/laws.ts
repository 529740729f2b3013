import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mergeValues, type Value } from '../index.ts';
import { replicaCount, steps } from './arbitraries.ts';
import {
  Cluster,
  operationBytes,
  operationFromBytes,
  stateText,
  valueBytes,
  valueFromBytes,
  type HistoryEntry,
  type PlannedRequest,
} from './cluster.ts';

export interface LawOptions<View> {
  readonly requests: fc.Arbitrary<PlannedRequest>;
  /** What users see of a state, in a form that `toEqual` compares. */
  readonly view: (state: Value | null) => View;
  /** The second opinion: what users should see, judged from the full history with what each writer had seen. */
  readonly model: ((history: readonly HistoryEntry[]) => View) | null;
  readonly runs?: number;
}

/** The laws of DESIGN section 5 as tests of one type. */
export function testLaws<View>({ requests, view, model, runs = 80 }: LawOptions<View>): void {
  const merge = (a: Value, b: Value): Value => mergeValues(a, b).state;
  const pick = (states: readonly Value[], at: number): Value => states[at % states.length]!;

  it('merge is associative, commutative and idempotent on all states of a run', () => {
    fc.assert(
      fc.property(steps(requests, { compacts: true }), fc.tuple(fc.nat(), fc.nat(), fc.nat()), (run, [i, j, k]) => {
        const { states } = new Cluster(replicaCount).run(run);
        if (states.length === 0) return;
        const [a, b, c] = [pick(states, i), pick(states, j), pick(states, k)];
        expect(stateText(merge(merge(a, b), c))).toBe(stateText(merge(a, merge(b, c))));
        expect(stateText(merge(a, b))).toBe(stateText(merge(b, a)));
        expect(stateText(merge(a, a))).toBe(stateText(a));
        expect(stateText(merge(merge(a, b), a))).toBe(stateText(merge(a, b)));
      }),
      { numRuns: runs },
    );
  });

  it('operations in any causal order, mixed with duplicates and state merges, give the same state', () => {
    fc.assert(
      fc.property(steps(requests), (run) => {
        const cluster = new Cluster(replicaCount).run(run);
        cluster.settle();
        expect(new Set(cluster.members.map(({ state }) => stateText(state))).size).toBe(1);
        const expected = model === null ? view(cluster.member(1).state) : model(cluster.history);
        expect(view(cluster.member(0).state)).toEqual(expected);
      }),
      { numRuns: runs },
    );
  });

  it('compaction changes nothing that users see, and one state exchange makes all states equal', () => {
    fc.assert(
      fc.property(steps(requests, { compacts: true }), (run) => {
        const cluster = new Cluster(replicaCount).run(run);
        cluster.settle();
        const views = cluster.members.map(({ state }) => view(state));
        for (const seen of views) expect(seen).toEqual(model === null ? views[0] : model(cluster.history));
        cluster.exchange();
        expect(new Set(cluster.members.map(({ state }) => stateText(state))).size).toBe(1);
        expect(view(cluster.member(0).state)).toEqual(views[0]);
      }),
      { numRuns: runs },
    );
  });

  it('encode and decode are inverse for states and operations', () => {
    fc.assert(
      fc.property(steps(requests, { compacts: true }), (run) => {
        const { states, history } = new Cluster(replicaCount).run(run);
        for (const state of states.slice(-3))
          expect(stateText(valueFromBytes(valueBytes(state)))).toBe(stateText(state));
        for (const { operation } of history.slice(-3)) {
          expect(operationFromBytes(operationBytes(operation))).toEqual(operation);
        }
      }),
      { numRuns: 30 },
    );
  });
}

/** True if some write of `history` that `isAgainst` had seen `entry`. */
export function isOvertaken(
  entry: HistoryEntry,
  history: readonly HistoryEntry[],
  isAgainst: (later: HistoryEntry) => boolean,
): boolean {
  return history.some((later) => later.saw.has(entry.index) && isAgainst(later));
}
