import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { withRegion, type Region } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import { report, spread, type Report, type Scenario, type ScenarioContext } from './lib/scenario.ts';
import { until } from './lib/until.ts';
import { lostAt, Writers } from './lib/writers.ts';

const exitCodeCorrupt = 65;
const valueBytes = 400;
/** From the place of a key to one within its value, which begins with the key, too. */
const intoValueBytes = 60;

/** FAULTS F8: one bit of a stopped node's data is another than was written. */
export const corrupt: Scenario = {
  name: 'corrupt',
  summary:
    'a bit of a stopped node flips: it refuses to start and says where, and one command rebuilds it from its peers',
  trials: 12,
  run: (context) => withRegion({}, (region) => run(region, context)),
};

async function run(region: Region, { trials, say }: ScenarioContext): Promise<Report> {
  const violations: string[] = [];
  const rebuilds: number[] = [];
  const all: { readonly prefix: string; readonly writers: Writers }[] = [];
  let unused = 0;
  for (let trial = 1; trial <= trials; trial++) {
    const prefix = `t${trial}/`;
    const note = (problems: readonly string[]): void => {
      violations.push(...problems.map((problem) => `flip ${trial}: ${problem}`));
    };
    const node = region.nodes[trial % 3] as RegionNode;
    const writers = await Writers.start({ region, prefix, consistent: 6, quorumlessPerNode: 1, valueBytes });
    await until('500 writes', () => writers.acknowledged.length >= 500);
    // Both after a crash and after a planned stop. A quorum-less write that is on this disk alone goes with it.
    note(await writers.finish());
    await region.settled();
    await (trial % 2 === 0 ? node.kill() : node.stop());
    const where = flip(join(node.dataFolder, 'data.mdb'), trial);
    const survivors = region.others(node);
    const during = await Writers.start({ region, prefix: `${prefix}during/`, consistent: 4, quorumlessPerNode: 0 });
    all.push({ prefix, writers }, { prefix: `${prefix}during/`, writers: during });

    node.start();
    const code = await Promise.race([node.ended, until('it to be up', () => node.isReady('local')).then(() => null)]);
    if (code === exitCodeCorrupt) {
      const said = node.log.slice(node.log.lastIndexOf('cannot start'));
      if (!/is corrupt \(.*(page|key|meta).*\)/.test(said) || !said.includes('skerry server --rebuild'))
        note([`it did not say what, where and how: ${said.slice(0, 300)}`]);
      const startMs = performance.now();
      node.start({ args: ['--rebuild', '--via', survivors.map(({ clientUrl }) => clientUrl).join(',')] });
      await until('it to be a voter again', () => isVoter(region, node));
      rebuilds.push(performance.now() - startMs);
      note(asideProblems(node));
    } else if (code === null) {
      // The bit was of a page that nothing refers to, or a byte that nobody reads.
      unused++;
    } else {
      note([`it ended with ${code}, expected ${exitCodeCorrupt}; the flip was at ${where}`]);
      break;
    }
    note(await during.finish());
    await region.settled();
    for (const each of all.slice(-2)) for (const at of region.nodes) note(await lostAt(region, at, each.writers, each));
    // It counts again: without it there would be no majority now.
    const other = survivors[0] as RegionNode;
    await other.kill();
    const client = await region.client(region.others(other));
    const answer = await client.set(`${prefix}after`, 'x', { blocking: false, timeoutMs: 10_000 });
    if (answer.outcome !== 'applied') note([`without ${other.name} a write is ${answer.outcome}`]);
    await client.close();
    other.start();
    await region.ready();
    say(
      `flip ${trial} at ${where}: ${code === null ? 'nothing refers to it' : 'found and rebuilt'}, ${violations.length} violations so far`,
    );
  }
  await region.settled();
  for (const each of all)
    for (const node of region.nodes) violations.push(...(await lostAt(region, node, each.writers, each)));
  if (rebuilds.length === 0) violations.push('no flip was found');
  return report(
    [
      { name: 'bits flipped', value: trials, unit: 'count' },
      { name: 'found at the start', value: rebuilds.length, unit: 'count' },
      { name: 'of no consequence', value: unused, unit: 'count' },
      {
        name: 'writes acknowledged',
        value: all.reduce((sum, { writers }) => sum + writers.acknowledged.length, 0),
        unit: 'count',
      },
      ...spread('rebuild, from the command to a voter', rebuilds),
    ],
    violations.slice(0, 20),
  );
}

/**
 * Flips one bit anywhere in the file every third time, else of a record of this trial, in each copy of it: pages that were
 * replaced still have some. Returns where.
 */
function flip(path: string, trial: number): string {
  const bytes = readFileSync(path);
  const places =
    trial % 3 === 0
      ? [Math.floor(Math.random() * bytes.length)]
      : copiesOfOneRecord(bytes, `t${trial}/own/`).map((at) => at + (trial % 2) * intoValueBytes);
  const file = openSync(path, 'r+');
  for (const at of places) writeSync(file, Buffer.of((bytes[at] as number) ^ (1 << (trial % 8))), 0, 1, at);
  closeSync(file);
  return `byte ${places.join(', ')} of ${bytes.length}`;
}

/** Where a byte of it stands. */
function copiesOfOneRecord(bytes: Buffer, prefix: string): number[] {
  const all = placesOf(bytes, prefix);
  const one = all[Math.floor(Math.random() * all.length)] as number;
  const key = bytes.toString('utf8', one, bytes.indexOf('/', one + prefix.length) + 7);
  return placesOf(bytes, key).map((at) => at + prefix.length);
}

function placesOf(bytes: Buffer, text: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) places.push(at);
  return places;
}

async function isVoter(region: Region, node: RegionNode): Promise<boolean> {
  const [own, ...others] = await Promise.all([node, ...region.others(node)].map((one) => one.status()));
  if (own == null || !(await node.isReady())) return false;
  return [own, ...others].every(
    (status) => status?.partitions.every(({ voters }) => voters.includes(node.name)) === true,
  );
}

/** What was there is kept, for whoever wants to look at it. The check itself does not. */
function asideProblems(node: RegionNode): string[] {
  const aside = /set the data aside to (\S+)/.exec(node.log.slice(node.log.lastIndexOf('set the data aside')))?.[1];
  if (aside === undefined) return ['the damaged data was not set aside'];
  rmSync(aside, { recursive: true });
  return [];
}
