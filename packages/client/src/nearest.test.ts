import type { Answer } from '@skerry/protocol';
import { describe, expect, it } from 'vitest';
import type { Client } from './client.ts';
import type { ConnectOptions } from './connect.ts';
import { rankRegions } from './ranking.ts';
import { applied, FakeCluster, keyAnswer, track } from './testing/fake-cluster.ts';

const layout = { 'region-1': ['a', 'b'], 'region-2': ['d', 'e'], 'region-3': ['f'] };

async function setUp(
  options: Partial<ConnectOptions> = {},
  prepare: (cluster: FakeCluster) => void = () => {},
): Promise<{ cluster: FakeCluster; db: Client }> {
  const cluster = new FakeCluster(layout);
  prepare(cluster);
  const connecting = cluster.connect({ endpoints: ['ws://a'], ...options });
  await cluster.host.advance(2_000);
  cluster.onRequest = ({ request }): Answer => (request.operation.kind === 'set' ? applied : keyAnswer({}));
  return { cluster, db: await connecting };
}

function delay(cluster: FakeCluster, region: string, ms: number): void {
  for (const node of cluster.nodesOf(region)) cluster.delaysMs.set(node, ms);
}

describe('the order of regions', () => {
  const ranked = (trips: readonly (number | null)[], preferred: string | null = null): string =>
    rankRegions(
      trips.map((roundTripMs, i) => ({ region: `r${i + 1}` as never, roundTripMs })),
      preferred,
    ).join(' ');

  it('is by distance, where that differs by much', () => {
    expect(ranked([100, 30, 60])).toBe('r2 r3 r1');
    expect(ranked([0.9, 0.2, 0.3])).toBe('r1 r2 r3');
    expect(ranked([100, 90, 80])).toBe('r1 r2 r3');
  });

  it('is that given where nothing was measured', () => {
    expect(ranked([null, 5, null])).toBe('r1 r2 r3');
    expect(ranked([50, null, 5])).toBe('r3 r1 r2');
  });

  it('begins with the preferred one, however far', () => {
    expect(ranked([1, 30, 500], 'r3')).toBe('r3 r1 r2');
    expect(ranked([1, 30, null], 'r3')).toBe('r3 r1 r2');
    expect(ranked([100, 30], 'elsewhere')).toBe('r2 r1');
  });
});

describe('a client that is not in the best region', () => {
  it('goes there once that has been well for a while, and stays', async () => {
    const { cluster, db } = await setUp({}, (its) => {
      delay(its, 'region-1', 40);
    });
    expect(db.connection?.region).toBe('region-1');
    await cluster.host.advance(7_000);
    expect(db.connection?.region).toBe('region-1');
    expect(db.knownRegions.map(({ region, current }) => [region, current])).toEqual([
      ['region-2', false],
      ['region-3', false],
      ['region-1', true],
    ]);
    await cluster.host.advance(9_000);
    expect(db.connection?.region).toBe('region-2');
    await cluster.host.advance(120_000);
    expect(db.connection?.region).toBe('region-2');
    expect(db.knownRegions.at(-1)).toEqual({ region: 'region-1', roundTripMs: 40, current: false });
  });

  it('stays when the other is hardly nearer', async () => {
    const { cluster, db } = await setUp({}, (its) => {
      delay(its, 'region-1', 4);
    });
    await cluster.host.advance(120_000);
    expect(db.connection?.region).toBe('region-1');
  });

  it('comes back after a failure, not at once', async () => {
    const { cluster, db } = await setUp();
    cluster.kill('region-1');
    await cluster.host.advance(300);
    expect(db.connection?.region).toBe('region-2');
    await cluster.host.advance(30_000);
    cluster.revive('region-1');
    await cluster.host.advance(9_900);
    expect(db.connection?.region).toBe('region-2');
    await cluster.host.advance(8_000);
    expect(db.connection?.region).toBe('region-1');
    // Nor the next time.
    cluster.kill('region-1');
    await cluster.host.advance(300);
    cluster.revive('region-1');
    await cluster.host.advance(9_900);
    expect(db.connection?.region).toBe('region-2');
  });

  it('does not come back while that has no leaders, or is now there and now not', async () => {
    const { cluster, db } = await setUp();
    cluster.kill('region-1');
    await cluster.host.advance(300);
    cluster.revive('region-1');
    cluster.leaderless.add('a').add('b');
    await cluster.host.advance(60_000);
    expect(db.connection?.region).toBe('region-2');
    cluster.leaderless.clear();
    for (let i = 0; i < 10; i++) {
      await cluster.host.advance(6_000);
      cluster.kill('region-1');
      await cluster.host.advance(4_000);
      cluster.revive('region-1');
    }
    expect(db.connection?.region).toBe('region-2');
    await cluster.host.advance(18_000);
    expect(db.connection?.region).toBe('region-1');
  });

  it('finishes where it is what is on the wire there, and begins in the other what comes', async () => {
    const moves: string[] = [];
    const { cluster, db } = await setUp({
      timing: { stallMs: 600_000 },
      onMove: (region) => {
        moves.push(region);
      },
    });
    cluster.kill('region-1');
    await cluster.host.advance(300);
    cluster.onRequest = () => undefined;
    const slow = track(db.set('k', 'slow'));
    await cluster.host.settle();
    const first = cluster.last;
    cluster.revive('region-1');
    await cluster.host.advance(18_000);
    expect(moves).toEqual(['region-2', 'region-1']);
    const next = track(db.set('k', 'next'));
    await cluster.host.settle();
    expect(cluster.requests.map(({ node }) => cluster.regionOf(node))).toEqual(['region-2', 'region-1']);
    first.answer(applied);
    await cluster.host.settle();
    expect(slow.value).toMatchObject({ outcome: 'applied' });
    expect(next.done).toBe(false);
  });

  it('gives up what it finishes in a region that is lost meanwhile', async () => {
    const { cluster, db } = await setUp();
    cluster.kill('region-1');
    await cluster.host.advance(300);
    cluster.onRequest = ({ node }) => (cluster.regionOf(node) === 'region-1' ? keyAnswer({}) : undefined);
    const [write, read] = [track(db.set('k', 'slow')), track(db.get('k'))];
    await cluster.host.settle();
    cluster.revive('region-1');
    await cluster.host.advance(18_000);
    expect(db.connection?.region).toBe('region-1');
    expect([write.done, read.done]).toEqual([false, false]);
    cluster.kill('region-2');
    await cluster.host.advance(300);
    expect(write.value).toMatchObject({ outcome: 'undecided', ticket: expect.stringMatching(/^region-2:/) });
    expect(read.value).toMatchObject({ valid: true });
  });

  it('has the session in each region that it had there before', async () => {
    const { cluster, db } = await setUp();
    const idOf = async (): Promise<unknown> => {
      void db.set('k', 'v');
      await cluster.host.settle();
      return cluster.last.request.id;
    };
    const first = (await idOf()) as { client: string };
    cluster.kill('region-1');
    await cluster.host.advance(300);
    const second = (await idOf()) as { client: string };
    expect(second).toMatchObject({ sequence: 1 });
    expect(second.client).not.toBe(first.client);
    cluster.revive('region-1');
    await cluster.host.advance(18_000);
    expect(await idOf()).toMatchObject({ client: first.client, sequence: 2, answeredBelow: 2 });
  });

  it('tries another time when the better one does not take it after all', async () => {
    const { cluster, db } = await setUp();
    cluster.kill('region-1');
    await cluster.host.advance(300);
    cluster.revive('region-1');
    // A connection that is to stay follows a probe at once; it finds a node that knows no leaders.
    let lastMs = 0;
    const refused: number[] = [];
    cluster.welcome = (node) => {
      const nowMs = cluster.host.nowMs();
      const stays = cluster.regionOf(node) === 'region-1' && nowMs === lastMs;
      if (cluster.regionOf(node) === 'region-1') lastMs = nowMs;
      if (stays) refused.push(nowMs);
      return cluster.welcomeOf(node, stays ? { leaders: [null, null, null, null] } : {});
    };
    await cluster.host.advance(22_000);
    expect(db.connection?.region).toBe('region-2');
    expect(refused.length).toBe(1);
    cluster.welcome = (node) => cluster.welcomeOf(node);
    await cluster.host.advance(30_000);
    expect(db.connection?.region).toBe('region-1');
  });

  it('watches on in the better one, and ends the watch where it was', async () => {
    const { cluster, db } = await setUp();
    cluster.onRequest = () => undefined;
    cluster.kill('region-1');
    await cluster.host.advance(300);
    void track(db.watch('k').next());
    await cluster.host.settle();
    const { node, request } = cluster.last;
    expect(cluster.regionOf(node)).toBe('region-2');
    cluster.revive('region-1');
    await cluster.host.advance(18_000);
    expect(cluster.regionOf(cluster.last.node)).toBe('region-1');
    expect(cluster.cancelled).toEqual([request.requestId]);
  });
});

describe('the preferred region', () => {
  it('is there before connecting is done', async () => {
    const { cluster, db } = await setUp({ region: 'region-3' });
    expect(db.connection?.region).toBe('region-3');
    void db.get('k');
    await cluster.host.settle();
    expect(cluster.requests.map(({ node }) => node)).toEqual(['f']);
  });

  it('is gone to later where it cannot be reached', async () => {
    const { cluster, db } = await setUp({ region: 'region-3' }, (its) => {
      its.blackHole('region-3');
    });
    expect(db.connection?.region).toBe('region-1');
    cluster.revive('region-3');
    await cluster.host.advance(18_000);
    expect(db.connection?.region).toBe('region-3');
  });

  it('may be one that nobody knows', async () => {
    const { db } = await setUp({ region: 'elsewhere' });
    expect(db.connection?.region).toBe('region-1');
  });

  it('is not left for a nearer one', async () => {
    const { cluster, db } = await setUp({ region: 'region-1' }, (its) => {
      delay(its, 'region-1', 80);
    });
    await cluster.host.advance(100_000);
    expect(db.connection?.region).toBe('region-1');
  });
});

describe('measuring', () => {
  it('takes one short connection to each other region about twice a minute', async () => {
    const { cluster } = await setUp();
    expect(cluster.openAt('region-2') + cluster.openAt('region-3')).toBe(0);
    cluster.dials.length = 0;
    await cluster.host.advance(600_000);
    expect(cluster.dials.length).toBeGreaterThan(30);
    expect(cluster.dials.length).toBeLessThan(60);
    expect(new Set(cluster.dials)).toEqual(new Set(['d', 'e', 'f']));
    expect(cluster.openAt('region-2') + cluster.openAt('region-3')).toBe(0);
  });

  it('does not happen where there is one region', async () => {
    const cluster = new FakeCluster({ 'region-1': ['a', 'b'] });
    await cluster.connect();
    await cluster.host.advance(600_000);
    expect(cluster.dials).toEqual(['a']);
    // Those of an idle connection.
    expect(cluster.frames.flat().filter(({ kind }) => kind === 'ping').length).toBeLessThanOrEqual(60);
  });

  it('takes no endpoint for that of another region', async () => {
    const cluster = new FakeCluster({ 'region-1': ['a'], 'region-2': ['d'], 'region-3': ['x'] });
    // Nobody tells of the third.
    cluster.welcome = (node) => cluster.welcomeOf(node, { regions: cluster.regionClients.slice(0, 2) });
    delay(cluster, 'region-3', 40);
    const db = await cluster.connect({ endpoints: ['ws://a', 'ws://x'] });
    await cluster.host.advance(2_000);
    expect(db.knownRegions).toContainEqual({ region: 'region-2', roundTripMs: 0, current: false });
    await cluster.host.advance(2_000);
    expect(db.knownRegions).toContainEqual({ region: 'region-3', roundTripMs: 40, current: false });
  });

  it('does not happen at the same time in all clients', async () => {
    const cluster = new FakeCluster(layout);
    const times = new Set<number>();
    for (let i = 0; i < 8; i++) await cluster.connect({ endpoints: ['ws://a'] });
    let dialled = cluster.dials.length;
    for (let i = 0; i < 150; i++) {
      await cluster.host.advance(10);
      if (cluster.dials.length > dialled) times.add(i);
      dialled = cluster.dials.length;
    }
    expect(dialled).toBe(8 + 16);
    expect(times.size).toBeGreaterThan(5);
  });

  it('asks another node where one does not answer, and calls the region well', async () => {
    const { cluster, db } = await setUp({}, (its) => {
      delay(its, 'region-1', 40);
    });
    cluster.dead.add('d');
    cluster.kill('region-3');
    await cluster.host.advance(16_000);
    expect(db.connection).toMatchObject({ region: 'region-2', node: 'e' });
  });

  it('ends with the client', async () => {
    const { cluster, db } = await setUp();
    await db.close();
    cluster.dials.length = 0;
    await cluster.host.advance(200_000);
    expect(cluster.dials).toEqual([]);
    expect(cluster.openAt('region-1')).toBe(0);
  });
});
