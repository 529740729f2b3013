import {
  decodeClientFrame,
  encodeFrame,
  frameBytesMaxDefault,
  protocolVersion,
  type ClientMessage,
  type ServerMessage,
} from '@skerry/protocol';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { connect } from './connect.ts';
import { keyAnswer } from './testing/fake-cluster.ts';

const servers: WebSocketServer[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    for (const socket of server.clients) socket.terminate();
    server.close();
  }
});

/** A node over a real socket: one map, answers at once. */
async function serve(): Promise<{ url: string; drop: () => void; frames: () => number }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  servers.push(server);
  const values = new Map<string, Uint8Array>();
  let frames = 0;
  const answer = (message: ClientMessage): ServerMessage[] => {
    if (message.kind === 'hello') {
      return [
        {
          kind: 'welcome',
          protocolVersion,
          cluster: 'test',
          region: 'r' as never,
          node: 'n' as never,
          partitionCount: 1,
          nowMs: 1_700_000_000_000,
          limits: {
            keyBytesMax: 1_024,
            valueBytesMax: 524_288,
            txnOperationsMax: 512,
            frameBytesMax: frameBytesMaxDefault,
            requestsOpenMax: 20_000,
            listLimitMax: 1_000,
          },
          members: [],
          leaders: [null],
          regions: [],
        },
      ];
    }
    if (message.kind !== 'request') return [];
    const { operation, requestId } = message;
    if (operation.kind === 'set') values.set(operation.key, operation.value.slice());
    const value = 'key' in operation ? (values.get(operation.key) ?? null) : null;
    return [
      {
        kind: 'answer',
        requestId,
        answer: keyAnswer({ value, version: '1', ...(operation.kind === 'set' ? { outcome: 'applied' } : {}) }),
      },
    ];
  };
  server.on('connection', (socket) => {
    socket.on('message', (data) => {
      frames++;
      socket.send(
        encodeFrame(decodeClientFrame(data as Buffer).flatMap((message) => answer(message as ClientMessage))),
      );
    });
  });
  await new Promise<void>((resolve) => {
    server.on('listening', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    drop: () => {
      for (const socket of server.clients) socket.terminate();
    },
    frames: () => frames,
  };
}

describe('over a real socket', () => {
  it('sets and gets, many calls in few frames', async () => {
    const { url, frames } = await serve();
    const db = await connect({ endpoints: [url], cluster: 'test' });
    await Promise.all(Array.from({ length: 500 }, (_, i) => db.set(`k${i}`, `v${i}`)));
    const got = await Promise.all(Array.from({ length: 500 }, (_, i) => db.get(`k${i}`)));
    expect(got.map(({ value }) => value)).toEqual(Array.from({ length: 500 }, (_, i) => `v${i}`));
    expect(frames()).toBeLessThan(20);
    await db.close();
  });

  it('goes on after the connection was reset, and passes over an endpoint where nobody listens', async () => {
    const { url, drop } = await serve();
    const db = await connect({ endpoints: ['ws://127.0.0.1:9', url] });
    await db.set('k', 'v');
    drop();
    expect((await db.get('k')).value).toBe('v');
    await db.close();
  });

  it('rejects with NO_ENDPOINT when nobody listens', async () => {
    await expect(connect({ endpoints: ['ws://127.0.0.1:9'], connectTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'NO_ENDPOINT',
    });
  });
});
