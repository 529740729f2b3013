import { Script } from 'node:vm';

const timeMsMax = 5_000;
/** Far above what an input of a few kilobytes needs, far below what a claimed length of gigabytes would take. */
const memoryBytesMax = 48 * 1_024 * 1_024;

export type Outcome =
  | { readonly kind: 'fine' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'finding'; readonly what: string };

const slot: { run: () => void } = { run: () => {} };
Object.assign(globalThis, { fuzzSlot: slot });
const script = new Script('globalThis.fuzzSlot.run()');

/** Runs `run` and ends it, too, when it never would by itself; null: it ended. */
export function bounded(run: () => void): string | null {
  slot.run = run;
  try {
    script.runInThisContext({ timeout: timeMsMax });
    return null;
  } catch (error) {
    return describe(error);
  }
}

/** Runs one case: what it throws must be an error of its kind, and memory must not run away. Time is {@link bounded}'s. */
export function guarded(run: () => void, isTyped: (error: unknown) => boolean): Outcome {
  const before = memory();
  let outcome: Outcome = { kind: 'fine' };
  try {
    run();
  } catch (error) {
    outcome = isTyped(error) ? { kind: 'refused' } : { kind: 'finding', what: describe(error) };
  }
  const taken = memory() - before;
  if (outcome.kind !== 'finding' && taken > memoryBytesMax)
    return { kind: 'finding', what: `it took ${Math.round(taken / 1_048_576)} MiB` };
  return outcome;
}

function memory(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : String(error);
}
