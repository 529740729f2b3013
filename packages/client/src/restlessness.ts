const moveAfterMsMax = 30_000;

/** When to look for another node because the one that is connected does not get calls done: less and less often while it does not help. */
export class Restlessness {
  readonly #stallMs: number;
  /** Not moved to another node again before this. */
  #dueMs = 0;
  #afterMs: number;

  constructor(stallMs: number) {
    this.#stallMs = stallMs;
    this.#afterMs = stallMs;
  }

  isStalled(sentMs: number, nowMs: number): boolean {
    return nowMs >= sentMs + this.#afterMs;
  }

  /** When to look for another node on behalf of a call that was sent at `sentMs`; always in the future. */
  dueMs(sentMs: number, nowMs: number): number {
    const dueMs = sentMs + this.#afterMs;
    return dueMs > nowMs ? dueMs : Math.max(this.#dueMs, nowMs + this.#stallMs);
  }

  /** Whether to move now. */
  tries(nowMs: number): boolean {
    if (nowMs < this.#dueMs) return false;
    this.#dueMs = nowMs + this.#afterMs;
    this.#afterMs = Math.min(this.#afterMs * 2, moveAfterMsMax);
    return true;
  }

  /** The node does get calls done. */
  calm(): void {
    this.#afterMs = this.#stallMs;
  }
}
