import { describe, test } from 'vitest';
import { minorityWrites } from '../../faults/minority.ts';
import { quorumless } from '../../faults/quorumless.ts';
import { twoSurvivors } from '../../faults/two-survivors.ts';
import { runCheck } from './run-check.ts';

/** Real nodes; `npm run faults` does the same for longer. */
describe('a region without its majority', { timeout: 120_000 }, () => {
  test('reads and writes on its survivor, and keeps the promises about it when the others are back', () =>
    runCheck(quorumless, 2));
  test('promotes what a lost node had accepted, from the node that holds a copy', () => runCheck(twoSurvivors, 1));
  test('merges what both sides of a cut wrote, and records each loser', () => runCheck(minorityWrites, 2));
});
