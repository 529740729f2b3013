import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { besideSources } from './beside-sources.ts';
import type { RegionNode } from './region-node.ts';
import { until } from './until.ts';

/** What a process of `paced-writer.mjs` is told. */
export interface WriterSpec {
  readonly endpoints: readonly string[];
  readonly prefix: string;
  readonly keyCount: number;
  readonly perSecond: number;
  /** Writes that may be unanswered at once. */
  readonly openMax: number;
}

/** What a process of `view-watcher.mjs` is told. */
export interface WatcherSpec {
  /** Nodes; each has a watch of its own. */
  readonly urls: readonly string[];
  readonly prefix: string;
}

/** Number of the write, when it was due, sent and acknowledged, and its version. */
export type DoneWrite = readonly [number: number, dueMs: number, sentMs: number, ackMs: number, version: string | null];

/** Position of the node in the watcher's list, key, version, and when it was visible there. */
export type SeenChange = readonly [node: number, key: string, version: string, atMs: number];

/** How late the event loop of a measuring process was, milliseconds. */
export interface LoopDelay {
  readonly p99: number;
  readonly max: number;
}

/** A reading of the clock that the measuring processes use too, milliseconds. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A process of the measurement. It ends with this one: its IPC channel closes. */
class Measuring<Message extends object> {
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  readonly #ended: Promise<unknown>;

  constructor(program: string, spec: object, receive: (message: Message) => void) {
    const child = spawn(process.execPath, [besideSources(program), JSON.stringify(spec)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // Numbers by the hundred thousand: as values, not as text.
      serialization: 'advanced',
    });
    this.#child = child;
    // The channel closes behind the last message; the exit may be told before it.
    this.#ended = Promise.all([once(child, 'disconnect'), once(child, 'exit')]);
    this.#ready = new Promise((resolve, reject) => {
      child.on('message', (message: Message | 'ready') => {
        if (message === 'ready') resolve();
        else receive(message as Message);
      });
      child.once('exit', (code) => reject(new Error(`${program} ended: ${code}`)));
    });
    // Whoever waits for it is told; nobody else needs to know.
    this.#ready.catch(() => {});
  }

  get ready(): Promise<void> {
    return this.#ready;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.send('stop');
    await this.#ended;
  }
}

/** A process that writes at a steady rate to one region. */
export class PacedWriter {
  readonly prefix: string;
  readonly done: DoneWrite[] = [];
  readonly failures: string[] = [];
  loop: LoopDelay = { p99: 0, max: 0 };
  readonly #process: Measuring<{ done: DoneWrite[]; failures: string[]; loopMs: LoopDelay }>;

  private constructor(spec: WriterSpec) {
    this.prefix = spec.prefix;
    this.#process = new Measuring('paced-writer.mjs', spec, ({ done, failures, loopMs }) => {
      for (const write of done) this.done.push(write);
      this.failures.push(...failures);
      this.loop = loopMs;
    });
  }

  /** Resolves when it writes. */
  static async start(nodes: readonly RegionNode[], spec: Omit<WriterSpec, 'endpoints'>): Promise<PacedWriter> {
    const writer = new PacedWriter({ ...spec, endpoints: nodes.map(({ clientUrl }) => clientUrl) });
    await writer.#process.ready;
    return writer;
  }

  keyOf(number: number, { keyCount }: Pick<WriterSpec, 'keyCount'>): string {
    return `${this.prefix}${number % keyCount}`;
  }

  /** Resolves when every write is answered. */
  stop(): Promise<void> {
    return this.#process.stop();
  }
}

/** A process that watches a prefix at several nodes. */
export class ViewWatcher {
  /** By node, in the order in which they were given: when each version of each key was visible; key and version by `changeOf`. */
  readonly seen: readonly Map<string, number>[];
  readonly failures: string[] = [];
  loop: LoopDelay = { p99: 0, max: 0 };
  readonly #process: Measuring<{ seen?: SeenChange[]; failure?: string; loopMs?: LoopDelay }>;

  private constructor(spec: WatcherSpec) {
    this.seen = spec.urls.map(() => new Map<string, number>());
    this.#process = new Measuring('view-watcher.mjs', spec, ({ seen = [], failure, loopMs }) => {
      for (const [node, key, version, atMs] of seen) this.seen[node]?.set(changeOf(key, version), atMs);
      if (failure !== undefined) this.failures.push(failure);
      this.loop = loopMs ?? this.loop;
    });
  }

  /** Resolves when it will see everything that is written from then on. */
  static async start(nodes: readonly RegionNode[], prefix: string): Promise<ViewWatcher> {
    const watcher = new ViewWatcher({ urls: nodes.map(({ clientUrl }) => clientUrl), prefix });
    await watcher.#process.ready;
    return watcher;
  }

  /** Resolves when every node has shown `count` changes. */
  async sawAll(count: number): Promise<void> {
    await until(`${count} changes at every watched node`, () => this.seen.every((changes) => changes.size >= count));
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

export function changeOf(key: string, version: string | null): string {
  return `${key} ${version}`;
}
