/** Pauses that double from `minMs` to `maxMs`, each with up to half of it taken off by chance. */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  #failures = 0;

  constructor({ minMs, maxMs }: { minMs: number; maxMs: number }) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  nextMs(): number {
    const ms = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#failures++, 30));
    return ms * (1 - Math.random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}

/** A pause that can be cut short. */
export class Pause {
  #wake: (() => void) | null = null;

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }

  /** Ends the wait that is under way, if any. */
  end(): void {
    this.#wake?.();
  }
}
