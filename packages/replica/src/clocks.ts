import type { NodeId } from '@skerry/base';
import type { Now } from './replica-api.ts';
import type { Turn } from './turn.ts';

interface Sample {
  /** The peer's wall clock less this node's monotonic one. */
  readonly wallLessMonoMs: number;
  readonly roundTripMs: number;
  readonly atMs: number;
}

const askEveryMs = 1_000;
/** A better measurement is preferred for this long, a peer's clock is counted in for the other. */
const bestForMs = 10_000;
const forgetAfterMs = 3_600_000;

/**
 * Measures the wall clocks of the region's other nodes (Cristian 1989: half the round trip). A node whose own clock is off
 * from the middle one of at least three by more than `maxClockSkewMs` reads the middle one for its stamps, so that
 * neither a leader's nor an accepting node's broken clock writes the future.
 */
export class Clocks {
  readonly #turn: Turn;
  readonly #samples: Map<NodeId, Sample> = new Map();
  #askedMs = Number.NEGATIVE_INFINITY;
  /** The middle clock at a reading; null: samples have changed since. */
  #known: { readonly now: Now; readonly middleMs: number } | null = null;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Own wall clock less the middle one of those known, milliseconds; 0 if fewer than three are known. */
  offsetMs(): number {
    const { now } = this.#turn;
    return now.wallMs - now.monoMs - this.#middle();
  }

  /** The own clock is off by more than clocks may differ. */
  get isSkewed(): boolean {
    return Math.abs(this.offsetMs()) > this.#turn.options.timing.maxClockSkewMs;
  }

  /** What stamps are made from. */
  wallMs(): number {
    const { now } = this.#turn;
    return this.isSkewed ? now.monoMs + this.#middle() : now.wallMs;
  }

  tick(): void {
    const { now, connected } = this.#turn;
    if (now.monoMs - this.#askedMs < askEveryMs) return;
    this.#askedMs = now.monoMs;
    for (const peer of connected) this.#turn.send(peer, { kind: 'clockAsk', sentMs: Math.floor(now.monoMs) });
    for (const [peer, { atMs }] of this.#samples) if (now.monoMs - atMs > forgetAfterMs) this.#samples.delete(peer);
    this.#known = null;
  }

  asked(from: NodeId, sentMs: number): void {
    this.#turn.send(from, { kind: 'clock', sentMs, wallMs: Math.max(0, Math.floor(this.#turn.now.wallMs)) });
  }

  told(from: NodeId, { sentMs, wallMs }: { readonly sentMs: number; readonly wallMs: number }): void {
    const { monoMs } = this.#turn.now;
    const roundTripMs = monoMs - sentMs;
    // An answer from before a restart of this process, or from one that guesses.
    if (roundTripMs < 0 || roundTripMs > bestForMs) return;
    const sample = { wallLessMonoMs: wallMs + roundTripMs / 2 - monoMs, roundTripMs, atMs: monoMs };
    const known = this.#samples.get(from);
    const moved = known === undefined ? 0 : Math.abs(known.wallLessMonoMs - sample.wallLessMonoMs);
    // A slow answer says less than an earlier fast one, unless the clock has plainly moved.
    const isBetter =
      known === undefined || roundTripMs <= known.roundTripMs || monoMs - known.atMs > bestForMs || moved > roundTripMs;
    if (isBetter) this.#samples.set(from, sample);
    this.#known = null;
  }

  /** Once per reading of the clocks: all writes of a turn share it. */
  #middle(): number {
    const { now } = this.#turn;
    if (this.#known?.now !== now) this.#known = { now, middleMs: this.#middleAt(now) };
    return this.#known.middleMs;
  }

  #middleAt(now: Now): number {
    const own = now.wallMs - now.monoMs;
    const all = [own, ...Array.from(this.#samples.values(), ({ wallLessMonoMs }) => wallLessMonoMs)].sort(
      (a, b) => a - b,
    );
    if (all.length < 3) return own;
    const low = all[Math.ceil(all.length / 2) - 1] as number;
    const high = all[Math.floor(all.length / 2)] as number;
    // Of an even number, the one that is nearer to the own clock.
    return Math.abs(low - own) <= Math.abs(high - own) ? low : high;
  }
}
