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

/** One trial of one way to hurt of a check of `npm run faults`, in which `events` must have happened. */
export async function runWay(scenario: Scenario, way: string, events: readonly string[] = []): Promise<void> {
  const { violations, figures, skipped } = await scenario.run({ trials: 1, only: way, short: true, say: () => {} });
  expect(violations).toEqual([]);
  if (skipped !== undefined) return;
  const seen = figures.filter(({ name, value }) => name.startsWith('sometimes: ') && value > 0).map(({ name }) => name);
  expect(seen).toEqual(expect.arrayContaining(events.map((event) => `sometimes: ${event}`)));
}
