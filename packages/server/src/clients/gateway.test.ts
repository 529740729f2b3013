import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { nodeId } from '@skerry/base';
import { encodeFrame, protocolVersion } from '@skerry/protocol';
import type { Answer } from '@skerry/replica';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { TestClient } from '../testing/test-client.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { until } from '../testing/until.ts';

const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.kill();
});

async function start(...args: Parameters<typeof startTestServer>): Promise<TestServer> {
  const server = await startTestServer(...args);
  servers.push(server);
  return server;
}

const get = { kind: 'get', key: 'k', consistent: true } as const;
const watch = { kind: 'watch', key: 'k', prefix: false, cursor: null } as const;
const value = (bytes: number): Answer => ({
  kind: 'key',
  valid: true,
  timeout: false,
  value: new Uint8Array(bytes),
  version: '1',
});
const hello = { kind: 'hello', protocolVersion, cluster: null } as const;

/** The counter of a metric, for a label value. */
async function counter(server: TestServer, line: RegExp): Promise<number> {
  const text = await (await fetch(`${server.adminUrl}/metrics`)).text();
  const found = text.split('\n').find((candidate) => line.test(candidate));
  return found === undefined ? 0 : Number(found.split(' ').at(-1));
}

describe('a client', () => {
  test('is welcomed with limits, members and leaders', async () => {
    const server = await start();
    server.replica.announce([
      {
        node: nodeId('a'),
        role: 'voter',
        peerUrl: 'ws://a:1',
        clientUrl: 'ws://a:2',
        adminUrl: 'http://a:3',
        replica: null,
      },
    ]);
    const client = await TestClient.greeted(server.clientUrl);
    expect(client.of('welcome')[0]).toMatchObject({
      cluster: 'test',
      region: 'region-1',
      node: 'fake',
      partitionCount: 1,
      nowMs: server.replica.clusterMs,
      leaders: [null],
      limits: { keyBytesMax: 1_024, requestsOpenMax: 1_024 },
    });
    await until('the members', () => client.of('members').length > 0 || client.of('welcome')[0]?.members.length === 1);
  });

  test('gets the answers of one turn in one frame, each to its request', async () => {
    const server = await start();
    server.replica.onRequest = ({ operation }) => (operation.kind === 'get' ? value(3) : { kind: 'done' });
    const client = await TestClient.greeted(server.clientUrl);
    client.send(
      ...[7, 8, 9].map((requestId) => ({ kind: 'request', requestId, operation: get, timeoutMs: null }) as const),
    );
    await until('three answers', () => client.of('answer').length === 3);
    expect(client.answers().map(({ requestId }) => requestId)).toEqual([7, 8, 9]);
    expect(client.frameSizes).toEqual([2, 3]);
  });

  test('is told of a new leader', async () => {
    const server = await start();
    const client = await TestClient.greeted(server.clientUrl);
    server.replica.nodeStatus = {
      ...server.replica.nodeStatus,
      partitions: [
        {
          partition: 0,
          role: 'follower',
          term: 1,
          leader: nodeId('b'),
          commit: 0,
          applied: 0,
          firstIndex: 1,
          lastIndex: 0,
          pending: 0,
          voters: [],
          learners: [],
          quorum: true,
        },
      ],
    };
    server.replica.announce([]);
    client.request(1, { kind: 'status' });
    await until('the leader', () => client.of('members').some(({ leaders }) => leaders[0] === 'b'));
  });

  test('that goes away has its requests cancelled', async () => {
    const server = await start();
    const client = await TestClient.greeted(server.clientUrl);
    client.request(1, get);
    client.request(2, watch);
    await until('both requests', () => server.replica.of('request').length === 2);
    client.socket.terminate();
    await until('both cancelled', () => server.replica.of('cancel').length === 2);
  });

  test('cancels a request, and a late answer is not sent', async () => {
    const server = await start();
    const client = await TestClient.greeted(server.clientUrl);
    client.request(1, get);
    await until('the request', () => server.replica.of('request').length === 1);
    const handle = server.replica.of('request')[0]?.handle ?? -1;
    client.send({ kind: 'cancel', requestId: 1 });
    await until('cancelled', () => server.replica.of('cancel').length === 1);
    server.replica.answer(handle, value(1));
    client.send({ kind: 'ping', nonce: 5 });
    await until('a pong', () => client.of('pong').length === 1);
    expect(client.of('answer')).toEqual([]);
  });
});

describe('bad input', () => {
  test.each([
    ['another protocol version', { ...hello, protocolVersion: 99 }, 'PROTOCOL_VERSION'],
    ['another cluster', { ...hello, cluster: 'other' }, 'WRONG_CLUSTER'],
    [
      'a request before the hello',
      { kind: 'request', requestId: 1, operation: get, timeoutMs: null },
      'MALFORMED_FRAME',
    ],
  ] as const)('%s gets a goodbye, a close with the reason, and is counted', async (_, message, code) => {
    const server = await start();
    const client = await TestClient.open(server.clientUrl);
    client.send(message);
    await client.untilClosed();
    expect(client.of('goodbye')).toMatchObject([{ code }]);
    expect(client.closed).toMatchObject({ code: 4_000, reason: expect.stringMatching(`^${code}: `) as string });
    expect(await counter(server, new RegExp(`skerry_client_goodbyes_total\\{.*code="${code}"`))).toBe(1);
  });

  test.each([
    ['garbage', randomBytes(64), 'MALFORMED_FRAME'],
    ['a frame that is no array', Buffer.from([0xc0]), 'MALFORMED_FRAME'],
    ['text', 'hello', 'MALFORMED_FRAME'],
    ['a second hello', encodeFrame([hello]), 'MALFORMED_FRAME'],
    ['a frame a little beyond the limit', Buffer.alloc(4 * 1_024 * 1_024 + 1), 'FRAME_TOO_LARGE'],
  ])('%s ends the connection with a reason, and the node goes on', async (_, frame, code) => {
    const server = await start();
    const client = await TestClient.greeted(server.clientUrl);
    const bystander = await TestClient.greeted(server.clientUrl);
    client.socket.send(frame);
    await client.untilClosed();
    expect(client.of('goodbye')).toMatchObject([{ code }]);
    server.replica.onRequest = () => ({ kind: 'done' });
    bystander.request(1, { kind: 'status' });
    await until('an answer', () => bystander.of('answer').length === 1);
  });

  test('a frame far beyond the limit is refused by its header, and counted', async () => {
    const server = await start();
    const client = await TestClient.greeted(server.clientUrl);
    client.socket.send(Buffer.alloc(12 * 1_024 * 1_024));
    await client.untilClosed();
    expect([1_006, 1_009]).toContain(client.closed?.code);
    expect(await counter(server, /goodbyes_total\{.*FRAME_TOO_LARGE/)).toBe(1);
  });

  test('bytes that are no WebSocket frame end the connection', async () => {
    const server = await start();
    const client = await TestClient.greeted(server.clientUrl);
    const raw = client.socket as unknown as { _socket: { write(bytes: Buffer): void } };
    raw._socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await client.untilClosed();
    expect(await counter(server, /goodbyes_total\{.*MALFORMED_FRAME/)).toBe(1);
  });

  test.each([
    ['an unknown operation', '91960101c0c0917fc0', 'UNKNOWN_OPERATION'],
    ['an unknown field of a request', '91970101c0c0910dc0c0', 'UNKNOWN_FIELD'],
    ['an unknown field of an operation', '91960101c0c0920dc0c0', 'UNKNOWN_FIELD'],
  ])('%s is refused by itself and the connection goes on', async (_, frame, code) => {
    const server = await start();
    server.replica.onRequest = () => ({ kind: 'done' });
    const client = await TestClient.greeted(server.clientUrl);
    client.socket.send(Buffer.from(frame, 'hex'));
    client.request(2, { kind: 'status' });
    await until('both answers', () => client.of('answer').length === 2);
    expect(client.answers()).toEqual([
      { requestId: 1, kind: 'error', code },
      { requestId: 2, kind: 'done' },
    ]);
    expect(await counter(server, new RegExp(`request_errors_total\\{.*${code}`))).toBe(1);
  });

  test('a write without an id is refused', async () => {
    const server = await start();
    const client = await TestClient.greeted(server.clientUrl);
    client.request(1, { kind: 'delete', key: 'k', consistent: true });
    await until('an answer', () => client.of('answer').length === 1);
    expect(client.answers()).toEqual([{ requestId: 1, kind: 'error', code: 'BAD_REQUEST' }]);
  });

  test('requests beyond the limit of a connection are refused with OVERLOADED', async () => {
    const server = await start({ clientLimits: { requestsOpenMax: 2 } });
    const client = await TestClient.greeted(server.clientUrl);
    for (const requestId of [1, 2, 3]) client.request(requestId, get);
    await until('a refusal', () => client.of('answer').length === 1);
    expect(client.answers()).toEqual([{ requestId: 3, kind: 'error', code: 'OVERLOADED' }]);
    expect(server.replica.of('request')).toHaveLength(2);
  });

  test('connections beyond the limit are refused with 503', async () => {
    const server = await start({ clientLimits: { connectionsMax: 1 } });
    await TestClient.greeted(server.clientUrl);
    const refused = new WebSocket(server.clientUrl);
    const status = await new Promise((resolve) => {
      refused.on('unexpected-response', (_request, response) => resolve(response.statusCode));
    });
    expect(status).toBe(503);
  });

  test('an upgrade at another path is not found', async () => {
    const server = await start();
    const refused = new WebSocket(`${server.clientUrl}/elsewhere`);
    const status = await new Promise((resolve) => {
      refused.on('unexpected-response', (_request, response) => resolve(response.statusCode));
    });
    expect(status).toBe(404);
  });
});

describe('connections that stall', () => {
  test('one that says no hello is closed with IDLE', async () => {
    const server = await start({ clientLimits: { handshakeMs: 100 } });
    const client = await TestClient.open(server.clientUrl);
    await client.untilClosed();
    expect(client.of('goodbye')).toMatchObject([{ code: 'IDLE' }]);
  });

  test('an idle one that answers pings stays, a half-open one is closed with IDLE', async () => {
    const server = await start({ clientLimits: { pingMs: 300 } });
    const alive = await TestClient.greeted(server.clientUrl);
    const halfOpen = await TestClient.greeted(server.clientUrl, { autoPong: false });
    await halfOpen.untilClosed();
    expect(halfOpen.of('goodbye')).toMatchObject([{ code: 'IDLE' }]);
    expect(alive.closed).toBeNull();
  });

  test('a client that does not read is not read either, and closed with SLOW_CONSUMER', async () => {
    const server = await start({
      clientLimits: { unreadBytesPause: 1_000_000, unreadBytesMax: 8_000_000, slowConsumerMs: 500 },
    });
    server.replica.onRequest = () => value(500_000);
    const client = await TestClient.greeted(server.clientUrl);
    client.socket.pause();
    for (let i = 0; i < 60; i++) client.request(i, get);
    await until('the goodbye is counted', () => server.replica.of('request').length > 0);
    let closed = 0;
    while (closed === 0) closed = await counter(server, /goodbyes_total\{.*SLOW_CONSUMER/);
    expect(closed).toBe(1);
    expect(await counter(server, /^skerry_client_connections/)).toBe(0);
  });

  test('a client that reads late gets everything, however much it asked for at once', async () => {
    const server = await start({ clientLimits: { unreadBytesPause: 1_000_000, unreadBytesMax: 4_000_000 } });
    server.replica.onRequest = () => value(500_000);
    const client = await TestClient.greeted(server.clientUrl);
    client.socket.pause();
    const requests = Array.from(
      { length: 40 },
      (_, requestId) => ({ kind: 'request', requestId, operation: get, timeoutMs: null }) as const,
    );
    client.send(...requests);
    await until('the requests', () => server.replica.of('request').length === 40);
    client.socket.resume();
    await until('all answers', () => client.of('answer').length === 40);
    expect(client.closed).toBeNull();
  });

  test('a watcher that does not read is closed when changes pile up', async () => {
    const server = await start({ clientLimits: { unreadBytesPause: 500_000, unreadBytesMax: 2_000_000 } });
    const client = await TestClient.greeted(server.clientUrl);
    client.request(1, watch);
    await until('the watch', () => server.replica.of('request').length === 1);
    const handle = server.replica.of('request')[0]?.handle ?? -1;
    client.socket.pause();
    const pushing = setInterval(() => {
      const events = [{ key: 'k', value: new Uint8Array(400_000), version: '1' }];
      server.replica.answer(handle, { kind: 'watch', events, cursor: '1' });
    }, 1);
    let closed = 0;
    while (closed === 0) closed = await counter(server, /goodbyes_total\{.*SLOW_CONSUMER/);
    clearInterval(pushing);
    expect(server.replica.of('cancel')).toEqual([{ kind: 'cancel', handle }]);
  });

  /** So many pages, of a state or of changes that were missed, each sent when it is asked for. */
  function pagesOf(server: TestServer, count: number, of: 'state' | 'missed' = 'state'): void {
    const left = new Map<number, number>();
    const page = (handle: number): Answer => {
      const rest = (left.get(handle) ?? count) - 1;
      left.set(handle, rest);
      const events = [{ key: 'k', value: new Uint8Array(250_000), version: '1' }];
      if (of === 'missed') return { kind: 'watch', events, cursor: `${rest}`, ...(rest > 0 ? { more: true } : {}) };
      return { kind: 'watch', events, cursor: rest > 0 ? '' : 'c', reset: rest > 0 ? 'more' : 'last' };
    };
    server.replica.onRequest = (_, handle) => page(handle);
    server.replica.onWatchReady = page;
  }

  test.each(['state', 'missed'] as const)('pages of a watch (%s) wait for a client that reads late', async (of) => {
    const server = await start({ clientLimits: { unreadBytesPause: 1_000_000, unreadBytesMax: 2_000_000 } });
    pagesOf(server, 100, of);
    const client = await TestClient.greeted(server.clientUrl);
    client.socket.pause();
    client.request(1, watch);
    let asked = -1;
    // What the kernel's buffers take is not behind.
    while (server.replica.of('watchReady').length > asked) {
      asked = server.replica.of('watchReady').length;
      // That no page is asked for any more is told by nothing but time.
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(asked).toBeLessThan(90);
    client.socket.resume();
    await until('all pages', () => client.of('answer').length === 100);
    expect(client.closed).toBeNull();
    expect(server.replica.of('watchReady').length).toBe(99);
  });

  test('watched states of many watches take turns', async () => {
    const server = await start({ clientLimits: { unreadBytesPause: 1_000_000, unreadBytesMax: 2_000_000 } });
    pagesOf(server, 5);
    const client = await TestClient.greeted(server.clientUrl);
    for (let i = 0; i < 20; i++) client.request(i, watch);
    await until('all pages', () => client.of('answer').length === 100);
    expect(client.closed).toBeNull();
  });

  test('a client that vanished in mid-frame does not disturb the node', async () => {
    const server = await start();
    const { port } = new URL(server.httpUrl);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await new Promise((resolve) => socket.once('data', resolve));
    // A binary frame that announces 100 bytes and brings one.
    socket.write(Buffer.from([0x82, 0x80 | 100, 0, 0, 0, 0, 1]));
    socket.resetAndDestroy();
    const client = await TestClient.greeted(server.clientUrl);
    expect(client.closed).toBeNull();
  });
});
