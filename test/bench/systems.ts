import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemUnderTest } from './clusters/cluster.ts';
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
export function installedSystems({ redisServer }: Flags): Installed {
  const own = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { version: string };
  const systems = [skerrySystem(own.version)];
  const missing: string[] = [];
  const redis = findProgram('redis-server', redisServer);
  if (redis === null) missing.push('Redis is left out: there is no redis-server on PATH (Debian package redis-server)');
  else systems.push(...(['always', 'everysec'] as const).map((sync) => redisSystem(redis.path, redis.version, sync)));
  return { systems, missing };
}

/** Throws when one of `only` is not installed. */
export function chosenSystems({ systems, missing }: Installed, only: readonly string[] | null): SystemUnderTest[] {
  if (only === null) return [...systems];
  return only.map((id) => {
    const found = systems.find((system) => system.id === id);
    if (found !== undefined) return found;
    throw new Error(
      [`there is no system ${id} here, but ${systems.map((system) => system.id).join(', ')}`, ...missing].join('\n'),
    );
  });
}
