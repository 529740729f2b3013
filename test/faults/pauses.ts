import { faultScenario, type Hurt } from './lib/fault-run.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';

/** Half-way between the least and the most that an election timeout is drawn to. */
const electionTimeoutMs = 300;

const whoms: readonly {
  readonly name: string;
  readonly pick: (leader: RegionNode, followers: readonly RegionNode[]) => readonly RegionNode[];
}[] = [
  { name: 'the leader', pick: (leader) => [leader] },
  { name: 'a follower', pick: (_, followers) => followers.slice(0, 1) },
  { name: 'the leader and a follower', pick: (leader, followers) => [leader, ...followers.slice(0, 1)] },
  { name: 'all nodes', pick: (leader, followers) => [leader, ...followers] },
];

/** FAULTS F2; `failover-pause` times it for the leader. */
export const pauses: Scenario = faultScenario(
  {
    name: 'pauses',
    summary: 'SIGSTOP of one node, the leader, a majority or all, for 0.3 to 10 election timeouts',
    trials: 16,
  },
  {
    hurts: [0.3, 1, 3, 10].flatMap((timeouts) => whoms.map((whom) => pausing(timeouts, whom))),
    wanted: ['another leader', 'timed out', 'a node that was paused was still leader to itself'],
  },
);

function pausing(timeouts: number, { name, pick }: (typeof whoms)[number]): Hurt {
  return {
    name: `${name}, for ${timeouts} election timeouts`,
    lastsMs: timeouts * electionTimeoutMs,
    make: async ({ region, sometimes }) => {
      const leader = await region.leader();
      const paused = pick(leader, region.others(leader));
      for (const node of paused) node.pause();
      return async () => {
        for (const node of paused) node.resume();
        if (!paused.includes(leader)) return;
        const role = (await leader.status())?.partitions[0]?.role;
        if (role === 'leader') sometimes('a node that was paused was still leader to itself');
      };
    },
  };
}
