import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeLink } from '@skerry/replica/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DirectHarness, type StartOptions } from './testing/harness.ts';
import { until } from './testing/events.ts';
import { connect, region1, region2, startNode, type TestNode } from './testing/node.ts';

describeLink('DirectLink', { create: () => Promise.resolve(new DirectHarness()), hasLog: false });

let harness: DirectHarness;
beforeEach(() => {
  harness = new DirectHarness();
});
afterEach(() => harness.close());

const start = (region: number, options: Partial<StartOptions> = {}): Promise<TestNode> =>
  startNode(harness, region, options);

/** The one of `nodes` that is connected to, and the others. */
function chosen(nodes: readonly TestNode[]): [TestNode, ...TestNode[]] {
  const [first, ...rest] = nodes.toSorted((x, y) => Number(y.up()) - Number(x.up()));
  return [first!, ...rest];
}

describe('a direct link', () => {
  test('sends over the connection that the other side made, where it has no contact itself', async () => {
    const [a, b] = [await start(1), await start(2)];
    await connect(a, b);
    await until('accepted', () => b.up());
    b.send('back');
    await until('the frame', () => a.events.frames.length === 1);
    expect(a.events.frames).toEqual(['region-2: back']);
    expect(b.link.metrics()['link_connections']).toBe(1);
  });

  test('sends the frames of one turn in one message', async () => {
    const [a, b] = [await start(1), await start(2)];
    await connect(a, b);
    a.send('one', 'two', 'three');
    await until('the frames', () => b.events.frames.length === 3);
    a.send('four');
    await until('the frame', () => b.events.frames.length === 4);
    expect(a.link.metrics()).toMatchObject({ link_messages_sent_total: 2, link_frames_sent_total: 4 });
  });

  test('makes no message larger than the largest frame', async () => {
    const [a, b] = [await start(1), await start(2)];
    await connect(a, b);
    a.send(...Array.from({ length: 5 }, (_, i) => `${i}${'x'.repeat(100_000)}`));
    await until('the frames', () => b.events.frames.length === 5);
    expect(b.events.frames.map((frame) => frame[10])).toEqual(['0', '1', '2', '3', '4']);
    expect(a.link.metrics()['link_messages_sent_total']).toBe(3);
  });

  test('sends no frame that is too large for the other side', async () => {
    const [a, b] = [await start(1), await start(2, { limits: { frameBytesMax: 1_000 } })];
    await connect(a, b);
    a.send('x'.repeat(1_001), 'small');
    await until('the frame', () => b.events.frames.length === 1);
    expect(a.link.metrics()).toMatchObject({ link_frames_dropped_oversized_total: 1, link_connections_lost_total: 0 });
  });

  test('tells frames dropped for a cut from those for a region that is away', async () => {
    const [a, b] = [await start(1), await start(2)];
    a.know();
    a.send('nobody there');
    await connect(a, b);
    a.link.cut(region2);
    a.send('cut', 'cut');
    expect(a.link.metrics()).toMatchObject({
      link_frames_dropped_unreachable_total: 1,
      link_frames_dropped_cut_total: 2,
      link_frames_dropped_total: 3,
    });
  });

  test('drops what a slow reader has no room for, counts it, and loses no connection', async () => {
    const [a, b] = [await start(1), await start(2)];
    await connect(a, b);
    const release = harness.faults.slowReader(b);
    const frame = 'x'.repeat(250_000);
    await until('the bound is reached', () => {
      a.send(frame);
      return (a.link.metrics()['link_frames_dropped_unsent_total'] ?? 0) > 10;
    });
    release();
    await until('there is room', () => a.link.metrics()['link_unsent_bytes'] === 0);
    a.send('after');
    await until('the frame', () => b.events.frames.at(-1) === 'region-1: after');
    expect(a.link.metrics()['link_connections_lost_total']).toBe(0);
  });
});

describe('among contacts', () => {
  test('it goes on with the next when the one it uses is gone', async () => {
    const contacts = [await start(2, { node: 'n1' }), await start(2, { node: 'n2' }), await start(2, { node: 'n3' })];
    const a = await start(1);
    await connect(a, ...contacts);
    await until('one has it', () => contacts.some((contact) => contact.up()));
    const [first, ...others] = chosen(contacts);
    await first.crash();
    await until('another one has it', () => others.some((contact) => contact.up()));
    const [second, third] = chosen(others);
    await second.crash();
    await until('the last one has it', () => third!.up() && a.link.routes()[0]?.via === `region-2/${third!.node}`);
    a.send('still here');
    await until('the frame', () => third!.events.frames.length === 1);
  });

  test('it finds a connection that is half open within about a second, and uses another contact', async () => {
    const contacts = [await start(2, { node: 'n1' }), await start(2, { node: 'n2' })];
    const a = await start(1);
    await connect(a, ...contacts);
    await until('one has it', () => contacts.some((contact) => contact.up()));
    const [first, second] = chosen(contacts);
    first.proxy.freeze(true);
    const frozenMs = performance.now();
    await until('the other one has it', () => second!.up());
    expect(performance.now() - frozenMs).toBeLessThan(2_000);
    await until('the side behind the cable has noticed', () => !first.up());
    expect(a.notes.join('\n')).toMatch(/lost a connection to a region.*nothing came for 1\d\d\d ms/);
  });

  test('it keeps a connection on which nobody has anything to say', async () => {
    const [a, b] = [await start(1), await start(2)];
    await connect(a, b);
    const sinceMs = performance.now();
    // Two and a half times as long as a silence that is death.
    await until('time to pass', () => performance.now() - sinceMs > 2_500);
    expect([a.events.changes, b.events.changes]).toEqual([['up region-2'], ['up region-1']]);
  });

  test('it moves when its contact is no longer one, and not when others come and go', async () => {
    const [a, b1, b2, b3] = [
      await start(1),
      await start(2),
      await start(2, { node: 'n2' }),
      await start(2, { node: 'n3' }),
    ];
    await connect(a, b1);
    b2.know();
    a.know(b2, b1);
    a.send('kept');
    await until('the frame', () => b1.events.frames.length === 1);
    expect(a.link.metrics()['link_connections_lost_total']).toBe(0);
    b3.know();
    a.know(b3);
    await until('moved', () => b3.up() && !b1.up() && a.link.routes()[0]?.via === 'region-2/n3');
  });

  test('it passes by what is no address, no link, or another region', async () => {
    const web = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(web, 'listening');
    const [a, b, stranger] = [await start(1), await start(2), await start(3)];
    stranger.link.setRegions([{ region: region1, urls: [] }]);
    const { port } = web.address() as AddressInfo;
    b.know();
    a.know({ url: 'nonsense' }, { url: `ws://127.0.0.1:${port}` }, stranger, b, { url: 'ws://127.0.0.1:1' });
    await until('connected', () => b.up());
    expect(stranger.events.changes).toEqual([]);
    web.close();
    web.closeAllConnections();
  });
});
