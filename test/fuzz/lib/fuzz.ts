import { SeededRandom } from '../../../packages/base/src/index.ts';
import { bounded, guarded } from './guard.ts';
import type { Target } from './target.ts';

export interface Finding {
  readonly target: string;
  readonly seed: number;
  readonly input: string;
  readonly what: string;
}

export interface Fuzzed {
  readonly cases: number;
  /** Those that were refused by an error of the right kind; the others were taken. */
  readonly refused: number;
  readonly findings: readonly Finding[];
}

const findingsMax = 3;

/** Cases under one clock: to bound each by itself costs more than to run it. */
const batchSize = 100;

/** Cases of `target` from `seed` on, as long as `goesOn` says. */
export function fuzz(target: Target, seed: number, goesOn: (cases: number) => boolean): Fuzzed {
  let cases = 0;
  let refused = 0;
  const findings: Finding[] = [];
  let input = '';
  const found = (what: string): void =>
    void findings.push({ target: target.name, seed: seed + cases - 1, input, what });
  const batch = (): void => {
    for (let left = batchSize; left > 0 && goesOn(cases) && findings.length < findingsMax; left--) {
      const { run, shown } = target.draw(new SeededRandom(seed + cases++));
      input = shown;
      const outcome = guarded(run, target.isTyped);
      if (outcome.kind === 'refused') refused++;
      else if (outcome.kind === 'finding') found(outcome.what);
    }
  };
  while (findings.length < findingsMax && goesOn(cases)) {
    const problem = bounded(batch);
    if (problem !== null) found(problem);
  }
  return { cases, refused, findings };
}
