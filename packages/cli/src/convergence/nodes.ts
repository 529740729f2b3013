import type { CliContext } from '../command.ts';
import type { Database } from '../database.ts';
import { isTypedError } from '../exit-code.ts';
import { callTimeoutMs } from './entries.ts';

/** A node that is to be compared. */
export interface NodeAddress {
  readonly region: string;
  readonly node: string;
  readonly url: string;
}

/** A node, or a whole region, that could not be compared, and why. */
export interface Missing {
  readonly region: string;
  readonly node: string | null;
  readonly problem: string;
}

export interface Found {
  readonly nodes: readonly NodeAddress[];
  readonly missing: readonly Missing[];
  /** Regions that are no part of the cluster any more: nothing is promised of them. */
  readonly evicted: readonly string[];
}

/** All nodes of all regions, or of the `regions` named, as the node that `db` is connected to knows them. */
export async function findNodes(db: Database, regions: readonly string[] | null, signal: AbortSignal): Promise<Found> {
  const known = await db.regions({ timeoutMs: callTimeoutMs, signal });
  const nodes: NodeAddress[] = [];
  const missing: Missing[] = [];
  const evicted: string[] = [];
  for (const region of regions ?? []) {
    if (!known.some((each) => each.region === region))
      missing.push({ region, node: null, problem: 'there is no such region' });
  }
  for (const { region, state, nodes: members } of known) {
    if (regions !== null && !regions.includes(region)) continue;
    if (state === 'evicted') evicted.push(region);
    else if (members.length === 0) missing.push({ region, node: null, problem: 'no node of it is known yet' });
    else {
      for (const { node, clientUrl } of members) {
        if (clientUrl === '') missing.push({ region, node, problem: 'its address is not known' });
        else nodes.push({ region, node, url: clientUrl });
      }
    }
  }
  return { nodes, missing, evicted };
}

/** Connections to nodes, each to that one only, made when they are wanted and kept. */
export class NodeConnections {
  readonly #connect: CliContext['connect'];
  readonly #signal: AbortSignal;
  readonly #open = new Map<string, Database>();

  constructor(connect: CliContext['connect'], signal: AbortSignal) {
    this.#connect = connect;
    this.#signal = signal;
  }

  /** Of the nodes that take a connection; the others are missing. */
  async all(
    nodes: readonly NodeAddress[],
  ): Promise<{ readonly dbs: ReadonlyMap<NodeAddress, Database>; readonly missing: readonly Missing[] }> {
    const dbs = new Map<NodeAddress, Database>();
    const missing: Missing[] = [];
    await Promise.all(
      nodes.map(async (node) => {
        try {
          const db = this.#open.get(node.url) ?? (await this.#connect([node.url], this.#signal, { only: true }));
          this.#open.set(node.url, db);
        } catch (error) {
          missing.push(missingNode(node, error, this.#signal));
        }
      }),
    );
    // In the order given, not in that of the answers.
    for (const node of nodes) {
      const db = this.#open.get(node.url);
      if (db !== undefined) dbs.set(node, db);
    }
    return { dbs, missing };
  }

  /** It failed: the next time it is dialled again. */
  async drop({ url }: NodeAddress): Promise<void> {
    const db = this.#open.get(url);
    this.#open.delete(url);
    await db?.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((db) => db.close()));
    this.#open.clear();
  }
}

/** Rethrows what is no trouble of the node: the user's interrupt, a defect. */
export function missingNode({ region, node }: NodeAddress, error: unknown, signal: AbortSignal): Missing {
  if (signal.aborted) throw error;
  const isExpected = isTypedError(error) || (error instanceof Error && error.name === 'CliError');
  if (!isExpected) throw error;
  return { region, node, problem: error.message };
}
