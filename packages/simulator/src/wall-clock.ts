import type { EventQueue } from './event-queue.ts';

/** 14 November 2023. */
export const startWallMs = 1_700_000_000_000;

/** What a machine takes for the time of day: right at first, then as the faults have it. */
export class WallClock {
  readonly #queue: EventQueue;
  #setAtMs = 0;
  #readingMs = startWallMs;
  /** 1: as true time; 0: frozen. */
  #rate = 1;

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  get wallMs(): number {
    return Math.floor(this.#readingMs + (this.#queue.nowMs - this.#setAtMs) * this.#rate);
  }

  jump(byMs: number): void {
    this.#settle(this.#rate);
    this.#readingMs += byMs;
  }

  setRate(rate: number): void {
    this.#settle(rate);
  }

  /** As if set by a time server. */
  correct(): void {
    this.#settle(1);
    this.#readingMs = startWallMs + this.#queue.nowMs;
  }

  #settle(rate: number): void {
    this.#readingMs += (this.#queue.nowMs - this.#setAtMs) * this.#rate;
    this.#setAtMs = this.#queue.nowMs;
    this.#rate = rate;
  }
}
