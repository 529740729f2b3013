import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The built `skerry` command. */
export const skerryBin: string = join(
  dirname(createRequire(import.meta.url).resolve('@skerry/cli')),
  '..',
  'bin',
  'skerry.mjs',
);

export interface RegionNodeOptions {
  readonly name: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  readonly adminUrl: string;
  readonly configFile: string;
  readonly dataFolder: string;
  readonly logFile: string;
  /** The `skerry` command of another build. Default: of this one. */
  readonly bin?: string;
  readonly env: Readonly<Record<string, string>>;
  /** A program and arguments before those of Node. It must become the process of the node, as `exec` does. */
  readonly runner: readonly string[];
  /** For Node itself: a profile, a memory limit. */
  readonly nodeArgs: readonly string[];
  /** What the process sends over its IPC channel. */
  readonly onMessage?: (message: unknown) => void;
}

/** What `/status` says; more is in it. */
export interface Status {
  readonly node: string;
  readonly stopping: boolean;
  readonly storageFull: boolean;
  readonly storagePendingMs: number;
  readonly connectedPeers: readonly string[];
  readonly partitions: readonly {
    readonly role: string;
    readonly term: number;
    readonly leader: string | null;
    readonly commit: number;
    readonly applied: number;
    readonly pending: number;
    readonly voters: readonly string[];
    readonly quorum: boolean;
  }[];
  /** This region (`self`) and the others. Of each: its log as far as it is known here, and as far as it is applied. */
  readonly regions: readonly {
    readonly region: string;
    readonly state: string;
    readonly partitions: readonly {
      readonly head: number;
      readonly applied: number;
      readonly lagMs: number;
      readonly unacknowledged: number;
    }[];
  }[];
}

/** For what a node is told to do. Long, as a machine with other work may leave it without a processor for seconds. */
const orderTimeoutMs = 30_000;

/** Ended with this process, however that ends: a child of its own with an IPC channel stops when the channel closes. */
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** One node of a region: `skerry server` as a process. It is acted on by its process id alone. */
export class RegionNode {
  readonly name: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  readonly adminUrl: string;
  readonly dataFolder: string;
  readonly #options: RegionNodeOptions;
  #child: ChildProcess | null = null;
  #ended: Promise<number | null> = Promise.resolve(null);
  /** It ended although nobody asked it to. */
  #crashed: string | null = null;
  #asked = true;

  constructor(options: RegionNodeOptions) {
    this.name = options.name;
    this.clientUrl = options.clientUrl;
    this.peerUrl = options.peerUrl;
    this.adminUrl = options.adminUrl;
    this.dataFolder = options.dataFolder;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Why it ended by itself; null if it did not. */
  get crash(): string | null {
    return this.#crashed;
  }

  get log(): string {
    return existsSync(this.#options.logFile) ? readFileSync(this.#options.logFile, 'utf8') : '';
  }

  /** Resolves to the exit code when the current process has ended; null: a signal ended it, or none runs. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  start(
    extra: {
      readonly args?: readonly string[];
      readonly nodeArgs?: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
      readonly bin?: string;
    } = {},
  ): void {
    if (this.#child !== null) throw new Error(`${this.name} runs already`);
    const { configFile, logFile, bin = skerryBin, env, runner, nodeArgs, onMessage } = this.#options;
    const log = openSync(logFile, 'a');
    const [program = process.execPath, ...args] = [
      ...runner,
      process.execPath,
      ...nodeArgs,
      ...(extra.nodeArgs ?? []),
      extra.bin ?? bin,
      'server',
      '--config',
      configFile,
      ...(extra.args ?? []),
    ];
    const child = spawn(program, args, {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...env, ...extra.env },
    });
    closeSync(log);
    if (onMessage !== undefined) child.on('message', onMessage);
    alive.add(child);
    this.#child = child;
    this.#asked = false;
    this.#crashed = null;
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        alive.delete(child);
        this.#child = null;
        if (!this.#asked) this.#crashed = `${this.name} ended by itself: ${code ?? signal}`;
        resolve(code);
      });
    });
  }

  /** SIGKILL; returns once the process is told, {@link ended} when it is gone. */
  kill(): Promise<number | null> {
    this.#asked = true;
    this.#child?.kill('SIGKILL');
    return this.#ended;
  }

  /** SIGTERM: a planned stop. Resolves to the exit code. */
  stop(): Promise<number | null> {
    this.#asked = true;
    this.#child?.kill('SIGTERM');
    return this.#ended;
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** null: it does not answer. */
  async status(timeoutMs = 1_000): Promise<Status | null> {
    return (await this.#ask('/status', { timeoutMs })) as Status | null;
  }

  /** It answers consistent calls, as its own health answer says; `local`: it is up. */
  async isReady(mode: 'consistent' | 'local' = 'consistent'): Promise<boolean> {
    return (await this.#ask(`/readyz?mode=${mode}`, {})) !== null;
  }

  /** Fault injection: nothing passes between this node and `peers`, as far as this node can help it. */
  async cut(peers: readonly string[]): Promise<void> {
    await this.#order('/chaos/cut', { peers });
  }

  async heal(): Promise<void> {
    await this.#order('/chaos/heal', {});
  }

  /** Fault injection: no link frame passes between this node and these regions. */
  async cutRegions(regions: readonly string[]): Promise<void> {
    await this.#order('/chaos/cut', { regions });
  }

  async healRegions(regions: readonly string[]): Promise<void> {
    await this.#order('/chaos/heal', { regions });
  }

  /** An order to the administration of its region, such as `/admin/regions`. */
  async order(path: string, body: object): Promise<void> {
    await this.#order(path, body);
  }

  /** One number of `/metrics`. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.adminUrl}/metrics`)).text();
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}{`));
    if (line === undefined) throw new Error(`${this.name} has no metric ${name}`);
    return Number(line.split(' ').at(-1));
  }

  /** The wall clock of its process, to the second. */
  async wallMs(): Promise<number> {
    return Date.parse((await fetch(`${this.adminUrl}/livez`)).headers.get('date') ?? '');
  }

  async #order(path: string, body: object): Promise<void> {
    if ((await this.#ask(path, { body, timeoutMs: orderTimeoutMs })) === null)
      throw new Error(`${this.name} refused ${path}`);
  }

  async #ask(path: string, { body, timeoutMs = 1_000 }: { body?: object; timeoutMs?: number }): Promise<unknown> {
    try {
      const response = await fetch(`${this.adminUrl}${path}`, {
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined
          ? {}
          : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      const json: unknown = await response.json();
      return response.ok ? json : null;
    } catch {
      return null;
    }
  }
}
