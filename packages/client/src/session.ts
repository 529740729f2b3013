import { randomHex, type ClientId, type Random, type RegionId } from '@skerry/base';
import type { WriteId } from '@skerry/protocol';

/** Finished calls whose outcome stays open hold back `answeredBelow` by at most this many sequences. */
const undecidedSpanMax = 10_000;

/** 12 hex digits of the region's cluster time when the session begins, in whole milliseconds, then 20 random ones. */
export function newClientId(serverNowMs: number, random: Random): ClientId {
  return (serverNowMs.toString(16).padStart(12, '0').slice(-12) + randomHex(random, 10)) as ClientId;
}

/** One client id in one region: counts the sequences of each partition, and which of them have been answered. */
export class Session {
  readonly client: ClientId;
  readonly region: RegionId;
  readonly #partitions = new Map<number, Sequences>();

  constructor(client: ClientId, region: RegionId) {
    this.client = client;
    this.region = region;
  }

  /** The next sequence of `partition`. */
  allocate(partition: number): number {
    return this.#of(partition).allocate();
  }

  /** Every sequence below this one is answered. */
  answeredBelow(partition: number): number {
    return this.#of(partition).answeredBelow;
  }

  /** As a write of this session is named on the wire. An undecided sequence is given up in favour of later ones only: it may lie below. */
  writeId(partition: number, sequence: number, retry: boolean): WriteId {
    return { client: this.client, sequence, answeredBelow: Math.min(this.answeredBelow(partition), sequence), retry };
  }

  /** `decided`: the result is not wanted again. An undecided one is kept so that its ticket can be resolved. */
  finish(partition: number, sequence: number, decided: boolean): void {
    this.#of(partition).finish(sequence, decided);
  }

  #of(partition: number): Sequences {
    let sequences = this.#partitions.get(partition);
    if (sequences === undefined) this.#partitions.set(partition, (sequences = new Sequences()));
    return sequences;
  }
}

class Sequences {
  #next = 1;
  #low = 1;
  /** Above `low`, out of order. */
  readonly #answered = new Set<number>();
  readonly #undecided = new Set<number>();

  get answeredBelow(): number {
    return this.#low;
  }

  allocate(): number {
    return this.#next++;
  }

  finish(sequence: number, decided: boolean): void {
    if (sequence < this.#low) return;
    if (decided && sequence === this.#low) {
      // The usual case: answers come in order.
      this.#undecided.delete(sequence);
      this.#low++;
    } else if (decided) {
      this.#undecided.delete(sequence);
      this.#answered.add(sequence);
    } else {
      this.#undecided.add(sequence);
    }
    for (;;) {
      // One write that nobody asks about again must not make the nodes keep the results of all later ones for ever.
      const given = this.#undecided.has(this.#low) && this.#next - this.#low > undecidedSpanMax;
      if (!given && !this.#answered.has(this.#low)) return;
      this.#answered.delete(this.#low);
      this.#undecided.delete(this.#low);
      this.#low++;
    }
  }
}
