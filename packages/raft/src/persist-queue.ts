import { assert, type NodeId } from '@skerry/base';
import type { LogIndex, Term } from './types.ts';

/** A persist that was handed out and is not acknowledged yet. */
export interface PersistPending {
  readonly id: number;
  readonly term: Term;
  readonly vote: NodeId | null;
  /**
   * Once this persist is durable, so is the log up to here. 0: it has no entries, or all of them were replaced
   * since. Cutting it down when a newer leader replaces entries is what keeps a late acknowledgement from
   * vouching for entries that it has never seen.
   */
  durableTo: LogIndex;
  /** This persist installs a snapshot. */
  readonly snapshot: boolean;
  readonly handedAtTick: number;
}

/** Persists in the order handed out; they become durable in that order. */
export class PersistQueue {
  readonly #pending = new Map<number, PersistPending>();
  #idLast = 0;

  get empty(): boolean {
    return this.#pending.size === 0;
  }

  /** The id for the next persist, counting from 1. */
  get idNext(): number {
    return this.#idLast + 1;
  }

  /** Since when the oldest persist has been outstanding; null: nothing is. */
  get oldestTick(): number | null {
    if (this.empty) return null;
    for (const persist of this.#pending.values()) return persist.handedAtTick;
    return null;
  }

  push(persist: PersistPending): void {
    assert(persist.id === this.idNext, 'persist ids count up', { id: persist.id, idNext: this.idNext });
    this.#idLast = persist.id;
    this.#pending.set(persist.id, persist);
  }

  /** Takes the oldest persist if its id is at most `id`. */
  takeUpTo(id: number): PersistPending | null {
    assert(id <= this.#idLast, 'acknowledged a persist that was never handed out', { id, idLast: this.#idLast });
    for (const persist of this.#pending.values()) {
      if (persist.id > id) return null;
      this.#pending.delete(persist.id);
      return persist;
    }
    return null;
  }

  /** Entries from `index` on were replaced after they were handed out. */
  replacedFrom(index: LogIndex): void {
    for (const persist of this.#pending.values()) {
      if (persist.durableTo >= index) persist.durableTo = (index - 1) as LogIndex;
    }
  }
}
