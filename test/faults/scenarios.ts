import { badLines } from './bad-lines.ts';
import { brokerFaults } from './broker-faults.ts';
import { clockFaults } from './clock-faults.ts';
import { corrupt } from './corrupt.ts';
import { damagedData } from './damaged-data.ts';
import { failingDisks } from './failing-disks.ts';
import { failoverHungDisk } from './failover-hung-disk.ts';
import { failoverKill } from './failover-kill.ts';
import { failoverPause } from './failover-pause.ts';
import { fullDisk } from './full-disk.ts';
import { getLastLogCheck } from './get-last-log.ts';
import { handOver } from './hand-over.ts';
import type { Scenario } from './lib/scenario.ts';
import { killPoints } from './kill-points.ts';
import { kills } from './kills.ts';
import { lostRegion } from './lost-region.ts';
import { manySockets } from './many-sockets.ts';
import { membership } from './membership.ts';
import { mixedBuilds } from './mixed-builds.ts';
import { mixedVersions } from './mixed-versions.ts';
import { minorityWrites } from './minority.ts';
import { oddClients } from './odd-clients.ts';
import { partitions } from './partitions.ts';
import { pauses } from './pauses.ts';
import { powerCut } from './power-cut.ts';
import { powerCutSome } from './power-cut-some.ts';
import { promote10k } from './promote-10k.ts';
import { quorumless } from './quorumless.ts';
import { regionCatchUp } from './region-catch-up.ts';
import { regionCut } from './region-cut.ts';
import { regionModel } from './region-model.ts';
import { regionSteady } from './region-steady.ts';
import { regionStop } from './region-stop.ts';
import { restartSize } from './restart-size.ts';
import { rollingRestart } from './rolling-restart.ts';
import { slowDisks } from './slow-disks.ts';
import { starved } from './starved.ts';
import { twoSurvivors } from './two-survivors.ts';

/** Every check that `npm run faults` knows, in the order in which it runs them. A new one is a file of its own and a line here. */
export const scenarios: readonly Scenario[] = [
  failoverKill,
  failoverPause,
  failoverHungDisk,
  handOver,
  rollingRestart,
  quorumless,
  twoSurvivors,
  promote10k,
  minorityWrites,
  restartSize,
  powerCut,
  getLastLogCheck,
  fullDisk,
  corrupt,
  manySockets,
  kills,
  killPoints,
  pauses,
  partitions,
  badLines,
  powerCutSome,
  failingDisks,
  damagedData,
  slowDisks,
  clockFaults,
  starved,
  oddClients,
  mixedVersions,
  mixedBuilds,
  membership,
  brokerFaults,
  lostRegion,
  regionStop,
  regionCut,
  regionCatchUp,
  regionSteady,
  regionModel,
];
