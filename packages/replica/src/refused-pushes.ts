import type { ReplicaId } from '@skerry/base';
import type { Dot } from '@skerry/crdt';

/** A node that does not push again for so long what was refused does not have it any more: it is waited for no longer. */
const giveUpMs = 10_000;

interface Range {
  /** The first that was refused and is not here, and the last. */
  next: number;
  last: number;
  /** When `next` was refused. */
  refusedMs: number;
}

/**
 * Pushed writes that this node had no room for, by the node that accepted them. What that one wrote after them has to wait, or it
 * might be promoted from here without them: holders hand over in dot order (DESIGN section 3.3). Dots leave no holes.
 */
export class RefusedPushes {
  readonly #ranges: Map<ReplicaId, Range> = new Map();

  refuse({ replica, sequence }: Dot, nowMs: number): void {
    const range = this.#ranges.get(replica);
    if (range === undefined) {
      this.#ranges.set(replica, { next: sequence, last: sequence, refusedMs: nowMs });
      return;
    }
    if (sequence <= range.next) range.refusedMs = nowMs;
    range.next = Math.min(range.next, sequence);
    range.last = Math.max(range.last, sequence);
  }

  /** True if one before it was refused, and did not come since: `isHere` knows which are held or settled. */
  isAfterOne({ replica, sequence }: Dot, isHere: (dot: Dot) => boolean, nowMs: number): boolean {
    const range = this.#ranges.get(replica);
    if (range === undefined) return false;
    while (range.next <= range.last && isHere({ replica, sequence: range.next })) {
      range.next++;
      range.refusedMs = nowMs;
    }
    if (range.next <= range.last && nowMs - range.refusedMs <= giveUpMs) return sequence > range.next;
    this.#ranges.delete(replica);
    return false;
  }
}
