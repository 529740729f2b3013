import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { besideSources } from './lib/beside-sources.ts';
import { withCluster } from './lib/cluster.ts';
import { hurtAgainAndAgain, type Hurt, type Scene } from './lib/fault-run.ts';
import { allRegionsProblems } from './lib/regions-alike.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';
import { until } from './lib/until.ts';

const moments = ['before', 'under way', 'after'] as const;

/** How a node is brought to a point; most come by themselves. */
const points: Readonly<Record<string, (scene: Scene, node: RegionNode) => Promise<void>>> = {
  append: byItself,
  vote: async ({ region }) => {
    const db = await region.client();
    await db.transferLeadership({ blocking: false, timeoutMs: 5_000 }).catch(() => {});
    await db.close();
  },
  apply: byItself,
  truncation: byItself,
  'snapshot-write': byItself,
  'snapshot-install': byItself,
  pending: byItself,
  promotion: byItself,
  outbox: byItself,
  'remote-acknowledgement': byItself,
  'tombstone-collection': byItself,
};
const trials = Object.keys(points).length * moments.length;
/** So few that a node that was away for a moment needs a snapshot. */
const logKeepEntries = 60;

/** FAULTS F1 at named points: `lib/kill-point.mjs` says what they are. A node without that file has none of them. */
export const killPoints: Scenario = {
  name: 'kill-points',
  summary:
    'a node kills itself before, in and after each named step of storage: append, vote, apply, snapshot, promotion, …',
  trials,
  run: (context) =>
    withCluster(
      {
        sizes: [3, 1],
        settings: { limits: { logKeepEntries }, timing: { tombstoneKeepMs: 300 } },
        nodeArgs: ['--import', pathToFileURL(besideSources('kill-point.mjs')).href],
      },
      (cluster) =>
        hurtAgainAndAgain(
          cluster.region(0),
          {
            hurts: moments.flatMap((moment) => Object.keys(points).map((point) => killing(point, moment))),
            afterwards: (prefix) => allRegionsProblems(cluster, prefix),
            wanted: Object.keys(points).map((point) => `killed at ${point}`),
          },
          { ...context, fullTrials: trials },
        ),
    ),
};

function killing(point: string, moment: (typeof moments)[number]): Hurt {
  return {
    name: `${moment} ${point}`,
    lastsMs: 200,
    make: async (scene) => {
      const { region, callers, trial, sometimes, problem } = scene;
      const node = region.nodes[trial % region.nodes.length] as RegionNode;
      await node.stop();
      if (point.startsWith('snapshot')) {
        const { calls } = callers;
        await until('calls beyond what the log keeps', () => callers.calls > calls + 20 * logKeepEntries);
      }
      node.start({ env: { KILL_POINT: `${point} ${moment}`, KILL_POINT_STORAGE: storageModule } });
      await points[point]?.(scene, node);
      const isDead = await until('the point', () => !node.isRunning, 15_000).then(
        () => true,
        () => false,
      );
      if (isDead && node.log.trimEnd().endsWith(`killed at ${point}, ${moment}`)) sometimes(`killed at ${point}`);
      else problem(`${node.name} did not come to the point: ${node.log.slice(-300)}`);
      await node.kill();
      return async () => node.start();
    },
  };
}

const storageModule = pathToFileURL(
  join(dirname(createRequire(import.meta.url).resolve('@skerry/storage-lmdb')), '..', 'dist', 'lmdb-storage.js'),
).href;

async function byItself(): Promise<void> {}
