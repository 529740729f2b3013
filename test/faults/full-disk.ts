import { rmSync } from 'node:fs';
import type { Client } from '@skerry/client';
import { disksFor, SmallDisk } from './lib/disks.ts';
import { Region } from './lib/region.ts';
import { withLastWords } from './lib/last-words.ts';
import type { RegionNode } from './lib/region-node.ts';
import { report, spread, type Report, type Scenario, type ScenarioContext } from './lib/scenario.ts';
import { pause, until } from './lib/until.ts';
import { lostAt, Writers } from './lib/writers.ts';

const mebibyte = 1_024 * 1_024;
const diskBytes = 256 * mebibyte;
const valueBytes = 2_000;
const readEveryMs = 5;
/** How long the load runs before and while the disks are full. */
const loadMs = 400;

export const fullDisk: Scenario = {
  name: 'full-disk',
  summary: 'the disks of all nodes fill up under load: STORAGE_FULL, reads go on, writes resume when space returns',
  trials: 10,
  run: async (context) => {
    const place = disksFor(3, (folder) => SmallDisk.create(folder, diskBytes));
    if (place === null) return { figures: [], violations: [], skipped: 'full-disk needs root, to mount small disks' };
    const region = await Region.plan({ folder: place.home, env: place.env });
    try {
      return await fillAgainAndAgain(region, place.disks, context);
    } catch (error) {
      throw withLastWords(error as Error, region);
    } finally {
      await region.stop();
      for (const disk of place.disks) disk.unmount();
      rmSync(place.home, { recursive: true, force: true });
    }
  },
};

/** What is left of each disk. With less than the reserve a node refuses writes; with next to nothing a commit fails half-way. */
const ways: readonly { readonly name: string; readonly leaveBytes: number; readonly who: 'all' | 'leader' }[] = [
  { name: 'all disks, less than the reserve is left', leaveBytes: 10 * mebibyte, who: 'all' },
  { name: 'all disks, next to nothing is left', leaveBytes: 100 * 1_024, who: 'all' },
  { name: "the leader's disk alone", leaveBytes: 100 * 1_024, who: 'leader' },
];

async function fillAgainAndAgain(
  region: Region,
  disks: readonly SmallDisk[],
  { trials, say }: ScenarioContext,
): Promise<Report> {
  const violations: string[] = [];
  const resumed: number[] = [];
  const slowestReads: number[] = [];
  const roamed: number[] = [];
  const all: { readonly prefix: string; readonly writers: Writers }[] = [];
  let refusals = 0;
  let acknowledged = 0;
  for (const node of region.nodes) node.start();
  await region.ready();
  for (let trial = 1; trial <= trials; trial++) {
    const way = ways[trial % ways.length] as (typeof ways)[number];
    const prefix = `t${trial}/`;
    const note = (problems: readonly string[]): void => {
      violations.push(...problems.map((problem) => `fill ${trial} (${way.name}): ${problem}`));
    };
    await region.settled();
    const writers = await Writers.start({
      region,
      prefix,
      consistent: 6,
      quorumlessPerNode: 2,
      valueBytes,
      refusals: ['STORAGE_FULL'],
    });
    all.push({ prefix, writers });
    const readers = await Readers.start(region, `${prefix}last/c0`);
    await until('every writer to be answered', () => [...writers.counters.values()].every(({ sent }) => sent > 0));
    await pause(loadMs);

    const leader = await region.leader();
    const hurt = region.nodes.filter((node) => way.who === 'all' || node === leader);
    const disksHurt = disks.filter((_, index) => hurt.includes(region.nodes[index] as RegionNode));
    for (const disk of disksHurt) disk.fill(way.leaveBytes);
    await until('the nodes to say that they are full', async () =>
      (await Promise.all(hurt.map((node) => node.status()))).every((status) => status?.storageFull === true),
    );
    // A follower that cannot write does not learn what was committed: its clients read at another node.
    readers.begin(way.who === 'all' ? region.nodes : region.others(leader));
    // Asked by a call of its own: every writer may be waiting for the answer to what it sent before the disk was full.
    await until('writes to be refused', async () => (await refusedAt(hurt, region)).length === 0);
    await pause(loadMs);
    note(await readers.end());
    slowestReads.push(readers.slowestMs);
    note(await refusedAt(hurt, region));
    if (way.who === 'leader') {
      await until('the full node to hand over', async () => (await region.leader()) !== leader);
      const roaming = await region.client([leader, ...region.others(leader)]);
      const startMs = performance.now();
      await roaming.get(`${prefix}last/c0`, { signal: AbortSignal.timeout(10_000) });
      roamed.push(performance.now() - startMs);
      await roaming.close();
      const goesOn = writers.acknowledged.length;
      await until('writes at the other nodes to go on', () =>
        writers.acknowledged.slice(goesOn).some(({ consistent }) => consistent),
      );
    }

    const clearedMs = performance.now();
    for (const disk of disksHurt) disk.clear();
    const before = writers.acknowledged.length;
    await until('every writer to be answered again', () => {
      const again = new Set(writers.acknowledged.slice(before).map(({ key }) => key.slice(0, key.lastIndexOf('/'))));
      return again.size === writers.counters.size;
    });
    resumed.push(performance.now() - clearedMs);
    note(await writers.finish());
    await region.settled();
    for (const node of region.nodes) note(await lostAt(region, node, writers, { prefix }));
    refusals += writers.refused.get('STORAGE_FULL') ?? 0;
    acknowledged += writers.acknowledged.length;
    say(
      `fill ${trial}: ${writers.acknowledged.length} writes, ${writers.refused.get('STORAGE_FULL')} refused, ${violations.length} violations so far`,
    );
  }
  // Also by a node that starts anew.
  for (const node of region.nodes) {
    await node.kill();
    node.start();
  }
  await region.ready();
  await region.settled();
  for (const { prefix, writers } of all) {
    for (const node of region.nodes) violations.push(...(await lostAt(region, node, writers, { prefix })));
  }
  return report(
    [
      { name: 'times filled', value: trials, unit: 'count' },
      { name: 'writes acknowledged', value: acknowledged, unit: 'count' },
      { name: 'writes refused with STORAGE_FULL', value: refusals, unit: 'count' },
      ...spread('slowest read while full', slowestReads),
      ...spread('a consistent read of a client that began at the one full node, after its hand-over', roamed),
      ...spread('space is back, until every client writes again', resumed),
    ],
    violations,
  );
}

interface PinnedClient {
  readonly node: string;
  readonly client: Client;
}

/** Reads of one key, consistent and local, at every node. */
class Readers {
  readonly #clients: readonly PinnedClient[];
  readonly #key: string;
  #problems: string[] = [];
  #stopping = false;
  #ended: Promise<unknown> = Promise.resolve();
  slowestMs = 0;

  private constructor(clients: readonly PinnedClient[], key: string) {
    this.#clients = clients;
    this.#key = key;
  }

  static async start(region: Region, key: string): Promise<Readers> {
    const clients = region.nodes.map(async (node) => ({ node: node.name, client: await region.pinned(node) }));
    return new Readers(await Promise.all(clients), key);
  }

  /** Local reads at every node, consistent ones at these. */
  begin(consistentAt: readonly RegionNode[]): void {
    const names = new Set(consistentAt.map(({ name }) => name));
    this.#ended = Promise.all(
      this.#clients.flatMap(({ node, client }) =>
        (names.has(node) ? [true, false] : [false]).map((consistent) => this.#loop(node, client, consistent)),
      ),
    );
  }

  async end(): Promise<string[]> {
    this.#stopping = true;
    await this.#ended;
    await Promise.all(this.#clients.map(({ client }) => client.close()));
    return this.#problems;
  }

  async #loop(node: string, client: Client, consistent: boolean): Promise<void> {
    while (!this.#stopping) {
      const startMs = performance.now();
      const { valid, value } = await client.get(this.#key, { consistent, blocking: false, timeoutMs: 5_000 });
      this.slowestMs = Math.max(this.slowestMs, performance.now() - startMs);
      const what = consistent ? 'a consistent' : 'a local';
      if (!valid || value === null)
        this.#problems.push(`${what} read at ${node} while full: ${valid ? 'no value' : 'no answer'}`);
      await pause(readEveryMs);
    }
  }
}

/** Both kinds of writes at a full node, each with its code. */
async function refusedAt(nodes: readonly RegionNode[], region: Region): Promise<string[]> {
  const problems: string[] = [];
  for (const node of nodes) {
    const client = await region.pinned(node);
    for (const consistent of [true, false]) {
      const code = await client.set('refused', 'x', { consistent, blocking: false }).then(
        ({ outcome }) => outcome ?? 'no outcome',
        (error: Error & { readonly code?: string }) => error.code ?? error.message,
      );
      if (code !== 'STORAGE_FULL')
        problems.push(`a write at ${node.name} was answered ${code}, consistent: ${consistent}`);
    }
    await client.close();
  }
  return problems;
}
