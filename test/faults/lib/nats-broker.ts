import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
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
  readonly #folder: string;
  readonly #port: number;
  #child: ChildProcess | null = null;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    this.url = `nats://127.0.0.1:${port}`;
  }

  static async start(folder: string): Promise<NatsBroker> {
    const [port = 0] = await freePorts(1);
    const broker = new NatsBroker(folder, port);
    await broker.start();
    return broker;
  }

  async start(): Promise<void> {
    if (program === undefined) throw new Error('there is no nats-server');
    const child = spawn(program, ['-c', singleServerConfig(), '-l', join(this.#folder, 'nats.log')], {
      stdio: 'ignore',
      env: {
        ...process.env,
        NATS_NAME: 'faults',
        NATS_PORT: String(this.#port),
        NATS_STORE: `"${this.#store}"`,
      },
    });
    alive.add(child);
    child.once('exit', () => alive.delete(child));
    this.#child = child;
    await until('nats-server to greet', () => greets(this.#port));
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** SIGKILL. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  /** All streams and consumers are gone. It must be stopped. */
  wipe(): void {
    rmSync(this.#store, { recursive: true, force: true });
  }

  get #store(): string {
    return join(this.#folder, 'nats');
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
