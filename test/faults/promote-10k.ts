import { checkAppliedOnce, type VersionRecord } from '@skerry/checkers';
import type { Client } from '@skerry/client';
import { Expectations, timed } from './lib/expect.ts';
import { dumpsOf, differences } from './lib/judge.ts';
import { withRegion, type Region } from './lib/region.ts';
import { spread, type Scenario } from './lib/scenario.ts';
import { until } from './lib/until.ts';

const count = 10_000;
/** Calls of the one client that are open at once. */
const openMax = 500;

export const promote10k: Scenario = {
  name: 'promote-10k',
  summary: `${count} quorum-less writes on the survivor of three: how soon all are promoted once there is a quorum`,
  trials: 5,
  run: ({ trials, say }) =>
    withRegion({}, async (region) => {
      const promoted: number[] = [];
      const accepted: number[] = [];
      const started: number[] = [];
      const violations: string[] = [];
      for (let trial = 1; trial <= trials; trial++) {
        const prefix = `t${trial}/`;
        const survivor = await region.leader();
        const others = region.others(survivor);
        const db = await region.pinned(survivor);
        await Promise.all(others.map((node) => node.kill()));
        const writing = await timed(() => inParallel((index) => accept(db, prefix + index, index)));
        accepted.push(writing.ms);
        const watch = watchVersions(db, prefix);

        const startMs = performance.now();
        for (const node of others) node.start();
        const backMs = await quorumIsBack(region);
        await until('all writes to be promoted', async () => (await survivor.status())?.partitions[0]?.pending === 0);
        promoted.push(performance.now() - backMs);
        started.push(backMs - startMs);
        await region.ready();
        await region.settled();

        const expected = new Expectations();
        const states = await inParallel(async (index) => (await db.receipt(writing.value[index] ?? '').state()).state);
        expected.equal('receipts that are not promoted', states.filter((state) => state !== 'promoted').length, 0);
        const dumps = await dumpsOf(region, prefix);
        for (const { node, entries } of dumps) {
          const right = Array.from({ length: count }, (_, i) => entries.get(prefix + i)?.value === String(i));
          expected.equal(`writes that ${node} lacks`, right.filter((is) => !is).length, 0);
        }
        await until('the watch to see all', () => watch.keys.size === count, 10_000);
        watch.stop();
        expected.equal('changes that a watch saw', watch.records.length, count);
        const twice = checkAppliedOnce(watch.records).map(({ message, key }) => `${key}: ${message}`);
        const problems = [...expected.problems, ...twice, ...differences(dumps)];
        violations.push(...problems.slice(0, 20).map((problem) => `trial ${trial}: ${problem}`));
        say(`trial ${trial}: promoted in ${promoted.at(-1)?.toFixed(0)} ms, ${problems.length} violations`);
        await db.close();
      }
      const figures = [
        ...spread(`quorum back to ${count} promoted`, promoted, { max: 5_000 }),
        ...spread(`${count} writes accepted, ${openMax} at a time`, accepted),
        ...spread('start of two processes to quorum', started),
      ];
      return { figures, violations };
    }),
};

async function accept(db: Client, key: string, index: number): Promise<string> {
  const { receipt } = await db.set(key, String(index), { consistent: false });
  if (receipt === undefined) throw new Error(`no receipt for ${key}`);
  return receipt;
}

async function inParallel<T>(call: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      results[index] = await call(index);
    }
  };
  await Promise.all(Array.from({ length: openMax }, worker));
  return results;
}

/** The first moment at which any node leads with a quorum. */
async function quorumIsBack(region: Region): Promise<number> {
  await until('a quorum', async () => {
    const statuses = await Promise.all(region.nodes.map((node) => node.status(200)));
    return statuses.some((status) => status?.partitions.some(({ role, quorum }) => role === 'leader' && quorum));
  });
  return performance.now();
}

function watchVersions(db: Client, prefix: string): { records: VersionRecord[]; keys: Set<string>; stop: () => void } {
  const records: VersionRecord[] = [];
  const keys = new Set<string>();
  const ended = new AbortController();
  const run = async (): Promise<void> => {
    for await (const { events } of db.watch(prefix, { prefix: true, signal: ended.signal })) {
      for (const { key, value, version } of events) {
        keys.add(key);
        if (version !== null) records.push({ observer: 'watch', key, value, version });
      }
    }
  };
  // It ends by being aborted; what it missed shows in the count.
  run().catch(() => {});
  return { records, keys, stop: () => ended.abort() };
}
