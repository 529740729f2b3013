import type { Violation } from './facts.ts';

/** Who sent what only the leader of a term sends. */
export interface LeaderClaim {
  readonly partition: number;
  readonly term: number;
  readonly node: string;
}

/** I1: at most one leader per term and partition. To be told of every claim, at once. */
export class LeaderChecker {
  readonly #leaders: Map<string, string> = new Map();

  /** `first`: nobody led in that term before. */
  claims({ partition, term, node }: LeaderClaim): 'first' | 'known' | Violation {
    const name = `${partition}/${term}`;
    const leader = this.#leaders.get(name);
    if (leader === node) return 'known';
    if (leader !== undefined)
      return { invariant: 'I1', message: `${leader} and ${node} both lead partition ${partition} in term ${term}` };
    this.#leaders.set(name, node);
    return 'first';
  }
}
