import { nodeId, regionId } from '@skerry/base';
import type { RegionStatus } from '@skerry/replica';
import { afterEach, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.kill();
});

async function start(...regions: RegionStatus[]): Promise<TestServer> {
  const server = await startTestServer();
  server.replica.regionStatus = regions;
  servers.push(server);
  return server;
}

async function call(server: TestServer, path: string, body?: object): Promise<{ status: number; body: unknown }> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(server.adminUrl + path, body === undefined ? {} : init);
  return { status: response.status, body: await response.json() };
}

const region = (name: string, change: Partial<RegionStatus> = {}): RegionStatus => ({
  region: regionId(name),
  state: 'up',
  nodes: [{ node: nodeId(`${name}-1`), clientUrl: 'ws://c', peerUrl: 'ws://p', adminUrl: 'http://a' }],
  partitions: [
    { partition: 0, head: 9, applied: 7, lagMs: 1_500, unacknowledged: 1 },
    // What is applied may be ahead of the head that was last told.
    { partition: 1, head: 3, applied: 4, lagMs: 0, unacknowledged: 2 },
  ],
  clockOffsetMs: -500,
  ...change,
});
const own = region('region-1', { state: 'self', clockOffsetMs: 0 });

test('readiness shows the lag of every other region, and is not lost by it', async () => {
  const server = await start(own, region('region-2'), region('region-3', { state: 'down', clockOffsetMs: null }));
  const lag = { lagEntries: 2, lagSeconds: 1.5, unacknowledgedEntries: 3 };
  expect(await call(server, '/readyz?mode=local')).toEqual({
    status: 200,
    body: {
      status: 'ok',
      mode: 'local',
      regions: [
        { region: 'region-2', state: 'up', ...lag, clockOffsetSeconds: -0.5 },
        { region: 'region-3', state: 'down', ...lag, clockOffsetSeconds: null },
      ],
      warnings: ['region-3 does not answer'],
    },
  });
});

test('a clock that is further off than it may be is warned of, in either direction', async () => {
  const server = await start(
    own,
    region('region-2', { clockOffsetMs: -501 }),
    region('region-3', { clockOffsetMs: 2_000 }),
    region('gone', { state: 'evicted', clockOffsetMs: 2_000 }),
  );
  const { body } = await call(server, '/readyz?mode=local');
  expect(body).toMatchObject({
    warnings: ['the clock of region-2 is 0.501 s behind', 'the clock of region-3 is 2 s ahead'],
  });
});

test('the description of a node names the regions', async () => {
  const server = await start(own, region('region-2'));
  const { body } = await call(server, '/status');
  expect(body).toMatchObject({ node: 'fake', regions: [own, region('region-2')] });
});

test('metrics show lag by region and partition, and conflicts by reason and pair of regions', async () => {
  const server = await start(own, region('region-2'), region('region-3', { state: 'down', clockOffsetMs: null }));
  const [reason, loserRegion, winnerRegion] = ['overwrote', 'region-2', ''];
  server.replica.conflicts = [{ reason, loserRegion, winnerRegion, count: 4 }];
  const text = await (await fetch(`${server.adminUrl}/metrics`)).text();
  const lines = text.split('\n').filter((line) => /^skerry_(region|conflicts_rec)/.test(line));
  const values = Object.fromEntries(
    lines.map((line) => [
      line.replace(/,?\b(region|node)="(region-1|fake)"/g, '').replace(/ .*/, ''),
      Number(line.split(' ').at(-1)),
    ]),
  );
  expect(values).toMatchObject({
    'skerry_region_up{remote_region="region-2"}': 1,
    'skerry_region_up{remote_region="region-3"}': 0,
    'skerry_region_clock_offset_seconds{remote_region="region-2"}': -0.5,
    'skerry_region_lag_entries{remote_region="region-2",partition="0"}': 2,
    'skerry_region_lag_entries{remote_region="region-2",partition="1"}': 0,
    'skerry_region_lag_seconds{remote_region="region-2",partition="0"}': 1.5,
    'skerry_region_unacknowledged_entries{remote_region="region-2",partition="1"}': 2,
    'skerry_conflicts_recorded_total{reason="overwrote",loser_region="region-2",winner_region=""}': 4,
  });
  expect(Object.keys(values).filter((name) => name.includes('remote_region="region-1"'))).toEqual([]);
  expect(values).not.toHaveProperty(['skerry_region_clock_offset_seconds{remote_region="region-3"}']);
});

test('orders to add and to evict a region reach the replica, and the regions are answered', async () => {
  const server = await start(own);
  server.replica.onRequest = () => ({ kind: 'done' });
  const urls = ['ws://a:1', 'ws://b:1'];
  expect(await call(server, '/admin/regions', { add: { region: 'region-2', urls } })).toEqual({
    status: 200,
    body: { regions: [own] },
  });
  expect(await call(server, '/admin/regions?timeout=50', { evict: 'region-2' })).toMatchObject({ status: 200 });
  expect(await call(server, '/admin/regions')).toEqual({ status: 200, body: { regions: [own] } });
  expect(server.replica.of('request').map(({ request }) => request)).toEqual([
    { operation: { kind: 'addRegion', region: 'region-2', urls }, timeoutMs: 10_000 },
    { operation: { kind: 'evictRegion', region: 'region-2' }, timeoutMs: 50 },
  ]);
});

test('an order that the replica refuses is a problem', async () => {
  const server = await start(own);
  server.replica.onRequest = () => ({ kind: 'error', code: 'REGION_UNKNOWN', detail: 'region-9 is not known' });
  expect(await call(server, '/admin/regions', { evict: 'region-9' })).toMatchObject({
    status: 404,
    body: { code: 'REGION_UNKNOWN' },
  });
});

test.each([
  [{}],
  [{ evict: 'a/b' }],
  [{ add: { region: 'region-2', urls: [] } }],
  [{ add: { region: 'region-2', urls: ['http://a:1'] } }],
  [{ add: { region: 'region-2', urls: ['ws://a:1'] }, evict: 'region-3' }],
])('the order %j is refused', async (body) => {
  const server = await start(own);
  const { status } = await call(server, '/admin/regions', body);
  expect([status, server.replica.of('request')]).toEqual([400, []]);
});
