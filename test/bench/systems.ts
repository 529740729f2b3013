import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemUnderTest } from './clusters/cluster.ts';
import { etcdSystem } from './clusters/etcd.ts';
import { knowsSyncAlways, natsSystem } from './clusters/nats.ts';
import { redisSystem } from './clusters/redis.ts';
import { skerrySystem } from './clusters/skerry.ts';
import type { Flags } from './flags.ts';
import { findProgram, findPrograms, repositoryRoot } from './lib/programs.ts';

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

  const etcds = findPrograms('etcd', etcdPath);
  if (etcds.length === 0) missing.push(leftOut('etcd', 'etcd', 'etcd-server'));
  for (const [index, { path, version }] of etcds.entries()) systems.push(named(etcdSystem(path, version), index));

  const natses = findPrograms('nats-server', natsServer);
  if (natses.length === 0) missing.push(leftOut('NATS KV', 'nats-server', 'nats-server'));
  for (const [index, { path, version }] of natses.entries()) {
    systems.push(named(natsSystem(path, version, 'default'), index));
    if (knowsSyncAlways(path)) systems.push(named(natsSystem(path, version, 'always'), index));
    else missing.push(`NATS KV that syncs is left out: nats-server ${version} does not know sync_interval: always`);
  }

  const redis = findProgram('redis-server', redisServer);
  if (redis === null) missing.push(leftOut('Redis', 'redis-server', 'redis-server'));
  else systems.push(...(['always', 'everysec'] as const).map((sync) => redisSystem(redis.path, redis.version, sync)));
  return { systems, missing };
}

/** Of several versions the first has the plain name, by which figures are compared; the others are told apart by theirs. */
function named(system: SystemUnderTest, index: number): SystemUnderTest {
  return index === 0 ? system : { ...system, id: `${system.id}@${system.version}` };
}

/** It was found beside a newer one, or beside one that was named. */
export function isFurtherVersion({ id }: SystemUnderTest): boolean {
  return id.includes('@');
}

function leftOut(label: string, program: string, debianPackage: string): string {
  return `${label} is left out: there is no ${program} on PATH (Debian package ${debianPackage}; --install-peers installs it)`;
}

/** Throws when one of `only` is not installed. `nats` and `redis` stand for all of their settings. */
export function chosenSystems({ systems, missing }: Installed, only: readonly string[] | null): SystemUnderTest[] {
  if (only === null) return [...systems];
  return only.flatMap((id) => {
    const found = systems.filter(
      (system) => system.id === id || system.id.startsWith(`${id}-`) || system.id.startsWith(`${id}@`),
    );
    if (found.length > 0) return found;
    const known = systems.map((system) => system.id).join(', ');
    throw new Error([`there is no system ${id} here, but ${known}`, ...missing].join('\n'));
  });
}
