import { describe, expect, test } from 'vitest';
import { serverArguments } from './dev.ts';
import { planDevCluster, readyReport } from './layout.ts';

const options = { regions: 3, nodes: 3, partitions: 1, dataDir: '/data', basePort: 7_000 };

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
    const nodes = planDevCluster({ ...options, regions: 20, nodes: 9 }).flatMap((region) => region.nodes);
    const ports = nodes.flatMap((node) => [node.clientPort, node.peerPort, node.adminPort]);
    expect(new Set(ports).size).toBe(ports.length);
  });

  test.each([
    ['no region', { regions: 0 }, '--regions must be a whole number from 1 to 99'],
    [
      'ten nodes, whose ports would run into the next region',
      { nodes: 10 },
      '--nodes must be a whole number from 1 to 9',
    ],
    ['half a partition', { partitions: 0.5 }, '--partitions'],
    ['ports beyond the last', { basePort: 65_400 }, 'the last node would listen at port 65732'],
  ])('refuses %s', (_, change, message) => {
    expect(() => planDevCluster({ ...options, ...change })).toThrow(message);
  });

  test('prints the ready line that DESIGN section 8 shows', () => {
    const report = JSON.stringify(readyReport(planDevCluster({ ...options, regions: 1, nodes: 1 })));
    expect(report).toBe(
      '{"ready":true,"regions":[{"name":"region-1","nodes":[{"name":"region-1-1","client":"ws://127.0.0.1:7110","admin":"http://127.0.0.1:7112"}]}]}',
    );
  });

  test('tells each node its voters and where its peers are', () => {
    const [region] = planDevCluster(options);
    const flags = serverArguments(region!.nodes[1]!, region!.nodes, options);
    expect(flags[flags.indexOf('--bootstrap') + 1]).toBe('region-1-1,region-1-2,region-1-3');
    expect(flags[flags.indexOf('--peers') + 1]).toBe('region-1-1=ws://127.0.0.1:7111,region-1-3=ws://127.0.0.1:7131');
    expect(flags[flags.indexOf('--via') + 1]).toBe('ws://127.0.0.1:7110,ws://127.0.0.1:7130');
    expect(flags).toContain('--unsafe-fault-injection');
  });
});
