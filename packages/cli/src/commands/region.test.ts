import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nodeId, regionId } from '@skerry/base';
import type { RegionStatus } from '@skerry/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { runCli } from '../program.ts';
import { MemoryDatabase, type Script } from '../testing/memory-database.ts';
import { testTerminal, type TestTerminal } from '../testing/test-terminal.ts';

async function skerry(
  args: readonly string[],
  script: Script = {},
): Promise<TestTerminal & { code: number; db: MemoryDatabase }> {
  const terminal = testTerminal();
  const db = new MemoryDatabase(script);
  const code = await runCli(['region', ...args], terminal, db.connect);
  return Object.assign(terminal, { code, db });
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** The administration port of a node that sees the regions like this. */
async function admin(regions: readonly RegionStatus[]): Promise<string> {
  const server = createServer(({ url }, response) => {
    if (url === '/admin/regions') response.end(JSON.stringify({ regions }));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function region(name: string, state: RegionStatus['state'], change: Partial<RegionStatus> = {}): RegionStatus {
  return {
    region: regionId(name),
    state,
    nodes: [],
    partitions: [{ partition: 0, head: 9, applied: 7, lagMs: 1_250, unacknowledged: 4 }],
    clockOffsetMs: state === 'self' ? 0 : 12,
    ...change,
  };
}

function nodes(...adminUrls: string[]): RegionStatus['nodes'] {
  return adminUrls.map((adminUrl, i) => ({ node: nodeId(`n${i + 1}`), clientUrl: '', peerUrl: '', adminUrl }));
}

describe('region ls', () => {
  test('shows per other region what is not applied here, for how long, and what is not applied there', async () => {
    const twoPartitions = [
      { partition: 0, head: 9, applied: 7, lagMs: 1_250, unacknowledged: 4 },
      // More is applied than its last heartbeat told of.
      { partition: 1, head: 3, applied: 5, lagMs: 30, unacknowledged: 1 },
    ];
    const run = await skerry(['ls'], {
      regions: [
        region('region-1', 'self', { nodes: nodes('', '') }),
        region('region-2', 'up', { partitions: twoPartitions }),
        region('region-3', 'down', { clockOffsetMs: null }),
        region('region-4', 'evicted', { clockOffsetMs: -1_500 }),
      ],
    });
    expect(run.code).toBe(0);
    expect(run.printed()).toBe(
      [
        'REGION    STATE    NODES  BEHIND     LAG  UNCONFIRMED    CLOCK',
        'region-1  self         2       -       -            -        -',
        'region-2  up           0       2  1.250s            5  +0.012s',
        'region-3  down         0       2  1.250s            4        -',
        'region-4  evicted      0       2  1.250s            4  -1.500s',
        '',
      ].join('\n'),
    );
  });

  test('--all asks each region by the first of its nodes that answers', async () => {
    const seenThere = [region('region-1', 'up', { clockOffsetMs: 3 }), region('region-2', 'self')];
    const run = await skerry(['ls', '--all'], {
      regions: [
        region('region-1', 'self'),
        region('region-2', 'up', { nodes: nodes('http://127.0.0.1:1', await admin(seenThere)) }),
        region('region-3', 'down', { nodes: nodes('http://127.0.0.1:1') }),
        region('region-4', 'evicted', { nodes: nodes('http://127.0.0.1:1') }),
      ],
    });
    expect(run.code).toBe(2);
    const lines = run.printed().trimEnd().split('\n');
    expect(lines.map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
      'FROM REGION STATE NODES BEHIND LAG UNCONFIRMED CLOCK',
      'region-1 region-2 up 2 2 1.250s 4 +0.012s',
      'region-1 region-3 down 1 2 1.250s 4 +0.012s',
      'region-1 region-4 evicted 1 2 1.250s 4 +0.012s',
      'region-2 region-1 up 0 2 1.250s 4 +0.003s',
      'region-3 - n1: unreachable (fetch failed) - - - - -',
    ]);
  });

  test('-o json prints what the node says, with --all once per region', async () => {
    const own = region('region-1', 'self');
    const other = region('region-2', 'up', { nodes: nodes(await admin([own])) });
    const plain = await skerry(['ls', '-o', 'json'], { regions: [own, other] });
    expect(JSON.parse(plain.printed())).toEqual([own, other]);
    const all = await skerry(['ls', '--all', '-o', 'json'], { regions: [own, other] });
    expect(JSON.parse(all.printed())).toEqual([
      { from: 'region-1', regions: [own, other] },
      { from: 'region-2', regions: [own] },
    ]);
  });
});

describe('region add and evict', () => {
  test.each([
    [
      ['add', 'region-4', '--peer', 'ws://a:1,ws://b:1'],
      ['addRegion', 'region-4', ['ws://a:1', 'ws://b:1']],
    ],
    [
      ['add', 'region-4', '--peer', 'ws://a:1', '--peer', 'ws://b:1'],
      ['addRegion', 'region-4', ['ws://a:1', 'ws://b:1']],
    ],
    [
      ['evict', 'region-4'],
      ['evictRegion', 'region-4'],
    ],
  ])('%j asks for it', async (args, call) => {
    const run = await skerry(args);
    expect([run.code, run.printed()]).toEqual([0, 'done\n']);
    expect(run.db.calls.at(-1)?.slice(0, call.length)).toEqual(call);
  });

  test.each([
    [['add', 'region-4'], "required option '--peer <urls>' not specified"],
    [['evict', 'a/b'], 'a/b is no name of a region'],
    [['evict'], "missing required argument 'region'"],
  ])('%j is refused', async (args, message) => {
    const run = await skerry(args);
    expect(run.code).toBe(1);
    expect(run.errors()).toContain(message);
  });
});
