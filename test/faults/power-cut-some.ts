import { rmSync } from 'node:fs';
import { disksFor, missingPrograms, PowerDisk } from './lib/disks.ts';
import { hurtAgainAndAgain, type Hurt } from './lib/fault-run.ts';
import { Region } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';

const trials = 20;
const diskBytes = 1_024 * 1_024 * 1_024;

/** FAULTS F5 for some of the nodes; `power-cut` is for all at once, and looks at pending writes. */
export const powerCutSome: Scenario = {
  name: 'power-cut-some',
  summary:
    'the power of one node, the leader, or a majority is cut under callers of every kind: nothing acknowledged is lost',
  trials,
  run: async (context) => {
    const missing = missingPrograms(['xfs_io', 'mkfs.ext4', 'mount']);
    if (missing.length > 0)
      return { figures: [], violations: [], skipped: `power-cut-some needs ${missing.join(', ')}` };
    const place = disksFor(3, (folder) => PowerDisk.create(folder, diskBytes));
    if (place === null)
      return {
        figures: [],
        violations: [],
        skipped: 'power-cut-some needs root and loop devices, to mount disks of its own',
      };
    const region = await Region.plan({ folder: place.home, env: place.env });
    const diskOf = (node: RegionNode): PowerDisk => place.disks[region.nodes.indexOf(node)] as PowerDisk;
    try {
      for (const node of region.nodes) node.start();
      await region.ready();
      return await hurtAgainAndAgain(
        region,
        { hurts: hurtsOf(diskOf), wanted: ['another leader', 'timed out', 'undecided'] },
        { ...context, fullTrials: trials },
      );
    } finally {
      await region.stop();
      for (const disk of place.disks) disk.unmount();
      rmSync(place.home, { recursive: true, force: true });
    }
  },
};

function hurtsOf(diskOf: (node: RegionNode) => PowerDisk): Hurt[] {
  const cutting = (
    name: string,
    pick: (leader: RegionNode, followers: readonly RegionNode[]) => readonly RegionNode[],
  ): Hurt => ({
    name,
    make: async ({ region }) => {
      const leader = await region.leader();
      const dark = pick(leader, region.others(leader));
      for (const node of dark) diskOf(node).cutPower();
      for (const node of dark) void node.kill();
      await Promise.all(dark.map((node) => node.ended));
      for (const node of dark) diskOf(node).unmount();
      return async () => {
        for (const node of dark) {
          diskOf(node).mount();
          node.start();
        }
      };
    },
  });
  return [
    cutting('the leader', (leader) => [leader]),
    cutting('a follower', (_, followers) => followers.slice(0, 1)),
    cutting('the leader and a follower', (leader, followers) => [leader, ...followers.slice(0, 1)]),
    cutting('both followers', (_, followers) => followers),
    cutting('all nodes', (leader, followers) => [leader, ...followers]),
  ];
}
