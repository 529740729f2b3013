import type { Violation } from './facts.ts';

/** The records of one partition's applied state, each as a hash, and the sum of all. */
export interface StateSum {
  readonly partition: number;
  readonly applied: number;
  readonly node: string;
  readonly sum: number;
  readonly records: ReadonlyMap<string, number>;
}

/** Replicas of one region that applied up to the same index hold the same records: state is a function of the log (I2). */
export class StateChecker {
  /** Keep what it takes to say which records differ. */
  readonly #explains: boolean;
  readonly #states: Map<
    string,
    { readonly sum: number; readonly node: string; readonly records: ReadonlyMap<string, number> | null }
  > = new Map();

  constructor({ explains = false }: { explains?: boolean } = {}) {
    this.#explains = explains;
  }

  holds({ partition, applied, node, sum, records }: StateSum): Violation | null {
    const name = `${partition}/${applied}`;
    const other = this.#states.get(name);
    if (other === undefined) {
      this.#states.set(name, { sum, node, records: this.#explains ? new Map(records) : null });
      return null;
    }
    if (other.sum === sum) return null;
    const which = other.records === null ? '' : `: ${differing(records, other.records).join(', ')}`;
    return {
      invariant: 'state',
      message: `${node} and ${other.node} applied partition ${partition} up to ${applied} and hold different records${which}`,
    };
  }
}

function differing(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => a.get(key) !== b.get(key))
    .sort()
    .map((key) => `${key} ${a.has(key) ? (b.has(key) ? 'in both' : 'only here') : 'only there'}`);
}
