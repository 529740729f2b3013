import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { encodeFrame, protocolVersion, type ErrorCode } from '../../../packages/protocol/src/index.ts';
import { packWire } from '../../../packages/protocol/src/wire.ts';
import { peerProtocolVersion } from '../../../packages/server/src/peers/handshake.ts';
import { until } from '../../../packages/server/src/testing/until.ts';
import type { ErrorNode } from './node.ts';
import { codeOf, goodbyeTo, problemOf, type Provocation } from './provocation.ts';

const counted = 'client_goodbyes_total';
const hello = { kind: 'hello', protocolVersion, cluster: null } as const;
const get = { kind: 'get', key: 'big', consistent: true } as const;
const frameBytesMax = 4 * 1_024 * 1_024;

/** What a connection is refused or closed with. */
export const byConnection: Partial<Record<ErrorCode, readonly Provocation[]>> = {
  MALFORMED_FRAME: [
    { what: 'random bytes', provoke: (node) => goodbyeTo(node, [randomBytes(64)]), counted },
    { what: 'a text frame', provoke: (node) => goodbyeTo(node, ['hello']), counted },
    { what: 'a frame that is no array', provoke: (node) => goodbyeTo(node, [packWire(null)]), counted },
    { what: 'an empty frame', provoke: (node) => goodbyeTo(node, [Buffer.alloc(0)]), counted },
    { what: 'a second hello', provoke: (node) => goodbyeTo(node, [encodeFrame([hello])]), counted },
    {
      what: 'a request before the hello',
      provoke: (node) =>
        goodbyeTo(
          node,
          [encodeFrame([{ kind: 'request', requestId: 1, operation: { kind: 'status' }, timeoutMs: null }])],
          {
            greet: false,
          },
        ),
      counted,
    },
    {
      what: 'an array of 4,294,967,295 elements in five bytes',
      provoke: (node) => goodbyeTo(node, [Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])]),
      counted,
    },
    {
      what: 'arrays in arrays, 100,000 deep',
      provoke: (node) => goodbyeTo(node, [Buffer.alloc(100_000, 0x91)]),
      counted,
    },
    {
      what: 'bytes that are no WebSocket frame',
      provoke: async (node) => {
        const before = await node.count(counted, 'MALFORMED_FRAME');
        const client = await node.client();
        (client.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(Buffer.alloc(4, 0xff));
        await client.untilClosed();
        // RFC 6455 leaves no room for a reason of ours here: the count is all that tells.
        return (await node.count(counted, 'MALFORMED_FRAME')) > before ? 'MALFORMED_FRAME' : 'not counted';
      },
      counted,
    },
    {
      what: 'bytes from a node that are no hello',
      provoke: (node) => peerCloseOf(node, ['not JSON']),
      counted: 'peer_refusals_total',
    },
  ],
  FRAME_TOO_LARGE: [
    { what: 'a byte beyond the limit', provoke: (node) => goodbyeTo(node, [Buffer.alloc(frameBytesMax + 1)]), counted },
    {
      what: 'three times the limit, which its header tells',
      provoke: async (node) => {
        const client = await node.client();
        client.socket.send(Buffer.alloc(3 * frameBytesMax));
        await client.untilClosed();
        return [1_006, 1_009].includes(client.closed?.code ?? 0)
          ? 'FRAME_TOO_LARGE'
          : `closed with ${client.closed?.code}`;
      },
      counted,
    },
  ],
  PROTOCOL_VERSION: [
    {
      what: 'a client of another version',
      provoke: (node) => goodbyeTo(node, [encodeFrame([{ ...hello, protocolVersion: 99 }])], { greet: false }),
      counted,
    },
    {
      what: 'a node of another version',
      provoke: (node) => peerCloseOf(node, [{ ...peerHello, peerProtocolVersion: 99 }]),
      counted: 'peer_refusals_total',
    },
  ],
  WRONG_CLUSTER: [
    {
      what: 'a client of another cluster',
      provoke: (node) => goodbyeTo(node, [encodeFrame([{ ...hello, cluster: 'other' }])], { greet: false }),
      counted,
    },
    {
      what: 'a node of another cluster',
      provoke: (node) => peerCloseOf(node, [{ ...peerHello, cluster: 'other' }]),
      counted: 'peer_refusals_total',
    },
  ],
  WRONG_INCARNATION: [
    {
      what: 'a node that comes back with another data folder',
      provoke: async (node) => {
        const first = await peerSocket(node);
        first.send(JSON.stringify(peerHello));
        await once(first, 'message');
        first.terminate();
        return peerCloseOf(node, [{ ...peerHello, replica: 2, process: '2'.repeat(16) }]);
      },
      counted: 'peer_refusals_total',
    },
  ],
  SLOW_CONSUMER: [
    {
      what: 'a client that asks and does not read',
      on: { config: { clientLimits: { unreadBytesPause: 500_000, unreadBytesMax: 4_000_000, slowConsumerMs: 300 } } },
      provoke: async (node) => {
        await codeOf(node, { kind: 'set', key: 'big', value: new Uint8Array(400_000), consistent: true });
        const before = await node.count(counted, 'SLOW_CONSUMER');
        const client = await node.client();
        client.socket.pause();
        for (let requestId = 0; requestId < 60; requestId++) client.request(requestId, get);
        while ((await node.count(counted, 'SLOW_CONSUMER')) === before);
        client.socket.terminate();
        return 'SLOW_CONSUMER';
      },
      counted,
    },
  ],
  IDLE: [
    {
      what: 'a connection without a hello',
      on: { config: { clientLimits: { handshakeMs: 50, pingMs: 100 } } },
      provoke: (node) => goodbyeTo(node, [], { greet: false }),
      counted,
    },
    {
      what: 'a half-open connection, whose other end answers no ping',
      on: { config: { clientLimits: { handshakeMs: 50, pingMs: 100 } } },
      provoke: (node) => goodbyeTo(node, [], { autoPong: false }),
      counted,
    },
  ],
  UNKNOWN_FIELD: [
    {
      what: 'a request with one element more',
      provoke: (node) => refusalOf(node, [1, 1, null, null, [13], null, 'more']),
      counted: 'client_request_errors_total',
    },
    {
      what: 'an operation with one field more',
      provoke: (node) => refusalOf(node, [1, 1, null, null, [0, 'k', true, null, 'more'], null]),
      counted: 'client_request_errors_total',
    },
    {
      what: 'a query',
      provoke: (node) => problemOf(`${node.httpUrl}/v1/kv/k?consistant=true`),
      counted: 'client_request_errors_total',
    },
    {
      what: 'a body',
      provoke: (node) =>
        problemOf(`${node.httpUrl}/v1/kv/k/swap`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"newValue":"a","oldValue":null,"more":1}',
        }),
      counted: 'client_request_errors_total',
    },
  ],
  UNKNOWN_OPERATION: [
    {
      what: 'an operation of number 99',
      provoke: (node) => refusalOf(node, [1, 1, null, null, [99]]),
      counted: 'client_request_errors_total',
    },
  ],
};

const peerHello = {
  peerProtocolVersion,
  cluster: 'test',
  region: 'region-1',
  node: 'b',
  replica: 1,
  partitionCount: 1,
  process: '1'.repeat(16),
};

async function peerSocket(node: ErrorNode): Promise<WebSocket> {
  const socket = new WebSocket(node.server.peerUrl);
  socket.on('error', () => {});
  await once(socket, 'open');
  return socket;
}

/** The code that the node's peer port closes with when it is sent these. */
async function peerCloseOf(node: ErrorNode, frames: readonly (string | object)[]): Promise<string> {
  const socket = await peerSocket(node);
  for (const frame of frames) socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  const [, reason] = (await once(socket, 'close')) as [number, Buffer];
  return reason.toString().split(':', 1)[0] ?? '';
}

/** The code that a request of these elements is refused with; the connection must go on. */
async function refusalOf(node: ErrorNode, request: Parameters<typeof packWire>[0]): Promise<string> {
  const client = await node.client();
  client.socket.send(packWire([request]));
  client.request(2, { kind: 'status' });
  await until('both answers', () => client.of('answer').length === 2);
  client.socket.terminate();
  const [refused, status] = client.answers();
  return status?.kind === 'status' ? (refused?.code ?? 'no error') : 'the connection does not go on';
}
