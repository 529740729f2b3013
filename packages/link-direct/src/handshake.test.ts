import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { linkPath, refusalHeader } from './hello.ts';
import { until } from './testing/events.ts';
import { DirectHarness, type StartOptions } from './testing/harness.ts';
import { connect, region1, startNode, type TestNode } from './testing/node.ts';

let harness: DirectHarness;
beforeEach(() => {
  harness = new DirectHarness();
});
afterEach(() => harness.close());

const know = (node: TestNode): void => node.know();

describe('the handshake', () => {
  test.each<[string, Partial<StartOptions>, (listener: TestNode) => void, string]>([
    ['another cluster', { cluster: 'other' }, know, 'WRONG_CLUSTER'],
    ['another partition count', { partitionCount: 2 }, know, 'WRONG_PARTITION_COUNT'],
    ['a region that it was not told of', {}, () => {}, 'UNKNOWN_REGION'],
    ['a region that it is cut off from', {}, (node) => (know(node), node.link.cut(region1)), 'CUT'],
    ['everybody once it is closing', {}, (node) => (know(node), void node.link.close()), 'STOPPING'],
  ])('refuses %s, and whoever dials says why', async (_, options, prepare, code) => {
    const [dialler, listener] = [await startNode(harness, 1, options), await startNode(harness, 2)];
    prepare(listener);
    dialler.know(listener);
    await until('a refusal', () => dialler.notes.length > 0);
    expect([...listener.link.refusals().keys()]).toEqual([code]);
    expect(dialler.notes[0]).toContain(`"code":"${code}"`);
    expect([dialler.events.changes, listener.events.changes]).toEqual([[], []]);
  });

  test('refuses more nodes than it has room for, and not the one that comes again', async () => {
    const listener = await startNode(harness, 2, { limits: { acceptedMax: 1 } });
    const [first, second] = [await startNode(harness, 1, { node: 'n1' }), await startNode(harness, 1, { node: 'n2' })];
    await connect(first, listener);
    second.know(listener);
    await until('a refusal', () => second.notes.length > 0);
    expect(second.notes[0]).toContain('OVERLOADED');
    await first.crash();
    const again = await startNode(harness, 1, { node: 'n1' });
    again.know(listener);
    await until('it is back', () => again.up());
  });

  test('says a lasting refusal once', async () => {
    const [dialler, listener] = [await startNode(harness, 1), await startNode(harness, 2)];
    dialler.know(listener);
    await until('refusals', () => (listener.link.refusals().get('UNKNOWN_REGION') ?? 0) >= 4);
    expect(dialler.notes).toHaveLength(1);
  });

  test.each<[string, object | string, string, string]>([
    ['another version', { linkProtocolVersion: 99, unheardOf: 1 }, 'region-2', 'PROTOCOL_VERSION: 99, here 5'],
    ['who looks for another region', {}, 'region-7', 'WRONG_REGION: a node of region-2 listens here'],
    ['a node of its own region', { region: 'region-2' }, 'region-2', 'WRONG_REGION: a node of region-2 listens here'],
    ['text', 'hello', 'region-2', 'MALFORMED_HELLO: no hello of a link'],
    ['a list', '[]', 'region-2', 'MALFORMED_HELLO: no hello of a link'],
    ['an unknown field', { x: 1 }, 'region-2', 'MALFORMED_HELLO: the hello lacks a field or has an unknown one'],
    [
      'no name of a node',
      { node: '../..' },
      'region-2',
      'MALFORMED_HELLO: the hello lacks a field or has an unknown one',
    ],
    [
      'a limit of nothing',
      { frameBytesMax: 0 },
      'region-2',
      'MALFORMED_HELLO: the hello lacks a field or has an unknown one',
    ],
  ])('refuses %s', async (_, hello, wanted, reason) => {
    const listener = await startNode(harness, 2);
    listener.know();
    const socket = harness.dial(listener, 'region-1', hello, wanted);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect([response.statusCode, response.headers[refusalHeader]]).toEqual([403, reason]);
    expect(listener.events.changes).toEqual([]);
  });

  test('refuses who says no hello at all', async () => {
    const listener = await startNode(harness, 2);
    const socket = new WebSocket(new URL(linkPath, listener.url));
    socket.on('error', () => {});
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.headers[refusalHeader]).toMatch(/^MALFORMED_HELLO/);
  });
});

describe('a message that is none ends its connection with a reason:', () => {
  test.each<[string, (socket: WebSocket) => void, RegExp]>([
    ['text', (socket) => socket.send('hello'), /^4000 MALFORMED_MESSAGE: a message between regions is binary$/],
    ['no frame', (socket) => socket.send(Buffer.alloc(0)), /^4000 MALFORMED_MESSAGE: a message without frames$/],
    ['half a length', (socket) => socket.send(Buffer.from([0, 0])), /^4000 MALFORMED_MESSAGE: the length of a frame/],
    [
      'a frame cut off',
      (socket) => socket.send(Buffer.from([0, 0, 0, 2, 1])),
      /^4000 MALFORMED_MESSAGE: a frame is cut off$/,
    ],
    [
      'a length beyond all',
      (socket) => socket.send(Buffer.alloc(4, 255)),
      /^4000 MALFORMED_MESSAGE: a frame is cut off$/,
    ],
    ['too many bytes', (socket) => socket.send(Buffer.alloc(300_000)), /^1009 /],
  ])('%s', async (_, say, expected) => {
    const listener = await startNode(harness, 2);
    listener.know();
    const socket = harness.dial(listener, 'region-1');
    await once(socket, 'open');
    await until('it is up', () => listener.up());
    say(socket);
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect(`${code} ${reason.toString()}`).toMatch(expected);
    await until('it is down', () => !listener.up());
    expect([listener.link.metrics()['link_malformed_total'], listener.events.frames]).toEqual([1, []]);
  });

  test('an empty frame is one', async () => {
    const listener = await startNode(harness, 2);
    listener.know();
    const socket = harness.dial(listener, 'region-1');
    await once(socket, 'open');
    socket.send(Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 65]));
    await until('both frames', () => listener.events.frames.length === 2);
    expect(listener.events.frames).toEqual(['region-1: ', 'region-1: A']);
  });
});
