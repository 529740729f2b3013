import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemUnderTest } from './clusters/cluster.ts';
import { etcdSystem } from './clusters/etcd.ts';
import { knowsSyncAlways, natsSystem } from './clusters/nats.ts';
import { redisSystem } from './clusters/redis.ts';
import { skerrySystem } from './clusters/skerry.ts';
import type { Flags } from './flags.ts';
import { findProgram, repositoryRoot } from './lib/programs.ts';

export interface Installed {
  readonly systems: readonly SystemUnderTest[];
  /** What is left out, and why; for people. */
  readonly missing: readonly string[];
}

/** Skerry, and what else is installed on this machine. */
export function installedSystems({ etcd: etcdPath, natsServer, redisServer }: Flags): Installed {
  const own = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { version: string };
  const systems = [skerrySystem(own.version)];
  const missing: string[] = [];

  const etcd = findProgram('etcd', etcdPath);
  if (etcd === null) missing.push(leftOut('etcd', 'etcd', 'etcd-server'));
  else systems.push(etcdSystem(etcd.path, etcd.version));

  const nats = findProgram('nats-server', natsServer);
  if (nats === null) missing.push(leftOut('NATS KV', 'nats-server', 'nats-server'));
  else {
    systems.push(natsSystem(nats.path, nats.version, 'default'));
    if (knowsSyncAlways(nats.path)) systems.push(natsSystem(nats.path, nats.version, 'always'));
    else
      missing.push(`NATS KV that syncs is left out: nats-server ${nats.version} does not know sync_interval: always`);
  }

  const redis = findProgram('redis-server', redisServer);
  if (redis === null) missing.push(leftOut('Redis', 'redis-server', 'redis-server'));
  else systems.push(...(['always', 'everysec'] as const).map((sync) => redisSystem(redis.path, redis.version, sync)));
  return { systems, missing };
}

function leftOut(label: string, program: string, debianPackage: string): string {
  return `${label} is left out: there is no ${program} on PATH (Debian package ${debianPackage}; --install-peers installs it)`;
}

/** Throws when one of `only` is not installed. `nats` and `redis` stand for all of their settings. */
export function chosenSystems({ systems, missing }: Installed, only: readonly string[] | null): SystemUnderTest[] {
  if (only === null) return [...systems];
  return only.flatMap((id) => {
    const found = systems.filter((system) => system.id === id || system.id.startsWith(`${id}-`));
    if (found.length > 0) return found;
    const known = systems.map((system) => system.id).join(', ');
    throw new Error([`there is no system ${id} here, but ${known}`, ...missing].join('\n'));
  });
}
