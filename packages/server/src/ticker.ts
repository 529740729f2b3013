/** Ticks in a row, about, that nothing was to do in before the node rests: who comes and goes is not worth it. */
const calmTicksMin = 10;
/** Node's timers may be early by this much. */
const earlyMsMax = 1;

/**
 * The ticks of a node. While it is at work, one per `tickMs`. A node at rest wakes up only when a tick may come to something:
 * waking up a hundred times a second costs more of a core than all it does then. Ticks that went by are handed in before
 * whatever happens next, so whoever counts them is never behind when it matters.
 *
 * After a pause of the process a tick that was missed is not made up for, beyond those that the rest was planned for: a
 * pause alone does not look like an election timeout to this node.
 */
export class Ticker {
  readonly #tickMs: number;
  readonly #onDue: () => void;
  readonly #restTicks: () => number;
  #timer: NodeJS.Timeout | null = null;
  /** Milliseconds of the monotonic clock up to which ticks were handed in; null: not at rest. */
  #tickedMs: number | null = null;
  /** Planned at once. */
  #planned = 1;
  #calmTicks = 0;

  /** `restTicks`: in how many ticks the first one can come to something; 0: the node is at work. `onDue` is to {@link take} what is due. */
  constructor({
    tickMs,
    onDue,
    restTicks,
  }: {
    readonly tickMs: number;
    readonly onDue: () => void;
    readonly restTicks: () => number;
  }) {
    this.#tickMs = tickMs;
    this.#onDue = onDue;
    this.#restTicks = restTicks;
  }

  get resting(): boolean {
    return this.#tickedMs !== null;
  }

  /** After a pause of the process Node fires an interval once, not once per missed period. */
  start(): void {
    this.stop();
    this.#timer = setInterval(this.#onDue, this.#tickMs);
  }

  stop(): void {
    this.#tickedMs = null;
    this.#calmTicks = 0;
    // One function clears both kinds.
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** How many ticks are due now: of the timer itself, or before another event. */
  take(nowMs: number, byTimer: boolean): number {
    if (this.#tickedMs === null) return byTimer ? 1 : 0;
    const passed = Math.floor((nowMs + earlyMsMax - this.#tickedMs) / this.#tickMs);
    const count = Math.max(0, Math.min(passed, this.#planned));
    this.#tickedMs = passed > this.#planned ? nowMs : this.#tickedMs + count * this.#tickMs;
    return count;
  }

  /** What was due was carried out: plans the next one. `ticked`: a tick was among it. */
  settle(nowMs: number, ticked: boolean): void {
    if (this.#timer === null || (this.#tickedMs === null && !ticked)) return;
    const ticks = this.#restTicks();
    if (ticks === 0) {
      if (this.#tickedMs !== null) this.start();
      this.#calmTicks = 0;
      return;
    }
    if (this.#tickedMs === null) {
      if (++this.#calmTicks < calmTicksMin) return;
      this.#tickedMs = nowMs;
    }
    this.#planned = ticks;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onDue, Math.max(1, this.#tickedMs + ticks * this.#tickMs - nowMs));
  }
}
