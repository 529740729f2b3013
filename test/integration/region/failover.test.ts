import { describe, test } from 'vitest';
import { failoverHungDisk } from '../../faults/failover-hung-disk.ts';
import { failoverKill } from '../../faults/failover-kill.ts';
import { failoverPause } from '../../faults/failover-pause.ts';
import { handOver } from '../../faults/hand-over.ts';
import { rollingRestart } from '../../faults/rolling-restart.ts';
import { runCheck } from './run-check.ts';

/** Real nodes under 50 clients; `npm run faults` does the same for longer, and with a stopwatch. */
describe('a region that loses its leader', { timeout: 120_000 }, () => {
  test('goes on after kill -9: nothing acknowledged is lost, nothing applied twice', () => runCheck(failoverKill, 1));
  test('goes on while the leader is paused, which then answers no read with what is old', () =>
    runCheck(failoverPause, 2));
  test('goes on, and replaces the leader, when its disk hangs', () => runCheck(failoverHungDisk, 1));
  test('hands leadership over without a failed call', () => runCheck(handOver, 2));
  test('restarts node by node without a failed call', () => runCheck(rollingRestart, 1));
});
