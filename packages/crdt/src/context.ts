import { assert, DecodeError, type ByteReader, type ByteWriter, type ReplicaId } from '@skerry/base';
import type { Dot } from './dot.ts';
import { IntervalSet } from './intervals.ts';

/** What a context holds of one replica, for printing and for walking. */
export interface ContextEntry {
  readonly replica: ReplicaId;
  /** Every dot from 1 to this is in the context. */
  readonly prefix: number;
  /** The exceptions: inclusive ranges of sequences above the prefix, with a hole below each. */
  readonly beyond: readonly (readonly [number, number])[];
}

/**
 * A causal context: the set of dots seen, as a version vector plus exceptions (Malkhi and Terry 2005; Almeida et al.
 * 2014 for its use in CRDTs). Exceptions are exact: a dot that arrives above a hole does not hide the ones in it.
 */
export class CausalContext {
  /** Sequences seen per replica; never an empty set, so that equal contexts have equal entries. */
  readonly #seen = new Map<ReplicaId, IntervalSet>();

  static empty(): CausalContext {
    return new CausalContext();
  }

  static of(dots: Iterable<Dot>): CausalContext {
    const context = new CausalContext();
    for (const dot of dots) context.add(dot);
    return context;
  }

  has(dot: Dot): boolean {
    return this.#seen.get(dot.replica)?.has(dot.sequence) ?? false;
  }

  /** False if the dot was already there. */
  add(dot: Dot): boolean {
    assert(dot.sequence >= 1, 'a dot sequence starts from 1', { replica: dot.replica, sequence: dot.sequence });
    return this.#of(dot.replica).add(dot.sequence);
  }

  /** Adds the dots `from` to `to` of a replica, both included. */
  addRange(replica: ReplicaId, from: number, to: number): void {
    assert(from >= 1, 'a dot sequence starts from 1', { replica, from });
    this.#of(replica).addRange(from, to);
  }

  merge(other: CausalContext): void {
    for (const [replica, seen] of other.#seen) this.#of(replica).addAll(seen);
  }

  /** The dots of this one that are not in `other`. */
  minus(other: CausalContext): CausalContext {
    const rest = new CausalContext();
    for (const [replica, seen] of this.#seen) {
      const theirs = other.#seen.get(replica);
      const left = theirs === undefined ? seen.clone() : seen.minus(theirs);
      if (left.rangeCount > 0) rest.#seen.set(replica, left);
    }
    return rest;
  }

  clone(): CausalContext {
    const copy = new CausalContext();
    for (const [replica, seen] of this.#seen) copy.#seen.set(replica, seen.clone());
    return copy;
  }

  /** The contiguous prefix of a replica: every dot from 1 to this is here; 0 if not even the first. */
  maxOf(replica: ReplicaId): number {
    return this.#seen.get(replica)?.prefixFrom(1) ?? 0;
  }

  /** The exceptions of a replica: dots above its contiguous prefix. */
  beyondOf(replica: ReplicaId): readonly (readonly [number, number])[] {
    const ranges = this.#seen.get(replica)?.ranges() ?? [];
    return ranges[0]?.[0] === 1 ? ranges.slice(1) : ranges;
  }

  /** True if the dots `from` to `to` of a replica are here, both included. */
  hasRange(replica: ReplicaId, from: number, to: number): boolean {
    return this.#seen.get(replica)?.hasRange(from, to) ?? false;
  }

  /** True if every dot of `other` is here. */
  covers(other: CausalContext): boolean {
    for (const [replica, seen] of other.#seen) {
      const mine = this.#seen.get(replica);
      if (mine === undefined) return false;
      if (!seen.ranges().every(([from, to]) => mine.hasRange(from, to))) return false;
    }
    return true;
  }

  equals(other: CausalContext): boolean {
    if (this.#seen.size !== other.#seen.size) return false;
    for (const [replica, seen] of this.#seen) {
      const theirs = other.#seen.get(replica);
      if (theirs === undefined || !seen.equals(theirs)) return false;
    }
    return true;
  }

  get isEmpty(): boolean {
    return this.#seen.size === 0;
  }

  /** How many ranges of sequences are kept, which is what the context costs. */
  get rangeCount(): number {
    let count = 0;
    for (const seen of this.#seen.values()) count += seen.rangeCount;
    return count;
  }

  /** All dots, in order; null if there are more than `max`. */
  dots(max: number): readonly Dot[] | null {
    let count = 0;
    for (const seen of this.#seen.values()) count += seen.size;
    if (count > max) return null;
    const dots: Dot[] = [];
    for (const replica of this.replicas()) {
      for (const [from, to] of this.#of(replica).ranges()) {
        for (let sequence = from; sequence <= to; sequence++) dots.push({ replica, sequence });
      }
    }
    return dots;
  }

  replicas(): readonly ReplicaId[] {
    return [...this.#seen.keys()].sort((a, b) => a - b);
  }

  entries(): readonly ContextEntry[] {
    return this.replicas().map((replica) => ({ replica, prefix: this.maxOf(replica), beyond: this.beyondOf(replica) }));
  }

  /** `00000000000a:1-7,9 00000000000b:3`: one column per replica, in order. */
  toText(): string {
    const range = ([from, to]: readonly [number, number]): string => (from === to ? `${from}` : `${from}-${to}`);
    return this.replicas()
      .map((replica) => `${replica.toString(16).padStart(12, '0')}:${this.#of(replica).ranges().map(range).join(',')}`)
      .join(' ');
  }

  /** One encoding per context: replicas in order. */
  encode(w: ByteWriter): void {
    w.varint(this.#seen.size);
    for (const replica of this.replicas()) {
      w.u48(replica);
      this.#of(replica).encode(w);
    }
  }

  static decode(r: ByteReader): CausalContext {
    const context = new CausalContext();
    const count = r.count(9);
    let previous = -1;
    for (let i = 0; i < count; i++) {
      const replica = r.u48() as ReplicaId;
      const seen = IntervalSet.decode(r);
      if (replica <= previous) throw new DecodeError('replicas of a context are out of order');
      if (seen.rangeCount === 0 || seen.has(0)) throw new DecodeError('a context entry is empty or holds dot 0');
      context.#seen.set(replica, seen);
      previous = replica;
    }
    return context;
  }

  #of(replica: ReplicaId): IntervalSet {
    let seen = this.#seen.get(replica);
    if (seen === undefined) {
      seen = new IntervalSet();
      this.#seen.set(replica, seen);
    }
    return seen;
  }
}
