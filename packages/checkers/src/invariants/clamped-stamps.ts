import type { Violation } from './facts.ts';

/**
 * DESIGN section 3.3: no committed stamp lies further ahead than the leader's clock and the skew that clocks may have, which
 * the leader writes into each entry as a limit. Between regions stamps may come from anywhere, so it speaks of one region.
 */
export class ClampChecker {
  /** By partition and index: entries of several terms may have stood there, so the highest limit counts. */
  readonly #limits: Map<string, number> = new Map();
  /** By partition: of the stamps committed so far. */
  readonly #highestWallMs: Map<number, number> = new Map();

  /** An entry with that limit was written there. */
  limited({ partition, index, limitMs }: { partition: number; index: number; limitMs: number }): void {
    const name = `${partition}/${index}`;
    this.#limits.set(name, Math.max(this.#limits.get(name) ?? 0, limitMs));
  }

  /** The highest that a stamp of this entry may be: below its limit, or counted on from what is committed. */
  limitAt(partition: number, index: number): number {
    return Math.max(this.#highestWallMs.get(partition) ?? 0, this.#limits.get(`${partition}/${index}`) ?? 0);
  }

  committed(change: {
    readonly partition: number;
    readonly index: number;
    readonly key: string;
    readonly wallMs: number;
    readonly version: string;
    readonly limitMs: number;
  }): Violation | null {
    const { partition, index, key, wallMs, version, limitMs } = change;
    this.#highestWallMs.set(partition, Math.max(this.#highestWallMs.get(partition) ?? 0, wallMs));
    // A stamp that counted on from the highest may have carried into the next millisecond.
    if (wallMs <= limitMs + 1) return null;
    return {
      invariant: 'clamp',
      message: `${key} got the stamp ${version} at ${partition}/${index}, ${wallMs - limitMs} ms beyond the leader's limit`,
    };
  }
}
