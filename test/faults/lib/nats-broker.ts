import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from './ports.ts';
import { until } from './until.ts';

/** `SKERRY_NATS_SERVER` names another build than the one on the path (Debian puts it into /usr/sbin). */
const program = [process.env['SKERRY_NATS_SERVER'] ?? 'nats-server', '/usr/sbin/nats-server'].find(
  (candidate) => spawnSync(candidate, ['--version']).status === 0,
);

export const hasNatsServer: boolean = program !== undefined;

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** One nats-server with JetStream, shared by all regions. */
export class NatsBroker {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(folder: string): Promise<NatsBroker> {
    if (program === undefined) throw new Error('there is no nats-server');
    const [port = 0] = await freePorts(1);
    const child = spawn(program, ['-c', singleServerConfig(), '-l', join(folder, 'nats.log')], {
      stdio: 'ignore',
      env: {
        ...process.env,
        NATS_NAME: 'faults',
        NATS_PORT: String(port),
        NATS_STORE: `"${join(folder, 'nats')}"`,
      },
    });
    alive.add(child);
    child.once('exit', () => alive.delete(child));
    await until('nats-server to greet', () => greets(port));
    return new NatsBroker(`nats://127.0.0.1:${port}`, child);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}

/** This file may run from the sources or from their build. */
function singleServerConfig(): string {
  const found = ['../../../infra/nats/single.conf', '../../../../infra/nats/single.conf']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error('there is no infra/nats/single.conf');
  return found;
}

/** A NATS server speaks first. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve(false));
  });
}
