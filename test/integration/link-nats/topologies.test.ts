import { afterEach, describe, expect, test } from 'vitest';
import { freePorts, hasNatsServer, NatsServer, removeServers } from './nats-server.ts';
import { closeParties, Party, range, until, type PartyOptions } from './party.ts';

afterEach(async () => {
  await closeParties();
  await removeServers();
});

const regions = ['region-1', 'region-2', 'region-3'];

/** The files of `infra/nats`, as real servers. */
describe.skipIf(!hasNatsServer)('three regions (skipped without nats-server)', () => {
  test('on one shared server exchange frames and logs', async () => {
    const server = await NatsServer.start({ config: 'single.conf' });
    await exchange(regions.map(() => ({ servers: [server.url] })));
  });

  test('on a shared cluster of three servers exchange frames and logs, and go on when one server dies', async () => {
    const servers = await startCluster();
    const limits = { streamReplicas: 3 };
    const parties = await exchange(servers.map((_, i) => ({ servers: rotated(servers, i), limits })));
    await servers[0]?.kill();
    for (const party of parties) party.publishEach(101, 110);
    await until(
      'all came',
      () => parties.every((party) => others(party, parties).every((o) => has(party, o, 110))),
      50_000,
    );
  });

  test('with a NATS each, joined by leaf nodes, exchange frames and logs, and a leaf alone goes on writing', async () => {
    const [leafPort = 0] = await freePorts(1);
    const hubEnv = { NATS_DOMAIN: 'region-1', NATS_LEAF_PORT: String(leafPort) };
    const hub = await NatsServer.start({ config: 'leaf-hub.conf', name: 'region-1', env: hubEnv });
    const leaves: NatsServer[] = [];
    for (const name of regions.slice(1)) {
      const env = { NATS_DOMAIN: name, NATS_HUB: `"nats-leaf://127.0.0.1:${leafPort}"` };
      leaves.push(await NatsServer.start({ config: 'leaf-region.conf', name, env }));
    }
    const parties = await exchange([hub, ...leaves].map(({ url }) => ({ servers: [url] })));
    await hub.kill();
    parties[1]?.publishEach(101, 110);
    await until('taken by the leaf', () => parties[1]?.published === 110);
    await hub.start();
    await until('read by the others', () => others(parties[1], parties).every((party) => has(party, parties[1], 110)));
  });

  test('with a NATS each, joined by gateways, exchange frames and logs', async () => {
    const ports = await freePorts(6);
    const gateways = regions.map((name, i) => `{name: ${name}, url: "nats://127.0.0.1:${ports[3 + i]}"}`);
    const servers = await Promise.all(
      regions.map((name, i) => {
        const env = {
          NATS_REGION: name,
          NATS_ROUTE_PORT: String(ports[i]),
          NATS_ROUTES: `["nats-route://127.0.0.1:${ports[i]}"]`,
          NATS_GATEWAY_PORT: String(ports[3 + i]),
          NATS_GATEWAYS: `[${gateways.join(', ')}]`,
        };
        return NatsServer.start({ config: 'gateway.conf', name, env });
      }),
    );
    await exchange(servers.map(({ url }) => ({ servers: [url] })));
  });
});

/** Every region sends every other a frame, and reads 100 entries of its log. */
async function exchange(options: readonly PartyOptions[]): Promise<Party[]> {
  const parties = regions.map((name, i) => new Party(name, options[i] ?? { servers: [] }));
  for (const party of parties) {
    party.knows(...others(party, parties));
    for (const other of others(party, parties)) party.read(other, 1);
    party.publishEach(1, 100);
  }
  await until('all regions are up', () => parties.every(({ news }) => news.length >= 2), 40_000);
  for (const party of parties) for (const other of others(party, parties)) party.send(other, `from ${party.region}`);
  await until('all frames came', () => parties.every(({ frames }) => frames.length === 2));
  await until(
    'all logs came',
    () => parties.every((party) => others(party, parties).every((o) => has(party, o, 100))),
    50_000,
  );
  for (const party of parties) {
    for (const other of others(party, parties)) {
      const { region } = other;
      expect(party.batches.filter((batch) => batch.region === region).map(({ first }) => first)).toEqual(range(1, 100));
      expect(party.texts).toContain(`from ${region}`);
    }
  }
  return parties;
}

function has(party: Party | undefined, other: Party | undefined, entry: number): boolean {
  return party?.batches.some(({ region, last }) => region === other?.region && last >= entry) === true;
}

function others(party: Party | undefined, parties: readonly Party[]): Party[] {
  return parties.filter((other) => other !== party);
}

async function startCluster(): Promise<NatsServer[]> {
  const ports = await freePorts(3);
  const routes = `[${ports.map((port) => `"nats-route://127.0.0.1:${port}"`).join(', ')}]`;
  return Promise.all(
    ports.map((port, i) => {
      const env = { NATS_ROUTE_PORT: String(port), NATS_ROUTES: routes };
      return NatsServer.start({ config: 'cluster.conf', name: `nats-${i + 1}`, env });
    }),
  );
}

function rotated(servers: readonly NatsServer[], by: number): string[] {
  return [...servers.slice(by), ...servers.slice(0, by)].map(({ url }) => url);
}
