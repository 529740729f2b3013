import { regionId } from '@skerry/base';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Admin, logSubject, streamName } from './admin.ts';
import { hasNatsServer, NatsServer, removeServers } from './nats-server.ts';
import { block, closeParties, partition0, Party, range, twoRegions, until } from './party.ts';

describe.skipIf(!hasNatsServer)('a stream (skipped without nats-server)', () => {
  let server: NatsServer;
  let admin: Admin;
  let one: Party;
  let two: Party;
  beforeEach(async () => {
    server = await NatsServer.start({ config: 'single.conf' });
    admin = await Admin.connect(server);
    [one, two] = await twoRegions({ servers: [server.url], limits: { duplicateWindowMs: 100 } });
  });
  afterEach(async () => {
    await admin.close();
    await closeParties();
    await removeServers();
  });

  async function publishAndRead(count: number): Promise<void> {
    two.read(one, 1);
    one.publishEach(1, count);
    await until('read', () => two.lastEntry === count && one.published === count);
  }

  test('that is purged leaves a gap to late readers, and goes on for all', async () => {
    one.publishEach(1, 100);
    await until('acknowledged', () => one.published === 100);
    await admin.streams.purge(streamName);
    two.read(one, 51);
    await until('it looked', () => two.metric('log_seeks_total') > 0);
    one.publishEach(101, 110);
    await until('the new came', () => two.lastEntry === 110);
    expect(two.entries).toEqual(range(101, 110));
  });

  test('that is purged under a reader goes on', async () => {
    await publishAndRead(100);
    await admin.streams.purge(streamName);
    one.publishEach(101, 110);
    await until('the new came', () => two.lastEntry === 110);
    expect(two.entries).toEqual(range(1, 110));
  });

  test('that is deleted is made anew by its publisher, and read from the position, not from the old sequence', async () => {
    await publishAndRead(100);
    await admin.streams.delete(streamName);
    one.publishEach(101, 110);
    await until('the new came', () => two.lastEntry === 110);
    expect(two.entries).toEqual(range(1, 110));
    const { state } = await admin.streams.info(streamName);
    expect(state.last_seq).toBe(10);
  });

  test('that somebody else made anew, with more in it than the old one had, is read from the position', async () => {
    await publishAndRead(100);
    const { config } = await admin.streams.info(streamName);
    await admin.streams.delete(streamName);
    await admin.streams.add({ name: config.name, subjects: config.subjects });
    // Sequence 101, where the old reader would go on, is entry 51 here.
    await admin.repeat(one, [...range(1, 50), ...range(1, 200)]);
    await until('the new came', () => two.lastEntry === 200);
    expect(two.entries.slice(0, 100)).toEqual(range(1, 100));
    expect(two.entries.slice(100)).toEqual(range(101, 200));
  });

  test('whose publisher comes back gets the configured limits, without losing what it holds', async () => {
    await publishAndRead(10);
    await admin.streams.update(streamName, { max_bytes: 5_000_000 });
    await server.kill();
    await server.start();
    one.publish(11);
    await until('published', () => one.published === 11);
    await admin.close();
    admin = await Admin.connect(server);
    const { config, state } = await admin.streams.info(streamName);
    expect(config.max_bytes).toBe(1024 ** 3);
    expect(state.messages).toBe(11);
  });

  test('that holds repetitions from outside its duplicate window delivers them as they are', async () => {
    await publishAndRead(10);
    await admin.repeat(one, [4, 5, 6]);
    one.publish(11);
    await until('the new came', () => two.lastEntry === 11);
    expect(two.entries).toEqual([...range(1, 10), 4, 5, 6, 11]);
    // A late repetition at the end does not mislead one who begins.
    await admin.repeat(one, [2, 3]);
    two.batches.length = 0;
    two.read(one, 9);
    await until('it came', () => two.entries.includes(11));
    expect(two.entries).toEqual(expect.arrayContaining([9, 10, 11]));
  });

  test('that is just being made is asked nothing that kills the server (nats-server 2.9.10, nil pointer)', async () => {
    const reader = new Party('region-3', { servers: [server.url], timing: { retryMsMin: 1, retryMsMax: 2 } });
    const names = range(100, 219).map((n) => `region-${n}`);
    for (const name of names) {
      const region = regionId(name);
      reader.link.log.subscribe(partition0, { region, origin: one.origin }, 1);
    }
    await until('all ask', () => reader.metric('log_read_failures_total') > 2 * names.length);
    for (const name of names) {
      await admin.streams.add({ name: `SKERRY_test_${name}`, subjects: [`skerry.test.log.${name}.>`] });
    }
    // The server's end by itself fails the test when it is removed.
    await publishAndRead(10);
  });

  test('with a gap delivers what there is', async () => {
    one.publishEach(1, 5);
    one.publishEach(9, 12);
    await until('acknowledged', () => one.metric('log_batches_published_total') === 9);
    expect(one.published).toBe(5);
    two.read(one, 7);
    await until('it came', () => two.lastEntry === 12);
    expect(two.entries).toEqual(range(9, 12));
  });

  test('with strange messages delivers the others and counts the strange', async () => {
    one.publishEach(1, 3);
    await until('acknowledged', () => one.published === 3);
    await admin.publish(logSubject(one), 'garbage');
    one.publishEach(4, 6);
    two.read(one, 1);
    await until('all came', () => two.lastEntry === 6);
    expect(two.entries).toEqual(range(1, 6));
    expect(two.metric('log_malformed_total')).toBe(1);
  });

  test('whose consumers are deleted gets new ones at the position', async () => {
    await publishAndRead(20);
    for await (const { name } of admin.consumers.list(streamName)) await admin.consumers.delete(streamName, name);
    one.publishEach(21, 30);
    await until('the new came', () => two.lastEntry === 30);
    expect(two.entries).toEqual(range(1, 30));
  });

  test('is read to its end by a slow reader, without more on the way than the window', async () => {
    const bytes = new Uint8Array(100_000);
    for (const entry of range(1, 300)) one.publish(entry, entry, bytes);
    await until('acknowledged', () => one.published === 300);
    // 4.5 s in all, longer than a server or a client may be silent.
    two.blockMs = 15;
    two.read(one, 1);
    await until('all came', () => two.lastEntry === 300);
    expect(two.entries).toEqual(range(1, 300));
    expect(two.metric('connects_total')).toBe(1);
  });

  test('whose reader stood still for longer than its consumer lives is read on from the position', async () => {
    await publishAndRead(20);
    for await (const { name } of admin.consumers.list(streamName)) await admin.consumers.delete(streamName, name);
    one.publishEach(21, 30);
    await until('acknowledged', () => one.published === 30);
    block(2500);
    await until('the new came', () => two.lastEntry === 30);
    expect(two.entries).toEqual(range(1, 30));
  });
});
