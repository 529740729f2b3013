import { rmSync } from 'node:fs';
import { disksFor, missingPrograms, PowerDisk } from './lib/disks.ts';
import { Region } from './lib/region.ts';
import { withLastWords } from './lib/last-words.ts';
import type { RegionNode } from './lib/region-node.ts';
import { report, type Report, type Scenario, type ScenarioContext } from './lib/scenario.ts';
import { pause, until } from './lib/until.ts';
import { lostAt, Writers } from './lib/writers.ts';

const diskBytes = 1_024 * 1_024 * 1_024;
/** The load runs for this long before the cut, or up to twice as long. */
const loadMs = 600;

/** Done-line 4 of part 1 (FAULTS F5). */
export const powerCut: Scenario = {
  name: 'power-cut',
  summary: 'the power of all nodes is cut under load of consistent and quorum-less writes: no acknowledged one is lost',
  trials: 20,
  run: async (context) => {
    const missing = missingPrograms(['xfs_io', 'mkfs.ext4', 'mount']);
    if (missing.length > 0) return { figures: [], violations: [], skipped: `power-cut needs ${missing.join(', ')}` };
    const place = disksFor(3, (folder) => PowerDisk.create(folder, diskBytes));
    if (place === null) {
      return {
        figures: [],
        violations: [],
        skipped: 'power-cut needs root and loop devices, to mount disks of its own',
      };
    }
    const region = await Region.plan({ folder: place.home, env: place.env });
    try {
      return await cutAgainAndAgain(region, place.disks, context);
    } catch (error) {
      throw withLastWords(error as Error, region);
    } finally {
      await region.stop();
      for (const disk of place.disks) disk.unmount();
      rmSync(place.home, { recursive: true, force: true });
    }
  },
};

async function cutAgainAndAgain(
  region: Region,
  disks: readonly PowerDisk[],
  { trials, say }: ScenarioContext,
): Promise<Report> {
  const all: Writers[] = [];
  const violations: string[] = [];
  let pendingAtCut = 0;
  for (const node of region.nodes) node.start();
  for (let trial = 1; trial <= trials; trial++) {
    const prefix = `t${trial}/`;
    const note = (problems: readonly string[]): void => {
      violations.push(...problems.map((problem) => `cut ${trial}: ${problem}`));
    };
    await region.ready();
    await region.settled();
    // What this one accepts stays pending until after the cut; the other two go on committing.
    const lonely = region.nodes[trial % 3] as RegionNode;
    const others = region.others(lonely).map(({ name }) => name);
    await lonely.cut(others);
    const writers = await Writers.start({ region, prefix, consistent: 8, quorumlessPerNode: 4 });
    all.push(writers);
    await until('every writer to be answered', () => [...writers.counters.values()].every(({ sent }) => sent > 0));
    await pause(loadMs * (1 + (trial % 5) / 4));
    pendingAtCut += (await lonely.status())?.partitions[0]?.pending ?? 0;
    // All of them within a few milliseconds, in turning order.
    for (let index = 0; index < 3; index++) (disks[(trial + index) % 3] as PowerDisk).cutPower();
    for (const node of region.nodes) void node.kill();
    await Promise.all(region.nodes.map((node) => node.ended));
    note(await writers.abandon());
    for (const disk of disks) disk.unmount();
    for (const disk of disks) disk.mount();

    // One node alone has at least what it acknowledged itself, pending or not.
    const first = region.nodes[(trial + 1 + (trial % 2)) % 3] as RegionNode;
    first.start();
    await until(`${first.name} to be up alone`, () => first.isReady('local'));
    note(await lostAt(region, first, writers, { prefix, only: ({ node }) => node === first.name }));
    for (const node of region.others(first)) node.start();
    await region.ready();
    await region.settled();
    for (const node of region.nodes) note(await lostAt(region, node, writers, { prefix }));
    note(await unpromoted(region, writers));
    say(`cut ${trial}: ${writers.acknowledged.length} acknowledged writes, ${violations.length} violations so far`);
  }
  // What a later cut took back would show here.
  for (const [index, writers] of all.entries()) {
    for (const node of region.nodes)
      violations.push(...(await lostAt(region, node, writers, { prefix: `t${index + 1}/` })));
  }
  const count = (consistent: boolean): number =>
    all.reduce(
      (sum, { acknowledged }) => sum + acknowledged.filter((write) => write.consistent === consistent).length,
      0,
    );
  if (pendingAtCut === 0) violations.push('no cut met a pending write: the check did not do what it is for');
  return report(
    [
      { name: 'cuts', value: trials, unit: 'count' },
      { name: 'consistent writes acknowledged', value: count(true), unit: 'count' },
      { name: 'quorum-less writes acknowledged', value: count(false), unit: 'count' },
      { name: 'of these pending shortly before a cut', value: pendingAtCut, unit: 'count' },
    ],
    violations,
  );
}

/** A sample of receipts that do not say promoted. Each key is written once, so nothing can supersede it. */
async function unpromoted(region: Region, { acknowledged }: Writers): Promise<string[]> {
  const client = await region.client();
  const weak = acknowledged.filter(({ receipt }) => receipt !== null);
  const sample = weak.filter((_, index) => index % Math.ceil(weak.length / 200) === 0).concat(weak.slice(-10));
  const states = await Promise.all(
    sample.map(async ({ key, receipt }) => ({ key, state: (await client.receipt(receipt ?? '').state()).state })),
  );
  await client.close();
  return states
    .filter(({ state }) => state !== 'promoted')
    .map(({ key, state }) => `the receipt of ${key} says ${state}`);
}
