import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dial, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `SKERRY_NATS_SERVER` names another build than the one on the path (Debian puts it into /usr/sbin). */
const program = [process.env['SKERRY_NATS_SERVER'] ?? 'nats-server', '/usr/sbin/nats-server'].find(
  (candidate) => spawnSync(candidate, ['--version']).status === 0,
);

export const hasNatsServer: boolean = program !== undefined;

const infra = join(import.meta.dirname, '..', '..', '..', 'infra', 'nats');

export interface NatsServerOptions {
  /** A file of `infra/nats`, or the text of a configuration; both may use the environment. */
  readonly config: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly name?: string;
}

const running = new Set<NatsServer>();

/** A real nats-server on ports and a folder of its own, which outlive its process. */
export class NatsServer {
  readonly port: number;
  readonly folder: string;
  readonly #options: NatsServerOptions;
  #running: { readonly child: ChildProcess } | null = null;
  #complaint = '';

  private constructor(options: NatsServerOptions, port: number) {
    this.#options = options;
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), 'skerry-nats-'));
  }

  static async start(options: NatsServerOptions): Promise<NatsServer> {
    const server = await NatsServer.prepare(options);
    await server.start();
    return server;
  }

  /** With its port, not started yet. */
  static async prepare(options: NatsServerOptions): Promise<NatsServer> {
    const [port = 0] = await freePorts(1);
    const server = new NatsServer(options, port);
    running.add(server);
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get log(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8');
  }

  async start(): Promise<void> {
    if (program === undefined) throw new Error('there is no nats-server');
    const { config, env = {}, name = 'nats' } = this.#options;
    let file = join(infra, config);
    if (!config.endsWith('.conf')) writeFileSync((file = join(this.folder, 'nats.conf')), config);
    const child = spawn(program, ['-c', file, '-l', join(this.folder, 'log')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        NATS_NAME: name,
        NATS_PORT: String(this.port),
        NATS_STORE: `"${join(this.folder, 'store')}"`,
        ...env,
      },
    });
    this.#complaint = '';
    child.stderr.on('data', (data) => (this.#complaint += String(data)));
    this.#running = { child };
    while (!(await greets(this.port))) {
      if (child.exitCode !== null) throw new Error(this.#obituary());
    }
  }

  /** SIGKILL unless told. Fails if it had died by itself. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#running === null) return;
    const { child } = this.#running;
    this.#running = null;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(this.#obituary());
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  #obituary(): string {
    return `nats-server ended by itself: ${this.#complaint.slice(0, 2000)}\n${this.log}`;
  }

  pause(): void {
    this.#running?.child.kill('SIGSTOP');
  }

  resume(): void {
    this.#running?.child.kill('SIGCONT');
  }

  /** A file beside a configuration that is given as text, which may include it. */
  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  /** Everything that JetStream stored is gone. */
  wipe(): void {
    rmSync(join(this.folder, 'store'), { recursive: true, force: true });
  }

  /** What a crash would leave of the store at this moment, without what is not on its way to the disk yet. */
  saveStore(): void {
    cpSync(join(this.folder, 'store'), join(this.folder, 'saved'), { recursive: true });
  }

  restoreStore(): void {
    this.wipe();
    cpSync(join(this.folder, 'saved'), join(this.folder, 'store'), { recursive: true });
  }

  async remove(): Promise<void> {
    running.delete(this);
    try {
      await this.kill();
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

export async function removeServers(): Promise<void> {
  for (const server of running) await server.remove();
}

const given = new Set<number>();

/**
 * Ports of loopback that are free, for servers that must come back at the same ones: none twice, and from below those
 * that the system gives to outgoing connections (from 32768 on).
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = once(server, 'listening').then(
    () => true,
    () => false,
  );
  server.listen(port, '127.0.0.1');
  if (!(await listening)) return false;
  server.close();
  await once(server, 'close');
  return true;
}

/** A NATS server speaks first. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(port, '127.0.0.1');
    // An answer later than this is asked for again.
    const timer = setTimeout(() => socket.destroy(), 1000);
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(timer);
      setImmediate(() => resolve(false));
    });
  });
}
