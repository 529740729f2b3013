import { HistoryRecorder, type History, type KeyValueInput, type OpenCall, type VersionRecord } from '@skerry/checkers';
import type { Client, Response } from '@skerry/client';
import type { Region } from './region.ts';
import { until } from './until.ts';

export interface LoadOptions {
  /** Default 50. Each has a connection of its own and always one call open. */
  readonly clients?: number;
  /** Clients at these positions call with `blocking: false, timeoutMs: 1000`; the others block. Default none. */
  readonly isHasty?: (client: number) => boolean;
}

/** One acknowledged write. Both times by `performance.now()`. */
export interface Acknowledgement {
  readonly client: number;
  readonly sentMs: number;
  readonly atMs: number;
}

/** What the clients did in one round of load, under keys that begin with its prefix. */
export interface Round {
  readonly prefix: string;
  readonly acknowledgements: readonly Acknowledgement[];
  /** Calls that rejected, timed out or answered what cannot be. */
  readonly failures: readonly string[];
  /** Shared keys, where calls meet; for the linearizability checker. */
  readonly history: History;
  /** By key that one client alone writes: the value that was acknowledged last. */
  readonly own: ReadonlyMap<string, string>;
  /** All versions that a watcher saw. */
  readonly versions: readonly VersionRecord[];
}

const hotKeys = 12;

/**
 * Clients that write as fast as they are answered: each sets and swaps keys of its own, whose end is known exactly, and
 * keys that all share, whose history is judged. All values are unique. A chain of swaps of one client alone can only be
 * refused if a swap was lost or applied twice.
 */
export class Load {
  readonly #clients: readonly Client[];
  readonly #watcher: Client;
  readonly #isHasty: (client: number) => boolean;
  #running: RunningRound | null = null;

  private constructor(clients: readonly Client[], watcher: Client, isHasty: (client: number) => boolean) {
    this.#clients = clients;
    this.#watcher = watcher;
    this.#isHasty = isHasty;
  }

  /** The clients begin at the nodes in turn. */
  static async connect(
    region: Region,
    { clients: count = 50, isHasty = () => false }: LoadOptions = {},
  ): Promise<Load> {
    const rotated = (by: number): typeof region.nodes => {
      const at = by % region.nodes.length;
      return [...region.nodes.slice(at), ...region.nodes.slice(0, at)];
    };
    const clients = await Promise.all(Array.from({ length: count }, (_, index) => region.client(rotated(index))));
    return new Load(clients, await region.client(), isHasty);
  }

  get acknowledgements(): readonly Acknowledgement[] {
    return this.#current.acknowledgements;
  }

  /** When the round began; `performance.now()`. */
  get startMs(): number {
    return this.#current.startMs;
  }

  /** Every client begins, under keys with `prefix`; returns once each has an acknowledged write. */
  async begin(prefix: string): Promise<void> {
    if (this.#running !== null) throw new Error('the load runs already');
    this.#running = new RunningRound(prefix, this.#clients, this.#isHasty);
    this.#running.start(this.#watcher);
    await this.everyone(0);
  }

  /** The first acknowledgement of a write that was sent after `sinceMs`: no leader of before can have had it. */
  async next(sinceMs: number, timeoutMs = 30_000): Promise<Acknowledgement> {
    const { acknowledgements } = this.#current;
    const isLater = ({ sentMs }: Acknowledgement): boolean => sentMs > sinceMs;
    return until('a write to be acknowledged', () => acknowledgements.find(isLater), timeoutMs);
  }

  /** When every client had a write acknowledged that it sent after `sinceMs`. */
  async everyone(sinceMs: number, timeoutMs = 30_000): Promise<number> {
    const round = this.#current;
    const last = (): number | null => {
      const firsts = new Map<number, number>();
      for (const { client, sentMs, atMs } of round.acknowledgements) {
        if (sentMs > sinceMs && !firsts.has(client)) firsts.set(client, atMs);
      }
      return firsts.size < this.#clients.length ? null : Math.max(...firsts.values());
    };
    return until('every client to have a write acknowledged', last, timeoutMs);
  }

  /** Reads every shared key once by `client`, as part of the history; fails after `timeoutMs`. */
  async readShared(client: Client, process: string, timeoutMs = 30_000): Promise<string[]> {
    const round = this.#current;
    const reads = Array.from({ length: hotKeys }, async (_, index) => {
      const key = `${round.prefix}hot/${index}`;
      const call = round.invoke(process, { op: 'get', key });
      try {
        const { value, version } = await client.get(key, { signal: AbortSignal.timeout(timeoutMs) });
        call.ok({ outcome: 'read', value, version: version ?? undefined });
        return null;
      } catch (error) {
        return `a read of ${key} by ${process} was not answered: ${String(error)}`;
      }
    });
    return (await Promise.all(reads)).filter((problem) => problem !== null);
  }

  /** Lets each client finish its call, and the watcher see the end. */
  async end(): Promise<Round> {
    const round = this.#current;
    await round.end();
    await this.#watcher.set(`${round.prefix}end`, 'end');
    await until('the watcher to see the last write', () => round.watchedEnd);
    round.stopWatching();
    this.#running = null;
    return round;
  }

  get #current(): RunningRound {
    if (this.#running === null) throw new Error('the load does not run');
    return this.#running;
  }
}

/** The longest time without an acknowledgement between `fromMs` and `toMs`. */
export function longestGapMs(acknowledgements: readonly Acknowledgement[], fromMs: number, toMs: number): number {
  let lastMs = fromMs;
  let longest = 0;
  for (const { atMs } of acknowledgements) {
    if (atMs < fromMs || atMs > toMs) continue;
    longest = Math.max(longest, atMs - lastMs);
    lastMs = atMs;
  }
  return Math.max(longest, toMs - lastMs);
}

class RunningRound implements Round {
  readonly prefix: string;
  readonly acknowledgements: Acknowledgement[] = [];
  readonly failures: string[] = [];
  readonly own = new Map<string, string>();
  readonly versions: VersionRecord[] = [];
  readonly startMs: number = performance.now();
  watchedEnd = false;
  readonly #recorder = new HistoryRecorder({ nowMs: () => performance.now() });
  readonly #clients: readonly Client[];
  readonly #isHasty: (client: number) => boolean;
  readonly #watching = new AbortController();
  #ending = false;
  #loops: Promise<void>[] = [];

  constructor(prefix: string, clients: readonly Client[], isHasty: (client: number) => boolean) {
    this.prefix = prefix;
    this.#clients = clients;
    this.#isHasty = isHasty;
  }

  get history(): History {
    return this.#recorder.history();
  }

  start(watcher: Client): void {
    void this.#watch(watcher);
    this.#loops = this.#clients.map((client, index) => this.#loop(client, index));
  }

  async end(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#loops);
  }

  stopWatching(): void {
    this.#watching.abort();
  }

  async #watch(watcher: Client): Promise<void> {
    try {
      const batches = watcher.watch(this.prefix, { prefix: true, cursor: '', signal: this.#watching.signal });
      for await (const { events } of batches) {
        for (const { key, value, version } of events) {
          if (key === `${this.prefix}end`) this.watchedEnd = true;
          else if (version !== null) this.versions.push({ observer: 'watch', key, value, version });
        }
      }
    } catch (error) {
      if (!this.#watching.signal.aborted) this.failures.push(`the watch ended: ${String(error)}`);
    }
  }

  async #loop(client: Client, index: number): Promise<void> {
    const caller = new Caller(this, client, index);
    for (let step = 0; !this.#ending; step++) {
      try {
        await caller.step(step);
      } catch (error) {
        this.failures.push(`client ${index}, step ${step}: ${String(error)}`);
        return;
      }
    }
  }

  options(index: number): { readonly blocking: boolean; readonly timeoutMs?: number } {
    return this.#isHasty(index) ? { blocking: false, timeoutMs: 1_000 } : { blocking: true };
  }

  invoke(process: string, input: KeyValueInput): OpenCall {
    return this.#recorder.invoke(process, input);
  }
}

/** What one client does: own set, own swap, and calls on shared keys, in turn. */
class Caller {
  readonly #round: RunningRound;
  readonly #client: Client;
  readonly #index: number;
  readonly #chain: string;
  #chained: string | null = null;

  constructor(round: RunningRound, client: Client, index: number) {
    this.#round = round;
    this.#client = client;
    this.#index = index;
    this.#chain = `${round.prefix}chain/${index}`;
  }

  async step(step: number): Promise<void> {
    switch (step % 4) {
      case 0:
        return this.#ownSet(step);
      case 1:
        return this.#ownSwap(step);
      case 2:
        return this.#shared(step);
      default:
        return step % 8 === 3 ? this.#sharedSwap(step) : this.#sharedGet(step);
    }
  }

  async #ownSet(step: number): Promise<void> {
    const key = `${this.#round.prefix}own/${this.#index}`;
    const value = String(step);
    if (await this.#write(() => this.#client.set(key, value, this.#options))) this.#round.own.set(key, value);
  }

  async #ownSwap(step: number): Promise<void> {
    const value = String(step);
    if (await this.#write(() => this.#client.swap(this.#chain, value, this.#chained, this.#options))) {
      this.#chained = value;
      this.#round.own.set(this.#chain, value);
    }
  }

  async #shared(step: number): Promise<void> {
    const key = this.#hotKey(step);
    const value = `${this.#index}.${step}`;
    const call = this.#round.invoke(this.#name, { op: 'set', key, value });
    await this.#write(() => this.#client.set(key, value, this.#options), call);
  }

  async #sharedGet(step: number): Promise<void> {
    const key = this.#hotKey(step - 1);
    const call = this.#round.invoke(this.#name, { op: 'get', key });
    const { valid, value, version } = await this.#client.get(key, this.#options);
    if (valid) call.ok({ outcome: 'read', value, version: version ?? undefined });
    else this.#fail(`get ${key} timed out`);
  }

  /** Reads, then swaps what was read; somebody else may have been faster. */
  async #sharedSwap(step: number): Promise<void> {
    const key = this.#hotKey(step);
    const { value: oldValue, valid } = await this.#client.get(key, this.#options);
    if (!valid) return this.#fail(`get ${key} timed out`);
    const newValue = `${this.#index}.${step}`;
    const call = this.#round.invoke(this.#name, { op: 'swap', key, oldValue, newValue });
    await this.#write(() => this.#client.swap(key, newValue, oldValue, this.#options), call);
  }

  /** True if the write was applied. A refusal is a failure unless the call is recorded, where others may interfere. */
  async #write(send: () => Promise<Response>, call?: OpenCall): Promise<boolean> {
    const sentMs = performance.now();
    const { outcome, value, version, timeout } = await send();
    const atMs = performance.now();
    switch (outcome) {
      case 'applied':
        call?.ok({ outcome: 'applied', version: version ?? undefined });
        this.#round.acknowledgements.push({ client: this.#index, sentMs, atMs });
        return true;
      case 'refused':
        call?.ok({ outcome: 'refused', current: value, version: version ?? undefined });
        if (call === undefined) this.#fail(`a swap of ${this.#chained} that nobody else swaps was refused: ${value}`);
        return false;
      case 'notApplied':
        call?.fail();
        break;
      default:
        call?.info();
        break;
    }
    this.#fail(`a write ended as ${outcome}${timeout ? ', timed out' : ''} after ${Math.round(atMs - sentMs)} ms`);
    return false;
  }

  #fail(what: string): void {
    const node = this.#client.connection?.node ?? 'no node';
    const atMs = Math.round(performance.now() - this.#round.startMs);
    this.#round.failures.push(`client ${this.#index}: ${what} (by now at ${node}, ${atMs} ms after the start)`);
  }

  #hotKey(step: number): string {
    return `${this.#round.prefix}hot/${(this.#index * 7 + step) % hotKeys}`;
  }

  get #options(): { readonly blocking: boolean; readonly timeoutMs?: number } {
    return this.#round.options(this.#index);
  }

  get #name(): string {
    return `client ${this.#index}`;
  }
}
