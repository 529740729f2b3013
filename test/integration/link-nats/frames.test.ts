import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasNatsServer, NatsServer, removeServers } from './nats-server.ts';
import { closeParties, Party, range, twoRegions, until } from './party.ts';

let server: NatsServer;
afterEach(async () => {
  await closeParties();
  await removeServers();
});

describe.skipIf(!hasNatsServer)('frames over NATS (skipped without nats-server)', () => {
  beforeEach(async () => {
    server = await NatsServer.start({ config: 'single.conf' });
  });

  test('arrive in order, both ways', async () => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    for (const n of range(1, 500)) {
      one.send(two, `a${n}`);
      two.send(one, `b${n}`);
    }
    await until('all came', () => one.frames.length === 500 && two.frames.length === 500);
    expect(two.texts).toEqual(range(1, 500).map((n) => `a${n}`));
    expect(one.texts).toEqual(range(1, 500).map((n) => `b${n}`));
    expect(two.frames[0]?.from).toBe('region-1');
  });

  test('reach one node of the region each, all the same one while that is there, and then another', async () => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    const others = [
      two,
      new Party('region-2', { servers: [server.url] }),
      new Party('region-2', { servers: [server.url] }),
    ];
    for (const other of others) other.knows(one);
    await until('the others are connected', () => others.every((party) => party.metric('connected') === 1));
    for (const n of range(1, 100)) one.send(two, String(n));
    await until('all came', () => others.reduce((sum, party) => sum + party.frames.length, 0) === 100);
    expect(two.texts).toEqual(range(1, 100).map(String));

    await two.close();
    const rest = others.slice(1);
    await until('one of the others gets them', () => {
      one.send(two, 'on');
      return rest.some((party) => party.texts.includes('on'));
    });
    expect(one.news).toEqual(['+region-2']);
  });

  test('larger than a message go in parts, and come whole', async () => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7) % 251);
    one.link.send(two.region, bytes);
    one.send(two, 'after');
    await until('both came', () => two.frames.length === 2);
    expect(Buffer.compare(two.frames[0]?.bytes ?? new Uint8Array(), bytes)).toBe(0);
    expect(two.texts[1]).toBe('after');
  });

  test('beyond the limit are refused and counted, and too many unsent are dropped and counted', async () => {
    const limits = { bytesMax: 10_000, partBytesMax: 1000, unsentBytesMax: 20_000 };
    const [one, two] = await twoRegions({ servers: [server.url], limits });
    one.link.send(two.region, new Uint8Array(10_001));
    expect(one.metric('frames_dropped_oversized_total')).toBe(1);
    for (const _ of range(1, 3)) one.link.send(two.region, new Uint8Array(9000));
    expect(one.metric('frames_dropped_unsent_total')).toBe(1);
    await until('the two that fitted came', () => two.frames.length === 2);
    expect(two.frames.every(({ bytes }) => bytes.length === 9000)).toBe(true);
  });

  test('pass neither way between regions that were cut, and again once that is healed on both sides', async () => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    const three = new Party('region-3', { servers: [server.url] });
    three.knows(one);
    one.knows(two, three);
    await until('the third is up', () => one.news.includes('+region-3') && three.news.includes('+region-1'));
    one.link.cut(two.region);
    expect(one.news).not.toContain('-region-2');
    await until('both know', () => one.news.includes('-region-2') && two.news.includes('-region-1'));
    one.send(two, 'lost');
    two.send(one, 'lost');
    three.send(one, 'through');
    await until('the third is not cut', () => one.texts.includes('through'));
    expect([...one.texts, ...two.texts]).toEqual(['through']);

    one.link.heal(two.region);
    await until('both are up', () => one.news.at(-1) === '+region-2' && two.news.at(-1) === '+region-1');
    one.send(two, 'found');
    await until('it came', () => two.texts.includes('found'));
    expect(two.texts).toEqual(['found']);
  });

  test('of other clusters, and of regions that are not known, are not heard', async () => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    const foreign = new Party('region-1', { servers: [server.url], cluster: 'other' });
    const stranger = new Party('region-9', { servers: [server.url] });
    foreign.knows(two);
    stranger.knows(two);
    await until('the strangers are there', () => stranger.metric('connected') + foreign.metric('connected') === 2);
    foreign.send(two, 'foreign');
    stranger.send(two, 'stranger');
    await until('it was refused', () => two.metric('frames_unwelcome_total') === 1);
    one.send(two, 'known');
    await until('the known one came', () => two.frames.length > 0);
    expect(two.texts).toEqual(['known']);
    expect([...foreign.news, ...stranger.news]).toEqual([]);
  });

  test('end with the link: nothing is delivered after it was closed, and the other side learns of it', async () => {
    const [one, two] = await twoRegions({ servers: [server.url] });
    await two.close();
    const seen = two.frames.length;
    await until('the other knows', () => one.news.includes('-region-2'));
    one.send(two, 'late');
    expect(two.frames.length).toBe(seen);
    expect(two.news).toEqual(['+region-1']);
  });
});
