import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePorts } from '../../faults/lib/ports.ts';
import type { SystemUnderTest } from './cluster.ts';
import { ServerProcess } from './server-process.ts';

/** One server; Redis has no quorum. `always`: it syncs before it answers. */
export function redisSystem(program: string, version: string, appendfsync: 'always' | 'everysec'): SystemUnderTest {
  return {
    id: `redis-${appendfsync}`,
    label: `Redis, appendfsync ${appendfsync}`,
    version,
    durability: appendfsync === 'always' ? 'synced on one' : 'in memory, synced later',
    settings: `one server, appendonly yes, appendfsync ${appendfsync}, no snapshots; ioredis with automatic pipelining`,
    start: async ({ folder }) => {
      const [port = 0] = await freePorts(1);
      const server = new ServerProcess(
        'redis-server',
        program,
        ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes']
          .concat(['--appendfsync', appendfsync])
          .map(String),
        join(folder, 'redis.log'),
      );
      const endpoint = `redis://127.0.0.1:${port}`;
      await server.up(() => answersPing(endpoint));
      return {
        target: { client: 'redis', endpoints: [endpoint] },
        processIds: () => [server.pid],
        fillPace: { batch: 500, inFlight: 4 },
        stop: () => server.stop(),
      };
    },
  };
}

async function answersPing(endpoint: string): Promise<boolean> {
  const redis = new Redis(endpoint, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => {});
  try {
    await redis.connect();
    return (await redis.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    redis.disconnect();
  }
}
