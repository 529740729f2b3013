import type { Host } from './host.ts';

/** What is due within a few milliseconds of each other is run at once. */
export const graceMs = 5;

/** Runs something at the earliest of the times that it was asked for. */
export class Alarm {
  readonly #host: Host;
  readonly #run: () => void;
  #timer: { readonly dueMs: number; readonly cancel: () => void } | null = null;
  #stopped = false;

  constructor(host: Host, run: () => void) {
    this.#host = host;
    this.#run = run;
  }

  /** At once if that has passed, else not within the next few milliseconds. */
  at(atMs: number): void {
    if (this.#stopped || atMs === Number.POSITIVE_INFINITY) return;
    // Asked for by every call: mostly there is an earlier one, which takes no look at the clock.
    if (this.#timer !== null && this.#timer.dueMs <= atMs) return;
    const nowMs = this.#host.nowMs();
    const dueMs = atMs <= nowMs ? nowMs : Math.max(atMs, nowMs + graceMs);
    if (this.#timer !== null && this.#timer.dueMs <= dueMs) return;
    this.#timer?.cancel();
    const cancel = this.#host.setTimer(dueMs - nowMs, () => {
      this.#timer = null;
      if (!this.#stopped) this.#run();
    });
    this.#timer = { dueMs, cancel };
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
