import { describe, expect, it } from 'vitest';
import { endpointUrl } from './directory.ts';
import { connectWith } from './connect.ts';
import { errorAnswer, FakeCluster, keyAnswer, track } from './testing/fake-cluster.ts';

const value = new TextEncoder().encode('v');

describe('connecting', () => {
  it('tries the next endpoint when one is dead, in the order given', async () => {
    const cluster = new FakeCluster();
    cluster.dead.add('a');
    const db = await cluster.connect({ endpoints: ['ws://a', 'ws://b', 'ws://c'] });
    expect(cluster.dials).toEqual(['a', 'b']);
    expect(db.connection).toEqual({ cluster: 'test', region: 'region-1', node: 'b', url: 'ws://b/' });
  });

  it('rejects with NO_ENDPOINT after its time when nobody answers, having paused between rounds', async () => {
    const cluster = new FakeCluster();
    cluster.dead.add('a').add('b');
    const connecting = track(connectWith(cluster.host, { endpoints: ['ws://a', 'ws://b'], connectTimeoutMs: 3_000 }));
    await cluster.host.advance(2_999);
    expect(connecting.done).toBe(false);
    await cluster.host.advance(1);
    expect(connecting.error).toMatchObject({ code: 'NO_ENDPOINT', definite: true });
    expect(cluster.dials.length).toBeGreaterThan(6);
    expect(cluster.dials.length).toBeLessThan(300);
    const dialled = cluster.dials.length;
    await cluster.host.advance(10_000);
    expect(cluster.dials.length).toBe(dialled);
  });

  it.each(['WRONG_CLUSTER', 'PROTOCOL_VERSION'] as const)(
    'rejects with %s as soon as every endpoint said so',
    async (code) => {
      const cluster = new FakeCluster();
      cluster.welcome = () => ({ kind: 'goodbye', code, detail: 'no' });
      const connecting = track(connectWith(cluster.host, { endpoints: ['ws://a', 'ws://b'] }));
      await cluster.host.advance(100);
      expect(connecting.error).toMatchObject({ code });
      expect(cluster.dials).toEqual(['a', 'b']);
    },
  );

  it('does not take a welcome of another cluster or version', async () => {
    for (const change of [{ cluster: 'other' }, { protocolVersion: 99 }]) {
      const cluster = new FakeCluster();
      cluster.welcome = (node) => cluster.welcomeOf(node, change);
      const connecting = track(connectWith(cluster.host, { endpoints: ['ws://a'], cluster: 'test' }));
      await cluster.host.advance(100);
      expect(connecting.error).toMatchObject({ code: 'cluster' in change ? 'WRONG_CLUSTER' : 'PROTOCOL_VERSION' });
    }
  });

  it('dials the next one soon beside a node that takes the connection and says nothing', async () => {
    const cluster = new FakeCluster();
    cluster.silent.add('a');
    const connecting = track(connectWith(cluster.host, { endpoints: ['ws://a', 'ws://b'] }));
    await cluster.host.advance(95);
    expect(connecting.done).toBe(false);
    await cluster.host.advance(10);
    expect(connecting.value?.connection?.node).toBe('b');
  });

  it('takes the one that says welcome first, and lets go of the other', async () => {
    const cluster = new FakeCluster({ 'region-1': ['a', 'b'] });
    cluster.delaysMs.set('a', 150);
    const connecting = track(connectWith(cluster.host, { endpoints: ['ws://a', 'ws://b'] }));
    await cluster.host.advance(110);
    expect(connecting.value?.connection?.node).toBe('b');
    await cluster.host.advance(1_000);
    expect(connecting.value?.connection?.node).toBe('b');
    expect(cluster.openAt('region-1')).toBe(1);
  });

  it('gives nodes that are slow more time in each round', async () => {
    const cluster = new FakeCluster();
    cluster.silent.add('a').add('b');
    void track(connectWith(cluster.host, { endpoints: ['ws://a', 'ws://b'], connectTimeoutMs: 30_000 }));
    await cluster.host.advance(260);
    expect(cluster.dials).toEqual(['a', 'b']);
    await cluster.host.advance(20_000);
    const dialled = cluster.dials.length;
    await cluster.host.advance(5_000);
    // A second for each, which is openTimeoutMs, both at once, and the pauses between the rounds.
    expect(cluster.dials.length - dialled).toBeGreaterThanOrEqual(4);
    expect(cluster.dials.length - dialled).toBeLessThanOrEqual(10);
  });

  it('ends on garbage from a node and goes to the next', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const got = track(db.get('k'));
    await cluster.host.settle();
    cluster.sendRaw('a', new Uint8Array([0xc1]));
    cluster.onRequest = () => keyAnswer({ value, version: '1' });
    await cluster.host.advance(10);
    expect(got.value).toMatchObject({ valid: true, value: 'v' });
    expect(cluster.last.node).toBe('b');
  });

  it('keeps to the given endpoints when it is told not to discover others', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ endpoints: ['ws://a'], discover: false });
    const member = { node: 'c' as never, role: 'voter' as const, clientUrl: 'ws://c', adminUrl: '' };
    cluster.send('a', { kind: 'members', members: [member], leaders: [], regions: [] });
    await cluster.host.settle();
    expect(db.members.length).toBe(1);
    cluster.dead.add('a');
    cluster.cut('a');
    await cluster.host.advance(3_000);
    expect(new Set(cluster.dials)).toEqual(new Set(['a']));
  });

  it('learns endpoints from the directory and from later pushes', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ endpoints: ['ws://a'] });
    expect(db.members).toEqual([]);
    const member = { node: 'c' as never, role: 'voter' as const, clientUrl: 'ws://c', adminUrl: '' };
    cluster.send('a', {
      kind: 'members',
      members: [member, { ...member, node: 'd' as never, clientUrl: 'not a url ://' }],
      leaders: [],
      regions: [],
    });
    await cluster.host.settle();
    expect(db.members.length).toBe(2);
    cluster.dead.add('a');
    cluster.cut('a');
    await cluster.host.advance(100);
    expect(db.connection?.node).toBe('c');
  });

  it('tries the leader first after a loss, unless the leader is what was lost', async () => {
    const cluster = new FakeCluster();
    const member = (node: string) => ({
      node: node as never,
      role: 'voter' as const,
      clientUrl: `ws://${node}`,
      adminUrl: '',
    });
    let leader = 'c';
    cluster.welcome = (node) =>
      cluster.welcomeOf(node, { members: ['a', 'b', 'c'].map(member), leaders: ['b', leader, leader, null] as never });
    await cluster.connect({ endpoints: ['ws://a'] });
    cluster.dead.add('a');
    leader = 'b';
    cluster.cut('a');
    await cluster.host.advance(10);
    expect(cluster.dials).toEqual(['a', 'c']);
    cluster.cut('c');
    await cluster.host.advance(10);
    expect(cluster.dials).toEqual(['a', 'c', 'b']);
    cluster.cut('b');
    await cluster.host.advance(10);
    expect(cluster.dials.slice(3)).toEqual(['c']);
  });

  it('takes http and bare addresses for ws', () => {
    expect(endpointUrl('http://h:1')).toBe('ws://h:1/');
    expect(endpointUrl('https://h:1/x')).toBe('wss://h:1/x');
    expect(endpointUrl('h:7110')).toBe('ws://h:7110/');
    expect(() => endpointUrl('ftp://h')).toThrow(TypeError);
  });

  it('aborts', async () => {
    const cluster = new FakeCluster();
    cluster.silent.add('a');
    const abort = new AbortController();
    const connecting = track(connectWith(cluster.host, { endpoints: ['ws://a'], signal: abort.signal }));
    await cluster.host.settle();
    abort.abort();
    await cluster.host.settle();
    expect(connecting.error).toMatchObject({ code: 'ABORTED' });
  });
});

describe('a connection', () => {
  it('carries all requests of a turn in one frame', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.frames.length = 0;
    for (let i = 0; i < 100; i++) void db.get(`k${i}`);
    await cluster.host.settle();
    expect(cluster.frames.length).toBe(1);
    expect(cluster.frames[0]?.length).toBe(100);
    expect(new Set(cluster.requests.map(({ request }) => request.requestId)).size).toBe(100);
  });

  it('sends reads of local views on while it makes the next ones, and nothing else', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.frames.length = 0;
    for (let i = 0; i < 300; i++) void db.get(`k${i}`, { consistent: false });
    await cluster.host.settle();
    expect(cluster.frames.map((frame) => frame.length)).toEqual([128, 128, 44]);
    cluster.frames.length = 0;
    void db.get('k');
    for (let i = 0; i < 300; i++) void db.get(`k${i}`, { consistent: false });
    await cluster.host.settle();
    expect(cluster.frames.map((frame) => frame.length)).toEqual([301]);
  });

  it('cuts the turn into several frames before they grow too large', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.frames.length = 0;
    for (let i = 0; i < 20; i++) void db.set(`k${i}`, new Uint8Array(300_000));
    await cluster.host.settle();
    expect(cluster.requests.length).toBe(20);
    expect(cluster.frames.length).toBeGreaterThanOrEqual(10);
  });

  it('matches answers that come in any order', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const calls = ['a', 'b', 'c'].map((key) => track(db.get(key)));
    await cluster.host.settle();
    for (const { request, answer } of [...cluster.requests].reverse()) {
      answer(keyAnswer({ value: new TextEncoder().encode((request.operation as { key: string }).key), version: '1' }));
    }
    await cluster.host.settle();
    expect(calls.map(({ value: response }) => response?.value)).toEqual(['a', 'b', 'c']);
  });

  it('that is half-open is left as soon as a ping makes it suspect, and the call goes on elsewhere', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.silent.add('a');
    const got = track(db.get('k'));
    cluster.onRequest = () => keyAnswer({ value, version: '1' });
    await cluster.host.advance(190);
    expect(got.done).toBe(false);
    await cluster.host.advance(30);
    expect(got.value).toMatchObject({ valid: true });
    expect(cluster.last.node).toBe('b');
  });

  it('that is suspect still serves while no other node is found', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.dead.add('b');
    cluster.silent.add('a');
    const got = track(db.get('k'));
    await cluster.host.advance(400);
    expect(cluster.dials).toContain('b');
    expect(db.connection?.node).toBe('a');
    cluster.silent.delete('a');
    cluster.send('a', { kind: 'answer', requestId: 1, answer: keyAnswer({ value, version: '1' }) });
    await cluster.host.settle();
    expect(got.value).toMatchObject({ valid: true });
    await cluster.host.advance(5_000);
    expect(db.connection?.node).toBe('a');
  });

  it('that is silent ends although there is no other node, so that a dead one is dialled anew', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ endpoints: ['ws://a'] });
    cluster.silent.add('a');
    void db.get('k');
    await cluster.host.advance(640);
    expect(cluster.dials).toEqual(['a']);
    await cluster.host.advance(30);
    expect(cluster.dials).toEqual(['a', 'a']);
  });

  it('is not left again and again where every node is slow', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ timing: { pongTimeoutMs: 60_000, stallMs: 60_000 } });
    void db.get('k');
    cluster.mute.add('a').add('b');
    await cluster.host.advance(5_000);
    expect(cluster.dials.length).toBeGreaterThan(5);
    expect(cluster.dials.length).toBeLessThanOrEqual(11);
  });

  it('is kept while pings are answered', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ endpoints: ['ws://a'] });
    void db.get('k');
    await cluster.host.advance(60_000);
    expect(cluster.dials).toEqual(['a']);
    expect(cluster.frames.flat().filter(({ kind }) => kind === 'ping').length).toBeGreaterThan(100);
  });

  it('is not blamed for a pause of this process', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    void db.get('k');
    cluster.silent.add('a');
    await cluster.host.advance(150);
    await cluster.host.pause(1_500);
    await cluster.host.advance(10);
    expect(cluster.dials).toEqual(['a']);
    cluster.send('a', { kind: 'pong', nonce: 1 });
    cluster.silent.delete('a');
    await cluster.host.advance(200);
    expect(cluster.dials).toEqual(['a']);
    expect(db.connection?.node).toBe('a');
  });

  it('goes over to another node before the first one stops, with the same write id', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const set = track(db.set('k', 'v'));
    await cluster.host.settle();
    const first = cluster.last.request;
    cluster.last.answer(errorAnswer('STOPPING'));
    cluster.onRequest = () => keyAnswer({ outcome: 'applied', version: '1' });
    await cluster.host.advance(1_100);
    expect(set.value).toMatchObject({ outcome: 'applied' });
    expect(cluster.last.node).toBe('b');
    expect(cluster.last.request.id).toEqual({ ...first.id, retry: true });
  });

  it('moves a stalled blocking call to another node, less and less often', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    void track(db.get('k'));
    await cluster.host.advance(2_100);
    expect(cluster.dials).toEqual(['a', 'b']);
    expect(cluster.requests.map(({ node }) => node)).toEqual(['a', 'b']);
    await cluster.host.advance(60_000);
    expect(cluster.dials.length).toBeLessThan(8);
    expect(cluster.dials.length).toBeGreaterThan(3);
    void db.close();
  });
});

describe('closing', () => {
  it('rejects what is open with CLOSED, and what comes later', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const open = track(db.set('k', 'v'));
    const watching = track(db.watch('k').next());
    await cluster.host.settle();
    await db.close();
    await cluster.host.settle();
    expect(open.error).toMatchObject({ code: 'CLOSED', definite: false });
    expect((open.error as { ticket: string }).ticket).toMatch(/^region-1:\d:[0-9a-f]{32}:1$/);
    expect(watching.error).toMatchObject({ code: 'CLOSED' });
    const late = track(db.get('k'));
    await cluster.host.advance(60_000);
    expect(late.error).toMatchObject({ code: 'CLOSED', definite: true });
    expect(cluster.dials).toEqual(['a']);
  });
});
