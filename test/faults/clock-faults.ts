import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Clocks, hasFaketime } from './lib/clocks.ts';
import { hurtAgainAndAgain, type Heal, type Hurt, type Scene } from './lib/fault-run.ts';
import { withRegion } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';
import { pause } from './lib/until.ts';

const trials = 12;
const [second, hour, tenYears] = [1, 3_600, 10 * 365 * 24 * 3_600];

/** FAULTS F9: wall clocks only; whoever sets a clock leaves the monotonic one alone. */
export const clockFaults: Scenario = {
  name: 'clock-faults',
  summary: 'wall clocks off by a second, an hour, ten years; steps to and fro, drift, restarts with the clock set back',
  trials,
  run: async (context) => {
    if (!hasFaketime) return { figures: [], violations: [], skipped: 'clock-faults needs faketime' };
    const folder = mkdtempSync(join(tmpdir(), 'skerry-clocks-'));
    try {
      const clocks = new Clocks(folder);
      return await withRegion({ env: (node) => clocks.env(node) }, (region) =>
        hurtAgainAndAgain(
          region,
          { hurts: hurtsOf(clocks), wanted: ['another leader', 'a clock was seen to be off', 'a stamp was clamped'] },
          { ...context, fullTrials: trials },
        ),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function hurtsOf(clocks: Clocks): Hurt[] {
  const setting = (name: string, set: (leader: RegionNode, followers: readonly RegionNode[]) => void): Hurt => ({
    name,
    // The file with the time is read once a second.
    lastsMs: 2_200,
    make: async (scene) => {
      const leader = await scene.region.leader();
      set(leader, scene.region.others(leader));
      return healing(scene, clocks);
    },
  });
  const to = (node: RegionNode | undefined, seconds: number): void => clocks.set(node?.name ?? '', seconds);
  return [
    setting('the leader a second ahead', (leader) => to(leader, second)),
    setting('the leader an hour ahead', (leader) => to(leader, hour)),
    setting('the leader ten years ahead', (leader) => to(leader, tenYears)),
    setting('the leader an hour behind', (leader) => to(leader, -hour)),
    setting('a follower ten years ahead', (_, [follower]) => to(follower, tenYears)),
    setting('one follower an hour ahead, the other an hour behind', (_, [a, b]) => {
      to(a, hour);
      to(b, -hour);
    }),
    {
      name: 'the leader drifts, a second more with each second',
      lastsMs: 0,
      make: async (scene) => {
        const leader = await scene.region.leader();
        for (let seconds = 1; seconds <= 4; seconds++) {
          clocks.set(leader.name, seconds);
          await pause(1_000);
        }
        return healing(scene, clocks);
      },
    },
    {
      name: 'steps of an hour to and fro',
      lastsMs: 0,
      make: async (scene) => {
        for (let time = 0; time < 4; time++) {
          for (const [index, { name }] of scene.region.nodes.entries())
            clocks.set(name, (time + index) % 2 === 0 ? hour : -hour);
          await pause(1_100);
        }
        return healing(scene, clocks);
      },
    },
    {
      // What it wrote an hour from now must not be stamped over by what it writes an hour ago.
      name: 'all nodes an hour ahead, then killed and started with their clocks set back',
      make: async (scene) => {
        const { region } = scene;
        for (const { name } of region.nodes) clocks.set(name, hour);
        await pause(2_200);
        for (const node of region.nodes) void node.kill();
        await Promise.all(region.nodes.map((node) => node.ended));
        for (const { name } of region.nodes) clocks.set(name, 0);
        for (const node of region.nodes) node.start();
        return () => region.ready();
      },
    },
    {
      name: 'the leader is killed and started with its clock an hour back',
      make: async (scene) => {
        const leader = await scene.region.leader();
        await leader.kill();
        clocks.set(leader.name, -hour);
        leader.start();
        return healing(scene, clocks);
      },
    },
  ];
}

async function healing({ region, sometimes }: Scene, clocks: Clocks): Promise<Heal> {
  return async () => {
    await region.ready();
    const times = await Promise.all(region.nodes.map((node) => node.wallMs()));
    // A second is as exactly as they tell it.
    if (Math.max(...times) - Math.min(...times) > 2_000) sometimes('a clock was seen to be off');
    for (const { name } of region.nodes) clocks.set(name, 0);
    await region.ready();
  };
}
