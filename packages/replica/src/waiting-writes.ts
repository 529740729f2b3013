import type { RequestHandle } from './replica-api.ts';
import type { Answer } from './requests.ts';
import type { CommandId } from './state/command.ts';
import type { CommandResult } from './state/result.ts';

/** A consistent write that a client waits for at this node, until this node applies it or gives up. */
export interface WaitingWrite {
  readonly id: CommandId;
  readonly name: string;
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

export function writeName(id: { readonly client: string; readonly sequence: number }): string {
  return `${id.client}:${id.sequence}`;
}

/** Open writes of one partition, by (client, sequence). */
export class WaitingWrites {
  readonly #byName: Map<string, WaitingWrite> = new Map();
  /** Not gated and to be sent, in order. */
  #queue: WaitingWrite[] = [];

  get size(): number {
    return this.#byName.size;
  }

  get hasQueued(): boolean {
    return this.#queue.length > 0;
  }

  find(id: { readonly client: string; readonly sequence: number }): WaitingWrite | null {
    return this.#byName.get(writeName(id)) ?? null;
  }

  add(write: WaitingWrite): void {
    this.#byName.set(write.name, write);
  }

  enqueue(write: WaitingWrite): void {
    this.#queue.push(write);
  }

  takeQueue(): WaitingWrite[] {
    const queue = this.#queue;
    this.#queue = [];
    return queue.filter((write) => this.#byName.get(write.name) === write);
  }

  /** Ends the write for all its askers. */
  end(write: WaitingWrite): readonly Asker[] {
    this.#byName.delete(write.name);
    return write.askers;
  }

  remove(write: WaitingWrite): void {
    if (this.#byName.get(write.name) === write) this.#byName.delete(write.name);
  }

  all(): Iterable<WaitingWrite> {
    return this.#byName.values();
  }
}
