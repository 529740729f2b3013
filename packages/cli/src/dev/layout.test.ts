import { describeConfig, loadConfig } from '@skerry/server';
import { describe, expect, test } from 'vitest';
import { serverArguments } from './dev.ts';
import { planDevCluster, readyReport, type DevOptions } from './layout.ts';

const options: DevOptions = { sizes: [3, 3, 3], link: 'direct', partitions: 1, dataDir: '/data', basePort: 7_000 };

describe('the layout of a dev cluster', () => {
  test('puts node n of region r at base + 100r + 10n, peers one above, administration two above', () => {
    const nodes = planDevCluster(options).flatMap((region) => region.nodes);
    expect(nodes).toHaveLength(9);
    expect(nodes[0]).toEqual({
      name: 'region-1-1',
      region: 'region-1',
      clientPort: 7_110,
      peerPort: 7_111,
      adminPort: 7_112,
      dataDir: '/data/region-1-1',
      logFile: '/data/region-1-1.log',
    });
    expect(nodes.at(-1)).toMatchObject({ name: 'region-3-3', clientPort: 7_330, peerPort: 7_331, adminPort: 7_332 });
  });

  test('gives no port to two nodes, up to nine nodes per region', () => {
    const nodes = planDevCluster({ ...options, sizes: Array.from({ length: 20 }, () => 9) }).flatMap(
      (region) => region.nodes,
    );
    const ports = nodes.flatMap((node) => [node.clientPort, node.peerPort, node.adminPort]);
    expect(new Set(ports).size).toBe(ports.length);
  });

  test.each([
    ['no region', { sizes: [] }, '--regions must be a whole number from 1 to 99'],
    [
      'ten nodes, whose ports would run into the next region',
      { sizes: [1, 10] },
      '--nodes must be a whole number from 1 to 9',
    ],
    ['half a partition', { partitions: 0.5 }, '--partitions'],
    ['ports beyond the last', { basePort: 65_400 }, 'the last node would listen at port 65732'],
  ])('refuses %s', (_, change, message) => {
    expect(() => planDevCluster({ ...options, ...change })).toThrow(message);
  });

  test('prints the ready line that DESIGN section 8 shows', () => {
    const report = JSON.stringify(readyReport(planDevCluster({ ...options, sizes: [1] })));
    expect(report).toBe(
      '{"ready":true,"regions":[{"name":"region-1","nodes":[{"name":"region-1-1","client":"ws://127.0.0.1:7110","admin":"http://127.0.0.1:7112"}]}]}',
    );
  });

  test('gives each region its own size', () => {
    const regions = planDevCluster({ ...options, sizes: [5, 3, 1] });
    expect(regions.map(({ name, nodes }) => `${name}: ${nodes.length}`)).toEqual([
      'region-1: 5',
      'region-2: 3',
      'region-3: 1',
    ]);
    expect(regions[0]?.nodes.at(-1)?.clientPort).toBe(7_150);
  });

  const flag = (flags: readonly string[], name: string): string | undefined =>
    flags.includes(name) ? flags[flags.indexOf(name) + 1] : undefined;

  test('tells each node its voters, where its peers are, and where the other regions are', () => {
    const regions = planDevCluster({ ...options, sizes: [3, 1, 2] });
    const flags = serverArguments(regions[0]!.nodes[1]!, regions, options);
    expect(flag(flags, '--bootstrap')).toBe('region-1-1,region-1-2,region-1-3');
    expect(flag(flags, '--peers')).toBe('region-1-1=ws://127.0.0.1:7111,region-1-3=ws://127.0.0.1:7131');
    expect(flag(flags, '--via')).toBe('ws://127.0.0.1:7110,ws://127.0.0.1:7130');
    expect(flag(flags, '--regions')).toBe(
      'region-2=ws://127.0.0.1:7211,region-3=ws://127.0.0.1:7311|ws://127.0.0.1:7321',
    );
    expect(flag(flags, '--link')).toBeUndefined();
    expect(flags).toContain('--unsafe-fault-injection');
    expect(flag(serverArguments(regions[1]!.nodes[0]!, regions, options), '--peers')).toBeUndefined();
  });

  test('tells nodes where NATS is, and one region alone of no other', () => {
    const regions = planDevCluster(options);
    const flags = serverArguments(regions[0]!.nodes[0]!, regions, { ...options, link: 'nats' });
    expect([flag(flags, '--link'), flag(flags, '--nats-servers')]).toEqual(['nats', 'nats://127.0.0.1:7003']);
    const alone = planDevCluster({ ...options, sizes: [3] });
    expect(flag(serverArguments(alone[0]!.nodes[0]!, alone, options), '--regions')).toBeUndefined();
  });

  test('makes flags that a server takes', () => {
    const regions = planDevCluster(options);
    const flags = serverArguments(regions[0]!.nodes[0]!, regions, { ...options, link: 'nats' });
    const fields = new Map(describeConfig().map(({ flag: name, field }) => [name, field]));
    const given: Record<string, string> = {};
    for (const [i, word] of flags.entries()) {
      const field = fields.get(word);
      if (field !== undefined) given[field] = word === '--unsafe-fault-injection' ? 'true' : (flags[i + 1] ?? '');
    }
    expect(loadConfig({ flags: given })).toMatchObject({
      link: 'nats',
      regions: [{ region: 'region-2' }, { region: 'region-3' }],
    });
  });
});
