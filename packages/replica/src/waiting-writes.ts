import { BySequence } from './by-sequence.ts';
import type { RequestHandle } from './replica-api.ts';
import type { Answer } from './requests.ts';
import type { CommandId } from './state/command.ts';
import type { CommandResult } from './state/result.ts';

/** A consistent write that a client waits for at this node, until this node applies it or gives up. */
export interface WaitingWrite {
  readonly id: CommandId;
  /** Encoded for the log. For a ticket that is being resolved: its fence. */
  readonly command: Uint8Array;
  readonly askers: Asker[];
  /** It waits for pending writes of its keys to be promoted first. */
  gated: boolean;
  /** How many times it was put in a log or sent to a leader without a refusal: 0 means no log has it through this node. */
  sends: number;
  /** Another node may have put it in a log. */
  retry: boolean;
  lastSentMs: number;
  /** Number of the forward that carried it last; 0: none, or it was refused. */
  lastForward: number;
  /** It counts in the bytes on their way to the leader. */
  inFlight: boolean;
  /** A fence for it was asked for. */
  fencing: boolean;
}

export interface Asker {
  readonly handle: RequestHandle;
  /** Forms the answer that this asker's operation gives. */
  readonly toAnswer: (result: WriteEnd) => Answer;
  open: boolean;
}

/** How a write ends for its askers. */
export type WriteEnd =
  | CommandResult
  /** Never in a log, and never will be. */
  | { readonly kind: 'timedOut' }
  /** It may be in a log that nobody can read now. */
  | { readonly kind: 'undecided' };

/** Open writes of one partition, by (client, sequence). */
export class WaitingWrites {
  readonly #byId: BySequence<WaitingWrite> = new BySequence();
  /** Not gated and to be sent, in order. */
  #queue: WaitingWrite[] = [];
  #bytesInFlight = 0;

  get size(): number {
    return this.#byId.size;
  }

  /** Of those that may go to the leader now. */
  get queuedCount(): number {
    return this.#queue.length;
  }

  /** Something is on its way to the leader and not answered. */
  get isAnyInFlight(): boolean {
    return this.#bytesInFlight > 0;
  }

  find(id: Pick<CommandId, 'client' | 'sequence'>): WaitingWrite | null {
    return this.#byId.get(id) ?? null;
  }

  add(write: WaitingWrite): void {
    this.#byId.set(write.id, write);
  }

  enqueue(write: WaitingWrite): void {
    this.#queue.push(write);
  }

  takeQueue(): WaitingWrite[] {
    const queue = this.#queue;
    this.#queue = [];
    return queue.filter((write) => this.#byId.get(write.id) === write);
  }

  /** Ends the write for all its askers. */
  end(write: WaitingWrite): readonly Asker[] {
    this.remove(write);
    return write.askers;
  }

  remove(write: WaitingWrite): void {
    this.landed(write);
    if (this.#byId.get(write.id) === write) this.#byId.delete(write.id);
  }

  /** True if the write may go to the leader now: its bytes, with those under way, stay within `bytesMax`. */
  launch(write: WaitingWrite, bytesMax: number): boolean {
    if (write.inFlight) return true;
    if (this.#bytesInFlight > 0 && this.#bytesInFlight + write.command.length > bytesMax) return false;
    write.inFlight = true;
    this.#bytesInFlight += write.command.length;
    return true;
  }

  landed(write: WaitingWrite): void {
    if (!write.inFlight) return;
    write.inFlight = false;
    this.#bytesInFlight -= write.command.length;
  }

  all(): Iterable<WaitingWrite> {
    return this.#byId.values();
  }
}
