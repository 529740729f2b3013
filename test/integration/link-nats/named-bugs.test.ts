import { afterEach, describe, expect, test } from 'vitest';
import { freePorts, hasNatsServer, NatsServer, removeServers } from './nats-server.ts';
import { closeParties, Party, range, twoRegions, until } from './party.ts';
import { Relay } from './relay.ts';

let relay: Relay | null = null;
afterEach(async () => {
  await closeParties();
  relay?.close();
  relay = null;
  await removeServers();
});

/** Bugs that others had with brokers (FAULTS section 3), as far as they reach a link. */
describe.skipIf(!hasNatsServer)('as others saw it (skipped without nats-server)', () => {
  test('JetStream acknowledges before it syncs: what was acknowledged may be lost, and readers go on', async () => {
    const server = await NatsServer.start({ config: 'single.conf' });
    const [one, two] = await twoRegions({ servers: [server.url] });
    two.read(one, 1);
    one.publishEach(1, 100);
    await until('read', () => two.lastEntry === 100 && one.published === 100);
    server.pause();
    server.saveStore();
    server.resume();
    one.publishEach(101, 150);
    await until('read', () => two.lastEntry === 150 && one.published === 150);
    await server.kill();
    server.restoreStore();
    await server.start();

    // The stream ends at 100 now. Its reader is ahead of it, and its publisher believes it to be at 150.
    one.publishEach(151, 160);
    await until('read on', () => two.lastEntry === 160);
    expect(two.entries).toEqual(range(1, 160));
    const three = new Party('region-3', { servers: [server.url] });
    three.knows(one);
    three.read(one, 91);
    await until('what there is', () => three.lastEntry === 160);
    expect(three.entries).toEqual([...range(91, 100), ...range(151, 160)]);
    // The replica that pulled the gap from its origin may find it in the log later, if that publishes it again.
    one.publishEach(101, 150);
    await until('what was missing', () => three.entries.length === 70);
    expect(three.entries.slice(20)).toEqual(range(101, 150));
  });

  test('a source that stands still while it reports no lag (nats-server #8630) is found out and read on', async () => {
    const server = await NatsServer.start({ config: 'single.conf' });
    relay = await Relay.start(server.port);
    const one = new Party('region-1', { servers: [server.url] });
    const two = new Party('region-2', { servers: [relay.url], timing: { auditMs: 200 } });
    two.knows(one);
    two.read(one, 1);
    one.publishEach(1, 10);
    await until('read', () => two.lastEntry === 10);
    relay.swallow = true;
    one.publishEach(11, 20);
    await until('they are swallowed', () => relay?.swallowed === 10);
    await until('it is noticed', () => two.metric('log_stalls_total') > 0);
    expect(two.lastEntry).toBe(10);
    relay.swallow = false;
    await until('read on', () => two.lastEntry === 20);
    expect(two.entries).toEqual(range(1, 20));
    expect(two.metric('connects_total')).toBe(1);
  });

  test('leaf nodes that do not catch up (nats-server #7530): logs written while the hub was away are read after', async () => {
    const [leafPort = 0] = await freePorts(1);
    const hub = await NatsServer.start({
      config: 'leaf-hub.conf',
      name: 'hub',
      env: { NATS_DOMAIN: 'region-1', NATS_LEAF_PORT: String(leafPort) },
    });
    const leaf = await NatsServer.start({
      config: 'leaf-region.conf',
      name: 'leaf',
      env: { NATS_DOMAIN: 'region-2', NATS_HUB: `"nats-leaf://127.0.0.1:${leafPort}"` },
    });
    const one = new Party('region-1', { servers: [hub.url] });
    const two = new Party('region-2', { servers: [leaf.url] });
    one.knows(two);
    two.knows(one);
    one.read(two, 1);
    two.read(one, 1);
    one.publishEach(1, 10);
    two.publishEach(1, 10);
    await until('both read', () => one.lastEntry === 10 && two.lastEntry === 10);
    await hub.kill();
    two.publishEach(11, 500);
    one.publishEach(11, 500);
    await until('one goes on alone', () => two.published === 500 && two.news.at(-1) === '-region-1');
    await hub.start();
    await until('both read on', () => one.lastEntry === 500 && two.lastEntry === 500, 30_000);
    expect(one.entries).toEqual(range(1, 500));
    expect(two.entries).toEqual(range(1, 500));
  });
});
