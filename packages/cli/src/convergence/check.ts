import { setTimeout as sleep } from 'node:timers/promises';
import type { CliContext } from '../command.ts';
import type { Database } from '../database.ts';
import { forEachLimited } from '../files/pool.ts';
import { callTimeoutMs, compareReaders, EntryReader, readEntry, sameEntry, type Entry } from './entries.ts';
import { findNodes, missingNode, NodeConnections, type Missing, type NodeAddress } from './nodes.ts';

/** Keys that differ and are looked at again one by one; with more, all keys are read again. */
const recheckMax = 100_000;
const recheckConcurrency = 64;
const pauseMs = 100;

export interface CheckOptions {
  readonly connect: CliContext['connect'];
  readonly signal: AbortSignal;
  /** null: all. */
  readonly regions: readonly string[] | null;
  readonly timeoutMs: number;
  /** Differing keys to tell in full. */
  readonly limit: number;
  readonly onProgress: (text: string) => void;
}

export interface Verdict {
  readonly isEqual: boolean;
  readonly nodes: readonly NodeAddress[];
  readonly keyCount: number;
  readonly differingCount: number;
  /** Some of them, with what each node has. */
  readonly differing: readonly DifferingKey[];
  readonly missing: readonly Missing[];
  /** Nodes with quorum-less writes that are not promoted yet. */
  readonly pending: readonly (Pick<NodeAddress, 'region' | 'node'> & { readonly count: number })[];
  readonly evicted: readonly string[];
}

export interface DifferingKey {
  readonly key: string;
  readonly views: readonly { readonly region: string; readonly node: string; readonly entry: Entry | null }[];
}

/**
 * Waits until all nodes are equal, or the time is over. Equal means: no node holds a quorum-less write that is not
 * promoted, and each key was seen with the same version and value in the local views of all nodes. If writing stopped
 * before the check began, that proves that they hold the same: whatever was written was in one of these views from the
 * start, so where the views of a key agree, all have it. A key that was once seen equal is not looked at again.
 */
export async function checkConvergence(db: Database, options: CheckOptions): Promise<Verdict> {
  const { signal, timeoutMs } = options;
  const endMs = performance.now() + timeoutMs;
  const connections = new NodeConnections(options.connect, signal);
  try {
    for (;;) {
      const found = await findNodes(db, options.regions, signal);
      const { dbs, missing } = await connections.all(found.nodes);
      const round = new Round(dbs, connections, { ...options, endMs });
      round.missing.push(...found.missing, ...missing);
      // What is missing may come; without it there is no verdict to be had but at the end.
      if (round.missing.length === 0 || performance.now() >= endMs) {
        const verdict = { ...(await checkOnce(round, { ...options, endMs })), evicted: found.evicted };
        if (verdict.isEqual || performance.now() >= endMs) return verdict;
      } else options.onProgress(`waiting for ${round.missing.map(({ region, node }) => node ?? region).join(', ')}`);
      await sleep(pauseMs, undefined, { signal });
    }
  } finally {
    await connections.close();
  }
}

type RoundOptions = CheckOptions & { readonly endMs: number };

async function checkOnce(round: Round, options: RoundOptions): Promise<Omit<Verdict, 'evicted'>> {
  const { signal, endMs, limit } = options;
  const isSettled = await round.waitUntilSettled();
  const { keyCount, differing } = await round.compare();
  while (
    differing.size > 0 &&
    differing.size <= recheckMax &&
    performance.now() < endMs &&
    round.missing.length === 0
  ) {
    options.onProgress(`${differing.size} of ${keyCount} keys differ`);
    await round.recheck(differing);
    if (differing.size > 0) await sleep(pauseMs, undefined, { signal });
  }
  const pending = await round.pending();
  const told: DifferingKey[] = [];
  for (const key of [...differing].slice(0, limit)) {
    const views = await round.views(key);
    if (areSame(views)) differing.delete(key);
    else told.push({ key, views });
  }
  return {
    isEqual: isSettled && differing.size === 0 && pending.length === 0 && round.missing.length === 0,
    nodes: round.nodes,
    keyCount,
    differingCount: differing.size,
    differing: told,
    missing: round.missing,
    pending,
  };
}

/** One comparison of the nodes that could be reached when it began. A node that fails later is missing from then on. */
class Round {
  readonly missing: Missing[] = [];
  readonly #dbs: Map<NodeAddress, Database>;
  readonly #connections: NodeConnections;
  readonly #options: RoundOptions;

  constructor(dbs: ReadonlyMap<NodeAddress, Database>, connections: NodeConnections, options: RoundOptions) {
    this.#dbs = new Map(dbs);
    this.#connections = connections;
    this.#options = options;
  }

  get nodes(): NodeAddress[] {
    return [...this.#dbs.keys()];
  }

  /** False: some node still held quorum-less writes when the time was over. */
  async waitUntilSettled(): Promise<boolean> {
    for (;;) {
      const pending = await this.pending();
      if (pending.length === 0) return true;
      if (performance.now() >= this.#options.endMs) return false;
      this.#options.onProgress(`${pending.length} nodes hold writes that are not promoted yet`);
      await sleep(pauseMs, undefined, { signal: this.#options.signal });
    }
  }

  async pending(): Promise<Verdict['pending']> {
    const call = { timeoutMs: callTimeoutMs, signal: this.#options.signal };
    const counts = await this.#ofEach(async (db) => {
      const { partitions } = await db.status(call);
      return partitions.reduce((sum, { pending }) => sum + pending, 0);
    });
    return counts.filter(([, count]) => count > 0).map(([{ region, node }, count]) => ({ region, node, count }));
  }

  /** All keys of all nodes, page by page. */
  async compare(): Promise<{ readonly keyCount: number; readonly differing: Set<string> }> {
    for (;;) {
      const differing = new Set<string>();
      const readers = new Map([...this.#dbs].map(([node, db]) => [node, new EntryReader(db, this.#options.signal)]));
      // Each reader's first page shows which node is in trouble; later trouble is that of a whole comparison.
      await this.#ofEach((_db, node) => readers.get(node)?.fill() ?? Promise.resolve());
      const alive = [...readers].filter(([node]) => this.#dbs.has(node));
      try {
        const keyCount = await compareReaders(
          alive.map(([, reader]) => reader),
          (key) => differing.add(key),
          (count) => {
            this.#options.onProgress(`${count} keys compared on ${alive.length} nodes, ${differing.size} differ`);
          },
        );
        return { keyCount, differing };
      } catch (error) {
        const failed = alive.find(([, reader]) => reader.failure !== null);
        if (failed === undefined) throw error;
        await this.#lose(failed[0], error);
      }
    }
  }

  /** Takes out the keys that are the same by now. */
  async recheck(differing: Set<string>): Promise<void> {
    const keys = [...differing];
    await forEachLimited(keys, { limit: recheckConcurrency, signal: this.#options.signal }, async (key) => {
      if (areSame(await this.views(key))) differing.delete(key);
    });
  }

  /** What each node has. */
  async views(key: string): Promise<DifferingKey['views']> {
    const entries = await this.#ofEach((db) => readEntry(db, key, this.#options.signal));
    return entries.map(([{ region, node }, entry]) => ({ region, node, entry }));
  }

  async #ofEach<R>(ask: (db: Database, node: NodeAddress) => Promise<R>): Promise<[NodeAddress, R][]> {
    const answers = await Promise.all(
      [...this.#dbs].map(async ([node, db]): Promise<[NodeAddress, R] | null> => {
        try {
          return [node, await ask(db, node)];
        } catch (error) {
          await this.#lose(node, error);
          return null;
        }
      }),
    );
    return answers.filter((answer) => answer !== null);
  }

  async #lose(node: NodeAddress, error: unknown): Promise<void> {
    if (!this.#dbs.delete(node)) return;
    this.missing.push(missingNode(node, error, this.#options.signal));
    await this.#connections.drop(node);
  }
}

function areSame(views: DifferingKey['views']): boolean {
  return views.every(({ entry }) => sameEntry(entry, views[0]?.entry ?? null));
}
