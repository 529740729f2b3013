import { nodeId, partitionId, regionId, replicaId, type RegionId } from '@skerry/base';
import type { LinkEvents, RegionDirectoryEntry, RegionLink } from '@skerry/replica';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { contactsOf, RegionLinks } from './region-link.ts';
import { TestRegion } from './testing/region.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

const regions: TestRegion[] = [];
const servers: TestServer[] = [];
afterEach(async () => {
  for (const region of regions.splice(0)) {
    await region.stop();
    expect(region.fatals).toEqual([]);
  }
  for (const server of servers.splice(0)) await server.kill();
});

const [r1, r2, r3] = ['region-1', 'region-2', 'region-3'].map(regionId) as [RegionId, RegionId, RegionId];

function entry(region: RegionId, change: Partial<RegionDirectoryEntry> = {}): RegionDirectoryEntry {
  return { region, self: false, evicted: false, nodes: [], urls: [`ws://${region}:1`], ...change };
}

/** A link that writes down what it is told. */
function fakeLink(): { links: RegionLinks; told: unknown[]; heard: unknown[]; events: () => LinkEvents } {
  const told: unknown[] = [];
  const heard: unknown[] = [];
  let given: LinkEvents | null = null;
  const link: RegionLink = {
    send: (...args) => told.push(['send', ...args]),
    log: {
      publish: (...args) => told.push(['publish', ...args]),
      subscribe: (...args) => told.push(['subscribe', ...args]),
    },
    setRegions: (...args) => told.push(['setRegions', ...args]),
    cut: (region) => told.push(['cut', region]),
    heal: (region) => told.push(['heal', region]),
    metrics: () => ({ link_anything: 1 }),
    close: async () => void told.push(['close']),
  };
  const make = (events: LinkEvents) => {
    given = events;
    return { link, upgrade: null, refusals: () => new Map(), via: () => null, terminate: () => {} };
  };
  const links = new RegionLinks(make, {
    receive: (...args) => heard.push(['receive', ...args]),
    entries: (...args) => heard.push(['entries', ...args]),
    published: (...args) => heard.push(['published', ...args]),
    regionUp: (region) => heard.push(['up', region]),
    regionDown: (region) => heard.push(['down', region]),
  });
  return { links, told, heard, events: () => given! };
}

test('the link learns of all other regions, the evicted too: what comes back must be told that it was', () => {
  const { links, told } = fakeLink();
  links.setRegions([entry(r1, { self: true }), entry(r2), entry(r3, { evicted: true })]);
  const evicted = contactsOf(entry(r3, { evicted: true }));
  expect(told).toEqual([['setRegions', [{ region: r2, urls: ['ws://region-2:1'] }, evicted]]]);
  expect(links.describe()).toEqual([
    { region: r2, up: false, via: null },
    { region: r3, up: false, via: null },
  ]);
});

test('contacts are what the nodes of a region tell, then what was configured, each once', () => {
  const nodes = ['ws://n1:1', 'ws://n2:1'].map((peerUrl, i) => ({
    node: nodeId(`n${i}`),
    peerUrl,
    clientUrl: '',
    adminUrl: '',
  }));
  const urls = ['ws://configured:1', 'ws://n1:1'];
  expect(contactsOf(entry(r2, { nodes, urls })).urls).toEqual(['ws://n1:1', 'ws://n2:1', 'ws://configured:1']);
});

test('frames, batches and subscriptions go to the link, and what it tells is passed on and remembered', () => {
  const { links, told, heard, events } = fakeLink();
  const [partition, origin] = [partitionId(0), replicaId(7)];
  const frame = Uint8Array.of(1);
  const batch = { partition, origin, region: r1, first: 1, last: 1, bytes: frame };
  const log = { region: r2, origin };
  links.carryOut({
    frames: [{ region: r2, frame }],
    batches: [batch],
    subscriptions: [{ partition, origin: log, from: null }],
  });
  expect(told).toEqual([
    ['send', r2, frame],
    ['publish', batch],
    ['subscribe', partition, log, null],
  ]);
  links.setRegions([entry(r2), entry(r3)]);
  const up = (): string[] => links.describe().flatMap(({ region, up: isUp }) => (isUp ? [region] : []));
  events().regionUp(r2);
  expect([up(), links.metrics()]).toEqual([[r2], { link_anything: 1, link_regions_up: 1 }]);
  events().regionDown(r2);
  events().receive(r2, frame);
  expect([up(), heard]).toEqual([
    [],
    [
      ['up', r2],
      ['down', r2],
      ['receive', r2, frame],
    ],
  ]);
});

test('cuts are passed on and listed until they heal', () => {
  const { links, told } = fakeLink();
  links.cut(r2);
  links.cut(r3);
  links.heal(r2);
  expect(links.cutRegions()).toEqual([r3]);
  expect(told).toEqual([
    ['cut', r2],
    ['cut', r3],
    ['heal', r2],
  ]);
});

test('configured regions reach the replica, and the kind of link says whether it has a log', async () => {
  const server = await startTestServer({ regions: 'region-2=ws://127.0.0.1:1' });
  servers.push(server);
  expect(server.replicaOptions).toMatchObject({
    regions: [{ region: r2, urls: ['ws://127.0.0.1:1'] }],
    linkHasLog: false,
  });
});

test('the peer listener takes links under their own path, and says what it is to a browser', async () => {
  const server = await startTestServer();
  servers.push(server);
  const reason = await new Promise((resolve) => {
    const socket = new WebSocket(`${server.peerUrl}/link`);
    socket.on('error', () => {});
    socket.on('unexpected-response', (_, { headers }) => {
      resolve(headers['x-skerry-link-refusal']);
      socket.terminate();
    });
  });
  expect(reason).toBe('MALFORMED_HELLO: no hello of a link');
  const response = await fetch(server.peerUrl.replace('ws:', 'http:'));
  expect([response.status, await response.text()]).toEqual([426, 'for nodes, by WebSocket\n']);
});

/** Two regions, of which the second was told of the first. */
async function startTwo(): Promise<readonly [TestRegion, TestRegion]> {
  const first = await TestRegion.start(['a1', 'a2', 'a3'], { region: 'region-1', regions: 'region-2' });
  regions.push(first);
  const urls = first.running().map(({ server }) => server.peerUrl);
  const second = await TestRegion.start(['b1'], { region: 'region-2', regions: `region-1=${urls.join('|')}` });
  regions.push(second);
  await Promise.all([first.untilLed(), second.untilLed()]);
  return [first, second];
}

const linked = async (region: TestRegion, name: string): Promise<boolean> => {
  const { links } = (await region.adminStatus(name)) as { links: { up: boolean }[] };
  return links.length > 0 && links.every(({ up }) => up);
};

/** Asks until it is so. */
async function eventually(what: string, fact: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!(await fact())) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain: ${what}`);
    await new Promise((next) => setTimeout(next, 10));
  }
}

const untilEqual = (region: TestRegion, name: string, key: string, value: string): Promise<void> =>
  eventually(`${key} is ${value} at ${name}`, async () => (await region.get(name, key)) === value);

test('regions of different size exchange what is written, not while they are cut, and again when healed', async () => {
  const [first, second] = await startTwo();
  for (const [region, names] of [
    [first, ['a1', 'a2', 'a3']],
    [second, ['b1']],
  ] as const) {
    for (const name of names) await eventually(`${name} is linked`, () => linked(region, name));
  }
  await first.set('a1', 'k1', 'from the first');
  await second.set('b1', 'k2', 'from the second');
  await untilEqual(second, 'b1', 'k1', 'from the first');
  for (const name of ['a1', 'a2', 'a3']) await untilEqual(first, name, 'k2', 'from the second');

  await second.order('b1', '/chaos/cut', { regions: ['region-1'] });
  await eventually('a1 knows', async () => !(await linked(first, 'a1')));
  await first.set('a2', 'k1', 'cut');
  await first.set('a2', 'k3', 'cut');
  expect([await second.get('b1', 'k1'), await second.get('b1', 'k3')]).toEqual(['from the first', null]);

  expect(await second.order('b1', '/chaos/heal', {})).toMatchObject({ status: 200, body: { cutRegions: [] } });
  await untilEqual(second, 'b1', 'k1', 'cut');
  await untilEqual(second, 'b1', 'k3', 'cut');
  const metrics = await (await fetch(`${second.node('b1').server?.adminUrl}/metrics`)).text();
  expect(metrics).toMatch(/skerry_link_regions_up\{[^}]*\} 1/);
  expect(metrics).toMatch(/skerry_link_refusals_total\{[^}]*code="CUT"[^}]*\} [1-9]/);
}, 30_000);
