import { cpSync, rmSync } from 'node:fs';
import { withCluster, type Cluster } from './lib/cluster.ts';
import { hurtAgainAndAgain, type Hurt } from './lib/fault-run.ts';
import { allRegionsProblems } from './lib/regions-alike.ts';
import type { Scenario } from './lib/scenario.ts';
import { pause, until } from './lib/until.ts';

const trials = 6;
const tombstoneKeepMs = 500;

/** FAULTS F15: what was deleted meanwhile does not come back with it (I11). */
export const lostRegion: Scenario = {
  name: 'lost-region',
  summary: 'a region is away for longer than tombstones live, is evicted meanwhile, or comes back from an old backup',
  trials,
  run: (context) =>
    withCluster({ sizes: [3, 1], settings: { timing: { tombstoneKeepMs } } }, (cluster) =>
      hurtAgainAndAgain(
        cluster.region(0),
        {
          hurts: hurtsOf(cluster),
          afterwards: (prefix) => allRegionsProblems(cluster, prefix),
          wanted: ['back from a backup', 'evicted and seeded anew'],
        },
        { ...context, fullTrials: trials },
      ),
    ),
};

function hurtsOf(cluster: Cluster): Hurt[] {
  const [home, away] = [cluster.region(0), cluster.region(1)];
  const stopAll = async (): Promise<void> => {
    await Promise.all(away.nodes.map((node) => node.stop()));
  };
  const startAll = async (): Promise<void> => {
    for (const node of away.nodes) node.start();
    await cluster.joined();
  };
  return [
    {
      name: 'away for longer than tombstones live',
      lastsMs: 3 * tombstoneKeepMs,
      make: async () => {
        await stopAll();
        return startAll;
      },
    },
    {
      name: 'evicted while away',
      lastsMs: 3 * tombstoneKeepMs,
      make: async ({ sometimes }) => {
        await stopAll();
        const leader = await home.leader();
        await leader.order('/admin/regions', { evict: away.name });
        return async () => {
          for (const node of away.nodes) node.start();
          await until('the region to be seeded anew', () => cluster.isLevel().catch(() => false), 5_000).catch(
            () => {},
          );
          await cluster.joined();
          sometimes('evicted and seeded anew');
        };
      },
    },
    {
      name: 'restored from a backup',
      lastsMs: 500,
      make: async ({ sometimes, callers }) => {
        await stopAll();
        for (const { dataFolder } of away.nodes) cpSync(dataFolder, `${dataFolder}.backup`, { recursive: true });
        await startAll();
        const { calls } = callers;
        await until('calls beyond the backup', () => callers.calls > calls + 500);
        await pause(2 * tombstoneKeepMs);
        await stopAll();
        for (const { dataFolder } of away.nodes) {
          rmSync(dataFolder, { recursive: true });
          cpSync(`${dataFolder}.backup`, dataFolder, { recursive: true });
          rmSync(`${dataFolder}.backup`, { recursive: true });
        }
        return async () => {
          await startAll();
          sometimes('back from a backup');
        };
      },
    },
  ];
}
