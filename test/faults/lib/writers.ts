import type { Client } from '@skerry/client';
import type { Region } from './region.ts';
import type { RegionNode } from './region-node.ts';

/** An acknowledged write. Every value is written once in all the run. */
export interface Acknowledged {
  readonly key: string;
  readonly value: string;
  readonly consistent: boolean;
  /** Who acknowledged it; null: some node. */
  readonly node: string | null;
  readonly receipt: string | null;
}

export interface WritersOptions {
  readonly region: Region;
  readonly prefix: string;
  /** Clients of consistent writes; they find their nodes themselves. */
  readonly consistent: number;
  /** Clients of quorum-less writes at each node. */
  readonly quorumlessPerNode: number;
  readonly valueBytes?: number;
  /** What a write may be refused with, after which its client goes on. */
  readonly refusals?: readonly string[];
}

/**
 * Clients that write as fast as they are answered and remember what was acknowledged, each under keys of its own: one
 * new key per write, and one that it overwrites again and again.
 */
export class Writers {
  readonly acknowledged: Acknowledged[] = [];
  /** By the key that its client overwrites: the last acknowledged number, and the last one sent. */
  readonly counters = new Map<string, { acknowledged: number; sent: number; readonly consistent: boolean }>();
  /** How often a write was refused, by code. */
  readonly refused = new Map<string, number>();
  readonly #options: WritersOptions;
  readonly #clients: Client[] = [];
  #stopping = false;
  #ended: Promise<unknown> = Promise.resolve();
  #problems: string[] = [];

  private constructor(options: WritersOptions) {
    this.#options = options;
  }

  static async start(options: WritersOptions): Promise<Writers> {
    const writers = new Writers(options);
    const { region, consistent, quorumlessPerNode } = options;
    const loops: Promise<void>[] = [];
    for (let index = 0; index < consistent; index++) {
      const rotated = [...region.running.slice(index % 3), ...region.running.slice(0, index % 3)];
      const client = await region.client(rotated);
      writers.#clients.push(client);
      loops.push(writers.#loop(client, `c${index}`, null));
    }
    for (const node of region.running) {
      for (let index = 0; index < quorumlessPerNode; index++) {
        const client = await region.pinned(node);
        writers.#clients.push(client);
        loops.push(writers.#loop(client, `q${node.name}-${index}`, node));
      }
    }
    writers.#ended = Promise.all(loops);
    return writers;
  }

  /** Lets the calls under way come to an end. */
  async finish(): Promise<string[]> {
    this.#stopping = true;
    await this.#ended;
    await Promise.all(this.#clients.map((client) => client.close()));
    return this.#problems;
  }

  /** The nodes are gone: what is not answered yet never will be. */
  async abandon(): Promise<string[]> {
    this.#stopping = true;
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.#ended;
    return this.#problems;
  }

  async #loop(client: Client, name: string, node: RegionNode | null): Promise<void> {
    const { prefix, valueBytes = 0, refusals = [] } = this.#options;
    const counter = { acknowledged: 0, sent: 0, consistent: node === null };
    const counterKey = `${prefix}last/${name}`;
    this.counters.set(counterKey, counter);
    for (let number = 1; !this.#stopping; number++) {
      const key = `${prefix}own/${name}/${String(number).padStart(6, '0')}`;
      const value = `${key} `.padEnd(valueBytes, 'x');
      const options = { consistent: node === null };
      try {
        const written = await client.set(key, value, options);
        if (!written.valid) this.#problems.push(`${key}: a blocking write came back as ${written.outcome}`);
        this.acknowledged.push({ key, value, ...options, node: node?.name ?? null, receipt: written.receipt ?? null });
        counter.sent = number;
        await client.set(counterKey, String(number), options);
        counter.acknowledged = number;
      } catch (error) {
        const { code = 'none' } = error as { readonly code?: string };
        if (code === 'CLOSED') return;
        if (!refusals.includes(code)) {
          this.#problems.push(`${key}: ${(error as Error).message}`);
          return;
        }
        this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
      }
    }
  }
}

/** What of the acknowledged writes one node does not show, by its own state alone. */
export async function lostAt(
  region: Region,
  node: RegionNode,
  writers: Pick<Writers, 'acknowledged' | 'counters'>,
  { prefix, only = () => true }: { readonly prefix: string; readonly only?: (write: Acknowledged) => boolean },
): Promise<string[]> {
  const client = await region.pinned(node);
  const found = new Map<string, string | null>();
  for await (const { key, value } of client.entries(prefix, { consistent: false, limit: 1_000 })) found.set(key, value);
  await client.close();
  const lost: string[] = [];
  for (const write of writers.acknowledged) {
    const value = found.get(write.key) ?? null;
    if (value !== write.value && only(write))
      lost.push(
        `${node.name} lost ${write.key}, ${write.consistent ? 'consistent' : `acknowledged by ${write.node}`}: ${value?.slice(0, 40) ?? null}`,
      );
  }
  for (const [key, { acknowledged, sent }] of writers.counters) {
    const number = Number(found.get(key) ?? 0);
    const quorumlessOf = /last\/q(\w+)-\d+$/.exec(key)?.[1] ?? null;
    const isWanted = only({ key, value: '', consistent: quorumlessOf === null, node: quorumlessOf, receipt: null });
    if (isWanted && (number < acknowledged || number > sent))
      lost.push(`${node.name} has ${key} at ${number}; acknowledged was ${acknowledged}, sent ${sent}`);
  }
  return lost.slice(0, 10);
}
