import type { Violation } from './facts.ts';

/** Where a log is kept: the node and which of its states. */
export interface LogPlace {
  readonly node: string;
  readonly partition: number;
  readonly generation: number;
}

/** How far a node's state has come in one origin's log. */
export interface LogPosition {
  readonly origin: number;
  /** Entries up to here took effect. */
  readonly applied: number;
  /** Entries from here on are kept; what lies below was dropped, or came by state exchange. */
  readonly first: number;
}

interface Known {
  /** All entries up to here were stored, or stepped over by a state exchange. */
  upTo: number;
  applied: number;
  /** Entries that were stored behind `upTo`. */
  ahead: { readonly first: number; readonly last: number }[];
}

/**
 * I10: per origin, effects are applied in region-log order without gaps. To be told, of every node of every region, the
 * entries that it stores, and its positions whenever those become durable:
 *
 * - the entry of one number is the same everywhere, so that order and gaps cannot hide behind another numbering;
 * - a position moves over entries that the node has, or over what a state exchange brought, and over nothing else;
 * - a position falls only where the region was re-seeded.
 */
export class RegionLogChecker {
  readonly #entries: Map<string, { readonly hash: number; readonly node: string }> = new Map();
  readonly #known: Map<string, Map<number, Known>> = new Map();
  readonly #reseededFor: Map<string, string> = new Map();

  /** `hashes`: of the entries from `first` on, which the node now has. */
  stored(
    place: LogPlace,
    { origin, first, hashes }: { origin: number; first: number; hashes: readonly number[] },
  ): Violation | null {
    const known = this.#of(place, origin);
    known.ahead.push({ first, last: first + hashes.length - 1 });
    for (const [i, hash] of hashes.entries()) {
      const name = `${place.partition}/${origin}/${first + i}`;
      const other = this.#entries.get(name);
      if (other === undefined) this.#entries.set(name, { hash, node: place.node });
      else if (other.hash !== hash)
        return {
          invariant: 'I10',
          message: `${place.node} and ${other.node} have different entries at partition/origin/number ${name}`,
        };
    }
    return null;
  }

  /** `reseededFor` changes with each re-seeding. */
  positions(place: LogPlace, positions: readonly LogPosition[], reseededFor: string): Violation | null {
    const name = nameOf(place);
    const isReseeded = this.#reseededFor.get(name) !== reseededFor;
    this.#reseededFor.set(name, reseededFor);
    // Logs that the new state does not name start over.
    if (isReseeded) this.#forgetOthers(name, positions);
    for (const { origin, applied, first } of positions) {
      const known = this.#of(place, origin);
      const log = `of the log of ${origin}, partition ${place.partition}, ${place.node}`;
      if (applied < known.applied && !isReseeded)
        return { invariant: 'I10', message: `${log} had applied ${known.applied} entries, and now ${applied}` };
      let upTo = isReseeded && applied < known.upTo ? first - 1 : Math.max(known.upTo, first - 1);
      known.ahead.sort((a, b) => a.first - b.first);
      for (const { first: from, last } of known.ahead) if (from <= upTo + 1) upTo = Math.max(upTo, last);
      if (upTo < applied)
        return { invariant: 'I10', message: `${log} has applied ${applied} entries, but ${upTo + 1} never came` };
      known.ahead = known.ahead.filter(({ last }) => last > applied);
      known.upTo = applied;
      known.applied = applied;
    }
    return null;
  }

  #forgetOthers(name: string, positions: readonly LogPosition[]): void {
    const logs = this.#known.get(name);
    for (const origin of [...(logs?.keys() ?? [])])
      if (positions.every((position) => position.origin !== origin)) logs?.delete(origin);
  }

  #of(place: LogPlace, origin: number): Known {
    const name = nameOf(place);
    const logs = this.#known.get(name) ?? new Map<number, Known>();
    this.#known.set(name, logs);
    const known = logs.get(origin) ?? { upTo: 0, applied: 0, ahead: [] };
    logs.set(origin, known);
    return known;
  }
}

function nameOf({ node, partition, generation }: LogPlace): string {
  return `${node}/${partition}/${generation}`;
}
