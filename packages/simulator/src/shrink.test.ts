import { SeededRandom } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { drawPlan, type Plan } from './plan.ts';
import { planFromJson, planToJson } from './plan-json.ts';
import type { runSeed, RunResult } from './run-seed.ts';
import { parseRegression, replay, shrinkSeed } from './shrink.ts';

/** A run that is broken where `isBroken` says so. */
function runOf(isBroken: (plan: Plan) => boolean): { run: typeof runSeed; seen: Plan[] } {
  const seen: Plan[] = [];
  const run = (seed: number, options: Parameters<typeof runSeed>[1] = {}): RunResult => {
    const drawn = drawPlan(seed, new SeededRandom(seed));
    const plan = options.adjust?.(drawn) ?? drawn;
    seen.push(plan);
    const violations = isBroken(plan) ? [{ invariant: 'I4', message: `lost with ${plan.nodeCount} nodes\nmore` }] : [];
    return { seed, plan, violations, unknown: [], traceHash: '', operations: 0, simulatedMs: 0, sometimes: {} };
  };
  return { run, seen };
}

const never = { isOver: () => false };

describe('shrinking', () => {
  it('leaves nothing that the violation does not need', () => {
    const { run } = runOf(
      ({ faults, nodeCount, callsMax, operations, limits }) =>
        faults.has('crash') &&
        nodeCount >= 3 &&
        callsMax >= 17 &&
        operations.includes('swap') &&
        limits.logKeepEntries === 4,
    );
    let seed = 1;
    while (run(seed).violations.length === 0) seed++;
    const found = shrinkSeed(seed, { ...never, run });
    expect(found).toMatchObject({
      invariant: 'I4',
      message: 'lost with 3 nodes',
      plan: {
        faults: { set: ['crash'] },
        operations: ['swap'],
        nodeCount: 3,
        callsMax: 17,
        clientCount: 1,
        keyCount: 1,
        partitionCount: 1,
        safetyMs: 50,
        limits: { logKeepEntries: 4 },
        timing: {},
        others: [],
        types: [],
      },
    });
  });

  it('begins with the world as it was run, not as it was drawn', () => {
    const { run } = runOf(({ nodeCount }) => nodeCount > 20);
    expect(shrinkSeed(1, { ...never, run })).toBeNull();
    const found = shrinkSeed(1, { ...never, run, adjust: (plan) => ({ ...plan, nodeCount: 22 }) });
    expect(found?.plan).toMatchObject({ nodeCount: 21 });
  });

  it('keeps to the promise that was broken first', () => {
    const { run } = runOf(() => true);
    const other: typeof runSeed = (seed, options) => {
      const result = run(seed, options);
      return result.plan.nodeCount < 3
        ? { ...result, violations: [{ invariant: 'I9', message: 'something else' }] }
        : result;
    };
    let seed = 1;
    while (other(seed).plan.nodeCount < 3) seed++;
    expect(shrinkSeed(seed, { ...never, run: other })).toMatchObject({ invariant: 'I4', plan: { nodeCount: 3 } });
  });

  it('ends when its time is over, with what there is by then', () => {
    const { run, seen } = runOf(() => true);
    expect(shrinkSeed(1, { isOver: () => seen.length >= 3, run })).not.toBeNull();
    expect(seen.length).toBe(3);
  });

  it('finds nothing in a world that is whole', () => {
    expect(shrinkSeed(1, { ...never, run: runOf(() => false).run })).toBeNull();
  });

  it('gives what can be written, read and run again', () => {
    const { run, seen } = runOf(({ faults }) => faults.size > 1);
    let seed = 1;
    while (run(seed).violations.length === 0) seed++;
    const found = shrinkSeed(seed, { ...never, run });
    if (found === null) throw new Error('it is broken');
    const again = replay(parseRegression(JSON.stringify(found)), {}, run);
    expect(again.violations).toHaveLength(1);
    expect(seen.at(-1)?.faults.size).toBe(2);
    expect(planToJson(again.plan)).toEqual(found.plan);
  });

  it('takes from the seed what a plan of before does not name', () => {
    const drawn = drawPlan(1, new SeededRandom(1));
    const { keyCount: _, ...older } = planToJson({ ...drawn, nodeCount: 7 });
    expect(planFromJson(older, drawn)).toEqual({ ...drawn, nodeCount: 7 });
  });

  it('refuses a file that is no regression', () => {
    expect(() => parseRegression('{"seed":1}')).toThrow('not a regression');
  });
});
