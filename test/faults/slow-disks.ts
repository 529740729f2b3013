import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hurtAgainAndAgain, type Hurt } from './lib/fault-run.ts';
import { HangingDisks } from './lib/hanging-disk.ts';
import { withRegion } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';

const trials = 10;

/** FAULTS F7; `failover-hung-disk` times it for the leader. */
export const slowDisks: Scenario = {
  name: 'slow-disks',
  summary: 'syncs take 50 to 500 ms longer, or hang for 30 s, at the leader, a follower, or all',
  trials,
  run: async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-hang-'));
    try {
      const disks = HangingDisks.build(folder);
      if (disks === null) return { figures: [], violations: [], skipped: 'slow-disks: there is no C compiler' };
      const hurts = hurtsOf(disks, context.short === true ? 3_000 : 30_000);
      return await withRegion({ env: (node) => disks.env(node) }, (region) =>
        hurtAgainAndAgain(
          region,
          { hurts, wanted: ['another leader', 'timed out', 'led on with a slow disk'] },
          { ...context, fullTrials: trials },
        ),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function hurtsOf(disks: HangingDisks, hangMs: number): Hurt[] {
  const hurting = (
    name: string,
    pick: (leader: RegionNode, followers: readonly RegionNode[]) => readonly RegionNode[],
    { slowMs, lastsMs = 2_000 }: { readonly slowMs?: number; readonly lastsMs?: number },
  ): Hurt => ({
    name,
    lastsMs,
    make: async ({ region, sometimes }) => {
      const leader = await region.leader();
      const hurt = pick(leader, region.others(leader));
      for (const node of hurt) {
        if (slowMs === undefined) disks.hang(node.name);
        else disks.slow(node.name, slowMs);
      }
      return async () => {
        const role = (await leader.status())?.partitions[0]?.role;
        if (slowMs !== undefined && hurt.includes(leader) && role === 'leader') sometimes('led on with a slow disk');
        for (const node of hurt) disks.heal(node.name);
      };
    },
  });
  const leaderOnly = (leader: RegionNode): readonly RegionNode[] => [leader];
  const follower = (_: RegionNode, followers: readonly RegionNode[]): readonly RegionNode[] => followers.slice(0, 1);
  const all = (leader: RegionNode, followers: readonly RegionNode[]): readonly RegionNode[] => [leader, ...followers];
  return [
    hurting('50 ms at the leader', leaderOnly, { slowMs: 50 }),
    hurting('500 ms at the leader', leaderOnly, { slowMs: 500 }),
    hurting('500 ms at a follower', follower, { slowMs: 500 }),
    hurting('50 ms at all nodes', all, { slowMs: 50 }),
    hurting("the leader's disk hangs", leaderOnly, { lastsMs: hangMs }),
    hurting("a follower's disk hangs", follower, { lastsMs: hangMs }),
    hurting('200 ms at all nodes', all, { slowMs: 200 }),
  ];
}
