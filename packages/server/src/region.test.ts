import { rmSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { TestClient } from './testing/test-client.ts';
import { TestRegion } from './testing/region.ts';
import { until } from './testing/until.ts';

const names = ['a', 'b', 'c'];
let region: TestRegion | null = null;
afterEach(async () => {
  await region?.stop();
  expect(region?.fatals ?? []).toEqual([]);
  region = null;
});

async function start(options: Readonly<Record<string, unknown>> = {}): Promise<TestRegion> {
  region = await TestRegion.start(names, options);
  await region.untilLed();
  return region;
}

/** Every member has told the region its addresses and its incarnation. */
async function untilAnnounced(region: TestRegion): Promise<void> {
  const client = await TestClient.greeted(region.running()[0]?.server.clientUrl ?? '');
  const told = () => [...client.of('welcome'), ...client.of('members')].at(-1)?.members ?? [];
  await until(
    'addresses of all',
    () => told().length === 3 && told().every(({ clientUrl }) => clientUrl.startsWith('ws://')),
  );
  client.socket.terminate();
}

test('what one node wrote, every node reads, and clients are told who leads', async () => {
  const region = await start({ partitions: 2 });
  expect(await region.set('a', 'k', 'v1')).toMatchObject({ status: 200, body: { outcome: 'applied' } });
  for (const name of names) expect(await region.get(name, 'k')).toBe('v1');
  const client = await TestClient.greeted(region.node('b').server?.clientUrl ?? '');
  const told = () => [...client.of('welcome'), ...client.of('members')].at(-1);
  await until(
    'members and leaders',
    () => told()?.members.length === 3 && told()?.leaders.every((leader) => leader !== null) === true,
  );
  client.socket.terminate();
  await untilAnnounced(region);
});

test('a state far beyond what may wait unread is watched whole, by WebSocket and by HTTP', async () => {
  const region = await start({
    partitions: 2,
    clientLimits: { unreadBytesPause: 500_000, unreadBytesMax: 1_000_000 },
  });
  const [node] = region.running();
  const value = 'x'.repeat(250_000);
  const keys = Array.from({ length: 40 }, (_, i) => `w/${i}`);
  for (const key of keys) await region.set(node?.name ?? '', key, value);
  const clientUrl = node?.server?.clientUrl ?? '';

  const client = await TestClient.greeted(clientUrl);
  client.request(1, { kind: 'watch', key: 'w/', prefix: true, cursor: '' });
  const batches = () => client.of('answer').flatMap(({ answer }) => (answer.kind === 'watch' ? [answer] : []));
  await until('the whole state', () => batches().some(({ reset }) => reset === 'last'));
  expect(new Set(batches().flatMap(({ events }) => events.map(({ key }) => key)))).toEqual(new Set(keys));
  expect(client.closed).toBeNull();
  client.socket.terminate();

  const response = await fetch(`${clientUrl.replace('ws:', 'http:')}/v1/watch?prefix=w%2F&cursor=`);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('"reset":"last"')) {
    const chunk = await reader?.read();
    if (chunk?.value === undefined) throw new Error('the stream ended early');
    text += chunk.value;
  }
  expect(new Set([...text.matchAll(/"key":"([^"]+)"/g)].map(([, key]) => key))).toEqual(new Set(keys));
  await reader?.cancel();
  // Ten megabytes to three disks and back: seconds where other tests run beside it.
}, 30_000);

test('a leader that dies is replaced, and the survivors go on', async () => {
  const region = await start();
  await region.set('a', 'k', 'before');
  const leader = await region.untilLed();
  await region.kill(leader);
  const next = await region.untilLed();
  expect(next).not.toBe(leader);
  expect(await region.get(next, 'k')).toBe('before');
  expect(await region.set(next, 'k', 'after')).toMatchObject({ status: 200 });
  await region.startNode(leader, { bootstrap: names });
  await region.untilLed();
  expect(await region.get(leader, 'k')).toBe('after');
});

test('a leader that is cut off is replaced, takes quorum-less writes, and joins again when healed', async () => {
  const region = await start();
  const leader = await region.untilLed();
  const others = names.filter((name) => name !== leader);
  await region.order(leader, '/chaos/cut', { peers: others });
  await until('another leader', () => {
    const seen = others.map((name) => region.node(name).server?.status().partitions[0]?.leader);
    return seen.every((name) => name !== undefined && name !== null && name !== leader);
  });
  expect(await region.set(others[0] ?? '', 'k', 'majority')).toMatchObject({ status: 200 });
  await until('the old leader steps down', () => region.node(leader).server?.status().partitions[0]?.quorum === false);
  expect(await region.set(leader, 'cut/off', 'x', 'blocking=false&timeout=200')).toMatchObject({
    status: 504,
    body: { code: 'TIMEOUT', definite: true },
  });
  const weak = await region.set(leader, 'weak', 'w', 'consistent=false');
  expect(weak.status).toBe(202);
  await region.order(leader, '/chaos/heal', {});
  await region.untilLed();
  expect(await region.get(leader, 'k')).toBe('majority');
  // The node that holds it first: it promotes it before it serves. The others may be asked before they have heard of it.
  for (const name of [leader, ...others]) expect(await region.get(name, 'weak')).toBe('w');
});

test('a node that lost its folder is refused under its name until the members take it in anew', async () => {
  const region = await start();
  await untilAnnounced(region);
  await region.set('a', 'k', 'v');
  const lost = names.find((name) => name !== region.leader()) ?? '';
  const live = names.find((name) => name !== lost) ?? '';
  await region.kill(lost);
  rmSync(region.node(lost).dataFolder, { recursive: true });
  await region.startNode(lost, { bootstrap: names });
  const refused = async () =>
    (await (await fetch(`${region.node(live).server?.adminUrl}/metrics`)).text()).includes('WRONG_INCARNATION');
  while (!(await refused()));
  expect(region.node(live).server?.status().peers).not.toContain(lost);

  await region.kill(lost);
  rmSync(region.node(lost).dataFolder, { recursive: true });
  await region.startNode(lost, { join: true });
  const { replica, peerUrl, clientUrl, adminUrl } = await region.adminStatus(lost);
  const member = { node: lost, peerUrl, clientUrl, adminUrl, replica };
  expect(await region.order(live, '/admin/members', { add: [member] })).toMatchObject({ status: 200 });
  await until(
    'it is a voter that caught up',
    () => {
      const { leader, voters, applied } = region.node(lost).server?.status().partitions[0] ?? {
        leader: null,
        voters: [],
        applied: 0,
      };
      return leader !== null && applied > 0 && voters.length === 3;
    },
    10_000,
  );
  expect(await region.get(lost, 'k', 'consistent=false')).toBe('v');

  // Its first flags again: what has joined does not make the cluster of old anew.
  await region.kill(lost);
  await region.startNode(lost, { bootstrap: names });
  await region.untilLed();
  expect(await region.get(lost, 'k')).toBe('v');
}, 20_000);

test('a fourth node joins, and a member leaves', async () => {
  const region = await start();
  await region.set('a', 'k', 'v');
  await region.add('d');
  await region.startNode('d', { join: true });
  const { peerUrl, clientUrl, adminUrl } = await region.adminStatus('d');
  expect(
    await region.order('a', '/admin/members', { add: [{ node: 'd', peerUrl, clientUrl, adminUrl }] }),
  ).toMatchObject({ status: 200 });
  await until('four voters', () => region.node('d').server?.status().partitions[0]?.voters.length === 4, 10_000);
  expect(await region.get('d', 'k')).toBe('v');
  expect(await region.order('d', '/admin/members', { remove: ['a'] })).toMatchObject({ status: 200 });
  await until('three voters', () => region.node('d').server?.status().partitions[0]?.voters.length === 3, 10_000);
  expect(await region.order('b', '/admin/members', { remove: ['a'] })).toMatchObject({
    body: { code: 'MEMBER_UNKNOWN' },
  });
}, 20_000);

test('a planned stop of the leader hands over before anybody notices an absence', async () => {
  const region = await start();
  await region.set('a', 'k', 'v');
  const leader = await region.untilLed();
  const other = names.find((name) => name !== leader) ?? '';
  const before = performance.now();
  const stopping = region.node(leader).server?.stop();
  await until(
    'another leader',
    () => ![leader, null, undefined].includes(region.node(other).server?.status().partitions[0]?.leader),
  );
  const handOverMs = performance.now() - before;
  await stopping;
  region.node(leader).server = null;
  expect(handOverMs).toBeLessThan(200);
  expect(await region.get(other, 'k')).toBe('v');
});
