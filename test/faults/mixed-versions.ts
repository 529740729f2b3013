import { pathToFileURL } from 'node:url';
import { besideSources } from './lib/beside-sources.ts';
import { faultScenario, type Heal, type Hurt, type Scene } from './lib/fault-run.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';
import { until } from './lib/until.ts';

const otherVersion = ['--import', pathToFileURL(besideSources('other-version.mjs')).href];

/**
 * FAULTS F13. There is one build: the other version is the same one that says another number to its peers. So this shows
 * what becomes of a region whose nodes cannot talk to each other any more, and not that two builds understand each other.
 */
export const mixedVersions: Scenario = faultScenario(
  {
    name: 'mixed-versions',
    summary:
      'nodes of another protocol version among those of this one: refused by name, the majority goes on, nothing lost',
    trials: 6,
  },
  {
    hurts: [
      mixing('a follower', (_, [follower]) => [follower]),
      mixing('the leader', (leader) => [leader]),
      mixing('all nodes, in turn', (leader, followers) => [...followers, leader]),
    ],
    wanted: ['another leader', 'a node of another version was refused'],
  },
);

function mixing(
  name: string,
  pick: (leader: RegionNode, followers: readonly RegionNode[]) => readonly (RegionNode | undefined)[],
): Hurt {
  return {
    name,
    make: async (scene): Promise<Heal> => {
      const leader = await scene.region.leader();
      const nodes = pick(leader, scene.region.others(leader)).filter((node) => node !== undefined);
      await restart(scene, nodes, otherVersion);
      await until('a refusal', () => scene.region.nodes.some(({ log }) => log.includes('PROTOCOL_VERSION')), 20_000);
      scene.sometimes('a node of another version was refused');
      return () => restart(scene, nodes, []);
    },
  };
}

async function restart({ region }: Scene, nodes: readonly RegionNode[], nodeArgs: readonly string[]): Promise<void> {
  for (const node of nodes) {
    await node.stop();
    node.start({ nodeArgs });
    await region.listening([node]);
  }
}
