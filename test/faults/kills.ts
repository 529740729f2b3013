import { faultScenario, type Heal, type Hurt, type Scene } from './lib/fault-run.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';
import { pause } from './lib/until.ts';

/** FAULTS F1 at random moments; `kill-points` does it at named ones. */
export const kills: Scenario = faultScenario(
  {
    name: 'kills',
    summary:
      'kill -9 of one node, the leader, a majority or all under callers of every kind: nothing acknowledged is lost',
    trials: 50,
  },
  {
    hurts: [
      killing('a follower', (leader, [follower]) => [follower]),
      killing('the leader', (leader) => [leader]),
      killing('the leader and a follower', (leader, [follower]) => [leader, follower]),
      killing('both followers', (leader, followers) => [...followers]),
      killing('all nodes', (leader, followers) => [leader, ...followers]),
      killing(
        'all nodes in turn, the last before the first is back',
        (leader, followers) => [leader, ...followers],
        200,
      ),
    ],
    wanted: ['another leader', 'timed out', 'notApplied', 'undecided', 'refused', 'killed in mid-call'],
  },
);

function killing(
  name: string,
  whom: (leader: RegionNode, followers: readonly RegionNode[]) => (RegionNode | undefined)[],
  apartMs = 0,
): Hurt {
  return {
    name,
    lastsMs: 700,
    make: async (scene) => {
      const leader = await scene.region.leader();
      const victims = whom(leader, scene.region.others(leader)).filter((node) => node !== undefined);
      await pause(Math.random() * 200);
      return killThem(scene, victims, apartMs);
    },
  };
}

async function killThem(
  { region, sometimes, callers }: Scene,
  victims: readonly RegionNode[],
  apartMs: number,
): Promise<Heal> {
  const before = callers.calls;
  for (const node of victims) {
    void node.kill();
    if (apartMs > 0) await pause(apartMs);
  }
  await Promise.all(victims.map((node) => node.ended));
  if (callers.calls > before) sometimes('killed in mid-call');
  return async () => {
    for (const node of victims) node.start();
    await region.ready();
  };
}
