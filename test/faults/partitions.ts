import { hurtAgainAndAgain, type Heal, type Hurt, type Scene } from './lib/fault-run.ts';
import { Networks } from './lib/networks.ts';
import { withRegion } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';
import { pause, until } from './lib/until.ts';

const trials = 24;
const flapMs = 150;
/** More than twice what a hasty caller waits: its second call begins and ends without a majority, and is `notApplied`. */
const cutMs = 1_600;

/** FAULTS F3, within a region: five nodes, each in a network of its own. */
export const partitions: Scenario = {
  name: 'partitions',
  summary: 'networks of five nodes are cut by nft: halves, an isolated leader, one way, bridge, ring, flapping, loss',
  trials,
  run: async (context) => {
    const networks = Networks.create(['n1', 'n2', 'n3', 'n4', 'n5']);
    if (typeof networks === 'string')
      return { figures: [], violations: [], skipped: `no network namespaces: ${networks}` };
    try {
      return await withRegion(networks.regionOptions, (region) =>
        hurtAgainAndAgain(
          region,
          {
            hurts: hurtsOf(networks),
            wanted: ['another leader', 'timed out', 'notApplied', 'a node without a majority said so'],
          },
          { ...context, fullTrials: trials },
        ),
      );
    } finally {
      networks.remove();
    }
  },
};

function hurtsOf(networks: Networks): Hurt[] {
  /** Nothing passes between these groups. */
  const split = (groups: readonly (readonly RegionNode[])[]): void => {
    for (const [index, group] of groups.entries())
      for (const a of group) for (const b of groups.slice(index + 1).flat()) networks.cut(a.name, b.name);
  };
  const cutting = (name: string, cut: (leader: RegionNode, followers: RegionNode[]) => void): Hurt => ({
    name,
    lastsMs: cutMs,
    make: async (scene) => {
      const leader = await scene.region.leader();
      cut(leader, scene.region.others(leader));
      return healing(scene, networks);
    },
  });
  return [
    cutting('halves, the leader with the minority', (leader, [a, ...rest]) => split([[leader, a as RegionNode], rest])),
    cutting('halves, the leader with the majority', (leader, [a, b, ...rest]) =>
      split([[leader, a as RegionNode, b as RegionNode], rest]),
    ),
    cutting('the leader is alone', (leader, followers) => split([[leader], followers])),
    cutting('every node is alone', (leader, followers) => split([leader, ...followers].map((node) => [node]))),
    cutting('the leader is not heard', (leader, followers) => {
      for (const { name } of followers) networks.cutOneWay(leader.name, name);
    }),
    cutting('the leader does not hear', (leader, followers) => {
      for (const { name } of followers) networks.cutOneWay(name, leader.name);
    }),
    // Two and two that do not hear each other, and one between them that hears all (Cloudflare 2020).
    cutting('a bridge', (leader, [a, , ...rest]) => split([[leader, a as RegionNode], rest])),
    cutting('a ring', (leader, followers) => {
      const ring = [leader, ...followers];
      for (let at = 0; at < ring.length; at++)
        networks.cut((ring[at] as RegionNode).name, (ring[(at + 2) % ring.length] as RegionNode).name);
    }),
    cutting('one of five packets is lost', (leader, followers) => {
      for (const { name } of [leader, ...followers]) networks.lose(name, 20);
    }),
    {
      name: 'flapping',
      lastsMs: 0,
      make: async (scene) => {
        const leader = await scene.region.leader();
        for (let time = 0; time < 6; time++) {
          split([[leader], scene.region.others(leader)]);
          await pause(flapMs);
          networks.heal();
          await pause(flapMs);
        }
        return healing(scene, networks);
      },
    },
  ];
}

async function healing({ region, sometimes }: Scene, networks: Networks): Promise<Heal> {
  // Looked at once: a cut that leaves a majority to everybody does not show it.
  const watching = until(
    'a node to be without its majority',
    async () => {
      const statuses = await Promise.all(region.nodes.map((node) => node.status(300)));
      return statuses.some((status) => status?.partitions[0]?.quorum === false);
    },
    1_000,
  ).then(
    () => sometimes('a node without a majority said so'),
    () => {},
  );
  return async () => {
    await watching;
    networks.heal();
  };
}
