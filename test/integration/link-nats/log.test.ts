import { replicaId, utf8Decode } from '@skerry/base';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasNatsServer, NatsServer, removeServers } from './nats-server.ts';
import { closeParties, partition0, Party, range, twoRegions, until } from './party.ts';

let server: NatsServer;
afterEach(async () => {
  await closeParties();
  await removeServers();
});

describe.skipIf(!hasNatsServer)('a region log in JetStream (skipped without nats-server)', () => {
  beforeEach(async () => {
    server = await NatsServer.start({ config: 'single.conf' });
  });

  test('is published in order, acknowledged, and read from its beginning', async () => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    two.read(one, 1);
    one.publishEach(1, 1000);
    await until('acknowledged', () => one.published === 1000);
    await until('read', () => two.lastEntry === 1000);
    expect(two.entries).toEqual(range(1, 1000));
    expect(two.batches.every(({ first, bytes }) => utf8Decode(bytes) === `${first}-${first}`)).toBe(true);
    expect(two.batches[0]).toMatchObject({ region: 'region-1', origin: one.origin, partition: 0 });
  });

  test.each([1, 2, 499, 731, 999, 1000, 1001])('is read from entry %d on, and on with what is added', async (from) => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    for (const n of range(1, 500)) one.publish(2 * n - 1, 2 * n);
    await until('acknowledged', () => one.published === 1000);
    two.read(one, from);
    await until('it looked', () => two.metric('log_seeks_total') === 1 && (from > 1000 || two.lastEntry === 1000));
    one.publish(1001, 1002);
    await until('the added came', () => two.lastEntry === 1002);
    const begin = from % 2 === 0 ? from - 1 : from;
    expect(two.entries).toEqual(range(begin, 1002));
    expect(two.metric('log_seeks_total')).toBe(1);
  });

  test('is read anew from where the reader says, and no longer when it says so', async () => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    one.publishEach(1, 100);
    two.read(one, 50);
    await until('read', () => two.lastEntry === 100);
    two.batches.length = 0;
    two.read(one, 90);
    await until('read again', () => two.entries.length === 11);
    two.read(one, null);
    one.publishEach(101, 110);
    await until('acknowledged', () => one.published === 110);
    two.read(one, 105);
    await until('read on', () => two.lastEntry === 110);
    expect(two.entries).toEqual([...range(90, 100), ...range(105, 110)]);
  });

  test('takes batches larger than a message', async () => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    const bytes = Uint8Array.from({ length: 2_500_000 }, (_, i) => (i * 13) % 241);
    one.publish(1);
    one.publish(2, 9, bytes);
    one.publish(10);
    await until('acknowledged', () => one.published === 10);
    two.read(one, 5);
    await until('read', () => two.batches.length === 2);
    expect(Buffer.compare(two.batches[0]?.bytes ?? new Uint8Array(), bytes)).toBe(0);
    expect(two.entries).toEqual(range(2, 10));
  });

  test('does not mix partitions, nor a region with what it was before it was founded anew', async () => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    const { region } = one;
    const bytes = new Uint8Array([1]);
    const again = replicaId(0xffff_ffff_ffff);
    one.publish(1);
    one.link.log.publish({
      partition: (partition0 + 1) as typeof partition0,
      region,
      origin: one.origin,
      first: 1,
      last: 3,
      bytes,
    });
    one.link.log.publish({ partition: partition0, region, origin: again, first: 1, last: 2, bytes });
    await until('acknowledged', () => one.metric('log_batches_published_total') === 3);
    two.link.log.subscribe(partition0, { region, origin: again }, 1);
    await until('read', () => two.batches.length > 0);
    two.read(one, 1);
    await until('read', () => two.batches.length > 1);
    expect(two.batches.map(({ partition, origin, last }) => ({ partition, origin, last }))).toEqual([
      { partition: 0, origin: again, last: 2 },
      { partition: 0, origin: one.origin, last: 1 },
    ]);
  });

  test('goes on where it was when the regions are healed after a cut', async () => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    two.read(one, 1);
    one.publishEach(1, 10);
    await until('read', () => two.lastEntry === 10);
    two.link.cut(one.region);
    one.publishEach(11, 500);
    await until('acknowledged', () => one.published === 500);
    expect(two.lastEntry).toBe(10);
    two.link.heal(one.region);
    await until('read', () => two.lastEntry === 500);
    expect(two.entries).toEqual(range(1, 500));
  });

  test('claims nothing beyond a batch that it dropped, until that comes again', async () => {
    const one = new Party('region-1', {
      servers: [server.url],
      limits: { publishQueueBytesMax: 1000, partBytesMax: 1000 },
    });
    one.publish(1, 1, new Uint8Array(900));
    one.publish(2, 2, new Uint8Array(900));
    one.publish(3, 3, new Uint8Array(90));
    expect(one.metric('log_batches_dropped_total')).toBe(1);
    await until('the two were taken', () => one.metric('log_batches_published_total') === 2);
    expect(one.published).toBe(1);
    one.publish(2);
    one.publish(3);
    await until('all are claimed', () => one.published === 3);
  });

  test('with too little room on the server takes what there is', async () => {
    await server.remove();
    const config = 'port: $NATS_PORT\njetstream { store_dir: $NATS_STORE, max_file_store: 300MB }';
    server = await NatsServer.start({ config });
    const [one, two] = await twoRegions({ servers: [server.url] });
    two.read(one, 1);
    one.publishEach(1, 10);
    await until('read', () => two.lastEntry === 10);
    expect(one.published).toBe(10);
  });
});
