import type { Causality, Seen } from '@skerry/replica';
import { dotFromText, type Dot } from '@skerry/crdt';

/** What a session's own quorum-less write is known by. */
interface OwnWrite {
  readonly partition: number;
  readonly dot: Dot;
  /** The write may be lost with its disk, or is settled: nobody waits for it. */
  readonly isMoot: () => boolean;
}

/** What a session has seen (docs/regions.md, sessions across regions); its reads ask for that, wherever they go. */
export class Token {
  readonly #positions: Map<number, Map<Seen['partitions'][number]['positions'][number]['origin'], number>> = new Map();
  #own: OwnWrite[] = [];

  /** An answer was handed out by a node that had applied this. */
  fold({ partitions }: Seen): void {
    for (const { partition, positions } of partitions) {
      const known = this.#positions.get(partition) ?? new Map();
      this.#positions.set(partition, known);
      for (const { origin, sequence } of positions) known.set(origin, Math.max(sequence, known.get(origin) ?? 0));
    }
  }

  /** A quorum-less write was accepted. */
  wrote(receipt: string, isMoot: () => boolean): void {
    const [, partition, text = ''] = receipt.split(':');
    const dot = dotFromText(text);
    if (dot !== null) this.#own.push({ partition: Number(partition), dot, isMoot });
  }

  /** undefined: nothing was seen of that partition. */
  of(partition: number): Causality | undefined {
    this.#own = this.#own.filter(({ isMoot }) => !isMoot());
    const positions = Array.from(this.#positions.get(partition) ?? [], ([origin, sequence]) => ({
      origin,
      sequence,
    })).filter(({ sequence }) => sequence > 0);
    const dots = this.#own.filter((own) => own.partition === partition).map(({ dot }) => dot);
    return positions.length + dots.length === 0 ? undefined : { positions, dots };
  }
}
