import { rmSync } from 'node:fs';
import { commits, whyNoBuilds, withBuilds } from './lib/builds.ts';
import { hurtAgainAndAgain, type Hurt, type Scene } from './lib/fault-run.ts';
import { withRegion } from './lib/region.ts';
import { skerryBin, type RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';
import { until } from './lib/until.ts';

const trials = 8;

/** FAULTS F13: two builds in one region, on the folders that the other one left. docs/upgrading.md promises no more than this. */
export const mixedBuilds: Scenario = {
  name: 'mixed-builds',
  summary:
    'nodes of this build among those of an older one, on its folders, and back; one of a build that speaks another protocol',
  trials,
  run: async (context) => {
    const skipped = whyNoBuilds();
    if (skipped !== null) return { figures: [], violations: [], skipped };
    return withBuilds([commits.sameNumbers, commits.formatTwo], ([older = '', formatTwo = '']) =>
      withRegion({ bin: older, spares: 1 }, (region) =>
        hurtAgainAndAgain(
          region,
          {
            hurts: [
              upgrading('a follower', older, (_, [follower]) => [follower]),
              upgrading('the leader', older, (leader) => [leader]),
              upgrading('all nodes, in turn', older, (leader, followers) => [...followers, leader]),
              joining('a node of format 2 that would join both', { bin: formatTwo, older }),
            ],
            wanted: ['another leader', 'both builds in one region', 'a build of another protocol was refused'],
          },
          { ...context, fullTrials: trials },
        ),
      ),
    );
  },
};

/** To this build, and back again; in between both are one region. */
function upgrading(
  name: string,
  older: string,
  pick: (leader: RegionNode, followers: readonly RegionNode[]) => readonly (RegionNode | undefined)[],
): Hurt {
  return {
    name,
    make: async (scene) => {
      const leader = await scene.region.leader();
      const nodes = pick(
        leader,
        scene.region.others(leader).filter((node) => node.isRunning),
      ).filter((node) => node !== undefined);
      await inTurn(scene, nodes, skerryBin);
      return () => inTurn(scene, nodes, older);
    },
  };
}

async function inTurn({ region, sometimes }: Scene, nodes: readonly RegionNode[], bin: string): Promise<void> {
  for (const node of nodes) {
    await node.stop();
    node.start({ bin });
    // They are one region: the node has a quorum again, and every caller is served through it.
    await region.ready();
    sometimes('both builds in one region');
  }
}

/** In the log of who refuses, once; the other side's says whose word it is. */
const ownRefusal = /"code":"PROTOCOL_VERSION","detail":"\d+, here \d+"/;

/** It is refused by all others, of either build, who go on, and is told why. No caller knows of it: what it took would be its own. */
function joining(name: string, { bin, older }: { readonly bin: string; readonly older: string }): Hurt {
  return {
    name,
    make: async (scene) => {
      const { region, sometimes, problem } = scene;
      const followers = region.others(await region.leader()).filter((node) => node.isRunning);
      await inTurn(scene, followers.slice(0, 1), skerryBin);
      const stranger = region.nodes.at(-1);
      if (stranger === undefined || stranger.isRunning) throw new Error('the last node is a spare');
      const told = await Promise.all(region.running.map(async (node) => ({ node, before: await refusalsAt(node) })));
      const from = stranger.log.length;
      stranger.start({ bin });
      await until('the stranger to be told why', () => stranger.log.slice(from).includes('PROTOCOL_VERSION'), 20_000);
      for (const { node, before } of told) {
        const refuses = async (): Promise<boolean> => (await refusalsAt(node)) > before && ownRefusal.test(node.log);
        await until(`a refusal by ${node.name}`, refuses, 20_000);
      }
      sometimes('a build of another protocol was refused');
      if (await stranger.isReady()) problem(`${stranger.name} of another protocol answers consistent calls`);
      return async () => {
        await stranger.stop();
        rmSync(stranger.dataFolder, { recursive: true });
        await inTurn(scene, followers.slice(0, 1), older);
      };
    },
  };
}

async function refusalsAt({ adminUrl }: RegionNode): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  return Number(/^skerry_peer_refusals_total\{.*code="PROTOCOL_VERSION".*\} (\d+)/m.exec(text)?.[1] ?? 0);
}
