import { assert, type NodeId } from '@skerry/base';
import { Clocks } from './clocks.ts';
import type { PeerMessage } from './peer-message.ts';
import type { Now, ReplicaOptions, RequestHandle } from './replica-api.ts';
import type { Answer } from './requests.ts';
import { LinkOutbox } from './regions/link-outbox.ts';
import type { StagedStore } from './staged-store.ts';

/**
 * What the parts of a replica share during a turn: the clock reading, the store, and the effects that pile up. What must
 * wait for durability is registered with {@link whenDurable}.
 */
export class Turn {
  readonly options: ReplicaOptions;
  readonly store: StagedStore;
  now: Now;
  /** Peers to which a connection is up. */
  readonly connected: Set<NodeId> = new Set();
  /** Peers that said their disk is full. */
  readonly peersFull: Set<NodeId> = new Set();
  storageFull = false;
  readonly clocks: Clocks = new Clocks(this);
  readonly link: LinkOutbox = new LinkOutbox();
  /**
   * Moves the applied state of all partitions into the next batch. All at once, since the deferred writes of one
   * without its applied index would be applied twice after a crash.
   */
  saveState: () => void = () => {};
  /** The furthest of the partitions' cluster times, as this node knows them. */
  clusterMs: () => number = () => 0;
  #messages: Map<NodeId, PeerMessage[]> = new Map();
  #answers: { handle: RequestHandle; answer: Answer }[] = [];
  /** In order of batch. */
  #waiting: { readonly batch: number; readonly run: () => void }[] = [];
  #durable = 0;
  readonly #deadlines: Map<number, (() => void)[]> = new Map();
  #deadlineSlot: number;

  constructor(options: ReplicaOptions, store: StagedStore, now: Now) {
    this.options = options;
    this.store = store;
    this.now = now;
    this.#deadlineSlot = this.#slotOf(now.monoMs);
  }

  send(to: NodeId, message: PeerMessage): void {
    const messages = this.#messages.get(to);
    if (messages === undefined) this.#messages.set(to, [message]);
    else messages.push(message);
  }

  answer(handle: RequestHandle, answer: Answer): void {
    this.#answers.push({ handle, answer });
  }

  /** Runs `run` once all that was put into the store until now is durable; at once if it is. */
  whenDurable(run: () => void): void {
    const batch = this.store.hasBatch ? this.store.nextBatchId : this.store.nextBatchId - 1;
    if (batch <= this.#durable) run();
    else this.#waiting.push({ batch, run });
  }

  durable(batch: number): void {
    assert(batch > this.#durable, 'batches become durable in order', { batch, durable: this.#durable });
    this.#durable = batch;
    this.store.durable(batch);
    let done = 0;
    while (done < this.#waiting.length && (this.#waiting[done] as { batch: number }).batch <= batch) done++;
    for (const { run } of this.#waiting.splice(0, done)) run();
  }

  /** Runs `run` in the first tick at or after `atMs` on the monotonic clock. Cannot be taken back; `run` looks itself. */
  at(atMs: number, run: () => void): void {
    const slot = Math.max(this.#slotOf(atMs) + 1, this.#deadlineSlot + 1);
    const runs = this.#deadlines.get(slot);
    if (runs === undefined) this.#deadlines.set(slot, [run]);
    else runs.push(run);
  }

  /** Something is to be run at a time, and a tick must come for it. */
  get hasDeadlines(): boolean {
    return this.#deadlines.size > 0;
  }

  runDeadlines(): void {
    const now = this.#slotOf(this.now.monoMs);
    if (this.#deadlines.size === 0) {
      this.#deadlineSlot = now;
      return;
    }
    if (now - this.#deadlineSlot > this.#deadlines.size + 1_000) {
      // After a long pause: fewer slots are in use than have passed.
      const due = [...this.#deadlines.keys()].filter((slot) => slot <= now).sort((a, b) => a - b);
      this.#deadlineSlot = now;
      for (const slot of due) this.#runSlot(slot);
      return;
    }
    while (this.#deadlineSlot < now) this.#runSlot(++this.#deadlineSlot);
  }

  takeMessages(): Map<NodeId, PeerMessage[]> {
    const messages = this.#messages;
    if (messages.size > 0) this.#messages = new Map();
    return messages;
  }

  takeAnswers(): { handle: RequestHandle; answer: Answer }[] {
    const answers = this.#answers;
    if (answers.length > 0) this.#answers = [];
    return answers;
  }

  #runSlot(slot: number): void {
    const runs = this.#deadlines.get(slot);
    if (runs === undefined) return;
    this.#deadlines.delete(slot);
    for (const run of runs) run();
  }

  #slotOf(ms: number): number {
    return Math.floor(ms / this.options.timing.tickMs);
  }
}
