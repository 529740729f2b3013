import type { ReplicaId } from '@skerry/base';
import { stampAfter, stampMax, stampZero, type Stamp } from './stamp.ts';

/**
 * A hybrid logical clock (Kulkarni, Demirbas et al. 2014). It never reads a wall clock: `nowMs` is an argument.
 *
 * The owner's duties: make `last` durable with the write that it stamps and restore it, so that a restart with the
 * clock set back reuses no stamp; and clamp a foreign stamp before it is observed, so that one clock in the future
 * does not drag every other one along.
 */
export class HybridClock {
  readonly #replica: ReplicaId;
  /** The highest stamp issued or observed. It never falls. */
  #last: Stamp;

  constructor(replica: ReplicaId, restored: Stamp | null = null) {
    this.#replica = replica;
    this.#last = restored ?? stampZero;
  }

  /** A stamp above all issued and observed; its `wallMs` is `nowMs` or, if that is later, the last one's. */
  next(nowMs: number): Stamp {
    this.#last = stampAfter(this.#last, nowMs, this.#replica);
    return this.#last;
  }

  observe(stamp: Stamp): void {
    this.#last = stampMax(this.#last, stamp);
  }

  get last(): Stamp {
    return this.#last;
  }
}
