import type { LogIndex, Raft } from '@skerry/raft';

/** A read that waits until this node has applied what was committed when it was asked. */
export interface WaitingRead {
  /** Answers from the applied state. */
  readonly serve: () => void;
  readonly isOpen: () => boolean;
}

interface Round {
  readonly context: number;
  readonly reads: WaitingRead[];
  readonly askedMs: number;
}

/** How long a read index may take before it is asked for again: its messages may be lost. */
const askAgainMs = 150;

/** ReadIndex (thesis 6.4) of one partition: all reads of a turn share one round. */
export class Reads {
  readonly #raft: Raft;
  #queue: WaitingRead[] = [];
  /** In order of context; a few at most. Not a Map, for the reason that NumberTable gives. */
  #rounds: Round[] = [];
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
    for (const round of this.#rounds) count += round.reads.length;
    for (const { reads } of this.#ready) count += reads.length;
    return count;
  }

  /** Forgets those that nobody wants any more: without a leader nothing else would. */
  prune(): void {
    this.#queue = this.#queue.filter((read) => read.isOpen());
  }

  tick(nowMs: number): void {
    this.#resting = false;
    for (let oldest = this.#rounds[0]; oldest !== undefined; oldest = this.#rounds[0]) {
      if (nowMs - oldest.askedMs < askAgainMs) break;
      this.#rounds.shift();
      this.#queue.push(...oldest.reads);
    }
  }

  /** Leadership changed: what was asked before may never be answered. */
  restart(): void {
    for (const { reads } of this.#rounds) this.#queue.push(...reads);
    this.#rounds = [];
    this.#resting = false;
  }

  /** Asks for a read index if reads wait and a leader is known. */
  ask(hasLeader: boolean, nowMs: number): void {
    if (!hasLeader || this.#resting || this.#queue.length === 0) return;
    const reads = this.#queue.filter((read) => read.isOpen());
    this.#queue = [];
    if (reads.length === 0) return;
    const context = this.#nextContext++;
    this.#rounds.push({ context, reads, askedMs: nowMs });
    this.#raft.readIndex(context);
  }

  answered(context: number, index: LogIndex | null): void {
    const position = this.#rounds.findIndex((each) => each.context === context);
    const [round] = position < 0 ? [] : this.#rounds.splice(position, 1);
    if (round === undefined) return;
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
      for (const read of this.#ready.shift()?.reads ?? []) if (read.isOpen()) read.serve();
    }
  }
}
