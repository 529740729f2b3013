import { join } from 'node:path';
import { freePorts } from '../../faults/lib/ports.ts';
import type { SystemUnderTest } from './cluster.ts';
import { ServerProcess } from './server-process.ts';

/** Its history of revisions grows with every write of a run; the default of 2 GiB would end a long one. */
const quotaBytes = 8 * 2 ** 30;

/** etcd syncs its log on a majority before it answers; there is no other setting. */
export function etcdSystem(program: string, version: string): SystemUnderTest {
  return {
    id: 'etcd',
    label: 'etcd',
    version,
    durability: 'synced on a majority',
    settings: `quota-backend-bytes ${quotaBytes}, else defaults; client etcd3, which deals calls out to all members`,
    start: async ({ nodes: count, folder }) => {
      const ports = await freePorts(2 * count);
      const members = Array.from({ length: count }, (_, index) => ({
        name: `etcd-${index + 1}`,
        clientUrl: `http://127.0.0.1:${ports[2 * index]}`,
        peerUrl: `http://127.0.0.1:${ports[2 * index + 1]}`,
      }));
      const cluster = members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
      const servers = members.map(({ name, clientUrl, peerUrl }) => {
        const args = {
          name,
          'data-dir': join(folder, name),
          'listen-client-urls': clientUrl,
          'advertise-client-urls': clientUrl,
          'listen-peer-urls': peerUrl,
          'initial-advertise-peer-urls': peerUrl,
          'initial-cluster': cluster,
          'initial-cluster-state': 'new',
          'quota-backend-bytes': String(quotaBytes),
          logger: 'zap',
        };
        const list = Object.entries(args).map(([flag, value]) => `--${flag}=${value}`);
        return new ServerProcess(name, program, list, join(folder, `${name}.log`));
      });
      await Promise.all(
        servers.map((server, index) => server.up(() => isHealthy(members[index]?.clientUrl as string))),
      );
      return {
        target: { client: 'etcd', endpoints: members.map(({ clientUrl }) => clientUrl) },
        processIds: () => servers.map(({ pid }) => pid),
        fillPace: { batch: 100, inFlight: 4 },
        stop: async () => {
          await Promise.all(servers.map((server) => server.stop()));
        },
      };
    },
  };
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(1_000) });
    return ((await response.json()) as { health: string }).health === 'true';
  } catch {
    return false;
  }
}
