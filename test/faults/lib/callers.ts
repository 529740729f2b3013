import { setMaxListeners } from 'node:events';
import type { Addition, History, VersionRecord } from '@skerry/checkers';
import type { Client } from '@skerry/client';
import { CallerAtNode, CallerOfRegion, type Caller } from './caller.ts';
import { CallerJournal, type Open } from './caller-journal.ts';
import type { Region } from './region.ts';
import { until } from './until.ts';

export interface CallersOptions {
  /** Callers of consistent calls, who find their nodes themselves. Default 12. */
  readonly roaming?: number;
  /** Callers of quorum-less calls at each node, who stay with it. Default 2. */
  readonly atEachNode?: number;
  /** Whether callers of the region write some keys without a quorum, too. Default true. */
  readonly mixed?: boolean;
  /** What a call may be refused with, beside time-outs. */
  readonly refusals?: readonly string[];
}

/** What callers were told in one round, under keys that begin with its prefix. */
export interface CallerRound {
  readonly prefix: string;
  /** Consistent calls, and quorum-less writes whose receipts told their end. */
  readonly history: History;
  /** Quorum-less writes and local reads, each at the node that is named in it. */
  readonly local: History;
  /** All that a watcher of the shared keys saw. */
  readonly versions: readonly VersionRecord[];
  readonly additions: readonly Addition[];
  readonly problems: readonly string[];
  /** Calls that were answered, and in how long. */
  readonly calls: number;
  readonly seconds: number;
  /** How often a call came to what it rarely comes to: `notApplied`, `undecided`, `refused`, a code. */
  readonly counts: ReadonlyMap<string, number>;
}

interface Running {
  readonly journal: CallerJournal;
  readonly loops: Promise<void>;
  readonly watching: Watching;
}

const patienceMs = 45_000;

/**
 * Callers for whom the world may be broken: their calls time out, stay undecided or are refused, and are recorded so, for
 * the same checkers that judge the simulator. Whoever wants to know how fast a region is takes `Load` instead.
 */
export class Callers {
  readonly #region: Region;
  readonly #callers: readonly Caller[];
  readonly #watcher: Client;
  readonly #refusals: ReadonlySet<string>;
  #running: Running | null = null;

  private constructor(region: Region, callers: readonly Caller[], watcher: Client, refusals: readonly string[]) {
    this.#region = region;
    this.#callers = callers;
    this.#watcher = watcher;
    this.#refusals = new Set(refusals);
  }

  static async connect(
    region: Region,
    { roaming = 12, atEachNode = 2, mixed = true, refusals = [] }: CallersOptions = {},
  ): Promise<Callers> {
    const nodes = region.running;
    // Those of a region that is lost go on in another one, where they find other values: these stay, to be judged.
    const staying = { discover: false };
    const rotated = (by: number): typeof nodes => [
      ...nodes.slice(by % nodes.length),
      ...nodes.slice(0, by % nodes.length),
    ];
    const callers: Caller[] = [];
    for (let index = 0; index < roaming; index++)
      callers.push(new CallerOfRegion(await region.client(rotated(index), staying), { index, mixed }));
    for (const node of nodes) {
      for (let index = 0; index < atEachNode; index++)
        callers.push(new CallerAtNode(await region.pinned(node), { node: node.name, name: `${node.name}.${index}` }));
    }
    return new Callers(region, callers, await region.client(nodes, staying), refusals);
  }

  /** All begin, under keys with `prefix`; returns once each was answered. */
  async begin(prefix: string): Promise<void> {
    if (this.#running !== null) throw new Error('the callers call already');
    const journal = new CallerJournal(prefix, this.#refusals);
    const watching = new Watching(this.#watcher, journal);
    const loops = this.#callers.map((caller, index) => loop(caller, index, journal));
    this.#running = { journal, watching, loops: Promise.all(loops).then(() => {}) };
    await this.everyone(0);
  }

  get calls(): number {
    return this.#current.journal.calls;
  }

  /** Each had a write acknowledged that it sent after `sinceMs`; resolves to when the last of them had. */
  async everyone(sinceMs: number, timeoutMs = patienceMs): Promise<number> {
    const { journal } = this.#current;
    await until(
      'every caller to have a write acknowledged',
      () => this.#callers.every(({ name }) => (journal.lastSentMs.get(name) ?? -1) > sinceMs),
      timeoutMs,
    );
    return performance.now();
  }

  /** Lets each finish its call, asks what became of undecided ones, and waits for the watcher to have seen the end. */
  async end(): Promise<CallerRound> {
    const { journal, loops, watching } = this.#current;
    journal.ending = true;
    let areBack = false;
    const ended = loops.finally(() => (areBack = true));
    await Promise.race([
      ended,
      until('calls to come back', () => areBack, patienceMs).catch(() => {
        throw new Error(`calls did not come back within ${patienceMs} ms: ${journal.describeOpen()}`);
      }),
    ]);
    const seconds = (performance.now() - journal.startMs) / 1_000;
    await Promise.all(journal.undecided.map((open) => this.#resolve(open, journal)));
    const signal = AbortSignal.timeout(patienceMs);
    setMaxListeners(0, signal);
    await journal.awaitReceipts(signal);
    await this.#watcher.set(watching.endKey, 'end');
    await until('the watcher to see the last write', () => watching.isAtEnd);
    watching.stop();
    this.#running = null;
    return journal.round(seconds, watching.versions);
  }

  /** The sums of both counters as each node shows them, when all is settled. */
  async totals(prefix: string): Promise<{ readonly node: string; readonly totals: ReadonlyMap<string, number> }[]> {
    return Promise.all(
      this.#region.running.map(async (node) => {
        const client = await this.#region.pinned(node);
        const totals = new Map<string, number>();
        for (const key of [`${prefix}sum/consistent`, `${prefix}sum/quorumless`])
          totals.set(key, Number((await client.counter(key).get({ consistent: false })).value ?? 0n));
        await client.close();
        return { node: node.name, totals };
      }),
    );
  }

  async #resolve({ client, ticket, settle }: Open, journal: CallerJournal): Promise<void> {
    try {
      const response = await client.resolve(ticket, { signal: AbortSignal.timeout(patienceMs) });
      journal.count(`resolved to ${response.outcome}`);
      settle(response);
    } catch (error) {
      journal.problems.push(`the outcome of an undecided write could not be asked for: ${String(error)}`);
    }
  }

  get #current(): Running {
    if (this.#running === null) throw new Error('nobody calls');
    return this.#running;
  }
}

async function loop(caller: Caller, index: number, journal: CallerJournal): Promise<void> {
  // Each begins elsewhere in the row of what it does.
  for (let step = index * 5; !journal.ending; step++) await caller.step(step, journal);
}

/** Sees every version of the shared keys. */
class Watching {
  readonly endKey: string;
  readonly versions: VersionRecord[] = [];
  isAtEnd = false;
  readonly #stop = new AbortController();

  constructor(client: Client, journal: CallerJournal) {
    this.endKey = `${journal.prefix}hot/end`;
    void this.#run(client, journal);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(client: Client, { prefix, problems }: CallerJournal): Promise<void> {
    try {
      const batches = client.watch(`${prefix}hot/`, { prefix: true, cursor: '', signal: this.#stop.signal });
      for await (const { events } of batches) {
        for (const { key, value, version } of events) {
          if (key === this.endKey) this.isAtEnd = true;
          else this.versions.push({ observer: 'watch', key, value, version });
        }
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) problems.push(`the watch ended: ${String(error)}`);
    }
  }
}
