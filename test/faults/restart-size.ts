import { readFileSync } from 'node:fs';
import { withRegion, type Region } from './lib/region.ts';
import type { RegionNode } from './lib/region-node.ts';
import { report, spread, type Figure, type Scenario } from './lib/scenario.ts';
import { until } from './lib/until.ts';

const keyCount = 1_000_000;
const valueBytes = 256;
const keysPerTxn = 500;
const mebibyte = 1_024 * 1_024;
const keyOf = (index: number): string => `key/${String(index).padStart(7, '0')}`;

/** Done-line 9 of part 1: restart of a node with a million keys. Every other restart is after a SIGKILL. */
export const restartSize: Scenario = {
  name: 'restart-size',
  summary: `restart a node with ${keyCount} keys of ${valueBytes} bytes: time until ready, and memory`,
  trials: 10,
  run: ({ trials, say }) =>
    withRegion({ nodes: 1 }, async (region) => {
      const node = region.nodes[0] as RegionNode;
      const fillSeconds = await fill(region, keyCount, say);
      const local: number[] = [];
      const consistent: number[] = [];
      const violations: string[] = [];
      let heap = { used: 0, total: 0, anonymous: 0 };
      for (let trial = 0; trial < trials; trial++) {
        await (trial % 2 === 0 ? node.kill() : node.stop());
        const startMs = performance.now();
        node.start();
        const readyAt = (mode: 'local' | 'consistent'): Promise<number> =>
          until(`the node to be ready, ${mode}`, async () => (await node.isReady(mode)) && performance.now() - startMs);
        const [localMs, consistentMs] = await Promise.all([readyAt('local'), readyAt('consistent')]);
        local.push(localMs);
        consistent.push(consistentMs);
        const atReady = await memoryOf(node);
        violations.push(...(await readSome(region)));
        heap = most(heap, most(atReady, await memoryOf(node)));
        say(`restart ${trial + 1}: ${localMs.toFixed(0)} and ${consistentMs.toFixed(0)} ms`);
      }
      const keys = await countKeys(region);
      if (keys !== keyCount) violations.push(`${keys} keys are listed, not ${keyCount}`);
      const runs = await metric(node, 'skerry_storage_runs_bytes');
      return report(
        [
          { name: 'keys set', value: keyCount / fillSeconds, unit: 'per second' },
          { name: 'written and not in its place yet', value: runs / mebibyte, unit: 'MiB', max: 40 },
          ...spread('ready for local calls', local, { max: 3_000 }),
          ...spread('ready for consistent calls', consistent, { max: 3_000 }),
          ...memoryFigures(heap),
        ],
        violations,
      );
    }),
};

/** Memory of a node in MiB. */
interface Memory {
  readonly used: number;
  readonly total: number;
  /** Resident memory that is of no file: all but the memory map and the program's own files. NaN where it is not told. */
  readonly anonymous: number;
}

function memoryFigures({ used, total, anonymous }: Memory): Figure[] {
  return [
    { name: 'heap and buffers in use, most', value: used, unit: 'MiB', max: 200 },
    { name: 'heap and buffers taken, most', value: total, unit: 'MiB', max: 200 },
    ...(Number.isNaN(anonymous)
      ? []
      : [{ name: 'all memory but mapped files, most', value: anonymous, unit: 'MiB', max: 200 } as const]),
  ];
}

function most(a: Memory, b: Memory): Memory {
  return {
    used: Math.max(a.used, b.used),
    total: Math.max(a.total, b.total),
    anonymous: Math.max(a.anonymous, b.anonymous),
  };
}

/** Sets keys 0 to `count` - 1 in transactions of many; returns the seconds it took. */
async function fill(region: Region, count: number, say: (line: string) => void): Promise<number> {
  const startMs = performance.now();
  const client = await region.client();
  let next = 0;
  const pipeline = async (): Promise<void> => {
    while (next < count) {
      const from = next;
      next += keysPerTxn;
      if (from % 100_000 === 0) say(`keys set: ${from}`);
      const then = Array.from({ length: Math.min(keysPerTxn, count - from) }, (_, index) => ({
        set: keyOf(from + index),
        value: valueOf(from + index),
      }));
      const { outcome } = await client.txn({ then });
      if (outcome !== 'applied') throw new Error(`a transaction ended ${outcome}`);
    }
  };
  await Promise.all(Array.from({ length: 16 }, pipeline));
  return (performance.now() - startMs) / 1_000;
}

function valueOf(index: number): string {
  return `${index} `.padEnd(valueBytes, 'v');
}

/** Reads keys all over and a long listing; returns what was not as written. */
async function readSome(region: Region): Promise<string[]> {
  const client = await region.client();
  const wrong: string[] = [];
  const indices = Array.from({ length: 10_000 }, (_, i) => (i * 99_991) % keyCount);
  await Promise.all(
    indices.map(async (index) => {
      const { value } = await client.get(keyOf(index));
      if (value !== valueOf(index)) wrong.push(`${keyOf(index)} reads ${value?.slice(0, 20) ?? null}`);
    }),
  );
  let listed = 0;
  for await (const _ of client.entries('key/050', { limit: 1_000 })) listed++;
  if (listed !== 10_000) wrong.push(`${listed} keys are listed, not 10000`);
  await client.close();
  return wrong.slice(0, 5);
}

async function countKeys(region: Region): Promise<number> {
  const client = await region.client();
  let count = 0;
  for await (const _ of client.entries('key/', { limit: 1_000 })) count++;
  await client.close();
  return count;
}

async function memoryOf(node: RegionNode): Promise<Memory> {
  const [used, total, external] = await Promise.all([
    metric(node, 'skerry_nodejs_heap_size_used_bytes'),
    metric(node, 'skerry_nodejs_heap_size_total_bytes'),
    metric(node, 'skerry_nodejs_external_memory_bytes'),
  ]);
  return {
    used: (used + external) / mebibyte,
    total: (total + external) / mebibyte,
    anonymous: anonymousBytes(node.pid) / mebibyte,
  };
}

function anonymousBytes(pid: number | null): number {
  try {
    const line = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line === null ? Number.NaN : Number(line[1]) * 1_024;
  } catch {
    return Number.NaN;
  }
}

async function metric(node: RegionNode, name: string): Promise<number> {
  const text = await (await fetch(`${node.adminUrl}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}{`));
  if (line === undefined) throw new Error(`the node has no metric ${name}`);
  return Number(line.split(' ').at(-1));
}
