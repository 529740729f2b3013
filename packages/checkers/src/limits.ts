import { assert } from '@skerry/base';

/**
 * Deciding linearizability is NP-complete (Gibbons & Korach 1997), so every search is bounded; one that meets a bound
 * ends as `unknown`. A bound of 0 allows nothing.
 */
export interface Limits {
  /** Attempts to place an operation, over all partitions. Default {@link stepsMaxDefault}. */
  readonly stepsMax?: number;
  /** Remembered configurations of one partition; bounds memory. Default {@link configurationsMaxDefault}. */
  readonly configurationsMax?: number;
  /** A stopwatch that the caller owns, and the reading at which to give up. Default: no time limit. */
  readonly time?: { readonly elapsedMs: () => number; readonly elapsedMsMax: number };
}

export const stepsMaxDefault = 50_000_000;
export const configurationsMaxDefault = 2_000_000;

/** Which bound ended the search. */
export type LimitReason = 'steps' | 'configurations' | 'time';

/** Steps between two looks at the stopwatch, which may be dear. */
const stepsPerLook = 1024;

/** Counts what a search uses up. Shared by all partitions of one check. */
export class Budget {
  readonly configurationsMax: number;
  readonly #stepsMax: number;
  readonly #time: Limits['time'];
  #steps = 0;

  constructor(limits: Limits = {}) {
    this.#stepsMax = limits.stepsMax ?? stepsMaxDefault;
    this.configurationsMax = limits.configurationsMax ?? configurationsMaxDefault;
    this.#time = limits.time;
    assert(this.#stepsMax >= 0 && this.configurationsMax >= 0, 'limits must not be negative', {
      stepsMax: this.#stepsMax,
      configurationsMax: this.configurationsMax,
    });
  }

  get steps(): number {
    return this.#steps;
  }

  /** Takes one step, or says which bound forbids it. */
  spend(): LimitReason | null {
    if (this.#steps >= this.#stepsMax) return 'steps';
    if (
      this.#time !== undefined &&
      this.#steps % stepsPerLook === 0 &&
      this.#time.elapsedMs() >= this.#time.elapsedMsMax
    ) {
      return 'time';
    }
    this.#steps++;
    return null;
  }
}
