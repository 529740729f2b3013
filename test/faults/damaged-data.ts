import {
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { faultScenario, type Hurt, type Scene } from './lib/fault-run.ts';
import type { RegionNode } from './lib/region-node.ts';
import type { Scenario } from './lib/scenario.ts';
import { until } from './lib/until.ts';

const dataFile = 'data.mdb';
const pageBytes = 4_096;
/**
 * What a node ends with whose data or identity is not what it should be: EX_DATAERR, EX_CONFIG, and EX_SOFTWARE where its
 * leader tells it that it acknowledged what it does not have: only an old copy of its folder explains that, or a bug.
 */
const refusals = [65, 70, 78];

/** FAULTS F8 beyond single bits, which `corrupt` flips. Callers stay away from what only the damaged disk had: it is lost. */
export const damagedData: Scenario = faultScenario(
  {
    name: 'damaged-data',
    summary: "a stopped node's data is cut off, zeroed, gone, or old: it starts whole, or refuses and is rebuilt",
    trials: 16,
  },
  {
    callers: { atEachNode: 0, mixed: false, roaming: 16 },
    hurts: [
      damaging('cut off in the last page', (path) => truncateSync(path, statSync(path).size - 100)),
      damaging('cut off at a page', (path) => truncateSync(path, pagesOf(path, 0.5) * pageBytes)),
      damaging('cut off to nothing', (path) => truncateSync(path, 0)),
      damaging('a page in the middle is zeroed', (path) => zero(path, pagesOf(path, 0.5) * pageBytes, pageBytes)),
      damaging('both meta pages are zeroed', (path) => zero(path, 0, 2 * pageBytes)),
      damaging('the data file is gone', (path) => rmSync(path)),
      damaging('an empty folder under its name', (_, folder) => {
        rmSync(folder, { recursive: true });
        mkdirSync(folder);
      }),
      {
        name: 'an old copy of the folder comes back',
        lastsMs: 500,
        make: async (scene) => {
          const node = victimOf(scene);
          const backup = `${node.dataFolder}.backup`;
          await node.stop();
          cpSync(node.dataFolder, backup, { recursive: true });
          node.start();
          await scene.region.ready();
          const calls = scene.callers.calls;
          await until('calls beyond the copy', () => scene.callers.calls > calls + 300);
          await node.kill();
          rmSync(node.dataFolder, { recursive: true });
          cpSync(backup, node.dataFolder, { recursive: true });
          rmSync(backup, { recursive: true });
          return () => startOrRebuild(scene, node);
        },
      },
    ],
    wanted: ['refused to start', 'rebuilt by one command'],
  },
);

function damaging(name: string, damage: (path: string, folder: string) => void): Hurt {
  return {
    name,
    lastsMs: 200,
    make: async (scene) => {
      const node = victimOf(scene);
      await (scene.trial % 2 === 0 ? node.kill() : node.stop());
      damage(join(node.dataFolder, dataFile), node.dataFolder);
      return () => startOrRebuild(scene, node);
    },
  };
}

function victimOf({ region, trial }: Scene): RegionNode {
  return region.nodes[trial % region.nodes.length] as RegionNode;
}

/** It must not take part with less than it had under the name that it had. */
async function startOrRebuild({ region, sometimes, problem }: Scene, node: RegionNode): Promise<void> {
  node.start();
  const code = await Promise.race([node.ended, isBack(node)]);
  if (code === 'back') {
    sometimes('started all the same');
    return;
  }
  sometimes('refused to start');
  if (code !== 'shunned' && !refusals.includes(code ?? 0))
    problem(`${node.name} ended with ${code}, not ${refusals.join(' or ')}: ${node.log.slice(-400)}`);
  if (code === 'shunned') await node.kill();
  const via = region
    .others(node)
    .map(({ clientUrl }) => clientUrl)
    .join(',');
  node.start({ args: ['--rebuild', '--via', via] });
  await until('it to be a voter again', async () => {
    const statuses = await Promise.all(region.nodes.map((one) => one.status()));
    return statuses.every((status) => status?.partitions.every(({ voters }) => voters.includes(node.name)) === true);
  });
  sometimes('rebuilt by one command');
  for (const name of readdirSync(join(node.dataFolder, '..')))
    if (name.startsWith(`${node.name}.`) && existsSync(join(node.dataFolder, '..', name, dataFile)))
      rmSync(join(node.dataFolder, '..', name), { recursive: true });
}

/** `shunned`: it runs, and the others will not have it. */
function isBack(node: RegionNode): Promise<'back' | 'shunned'> {
  return until('it to be part of the region', () => node.isReady(), 8_000).then(
    () => 'back' as const,
    () => 'shunned' as const,
  );
}

function pagesOf(path: string, share: number): number {
  return Math.floor((statSync(path).size / pageBytes) * share);
}

function zero(path: string, at: number, bytes: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(bytes), 0, bytes, at);
  closeSync(file);
}
