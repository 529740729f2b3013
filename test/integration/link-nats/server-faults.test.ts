import { afterEach, describe, expect, test } from 'vitest';
import { hasNatsServer, NatsServer, removeServers } from './nats-server.ts';
import { closeParties, Party, range, twoRegions, until } from './party.ts';

afterEach(async () => {
  await closeParties();
  await removeServers();
});

describe.skipIf(!hasNatsServer)('a nats-server (skipped without nats-server)', () => {
  test('that cannot be reached at first leaves links waiting, which work when it comes', async () => {
    const server = await NatsServer.prepare({ config: 'single.conf' });
    const [one, two] = ['region-1', 'region-2'].map((region) => new Party(region, { servers: [server.url] }));
    if (one === undefined || two === undefined) throw new Error('no parties');
    one.knows(two);
    two.knows(one);
    two.read(one, 1);
    one.publishEach(1, 10);
    one.send(two, 'lost');
    await until(
      'they tried',
      () => one.metric('connect_failures_total') > 2 && two.metric('connect_failures_total') > 2,
    );
    expect(one.metric('frames_dropped_total')).toBe(1);
    expect(one.news).toEqual([]);

    await server.start();
    await until('the log came', () => two.lastEntry === 10 && one.news.includes('+region-2'));
    expect(two.entries).toEqual(range(1, 10));
    expect(two.texts).toEqual([]);
  });

  test('that cannot be reached at all does not keep a link from closing', async () => {
    const server = await NatsServer.prepare({ config: 'single.conf' });
    const one = new Party('region-1', { servers: [server.url] });
    one.publish(1);
    await one.close();
    expect(one.metric('connected')).toBe(0);
  });

  test('that is killed and started again takes and gives what is missing, and regions come up again', async () => {
    const server = await NatsServer.start({ config: 'single.conf' });
    const [one, two] = await twoRegions({ servers: [server.url] });
    two.read(one, 1);
    one.publishEach(1, 100);
    await until('read', () => two.lastEntry === 100);
    await server.kill();
    await until('both know', () => one.news.at(-1) === '-region-2' && two.news.at(-1) === '-region-1');
    one.publishEach(101, 200);
    one.send(two, 'lost');
    await server.start();
    await until('read on', () => two.lastEntry === 200);
    expect(two.entries).toEqual(range(1, 200));
    expect(one.published).toBe(200);
    await until('up again', () => one.news.at(-1) === '+region-2' && two.news.at(-1) === '+region-1');
    one.send(two, 'found');
    await until('frames pass', () => two.frames.length > 0);
    expect(two.texts).toEqual(['found']);
  });

  test('that hangs is noticed; what it had not acknowledged is in the log once when it goes on', async () => {
    const server = await NatsServer.start({ config: 'single.conf' });
    const [one, two] = await twoRegions({ servers: [server.url] });
    two.read(one, 1);
    one.publishEach(1, 50);
    await until('read', () => two.lastEntry === 50);
    server.pause();
    one.publishEach(51, 150);
    await until('both know', () => one.news.at(-1) === '-region-2' && two.news.at(-1) === '-region-1');
    await until('its connections are given up', () => one.metric('connected') + two.metric('connected') === 0);
    server.resume();
    await until('read on', () => two.lastEntry === 150 && one.published === 150);
    expect(two.entries).toEqual(range(1, 150));
  });

  test('that lost its whole store gets the stream again from its publisher; readers go on from their position', async () => {
    const server = await NatsServer.start({ config: 'single.conf' });
    const [one, two] = await twoRegions({ servers: [server.url] });
    two.read(one, 1);
    one.publishEach(1, 500);
    await until('read', () => two.lastEntry === 500);
    await server.kill();
    server.wipe();
    await server.start();
    // In the new stream this is the first message; the old consumer stood at 500.
    one.publishEach(501, 510);
    await until('read on', () => two.lastEntry === 510);
    expect(two.entries).toEqual(range(1, 510));
    expect(one.published).toBe(510);
  });

  test('without JetStream carries frames; the log waits, bounded, and goes on when JetStream is there', async () => {
    const limits = { publishQueueBytesMax: 10_000, partBytesMax: 10_000 };
    const config = 'port: $NATS_PORT\nhost: 127.0.0.1\ninclude "jetstream.inc"';
    const server = await NatsServer.prepare({ config });
    server.write('jetstream.inc', '');
    await server.start();
    const [one, two] = await twoRegions({ servers: [server.url], limits });
    two.read(one, 1);
    for (const n of range(1, 20)) one.publish(n, n, new Uint8Array(1000));
    one.send(two, 'frame');
    await until('frames pass', () => two.texts.includes('frame'));
    await until('it was tried', () => one.metric('log_publish_failures_total') > 2);
    expect(one.metric('log_batches_dropped_total')).toBe(10);
    expect(one.metric('log_writable')).toBe(0);
    expect(two.metric('log_read_failures_total')).toBeGreaterThan(0);

    await server.kill();
    server.write('jetstream.inc', 'jetstream { store_dir: $NATS_STORE }');
    await server.start();
    await until('the log came', () => two.lastEntry === 10);
    expect(two.entries).toEqual(range(1, 10));
  });

  test('of several: when the one in use is gone, another is used', async () => {
    const servers = [
      await NatsServer.start({ config: 'single.conf' }),
      await NatsServer.start({ config: 'single.conf' }),
    ];
    const one = new Party('region-1', { servers: servers.map(({ url }) => url) });
    await until('connected', () => one.metric('connected') === 1);
    // It is not told which one it uses: so each of them goes once.
    await servers[0]?.kill();
    await servers[0]?.start();
    await servers[1]?.kill();
    await until('connected to the other', () => one.metric('connects_total') > 1 && one.metric('connected') === 1);
  });
});
