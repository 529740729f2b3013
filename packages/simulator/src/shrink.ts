import { planFromJson, planToJson, simpler, type JsonObject } from './plan-json.ts';
import type { Plan } from './plan.ts';
import { runSeed, type RunResult } from './run-seed.ts';

/** A world that is broken, and by which promise: what a file of `regressions/` holds. */
export interface Regression {
  readonly seed: number;
  readonly invariant: string;
  /** The first line of what the checker said. */
  readonly message: string;
  readonly plan: JsonObject;
}

export interface ShrinkOptions {
  /** True ends the work with what there is by then. */
  readonly isOver: () => boolean;
  readonly onStep?: (text: string) => void;
  /** Changes what the seed drew, as in the run that was broken. */
  readonly adjust?: (plan: Plan) => Plan;
  readonly run?: typeof runSeed;
}

/**
 * A smaller plan changes what every later draw means, so the violation may hide there although it is possible. A few other
 * seeds are tried before the step is given up.
 */
const seedsPerStep = 3;

/**
 * Makes a broken world as small as it can: less time, fewer calls, clients, nodes, kinds of faults and of operations,
 * fewer unusual settings, as long as the same promise is broken. Null if `seed` breaks none.
 */
export function shrinkSeed(seed: number, options: ShrinkOptions): Regression | null {
  const { run = runSeed, adjust } = options;
  const first = run(seed, adjust === undefined ? {} : { adjust });
  const [violation] = first.violations;
  if (violation === undefined) return null;
  let current = regressionOf(first, violation.invariant) as Regression;
  // A step that failed on a larger world is not tried again before all others were.
  let skip = 0;
  for (;;) {
    const step = nextStep(current, skip, options);
    if (step === 'over') return current;
    if (step !== null) {
      current = step.regression;
      skip = step.at;
      options.onStep?.(describe(current));
    } else if (skip > 0) skip = 0;
    else return current;
  }
}

/** Runs the world of a regression; `invariant` is in the violations if it is still broken. */
export function replay(
  regression: Pick<Regression, 'seed' | 'plan'>,
  options: Parameters<typeof runSeed>[1] = {},
  run: typeof runSeed = runSeed,
): RunResult {
  return run(regression.seed, {
    ...options,
    adjust: (drawn) => ({ ...planFromJson(regression.plan, drawn), seed: regression.seed }),
  });
}

/** Throws if `text` is none. */
export function parseRegression(text: string): Regression {
  const found = JSON.parse(text) as Partial<Regression>;
  if (typeof found.seed !== 'number' || typeof found.invariant !== 'string' || typeof found.plan !== 'object')
    throw new Error('not a regression: want seed, invariant and plan');
  return found as Regression;
}

function nextStep(
  current: Regression,
  skip: number,
  { isOver, run = runSeed }: ShrinkOptions,
): { regression: Regression; at: number } | 'over' | null {
  let at = 0;
  for (const plan of simpler(current.plan) as Iterable<JsonObject>) {
    if (at++ < skip) continue;
    for (let i = 0; i < seedsPerStep; i++) {
      if (isOver()) return 'over';
      const result = replay({ seed: current.seed + i, plan }, {}, run);
      const regression = regressionOf(result, current.invariant);
      if (regression !== null) return { regression, at: at - 1 };
    }
  }
  return null;
}

function regressionOf({ seed, plan, violations }: RunResult, invariant: string): Regression | null {
  const violation = violations.find((one) => one.invariant === invariant);
  if (violation === undefined) return null;
  return { seed, invariant, message: violation.message.split('\n', 1)[0] ?? '', plan: planToJson(plan) };
}

function describe({ plan }: Regression): string {
  const shown = ['nodeCount', 'clientCount', 'partitionCount', 'keyCount', 'safetyMs', 'callsMax'].map(
    (name) => `${name} ${JSON.stringify(plan[name])}`,
  );
  return `${shown.join(', ')}, faults ${JSON.stringify(plan['faults'])}, operations ${JSON.stringify(plan['operations'])}`;
}
