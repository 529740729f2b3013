import type { ScrubProgress } from '@skerry/storage-lmdb';

/** How much of a turn the check of stored records may take, and how often. */
const sliceBudgetMs = 2;
const slicePauseMs = 50;

/** Reads all stored records round and round, so that rot is found while the peers still have what it hit. */
export class BackgroundScrub {
  readonly #scrub: (options: { readonly budgetMs: number }) => ScrubProgress;
  readonly #intervalMs: number;
  readonly #onFailure: (cause: unknown) => void;
  #timer: NodeJS.Timeout | null = null;
  rounds = 0;
  recordsChecked = 0;

  constructor(options: {
    readonly scrub: (options: { readonly budgetMs: number }) => ScrubProgress;
    /** Between two rounds; 0: no scrubbing. */
    readonly intervalMs: number;
    readonly onFailure: (cause: unknown) => void;
  }) {
    this.#scrub = options.scrub;
    this.#intervalMs = options.intervalMs;
    this.#onFailure = options.onFailure;
  }

  start(): void {
    if (this.#intervalMs > 0) this.#next(slicePauseMs);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #next(delayMs: number): void {
    this.#timer = setTimeout(() => this.#slice(), delayMs);
  }

  #slice(): void {
    try {
      const { wrapped, recordsChecked } = this.#scrub({ budgetMs: sliceBudgetMs });
      this.recordsChecked += recordsChecked;
      if (wrapped) this.rounds++;
      this.#next(wrapped ? this.#intervalMs : slicePauseMs);
    } catch (error) {
      this.#onFailure(error);
    }
  }
}
