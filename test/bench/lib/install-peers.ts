import { spawnSync } from 'node:child_process';
import { findProgram } from './programs.ts';

/** Programs of the other systems, and the Debian packages that bring them. */
const peers = [
  { program: 'etcd', debianPackage: 'etcd-server', versionFlag: '--version' },
  { program: 'etcdctl', debianPackage: 'etcd-client', versionFlag: 'version' },
  { program: 'nats-server', debianPackage: 'nats-server', versionFlag: '--version' },
  { program: 'redis-server', debianPackage: 'redis-server', versionFlag: '--version' },
] as const;

/** Installs what is missing. Throws with what `apt-get` said when that fails. */
export function installPeers(say: (line: string) => void): void {
  const missing = peers.filter(({ program, versionFlag }) => findProgram(program, null, versionFlag) === null);
  if (missing.length === 0) return;
  const packages = missing.map(({ debianPackage }) => debianPackage);
  say(`Installing ${packages.join(', ')}…`);
  apt('update', '-qq');
  apt('install', '-qq', '-y', '--no-install-recommends', ...packages);
}

function apt(...args: readonly string[]): void {
  const { status, error, stderr } = spawnSync('apt-get', args, {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 300_000,
  });
  if (status !== 0) throw new Error(`apt-get ${args[0]} failed: ${error?.message ?? stderr.trim()}`);
}
