import { failoverHungDisk } from './failover-hung-disk.ts';
import { failoverKill } from './failover-kill.ts';
import { failoverPause } from './failover-pause.ts';
import { handOver } from './hand-over.ts';
import type { Scenario } from './lib/scenario.ts';
import { powerCut } from './power-cut.ts';
import { restartSize } from './restart-size.ts';
import { rollingRestart } from './rolling-restart.ts';

/** Every check that `npm run faults` knows, in the order in which it runs them. A new one is a file of its own and a line here. */
export const scenarios: readonly Scenario[] = [failoverKill, failoverPause, failoverHungDisk, handOver, rollingRestart, restartSize, powerCut];
