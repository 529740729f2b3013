import { type ReplicaId, replicaId } from '@skerry/base';
import { parseReceipt } from '@skerry/protocol';
import type { Causality, KeyAnswer, Seen } from '@skerry/replica';
import { HttpError } from './problem.ts';

/** Header of requests and answers: a caller that hands back what it got last reads what it has seen or written, anywhere. */
export const sessionHeader = 'skerry-session';

/** Quorum-less writes of one caller and partition that are waited for; above this the oldest is not, since headers are short. */
const dotsMax = 100;

const part = /^(0|[1-9][0-9]{0,4}):([^:]*):([^:]*)$/;
const item = /^([0-9a-f]{1,12})-(0|[1-9][0-9]{0,15})$/;

/** What has been seen of one partition: entries by origin, and quorum-less writes that no position covers yet. */
interface SeenPart {
  readonly positions: Map<ReplicaId, number>;
  dots: Causality['dots'];
}

/**
 * What an HTTP caller has seen, by partition (I13). As text, partitions are joined by `/`:
 * `PARTITION:ORIGIN-SEQUENCE+…:REPLICA-SEQUENCE+…`, replicas in hexadecimal.
 */
export class CausalToken {
  readonly #parts = new Map<number, SeenPart>();

  /** Throws {@link HttpError} for what {@link toString} does not make, or a partition that is not there. */
  static parse(text: string, partitionCount: number): CausalToken {
    const token = new CausalToken();
    for (const piece of text === '' ? [] : text.split('/')) {
      const match = part.exec(piece);
      if (match === null || Number(match[1]) >= partitionCount) throw bad();
      const positions = new Map(parseItems(match[2] ?? '').map(({ replica, sequence }) => [replica, sequence]));
      token.#parts.set(Number(match[1]), { positions, dots: parseItems(match[3] ?? '') });
    }
    return token;
  }

  /** What a read of that partition waits for; null: nothing. */
  after(partition: number): Causality | null {
    const known = this.#parts.get(partition);
    if (known === undefined) return null;
    return { positions: Array.from(known.positions, ([origin, sequence]) => ({ origin, sequence })), dots: known.dots };
  }

  /** The caller gets an answer that rests on this. */
  fold({ partition, positions, promoted }: Seen['partitions'][number]): void {
    const known = this.#part(partition);
    for (const { origin, sequence } of positions) {
      known.positions.set(origin, Math.max(sequence, known.positions.get(origin) ?? 0));
    }
    // Those are settled in entries that these positions cover.
    known.dots = known.dots.filter(
      ({ replica, sequence }) => replica !== promoted.replica || sequence > promoted.sequence,
    );
  }

  /** The caller gets this answer; if it was a quorum-less write, it is in no log yet. */
  wrote({ receipt }: KeyAnswer): void {
    const name = receipt === undefined ? null : parseReceipt(receipt);
    if (name === null) return;
    const known = this.#part(name.partition);
    known.dots = [...known.dots, name.dot].slice(-dotsMax);
  }

  toString(): string {
    return Array.from(this.#parts, ([partition, { positions, dots }]) => {
      const seen = Array.from(positions, ([replica, sequence]) => itemText(replica, sequence));
      return `${partition}:${seen.join('+')}:${dots.map(({ replica, sequence }) => itemText(replica, sequence)).join('+')}`;
    }).join('/');
  }

  #part(partition: number): SeenPart {
    const known = this.#parts.get(partition) ?? { positions: new Map<ReplicaId, number>(), dots: [] };
    this.#parts.set(partition, known);
    return known;
  }
}

function parseItems(text: string): Causality['dots'] {
  return (text === '' ? [] : text.split('+')).map((piece) => {
    const match = item.exec(piece);
    const sequence = Number(match?.[2]);
    if (match === null || !Number.isSafeInteger(sequence)) throw bad();
    return { replica: replicaId(Number.parseInt(match[1] ?? '', 16)), sequence };
  });
}

function itemText(replica: ReplicaId, sequence: number): string {
  return `${replica.toString(16)}-${sequence}`;
}

function bad(): HttpError {
  return new HttpError('BAD_REQUEST', `${sessionHeader}: not a session of this cluster`);
}
