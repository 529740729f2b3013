import type { LogIndex, Raft } from '@skerry/raft';

/** A read that waits until this node has applied what was committed when it was asked. */
export interface WaitingRead {
  /** Answers from the applied state. */
  readonly serve: () => void;
  readonly isOpen: boolean;
}

/** How long a read index may take before it is asked for again: its messages may be lost. */
const askAgainMs = 150;

/** ReadIndex (thesis 6.4) of one partition: all reads of a turn share one round. */
export class Reads {
  readonly #raft: Raft;
  #queue: WaitingRead[] = [];
  readonly #rounds: Map<number, { readonly reads: WaitingRead[]; readonly askedMs: number }> = new Map();
  /** Reads whose index is known and not yet applied, in order of index. */
  #ready: { readonly index: LogIndex; readonly reads: WaitingRead[] }[] = [];
  #nextContext = 1;
  /** A round failed; ask again in the next tick, not at once. */
  #resting = false;

  constructor(raft: Raft) {
    this.#raft = raft;
  }

  add(read: WaitingRead): void {
    this.#queue.push(read);
  }

  get waitingCount(): number {
    let count = this.#queue.length;
    for (const round of this.#rounds.values()) count += round.reads.length;
    for (const { reads } of this.#ready) count += reads.length;
    return count;
  }

  /** Forgets those that nobody wants any more: without a leader nothing else would. */
  prune(): void {
    this.#queue = this.#queue.filter((read) => read.isOpen);
  }

  tick(nowMs: number): void {
    this.#resting = false;
    for (const [context, round] of this.#rounds) {
      if (nowMs - round.askedMs < askAgainMs) break;
      this.#rounds.delete(context);
      this.#queue.push(...round.reads);
    }
  }

  /** Leadership changed: what was asked before may never be answered. */
  restart(): void {
    for (const round of this.#rounds.values()) this.#queue.push(...round.reads);
    this.#rounds.clear();
    this.#resting = false;
  }

  /** Asks for a read index if reads wait and a leader is known. */
  ask(hasLeader: boolean, nowMs: number): void {
    if (!hasLeader || this.#resting || this.#queue.length === 0) return;
    const reads = this.#queue.filter((read) => read.isOpen);
    this.#queue = [];
    if (reads.length === 0) return;
    const context = this.#nextContext++;
    this.#rounds.set(context, { reads, askedMs: nowMs });
    this.#raft.readIndex(context);
  }

  answered(context: number, index: LogIndex | null): void {
    const round = this.#rounds.get(context);
    if (round === undefined) return;
    this.#rounds.delete(context);
    if (index === null) {
      this.#queue.push(...round.reads);
      this.#resting = true;
      return;
    }
    let at = this.#ready.length;
    while (at > 0 && (this.#ready[at - 1] as { index: number }).index > index) at--;
    this.#ready.splice(at, 0, { index, reads: round.reads });
  }

  applied(index: number): void {
    while (this.#ready.length > 0 && (this.#ready[0] as { index: number }).index <= index) {
      for (const read of this.#ready.shift()?.reads ?? []) if (read.isOpen) read.serve();
    }
  }
}
