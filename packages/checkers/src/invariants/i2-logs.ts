import type { Violation } from './facts.ts';

/** By content: equal hashes stand for equal bytes. */
export interface LoggedEntry {
  readonly partition: number;
  readonly index: number;
  readonly hash: number;
  readonly node: string;
}

/**
 * I2: logs that agree on (index, term) agree up to there; a committed entry is never lost or replaced. To be told of every
 * entry that a node writes, and of what each node made of the entry that it applied at an index.
 */
export class LogChecker {
  readonly #entries: Map<string, { readonly hash: number; readonly node: string }> = new Map();
  readonly #applied: Map<string, { readonly hash: number; readonly node: string }> = new Map();

  /** Log matching: an entry of one index and term is the same everywhere. */
  entry(entry: LoggedEntry & { readonly term: number }): Violation | null {
    const name = `${entry.partition}/${entry.index}/${entry.term}`;
    const other = known(this.#entries, name, entry);
    if (other === null || other.hash === entry.hash) return null;
    return {
      invariant: 'I2',
      message: `${entry.node} and ${other.node} have different entries at partition/index/term ${name}`,
    };
  }

  /** State machine safety: nobody applies anything else at an index. `first`: nobody had applied that index before. */
  applied(entry: LoggedEntry): 'first' | 'known' | Violation {
    const name = `${entry.partition}/${entry.index}`;
    const other = known(this.#applied, name, entry);
    if (other === null) return 'first';
    if (other.hash === entry.hash) return 'known';
    return { invariant: 'I2', message: `${entry.node} and ${other.node} applied different changes at ${name}` };
  }
}

function known(
  map: Map<string, { readonly hash: number; readonly node: string }>,
  name: string,
  { hash, node }: LoggedEntry,
): { readonly hash: number; readonly node: string } | null {
  const other = map.get(name);
  if (other === undefined) map.set(name, { hash, node });
  return other ?? null;
}
