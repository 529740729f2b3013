import type { LmdbReader } from './lmdb-reader.ts';

export interface ScrubProgress {
  readonly recordsChecked: number;
  readonly bytesChecked: number;
  /** True: the end was reached, and the next call starts over. */
  readonly wrapped: boolean;
}

/** How many records are checked between two looks at the clock. */
const recordsPerLook = 64;

/** Reads all records round and round, a slice per call; reading checks them. */
export class Scrubber {
  readonly #reader: LmdbReader;
  /** The next slice starts at this key. */
  #next: string;

  constructor(reader: LmdbReader, from: string) {
    this.#reader = reader;
    this.#next = from;
  }

  scrub(budgetMs: number): ScrubProgress {
    const deadlineMs = performance.now() + budgetMs;
    let recordsChecked = 0;
    let bytesChecked = 0;
    for (const { key, value } of this.#reader.scanToEnd(this.#next)) {
      recordsChecked += 1;
      bytesChecked += value.length;
      this.#next = `${key}\0`;
      if (recordsChecked % recordsPerLook === 0 && performance.now() >= deadlineMs) {
        return { recordsChecked, bytesChecked, wrapped: false };
      }
    }
    this.#next = '';
    return { recordsChecked, bytesChecked, wrapped: true };
  }
}
