import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { freePorts } from '../../faults/lib/ports.ts';
import { natsBucket } from '../sessions/nats.ts';
import type { SystemUnderTest } from './cluster.ts';
import { ServerProcess } from './server-process.ts';

/** `always`: every message is synced before it is acknowledged. Default: once in two minutes. */
export type NatsSync = 'default' | 'always';

export function natsSystem(program: string, version: string, sync: NatsSync): SystemUnderTest {
  const said = sync === 'always' ? 'sync_interval: always' : 'sync_interval: 2m (the default)';
  return {
    id: `nats-${sync}`,
    label: `NATS KV, ${said}`,
    version,
    durability: sync === 'always' ? 'synced on a majority' : 'in memory, synced later',
    settings: `JetStream on files, a replica on each server, history 1, ${said}`,
    start: async ({ nodes: count, folder }) => {
      const ports = await freePorts(2 * count);
      const members = Array.from({ length: count }, (_, index) => ({
        name: `nats-${index + 1}`,
        port: ports[2 * index] as number,
        routePort: ports[2 * index + 1] as number,
      }));
      const routes = members.map(({ routePort }) => `nats://127.0.0.1:${routePort}`);
      const servers = members.map(({ name, port, routePort }) => {
        const configFile = join(folder, `${name}.conf`);
        const cluster = count === 1 ? '' : clusterConfig(routePort, routes);
        writeFileSync(
          configFile,
          `server_name: ${name}\nlisten: 127.0.0.1:${port}\n${jetstream(join(folder, name), sync)}${cluster}`,
        );
        return new ServerProcess(name, program, ['-c', configFile], join(folder, `${name}.log`));
      });
      const endpoints = members.map(({ port }) => `nats://127.0.0.1:${port}`);
      await (servers[0] as ServerProcess).up(() => hasBucket(endpoints, count));
      return {
        target: { client: 'nats', endpoints },
        processIds: () => servers.map(({ pid }) => pid),
        fillPace: { batch: 64, inFlight: 4 },
        stop: async () => {
          await Promise.all(servers.map((server) => server.stop()));
        },
      };
    },
  };
}

/** `sync_interval: always` came with 2.10; an older server refuses the word. */
export function knowsSyncAlways(program: string): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-bench-nats-'));
  try {
    const file = join(folder, 'nats.conf');
    writeFileSync(file, jetstream(join(folder, 'data'), 'always'));
    return spawnSync(program, ['-t', '-c', file]).status === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function jetstream(folder: string, sync: NatsSync): string {
  return `jetstream {\n  store_dir: "${folder}"\n${sync === 'always' ? '  sync_interval: always\n' : ''}}\n`;
}

function clusterConfig(port: number, routes: readonly string[]): string {
  return `cluster {\n  name: bench\n  listen: 127.0.0.1:${port}\n  routes: [${routes.join(', ')}]\n}\n`;
}

/** Makes the bucket as soon as the servers have found each other. */
async function hasBucket(endpoints: readonly string[], replicas: number): Promise<boolean> {
  try {
    const connection = await connect({ servers: [...endpoints], maxReconnectAttempts: 0, timeout: 1_000 });
    try {
      const bucket = await new Kvm(connection).create(natsBucket, { replicas, history: 1 });
      await bucket.put('made', 'yes');
      return true;
    } finally {
      await connection.close();
    }
  } catch {
    return false;
  }
}
