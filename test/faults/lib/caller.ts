import type { Client } from '@skerry/client';
import type { CallerJournal } from './caller-journal.ts';
import { pause } from './until.ts';

/** Makes one call after the other. */
export interface Caller {
  readonly name: string;
  readonly step: (step: number, journal: CallerJournal) => Promise<void>;
}

const hotKeys = 12;
const mixedKeys = 4;
const sharedKeys = 6;
/** Long enough for an election, short enough to come back with nothing while there is no majority. */
const hastyTimeoutMs = 700;
const paceMs = 4;

/** Reads, sets, swaps and deletes keys that all share, and adds to a counter; consistent, save for some writes of keys of which each is told by its receipt how it ended. */
export class CallerOfRegion implements Caller {
  readonly name: string;
  readonly #client: Client;
  readonly #index: number;
  readonly #mixed: boolean;
  readonly #options: { readonly blocking: boolean; readonly timeoutMs?: number };

  /** Every third one waits for as long as it takes. */
  constructor(client: Client, { index, mixed }: { readonly index: number; readonly mixed: boolean }) {
    this.name = `c${index}`;
    this.#client = client;
    this.#index = index;
    this.#mixed = mixed;
    this.#options = index % 3 === 0 ? { blocking: true } : { blocking: false, timeoutMs: hastyTimeoutMs };
  }

  async step(step: number, journal: CallerJournal): Promise<void> {
    switch (step % 8) {
      case 0:
      case 4:
        return this.#set(step, journal);
      case 1:
      case 5:
        return this.#get(step, journal);
      case 2:
        return this.#swap(step, journal);
      case 3:
        return this.#add(journal);
      case 6:
        return step % 32 === 6 ? this.#delete(step, journal) : this.#swap(step, journal);
      default:
        return this.#mixed && step % 64 === 7 ? this.#setMixed(step, journal) : this.#getMixed(step, journal);
    }
  }

  async #set(step: number, journal: CallerJournal): Promise<void> {
    const key = this.#hotKey(step, journal);
    const value = this.#value(step);
    const write = { client: this.#client, caller: this.name, input: { op: 'set', key, value } } as const;
    await journal.write(write, () => this.#client.set(key, value, this.#options));
  }

  async #get(step: number, journal: CallerJournal): Promise<void> {
    const key = this.#hotKey(step - 1, journal);
    await journal.read(this.#client, this.name, key, () => this.#client.get(key, this.#options));
  }

  /** Of what it just read; somebody else may have been faster. */
  async #swap(step: number, journal: CallerJournal): Promise<void> {
    const key = this.#hotKey(step, journal);
    const read = await journal.read(this.#client, this.name, key, () => this.#client.get(key, this.#options));
    if (read === null) return;
    const [oldValue, newValue] = [read.value, this.#value(step)];
    const input = { op: 'swap', key, oldValue, newValue } as const;
    await journal.write({ client: this.#client, caller: this.name, input }, () =>
      this.#client.swap(key, newValue, oldValue, this.#options),
    );
  }

  async #delete(step: number, journal: CallerJournal): Promise<void> {
    const key = this.#hotKey(step, journal);
    const write = { client: this.#client, caller: this.name, input: { op: 'delete', key } } as const;
    await journal.write(write, () => this.#client.delete(key, this.#options));
  }

  async #add(journal: CallerJournal): Promise<void> {
    const key = `${journal.prefix}sum/consistent`;
    await journal.add(this.#client, this.name, key, () => this.#client.counter(key).add(1, this.#options));
  }

  async #setMixed(step: number, journal: CallerJournal): Promise<void> {
    const key = this.#mixedKey(step, journal);
    const value = this.#value(step);
    const write = { client: this.#client, caller: this.name, input: { op: 'set', key, value } } as const;
    await journal.writeLocal(write, { node: undefined, isMixed: true }, () =>
      this.#client.set(key, value, { consistent: false }),
    );
  }

  async #getMixed(step: number, journal: CallerJournal): Promise<void> {
    const key = this.#mixedKey(step, journal);
    await journal.read(this.#client, this.name, key, () => this.#client.get(key, this.#options));
  }

  #hotKey(step: number, { prefix }: CallerJournal): string {
    return `${prefix}hot/${(this.#index * 7 + step) % hotKeys}`;
  }

  #mixedKey(step: number, { prefix }: CallerJournal): string {
    return `${prefix}mixed/${(this.#index + step) % mixedKeys}`;
  }

  /** Written once in all the run. */
  #value(step: number): string {
    return `${this.name}.${step}`;
  }
}

/** Writes and reads at one node whatever happens to it, without a quorum: keys of its own, and some that callers at other nodes write too. */
export class CallerAtNode implements Caller {
  readonly name: string;
  readonly #client: Client;
  readonly #node: string;

  constructor(client: Client, { node, name }: { readonly node: string; readonly name: string }) {
    this.name = name;
    this.#client = client;
    this.#node = node;
  }

  async step(step: number, journal: CallerJournal): Promise<void> {
    // Answers from memory come so fast that nobody else would get a turn.
    await pause(paceMs);
    const own = `${journal.prefix}local/${this.name}`;
    const shared = `${journal.prefix}local/shared/${step % sharedKeys}`;
    switch (step % 6) {
      case 0:
        return this.#set(own, step, journal);
      case 1:
        return this.#get(own, journal);
      case 2:
        return this.#set(shared, step, journal);
      case 3:
        return this.#add(journal);
      default:
        return this.#get(shared, journal);
    }
  }

  async #set(key: string, step: number, journal: CallerJournal): Promise<void> {
    const value = `${this.name}.${step}`;
    const write = { client: this.#client, caller: this.name, input: { op: 'set', key, value } } as const;
    await journal.writeLocal(write, { node: this.#node, isMixed: false }, () =>
      this.#client.set(key, value, { consistent: false }),
    );
  }

  async #get(key: string, journal: CallerJournal): Promise<void> {
    await journal.readLocal({ client: this.#client, caller: this.name, key }, this.#node);
  }

  async #add(journal: CallerJournal): Promise<void> {
    const key = `${journal.prefix}sum/quorumless`;
    await journal.add(this.#client, this.name, key, () => this.#client.counter(key).add(1, { consistent: false }));
  }
}
