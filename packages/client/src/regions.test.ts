import { partitionOf, type Answer } from '@skerry/protocol';
import { describe, expect, it } from 'vitest';
import type { Client } from './client.ts';
import type { ConnectOptions } from './connect.ts';
import { applied, errorAnswer, FakeCluster, keyAnswer, track } from './testing/fake-cluster.ts';

const layout = { 'region-1': ['a', 'b', 'c'], 'region-2': ['d', 'e'], 'region-3': ['f'] };
const value = new TextEncoder().encode('v');
const got: Answer = keyAnswer({ value, version: '1' });
const answer = (operation: { kind: string }): Answer | undefined =>
  operation.kind === 'get' ? got : operation.kind === 'set' ? applied : undefined;

async function setUp(options: Partial<ConnectOptions> = {}): Promise<{ cluster: FakeCluster; db: Client }> {
  const cluster = new FakeCluster(layout);
  const db = await cluster.connect({ endpoints: ['ws://a'], ...options });
  cluster.onRequest = ({ request }) => answer(request.operation);
  return { cluster, db };
}

describe('when its region is gone, a client', () => {
  it.each(['kill', 'blackHole'] as const)('is answered elsewhere within 500 ms: %s', async (how) => {
    const { cluster, db } = await setUp();
    cluster[how]('region-1');
    const read = track(db.get('k'));
    await cluster.host.advance(470);
    expect(read.value).toMatchObject({ valid: true, value: 'v' });
    expect(db.connection).toMatchObject({ region: 'region-2' });
    const written = track(db.set('k', 'w'));
    await cluster.host.settle();
    expect(written.value).toMatchObject({ outcome: 'applied' });
  });

  it('calls a write undecided that was sent there, and repeats it nowhere', async () => {
    const { cluster, db } = await setUp();
    cluster.onRequest = () => undefined;
    const sent = track(db.set('k', 'v'));
    await cluster.host.settle();
    const { id } = cluster.last.request;
    cluster.kill('region-1');
    await cluster.host.advance(300);
    expect(sent.value).toMatchObject({
      valid: false,
      timeout: true,
      outcome: 'undecided',
      ticket: `region-1:${partitionOf('k', 4)}:${id?.client}:1`,
    });
    expect(cluster.requests.length).toBe(1);
    cluster.onRequest = ({ request }) => answer(request.operation);
    void db.set('k', 'v');
    await cluster.host.settle();
    expect(cluster.last).toMatchObject({ node: 'd', request: { id: { sequence: 1, retry: false } } });
    expect(cluster.last.request.id?.client).not.toBe(id?.client);
  });

  it('sends there what was not sent anywhere, and reads that were', async () => {
    const { cluster, db } = await setUp();
    cluster.onRequest = ({ node }) => (cluster.regionOf(node) === 'region-1' ? undefined : got);
    const read = track(db.get('k'));
    await cluster.host.settle();
    cluster.kill('region-1');
    await cluster.host.settle();
    const unsent = track(db.set('k', 'v'));
    await cluster.host.advance(300);
    expect(read.value).toMatchObject({ value: 'v' });
    expect(unsent.done).toBe(true);
    expect(cluster.requests.map(({ node }) => node)).toEqual(['a', 'd', 'd']);
  });

  it('sends there a write that its region refused for certain', async () => {
    const { cluster, db } = await setUp();
    cluster.onRequest = ({ node }) => (cluster.regionOf(node) === 'region-1' ? errorAnswer('NO_LEADER') : applied);
    const set = track(db.set('k', 'v'));
    await cluster.host.settle();
    cluster.kill('region-1');
    await cluster.host.advance(1_300);
    expect(set.value).toMatchObject({ outcome: 'applied' });
    expect(cluster.last).toMatchObject({ node: 'd', request: { id: { retry: false } } });
  });

  it('repeats administration nowhere', async () => {
    const { cluster, db } = await setUp();
    const moved = track(db.transferLeadership());
    await cluster.host.settle();
    cluster.blackHole('region-1');
    void db.get('k');
    await cluster.host.advance(500);
    expect(db.connection?.region).toBe('region-2');
    expect(moved.error).toMatchObject({ code: 'CONNECTION_LOST', definite: false });
  });

  it('goes on to the one after when the next is gone as well', async () => {
    const { cluster, db } = await setUp();
    cluster.kill('region-1');
    cluster.blackHole('region-2');
    const read = track(db.get('k'));
    await cluster.host.advance(300);
    expect(read.value).toMatchObject({ valid: true });
    expect(cluster.last.node).toBe('f');
  });

  it('waits when all are gone, and takes the first that comes back', async () => {
    const { cluster, db } = await setUp();
    for (const region of Object.keys(layout)) cluster.kill(region);
    const read = track(db.get('k'));
    await cluster.host.advance(20_000);
    expect(read.done).toBe(false);
    cluster.revive('region-3');
    await cluster.host.advance(1_100);
    expect(read.value).toMatchObject({ valid: true });
    expect(db.connection?.region).toBe('region-3');
  });

  it('takes one that knows no leader only when no better one comes', async () => {
    const { cluster, db } = await setUp();
    cluster.leaderless.add('d').add('e');
    cluster.blackHole('region-3');
    cluster.kill('region-1');
    const read = track(db.get('k'));
    await cluster.host.advance(900);
    expect(read.done).toBe(false);
    await cluster.host.advance(200);
    expect(db.connection?.region).toBe('region-2');
    expect(read.done).toBe(true);
  });

  it('tells the one who wants to know', async () => {
    const moves: string[] = [];
    const { cluster } = await setUp({
      onMove: (region) => {
        moves.push(region);
      },
    });
    cluster.kill('region-1');
    await cluster.host.advance(300);
    expect(moves).toEqual(['region-2']);
  });

  it('goes on watching from the state of the new region', async () => {
    const { cluster, db } = await setUp();
    const batches: unknown[] = [];
    void (async () => {
      for await (const { cursor, resetBegins } of db.watch('k')) batches.push([cursor, resetBegins]);
    })();
    await cluster.host.settle();
    cluster.last.answer({ kind: 'watch', events: [], cursor: 'region-1:7' });
    await cluster.host.settle();
    cluster.kill('region-1');
    await cluster.host.advance(300);
    expect(cluster.last).toMatchObject({ node: 'd', request: { operation: { kind: 'watch', cursor: '' } } });
    cluster.last.answer({ kind: 'watch', events: [], cursor: 'region-2:3', reset: 'last' });
    await cluster.host.settle();
    cluster.cut('d');
    await cluster.host.advance(10);
    expect(cluster.last).toMatchObject({ node: 'e', request: { operation: { cursor: 'region-2:3' } } });
    expect(batches).toEqual([
      ['region-1:7', undefined],
      ['region-2:3', true],
    ]);
  });
});

describe('a region is not left', () => {
  it('while one of its nodes answers, though it is asked last', async () => {
    const cluster = new FakeCluster({ 'region-1': ['a', 'b', 'c', 'w', 'x', 'y'], 'region-2': ['d'] });
    const db = await cluster.connect({ endpoints: ['ws://a'] });
    cluster.onRequest = () => got;
    cluster.dead.add('a');
    for (const node of ['b', 'c', 'w', 'x']) cluster.silent.add(node);
    cluster.cut('a');
    const read = track(db.get('k'));
    await cluster.host.advance(290);
    expect(read.done).toBe(false);
    await cluster.host.advance(4_000);
    expect(read.value).toMatchObject({ valid: true });
    expect(db.connection).toMatchObject({ region: 'region-1', node: 'y' });
  });

  it('for a moment in which none answers, and what was connected meanwhile is let go', async () => {
    const { cluster, db } = await setUp();
    cluster.onRequest = () => undefined;
    const set = track(db.set('k', 'v'));
    await cluster.host.settle();
    cluster.kill('region-1');
    await cluster.host.advance(120);
    cluster.onRequest = () => applied;
    cluster.revive('region-1');
    await cluster.host.advance(500);
    expect(set.value).toMatchObject({ outcome: 'applied' });
    expect(cluster.requests.map(({ node }) => cluster.regionOf(node))).toEqual(['region-1', 'region-1']);
    expect(cluster.openAt('region-2')).toBe(1);
    await cluster.host.advance(10_100);
    expect(cluster.openAt('region-2')).toBe(0);
  });

  it('because it has no quorum: what blocks stays, and local reads are answered', async () => {
    const { cluster, db } = await setUp();
    cluster.onRequest = ({ request }) =>
      (request.operation as { consistent: boolean }).consistent ? errorAnswer('NO_LEADER') : got;
    const strong = track(db.set('k', 'v'));
    await cluster.host.advance(20_000);
    const local = track(db.get('k', { consistent: false }));
    await cluster.host.settle();
    expect(strong.done).toBe(false);
    expect(local.value).toMatchObject({ valid: true });
    expect(db.connection?.region).toBe('region-1');
    expect(new Set(cluster.requests.map(({ node }) => cluster.regionOf(node)))).toEqual(new Set(['region-1']));
  });

  it('for a pause of this process', async () => {
    const { cluster, db } = await setUp();
    cluster.kill('region-1');
    await cluster.host.advance(150);
    expect(cluster.openAt('region-2')).toBe(1);
    cluster.revive('region-1');
    await cluster.host.pause(3_000);
    await cluster.host.advance(200);
    expect(db.connection?.region).toBe('region-1');
  });

  it('for one that is not there either', async () => {
    const cluster = new FakeCluster({ 'region-1': ['a'] });
    const db = await cluster.connect({ endpoints: ['ws://a'] });
    cluster.kill('region-1');
    const set = track(db.set('k', 'v'));
    await cluster.host.advance(10_000);
    cluster.revive('region-1');
    cluster.onRequest = () => applied;
    await cluster.host.advance(1_100);
    expect(set.value).toMatchObject({ outcome: 'applied' });
  });
});

describe('a handle of a region is asked there', () => {
  const lost = async (): Promise<{ cluster: FakeCluster; db: Client; ticket: string }> => {
    const { cluster, db } = await setUp();
    cluster.onRequest = () => undefined;
    const sent = track(db.set('k', 'v'));
    await cluster.host.settle();
    cluster.kill('region-1');
    await cluster.host.advance(300);
    cluster.onRequest = ({ request }) => answer(request.operation);
    return { cluster, db, ticket: sent.value?.ticket ?? '' };
  };

  it('a ticket, however long that region is away, and nothing else', async () => {
    const { cluster, db, ticket } = await lost();
    const resolved = track(db.resolve(ticket));
    await cluster.host.advance(5_000);
    expect(resolved.done).toBe(false);
    cluster.onRequest = ({ request }) => (request.operation.kind === 'resolve' ? applied : answer(request.operation));
    cluster.revive('region-1');
    await cluster.host.advance(1_100);
    expect(resolved.value).toMatchObject({ outcome: 'applied' });
    expect(cluster.regionOf(cluster.last.node)).toBe('region-1');
    void db.get('k');
    await cluster.host.settle();
    expect(cluster.last.node).toBe('d');
  });

  it('a ticket that was asked about before its region was gone', async () => {
    const { cluster, db } = await setUp();
    const resolved = track(db.resolve(`region-1:0:${'0'.repeat(32)}:1`));
    await cluster.host.settle();
    cluster.kill('region-1');
    await cluster.host.advance(1_000);
    expect(db.connection?.region).toBe('region-2');
    cluster.revive('region-1');
    await cluster.host.advance(1_100);
    expect(cluster.requests.map(({ node }) => cluster.regionOf(node))).toEqual(['region-1', 'region-1']);
    cluster.last.answer(applied);
    await cluster.host.settle();
    expect(resolved.value).toMatchObject({ outcome: 'applied' });
  });

  it('and its outcome lets the nodes of that region forget it', async () => {
    const { cluster, db, ticket } = await lost();
    cluster.onRequest = () => applied;
    cluster.revive('region-1');
    void db.resolve(ticket);
    await cluster.host.advance(40_000);
    expect(db.connection?.region).toBe('region-1');
    void db.set('k', 'w');
    await cluster.host.settle();
    expect(cluster.last.request.id).toMatchObject({ sequence: 2, answeredBelow: 2 });
  });

  it('a receipt', async () => {
    const { cluster, db } = await lost();
    cluster.revive('region-1');
    cluster.onRequest = () => ({ kind: 'receipt', state: 'promoted', version: '1', timeout: false });
    const state = track(db.receipt('region-1:0:00000000000a-1').state());
    await cluster.host.advance(50);
    expect(state.value).toMatchObject({ state: 'promoted' });
    expect(cluster.regionOf(cluster.last.node)).toBe('region-1');
  });

  it('a lease, until it has run out', async () => {
    const { cluster, db } = await setUp();
    cluster.onRequest = ({ request }) =>
      request.operation.kind.startsWith('lease')
        ? { kind: 'lease', timeout: false, outcome: 'applied', ttlMs: 3_000 }
        : answer(request.operation);
    const granted = track(db.lease(3_000, { key: 'k' }));
    await cluster.host.settle();
    cluster.kill('region-1');
    await cluster.host.advance(2_900);
    expect(granted.value?.held).toBe(true);
    await cluster.host.advance(200);
    expect(granted.value?.lost.aborted).toBe(true);
    const asked = cluster.requests.filter(({ request }) => request.operation.kind.startsWith('lease'));
    expect(new Set(asked.map(({ node }) => cluster.regionOf(node)))).toEqual(new Set(['region-1']));
  });

  it('unless nobody knows of that region', async () => {
    const { cluster, db } = await setUp();
    cluster.onRequest = () => errorAnswer('TICKET_UNKNOWN');
    const resolved = track(db.resolve(`elsewhere:0:${'0'.repeat(32)}:1`));
    await cluster.host.settle();
    expect(resolved.error).toMatchObject({ code: 'TICKET_UNKNOWN' });
    expect(cluster.last.node).toBe('a');
  });

  it('over a connection that is not kept for long', async () => {
    const { cluster, db, ticket } = await lost();
    cluster.revive('region-1');
    cluster.onRequest = () => applied;
    cluster.leaderless.add('a').add('b').add('c');
    void db.resolve(ticket);
    await cluster.host.advance(100);
    expect(cluster.openAt('region-1')).toBe(1);
    await cluster.host.advance(9_000);
    expect(cluster.openAt('region-1')).toBe(1);
    await cluster.host.advance(1_500);
    expect(cluster.openAt('region-1')).toBe(0);
  });
});

describe('endpoints of several regions', () => {
  it('are told apart by the welcomes of their nodes, also where nodes tell of nothing', async () => {
    const { cluster, db } = await setUp({ endpoints: ['ws://a', 'ws://d'], discover: false });
    expect(db.connection?.region).toBe('region-1');
    cluster.onRequest = ({ request }) => (request.operation.kind === 'get' ? got : undefined);
    const write = track(db.set('k', 'v'));
    await cluster.host.settle();
    cluster.kill('region-1');
    const read = track(db.get('k'));
    await cluster.host.advance(300);
    expect([write.value, read.value]).toMatchObject([
      { outcome: 'undecided', ticket: expect.stringMatching(/^region-1:/) },
      { valid: true },
    ]);
    expect(cluster.requests.filter(({ request }) => request.operation.kind === 'set').map(({ node }) => node)).toEqual([
      'a',
    ]);
    expect(db.connection).toMatchObject({ region: 'region-2', node: 'd' });
    expect(new Set(cluster.dials)).toEqual(new Set(['a', 'd']));
  });

  it('come into use in their order when the first region is not there at the start', async () => {
    const cluster = new FakeCluster(layout);
    cluster.kill('region-1');
    const db = await cluster.connect({ endpoints: ['ws://a', 'ws://b', 'ws://f', 'ws://d'] });
    expect(db.connection?.region).toBe('region-3');
  });

  it('of a region that nodes call otherwise are still found', async () => {
    const cluster = new FakeCluster({ 'region-1': ['a'], 'region-2': ['d'] });
    cluster.welcome = (node) => cluster.welcomeOf(node, { regions: [] });
    const db = await cluster.connect({ endpoints: ['ws://a', 'ws://d'] });
    const write = track(db.set('k', 'v'));
    await cluster.host.settle();
    cluster.kill('region-1');
    await cluster.host.advance(300);
    expect(db.connection?.region).toBe('region-2');
    expect(write.value).toMatchObject({ outcome: 'undecided' });
    expect(cluster.requests.length).toBe(1);
  });
});
