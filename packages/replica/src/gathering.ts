import { Fifo } from './fifo.ts';

/** While fewer operations than this are open at once, none waits for others. */
const gatherFromOperations = 16;
/** As many as this do not wait for more. */
const gatherOperationsMax = 256;
const gatherCommits = 3;
const gatherMsMax = 20;
/** Of the time that entries take, each new one counts for so much. */
const commitMsWeight = 1 / 8;
/** So much of the most that was open at once is forgotten with each entry. */
const forgetWeight = 1 / 16;

interface Proposed {
  readonly index: number;
  readonly operations: number;
  readonly sinceMs: number;
}

/**
 * When the leader had better wait for more writes before it proposes an entry. Each entry is followed by turns, messages and
 * syncs on all nodes, whatever is in it; so where several operations are open at once, the next entry waits for more to join
 * it, for three times as long as entries take to be applied, which is little on machines that have time.
 *
 * Callers that wait for their answers before they ask again send no more than they did before: once three quarters of all
 * that was lately open at once are there, waiting would only cost time. (Where calls come at a rate instead, that much is
 * there when three times the way of an entry has passed: with rate r and way w, 3/4 of r (3 w + w) is r times 3 w.)
 */
export class Gathering {
  readonly #proposed: Fifo<Proposed> = new Fifo();
  /** Operations proposed here and not applied yet. */
  #underWay = 0;
  /** The most operations that were open at once: waiting to be proposed, or under way. Sinks slowly. */
  #openMost = 0;
  #commitMs = 0;
  #lastProposedMs = Number.NEGATIVE_INFINITY;

  proposed(index: number, operations: number, nowMs: number): void {
    this.#proposed.push({ index, operations, sinceMs: nowMs });
    this.#underWay += operations;
    this.#openMost -= this.#openMost * forgetWeight;
    this.#lastProposedMs = nowMs;
  }

  /** This node applied the entry at `index`. */
  applied(index: number, nowMs: number): void {
    for (
      let first = this.#proposed.peek();
      first !== undefined && first.index <= index;
      first = this.#proposed.peek()
    ) {
      if (first.index === index) this.#commitMs += (nowMs - first.sinceMs - this.#commitMs) * commitMsWeight;
      this.#underWay -= first.operations;
      this.#proposed.shift();
    }
  }

  /** Leadership begins or ends: what becomes of the entries that were proposed is not told any more. */
  reset(): void {
    this.#proposed.clear();
    this.#underWay = 0;
    this.#openMost = 0;
  }

  /** Whether the operations that wait, so many, should wait for more. */
  isWorthWaiting(operations: number, nowMs: number): boolean {
    this.#openMost = Math.max(this.#openMost, operations + this.#underWay);
    if (this.#openMost < gatherFromOperations || operations >= gatherOperationsMax) return false;
    if (operations >= this.#openMost * 0.75) return false;
    return nowMs - this.#lastProposedMs < Math.min(gatherCommits * this.#commitMs, gatherMsMax);
  }
}
