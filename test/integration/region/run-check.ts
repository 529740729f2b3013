import { expect } from 'vitest';
import type { Scenario } from '../../faults/lib/scenario.ts';

/**
 * A few trials of a check of `npm run faults`. Its promises must hold; its times are judged only there, since other tests
 * may run beside this one.
 */
export async function runCheck(scenario: Scenario, trials: number): Promise<void> {
  const { violations, figures, skipped } = await scenario.run({ trials, short: true, say: () => {} });
  expect(violations).toEqual([]);
  if (skipped === undefined) expect(figures.length).toBeGreaterThan(0);
}
