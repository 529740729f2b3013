import type { NodeId, PartitionId } from '@skerry/base';
import { term, type SnapshotMessage } from '@skerry/raft';
import { stateKeys } from './keys.ts';
import type { PeerMessage } from './peer-message.ts';
import type { Turn } from './turn.ts';

type Chunk = Extract<PeerMessage, { kind: 'chunk' }>;

/** Records deleted in one turn while an old generation is cleared away. */
const clearCountMax = 2_000;

/**
 * Stages a snapshot in the generation that is not in use. Nothing of it is visible before raft accepts the snapshot
 * and the generation is switched; a restart in between clears it away.
 */
export class SnapshotReceiver {
  readonly #turn: Turn;
  readonly #partition: PartitionId;
  readonly #onComplete: (message: SnapshotMessage) => boolean;
  #current: { readonly from: NodeId; readonly transfer: number; next: number } | null = null;
  /** A generation whose records are to be deleted. */
  #clearing: number | null;
  #activeGeneration: number;

  constructor(options: {
    turn: Turn;
    partition: PartitionId;
    activeGeneration: number;
    /** True if raft took the snapshot and {@link switched} was called. */
    onComplete: (message: SnapshotMessage) => boolean;
  }) {
    this.#turn = options.turn;
    this.#partition = options.partition;
    this.#activeGeneration = options.activeGeneration;
    this.#onComplete = options.onComplete;
    this.#clearing = 1 - options.activeGeneration;
  }

  get stagedGeneration(): number {
    return 1 - this.#activeGeneration;
  }

  receive(from: NodeId, chunk: Chunk): void {
    if (chunk.number === 0) {
      // What a transfer that broke off has left may be gone from the state that comes now.
      if (this.#current !== null) this.#clearing = this.stagedGeneration;
      this.#current = null;
      if (this.#clearing !== null) {
        // The staging area still has records of an older snapshot.
        this.#answer(from, chunk.transfer, -1);
        return;
      }
      this.#current = { from, transfer: chunk.transfer, next: 0 };
    }
    const current = this.#current;
    if (
      current === null ||
      current.from !== from ||
      current.transfer !== chunk.transfer ||
      current.next !== chunk.number
    ) {
      this.#answer(from, chunk.transfer, -1);
      return;
    }
    current.next++;
    const base = stateKeys(this.#partition, this.stagedGeneration).from;
    for (const { key, value } of chunk.records) this.#turn.store.put(base + key, value.slice());
    this.#turn.whenDurable(() => {
      if (this.#current !== current) return;
      this.#answer(from, chunk.transfer, chunk.number);
      if (!chunk.last) return;
      this.#current = null;
      const { node } = this.#turn.options;
      const message: SnapshotMessage = { kind: 'snapshot', from, to: node, term: term(chunk.term), meta: chunk.meta };
      // If raft has no use for it, the staged records must go before another snapshot can come.
      if (!this.#onComplete(message)) this.#clearing = this.stagedGeneration;
    });
  }

  /** Raft took the snapshot: the staged generation is the state from now on, the old one goes. */
  switched(): void {
    this.#clearing = this.#activeGeneration;
    this.#activeGeneration = 1 - this.#activeGeneration;
  }

  /** What another snapshot left is being deleted, some in each tick. */
  get isClearing(): boolean {
    return this.#clearing !== null;
  }

  tick(): void {
    if (this.#clearing === null) return;
    const { from, to } = stateKeys(this.#partition, this.#clearing);
    let count = 0;
    for (const { key } of [...this.#turn.store.scan({ from, to, limit: clearCountMax })]) {
      this.#turn.store.delete(key);
      count++;
    }
    if (count < clearCountMax) this.#clearing = null;
  }

  #answer(to: NodeId, transfer: number, number: number): void {
    this.#turn.send(to, { kind: 'chunked', partition: this.#partition, transfer, number });
  }
}
