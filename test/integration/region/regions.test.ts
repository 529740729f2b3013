import { describe, test } from 'vitest';
import { regionCatchUp } from '../../faults/region-catch-up.ts';
import { regionCut } from '../../faults/region-cut.ts';
import { regionModel } from '../../faults/region-model.ts';
import { regionSteady } from '../../faults/region-steady.ts';
import { regionStop } from '../../faults/region-stop.ts';
import { runCheck } from './run-check.ts';

/** Nine real nodes; `npm run faults` does the same for longer, with more keys, and with a stopwatch. */
describe('three regions', { timeout: 300_000 }, () => {
  test('show every write of one in the local views of the others', () => runCheck(regionSteady, 1));
  test('are equal after two of them were cut apart', () => runCheck(regionCut, 1));
  test('lose nothing when all nodes of one are killed, and its clients go on elsewhere', () => runCheck(regionStop, 1));
  test('bring one up to date that was away', () => runCheck(regionCatchUp, 1));
  test('show what a plain model says after random calls of all types under random faults', () =>
    runCheck(regionModel, 1));
});
