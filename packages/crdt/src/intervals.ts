import { assert, DecodeError, type ByteReader, type ByteWriter } from '@skerry/base';

/**
 * A set of non-negative safe integers as sorted, disjoint, non-adjacent inclusive ranges. Its size is that of its
 * holes, not of its members; adding at the end is O(1), elsewhere a binary search and a splice.
 */
export class IntervalSet {
  /** First and last members of range i; `from[i] <= to[i]` and `to[i] + 1 < from[i + 1]`. */
  #from: number[] = [];
  #to: number[] = [];

  has(n: number): boolean {
    const i = this.#rangeAtOrBefore(n);
    return i >= 0 && n <= (this.#to[i] as number);
  }

  /** False if `n` was already there. */
  add(n: number): boolean {
    if (this.has(n)) return false;
    this.addRange(n, n);
    return true;
  }

  /** Adds `from` to `to`, both included. */
  addRange(from: number, to: number): void {
    assert(Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 0 && from <= to, 'bad range', {
      from,
      to,
    });
    // First range that touches or follows `from`, and first that lies wholly behind `to` with a hole between.
    let first = this.#rangeAtOrBefore(from);
    if (first < 0 || (this.#to[first] as number) + 1 < from) first++;
    const end = this.#rangeAtOrBefore(to + 1) + 1;
    if (first >= end) {
      this.#from.splice(first, 0, from);
      this.#to.splice(first, 0, to);
      return;
    }
    const mergedFrom = Math.min(from, this.#from[first] as number);
    const mergedTo = Math.max(to, this.#to[end - 1] as number);
    if (end - first === 1) {
      this.#from[first] = mergedFrom;
      this.#to[first] = mergedTo;
      return;
    }
    this.#from.splice(first, end - first, mergedFrom);
    this.#to.splice(first, end - first, mergedTo);
  }

  addAll(other: IntervalSet): void {
    for (let i = 0; i < other.#from.length; i++) this.addRange(other.#from[i] as number, other.#to[i] as number);
  }

  /** The members that are not in `other`. */
  minus(other: IntervalSet): IntervalSet {
    const rest = new IntervalSet();
    for (const [from, to] of this.ranges()) {
      let next = from;
      for (let i = Math.max(0, other.#rangeAtOrBefore(from)); next <= to; i++) {
        const until = other.#from[i] ?? to + 1;
        if (until > next) rest.addRange(next, Math.min(to, until - 1));
        next = Math.max(next, (other.#to[i] ?? to) + 1);
      }
    }
    return rest;
  }

  /** True if every member of `from` to `to` is there. */
  hasRange(from: number, to: number): boolean {
    const i = this.#rangeAtOrBefore(from);
    return i >= 0 && to <= (this.#to[i] as number);
  }

  ranges(): readonly (readonly [number, number])[] {
    return this.#from.map((from, i) => [from, this.#to[i] as number] as const);
  }

  /** The last member of the first range if that starts at `from`, else null: the end of a contiguous prefix. */
  prefixFrom(from: number): number | null {
    return this.#from[0] === from ? (this.#to[0] as number) : null;
  }

  /** How many ranges, which is what the set costs. */
  get rangeCount(): number {
    return this.#from.length;
  }

  /** How many members. */
  get size(): number {
    let size = 0;
    for (let i = 0; i < this.#from.length; i++) size += (this.#to[i] as number) - (this.#from[i] as number) + 1;
    return size;
  }

  equals(other: IntervalSet): boolean {
    if (this.#from.length !== other.#from.length) return false;
    return this.#from.every((from, i) => from === other.#from[i] && this.#to[i] === other.#to[i]);
  }

  clone(): IntervalSet {
    const copy = new IntervalSet();
    copy.#from = [...this.#from];
    copy.#to = [...this.#to];
    return copy;
  }

  /** A count, then per range its distance from the one before and its length: one encoding per set. */
  encode(w: ByteWriter): void {
    w.varint(this.#from.length);
    let previous = 0;
    for (let i = 0; i < this.#from.length; i++) {
      const from = this.#from[i] as number;
      const to = this.#to[i] as number;
      w.varint(from - previous).varint(to - from);
      previous = to + 2;
    }
  }

  static decode(r: ByteReader): IntervalSet {
    const set = new IntervalSet();
    const count = r.count(2);
    let previous = 0;
    for (let i = 0; i < count; i++) {
      const from = previous + r.varint();
      const to = from + r.varint();
      if (!Number.isSafeInteger(to)) throw new DecodeError('a range exceeds a safe integer');
      set.#from.push(from);
      set.#to.push(to);
      previous = to + 2;
    }
    return set;
  }

  /** Index of the last range that starts at or before `n`, or -1. */
  #rangeAtOrBefore(n: number): number {
    let low = 0;
    let high = this.#from.length;
    if (high > 0 && (this.#from[high - 1] as number) <= n) return high - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#from[middle] as number) <= n) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
