import { once } from 'node:events';
import { nodeId, partitionId, regionId, replicaId } from '@skerry/base';
import { MemoryStorage, type PeerMessage } from '@skerry/replica';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { peerProtocolVersion, type PeerHello } from './handshake.ts';
import { instantStorage, introduce, startMeshNode, type TestNode } from '../testing/mesh-harness.ts';
import { until } from '../testing/until.ts';

const nodes: TestNode[] = [];
afterEach(() => nodes.splice(0).forEach((node) => node.stop()));

async function start(...args: Parameters<typeof startMeshNode>): Promise<TestNode> {
  const node = await startMeshNode(...args);
  nodes.push(node);
  return node;
}

const linked = (from: TestNode, to: TestNode) => from.mesh.connected().includes(to.node);

async function connect(a: TestNode, b: TestNode): Promise<void> {
  introduce(a, b);
  await until('a link', () => linked(a, b) && linked(b, a));
}

describe('one active connection per peer', () => {
  test('one dials, both are up', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await connect(b, a);
    expect([a.events, b.events]).toEqual([['up b'], ['up a']]);
  });

  test('when both dial at once, both keep the connection that the lower name dialled', async () => {
    const [a, b] = [await start('a'), await start('b')];
    introduce(a, b);
    introduce(b, a);
    await until(
      'the same link',
      () => a.mesh.describe(b.node)?.dialledHere === true && b.mesh.describe(a.node)?.dialledHere === false,
    );
    // No crash is reported on the way, since none happened.
    expect([...a.events, ...b.events].filter((event) => event.endsWith('reset'))).toEqual([]);
  });

  test('a node that ends is reported at once as reset, and dialled until it is back', async () => {
    const a = await start('a');
    const b = await start('b');
    await connect(a, b);
    b.mesh.terminate();
    b.listener.close();
    await until('a notices', () => a.events.includes('down b reset'));
    const back = await start('b', { hello: { process: 'ffffffffffffffff' } });
    introduce(a, back);
    await until('back', () => linked(a, back));
    expect(a.events).toEqual(['up b', 'down b reset', 'up b']);
  });

  /** Says hello to `to` as `hello`, by hand; resolves to the reason of the close, or to null once it is answered. */
  async function sayHello(to: TestNode, hello: PeerHello): Promise<string | null> {
    const socket = new WebSocket(to.url);
    await once(socket, 'open');
    socket.send(JSON.stringify(hello));
    const answered = once(socket, 'message').then(() => {
      socket.send('{"ready":true}');
      return null;
    });
    const closed = once(socket, 'close').then(([, reason]) => String(reason));
    return Promise.race([answered, closed]);
  }

  test('the higher name cannot replace a living connection, a newer process can', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await connect(a, b);
    expect(await sayHello(a, b.mesh.hello)).toMatch(/^DUPLICATE: /);
    expect(a.events).toEqual(['up b']);
    expect(await sayHello(a, { ...b.mesh.hello, process: 'ffffffffffffffff' })).toBeNull();
    await until('replaced', () => a.events.length === 3);
    expect(a.events).toEqual(['up b', 'down b reset', 'up b']);
  });

  test('a restarted peer takes the place of its dead connection before that is noticed', async () => {
    const a = await start('a');
    await connect(await start('b'), a);
    const again = await start('b', { hello: { process: 'ffffffffffffffff' } });
    introduce(again, a);
    await until('replaced', () => a.events.length === 3);
    expect(a.events).toEqual(['up b', 'down b reset', 'up b']);
  });
});

describe('the handshake refuses', () => {
  test.each([
    ['a newer protocol version', { peerProtocolVersion: 99 }, 'PROTOCOL_VERSION'],
    ['an older protocol version', { peerProtocolVersion: peerProtocolVersion - 1 }, 'PROTOCOL_VERSION'],
    ['another cluster', { cluster: 'other' }, 'WRONG_CLUSTER'],
    ['another region', { region: regionId('region-2') }, 'WRONG_REGION'],
    ['another partition count', { partitionCount: 2 }, 'WRONG_PARTITION_COUNT'],
  ])('%s', async (_, hello, code) => {
    const a = await start('a');
    const b = await start('b', { hello });
    introduce(b, a);
    await until('a refusal', () => a.mesh.refusals().has(code));
    expect(a.events).toEqual([]);
    expect(b.events).toEqual([]);
  });

  test('a node of its own name', async () => {
    const a = await start('a');
    const namesake = await start('b', { hello: { node: nodeId('a') } });
    introduce(namesake, { node: nodeId('c'), url: a.url });
    await until('a refusal', () => a.mesh.refusals().has('WRONG_NODE'));
    expect(a.events).toEqual([]);
  });

  test('a node that is not the one that was dialled', async () => {
    const a = await start('a');
    const c = await start('c');
    introduce(a, { node: nodeId('b'), url: c.url });
    await until('a refusal', () => a.mesh.refusals().has('WRONG_NODE'));
    expect(a.events).toEqual([]);
  });

  test.each([
    ['garbage', (socket: WebSocket) => socket.send('garbage'), 'MALFORMED_FRAME: the hello is not JSON'],
    [
      'a binary first frame',
      (socket: WebSocket) => socket.send(Buffer.from([1])),
      'MALFORMED_FRAME: the first frame is not a hello',
    ],
    [
      'an unknown field',
      (socket: WebSocket) => socket.send('{"x":1}'),
      'MALFORMED_FRAME: the hello lacks a field or has an unknown one',
    ],
    ['silence', () => {}, 'TIMEOUT: no hello came'],
  ])('%s', async (_, say, reason) => {
    const a = await start('a', { limits: { handshakeMs: 100 } });
    const socket = new WebSocket(a.url);
    await once(socket, 'open');
    say(socket);
    const [code, given] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, given.toString()]).toEqual([4_000, reason]);
  });
});

describe('incarnations', () => {
  const wiped = { hello: { replica: replicaId(777), process: 'ffffffffffffffff' } };

  test('a peer with another data folder is refused, also after a restart of this node', async () => {
    const memory = new MemoryStorage();
    const a = await start('a', { storage: instantStorage(memory) });
    const b = await start('b');
    await connect(b, a);
    b.stop();
    await until('a notices', () => !linked(a, b));
    const impostor = await start('b', wiped);
    introduce(impostor, a);
    await until('refused', () => a.mesh.refusals().has('WRONG_INCARNATION'));
    a.stop();

    const restarted = await start('a', { storage: instantStorage(memory) });
    introduce(impostor, restarted);
    await until('refused again', () => restarted.mesh.refusals().has('WRONG_INCARNATION'));
    expect(restarted.events).toEqual([]);
  });

  test('the directory admits the new incarnation and ends the connection of the old one', async () => {
    const a = await start('a');
    const b = await start('b');
    await connect(b, a);
    const fresh = await start('b', wiped);
    a.mesh.setDirectory([
      { node: fresh.node, role: 'voter', peerUrl: fresh.url, clientUrl: '', adminUrl: '', replica: replicaId(777) },
    ]);
    await until('the new one', () => a.mesh.describe(b.node)?.replica === replicaId(777));
    expect(b.events[1]).toBe('down a');
  });

  test('a link is up only once the first meeting is on disk', async () => {
    const memory = new MemoryStorage();
    const slow = { ...instantStorage(memory), submit: () => new Promise<void>(() => {}) };
    const a = await start('a', { storage: slow });
    const b = await start('b', { limits: { handshakeMs: 100 } });
    introduce(b, a);
    await until('b gives up', () => b.mesh.refusals().has('TIMEOUT'));
    expect(a.events).toEqual([]);
  });
});

describe('faults', () => {
  test('an idle link is pinged and lives', async () => {
    const limits = { pingMs: 20, deadMs: 400 };
    const [a, b] = [await start('a', { limits }), await start('b', { limits })];
    await connect(a, b);
    await until('twice the deadline', () => (a.mesh.describe(b.node)?.linkAgeMs ?? 0) > 800);
    expect(a.events).toEqual(['up b']);
  });

  test('a link that fell silent is down without being called a reset', async () => {
    const limits = { pingMs: 100, deadMs: 400 };
    const [a, b] = [await start('a', { limits }), await start('b', { limits: { deadMs: 60_000 } })];
    await connect(a, b);
    b.mesh.cut(a.node);
    await until('a notices', () => a.events.length === 2);
    expect(a.events[1]).toBe('down b');
  });

  test('a cut lets nothing pass either way and comes back when healed', async () => {
    const limits = { pingMs: 50, deadMs: 300, handshakeMs: 200 };
    const [a, b] = [await start('a', { limits }), await start('b', { limits })];
    introduce(b, a);
    await connect(a, b);
    b.mesh.cut(a.node);
    a.mesh.send(b.node, [{ kind: 'peerState', storageFull: true }]);
    b.mesh.send(a.node, [{ kind: 'peerState', storageFull: true }]);
    await until('both notice', () => !linked(a, b) && !linked(b, a));
    await until('a dials in vain', () => b.mesh.refusals().has('TIMEOUT'));
    expect(linked(a, b) || linked(b, a)).toBe(false);
    expect([...a.events, ...b.events].filter((event) => event.endsWith('reset'))).toEqual([]);
    expect([...a.received, ...b.received]).toEqual([]);
    b.mesh.heal(a.node);
    await until('healed', () => linked(a, b) && linked(b, a));
  });

  test('messages arrive in order, those sent right behind the handshake too', async () => {
    const a = await start('a');
    const b = await start('b');
    a.onUp = () => a.mesh.send(b.node, [{ kind: 'peerState', storageFull: true }]);
    await connect(a, b);
    b.mesh.send(a.node, [
      { kind: 'peerState', storageFull: false },
      { kind: 'peerState', storageFull: true },
    ]);
    b.mesh.send(a.node, [{ kind: 'peerState', storageFull: false }]);
    await until('all', () => a.received.length === 3 && b.received.length === 1);
    expect(a.received.map(({ from, message }) => [from, message.kind === 'peerState' && message.storageFull])).toEqual([
      ['b', false],
      ['b', true],
      ['b', false],
    ]);
  });

  test('what a peer does not take is dropped, not queued', async () => {
    const [a, b] = [await start('a', { limits: { unsentBytesMax: 1 } }), await start('b')];
    await connect(a, b);
    // All in one turn, and more than the system's buffers take.
    const large: PeerMessage = {
      kind: 'forward',
      partition: partitionId(0),
      number: 0,
      commands: [new Uint8Array(4_000_000)],
    };
    for (let i = 0; i < 10; i++) a.mesh.send(b.node, [large]);
    const { peer_messages_dropped_total: dropped = 0 } = a.mesh.metrics();
    expect(dropped).toBeGreaterThan(0);
    await until('the others', () => b.received.length === 10 - dropped);
    a.mesh.send(nodeId('nobody'), [{ kind: 'peerState', storageFull: true }]);
    expect(a.mesh.metrics()['peer_messages_dropped_total']).toBe(dropped + 1);
  });

  test('a frame between nodes that cannot be read ends the connection', async () => {
    const a = await start('a');
    const b = await start('b');
    const socket = new WebSocket(a.url);
    await once(socket, 'open');
    socket.send(JSON.stringify({ ...b.mesh.hello, node: 'c', replica: 9 }));
    await once(socket, 'message');
    socket.send('{"ready":true}');
    socket.send(Buffer.from([1, 99]));
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4_000, 'MALFORMED_FRAME: unknown kind of peer message']);
    expect(a.received).toEqual([]);
  });

  test('who refuses the answer to its own hello is never up on the other side', async () => {
    const memory = new MemoryStorage();
    const a = await start('a', { storage: instantStorage(memory) });
    await connect(await start('b'), a);
    a.stop();
    const restarted = await start('a', { storage: instantStorage(memory) });
    const wiped = await start('b', { hello: { replica: replicaId(777), process: 'ffffffffffffffff' } });
    introduce(restarted, wiped);
    await until(
      'refused',
      () => restarted.mesh.refusals().has('WRONG_INCARNATION') && wiped.mesh.refusals().has('WRONG_INCARNATION'),
    );
    expect(wiped.events).toEqual([]);
  });

  test('a text frame after the handshake ends the connection with a reason', async () => {
    const a = await start('a');
    const b = await start('b');
    await connect(b, a);
    const socket = new WebSocket(a.url);
    await once(socket, 'open');
    socket.send(JSON.stringify({ ...b.mesh.hello, node: 'c', replica: 9 }));
    await once(socket, 'message');
    socket.send('{"ready":true}');
    socket.send('text');
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4_000, 'MALFORMED_FRAME: a frame between nodes is binary']);
    expect(a.events.slice(-2)).toEqual(['up c', 'down c']);
  });
});
