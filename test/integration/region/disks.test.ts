import { spawnSync } from 'node:child_process';
import { describe, test } from 'vitest';
import { corrupt } from '../../faults/corrupt.ts';
import { fullDisk } from '../../faults/full-disk.ts';
import { getLastLogCheck } from '../../faults/get-last-log.ts';
import { missingPrograms } from '../../faults/lib/disks.ts';
import { powerCut } from '../../faults/power-cut.ts';
import { runCheck } from './run-check.ts';

const mayMount = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;
const mayCutPower = mayMount && missingPrograms(['xfs_io', 'mkfs.ext4']).length === 0;

/** Real nodes; `npm run faults` does the same for longer, and with more keys and sockets. */
describe('a region whose disks are hurt', { timeout: 180_000 }, () => {
  test.skipIf(!mayCutPower)('has every acknowledged write after a power cut (skipped without root and xfs_io)', () =>
    runCheck(powerCut, 1),
  );
  test.skipIf(!mayMount)('refuses writes while its disks are full, reads on, and resumes (skipped without root)', () =>
    runCheck(fullDisk, 2),
  );
  test('refuses to start a node on a flipped bit, and rebuilds it by one command', () => runCheck(corrupt, 1));
});

describe('a region with many clients', { timeout: 180_000 }, () => {
  test('returns each record of a log to one of 64 callers, of which some are killed', () =>
    runCheck(getLastLogCheck, 4));
});
