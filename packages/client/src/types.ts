import type { Stamp } from '@skerry/crdt';
import type { ConflictEntry, Outcome, ReceiptState } from '@skerry/protocol';

/** How values are given back. */
export type Form = 'text' | 'bytes';
export type ValueOf<F extends Form> = F extends 'bytes' ? Uint8Array : string;

/** The answer to a call on one key; DESIGN section 2. */
export interface Response<V = string> {
  /** The call did what it promises. False after a timeout and, for a swap, a mismatch. */
  readonly valid: boolean;
  readonly timeout: boolean;
  /** null: no such key. */
  readonly value: V | null;
  /** Opaque and comparable per key: later versions sort higher. null: no such key, or not known. */
  readonly version: string | null;
  /** The version's parts, for display. */
  readonly stamp: Stamp | null;
  /** Of writes. */
  readonly outcome?: Outcome;
  /** Of a quorum-less write that a node has taken: pass it to `receipt`. */
  readonly receipt?: string;
  /** Of an undecided write with a quorum: pass it to `resolve`. A quorum-less one has none: repeat the call. */
  readonly ticket?: string;
  /** A read that may be older than what this session has seen, and no newer one was to be had in time (I13). */
  readonly behind?: true;
}

/** Of a write whose answer does not show the value that it led to: a set's and a document's. */
export type WriteResponse = Response<never>;

export interface CallOptions {
  /** true (the default): return only with a definite outcome, however long that takes. */
  readonly blocking?: boolean;
  /** When not blocking: the answer comes after about this long. Milliseconds, default 1000. */
  readonly timeoutMs?: number;
  /** Rejects with ABORTED; a write with a quorum that may have been applied carries a ticket in the error. */
  readonly signal?: AbortSignal;
}

export interface ConsistencyOptions extends CallOptions {
  /** true (the default): linearizable in the region. false: the local view of one node, without a quorum. */
  readonly consistent?: boolean;
}

export interface CatchUpOptions {
  /**
   * How long a node that does not have yet what this session saw elsewhere is waited for; then the answer says `behind`.
   * Milliseconds; never longer than the deadline. Default: `timing.catchUpMs`, and 0 after that was in vain, until the
   * node has caught up. It bounds blocking reads too: what a lost region never sent may come in hours.
   */
  readonly catchUpMs?: number;
}

export interface ReadOptions extends ConsistencyOptions, CatchUpOptions {
  /** Local views to merge in a read that is not consistent. Default 1. */
  readonly r?: number;
}

export interface GetOptions<F extends Form = Form> extends ReadOptions {
  /** Default text; VALUE_NOT_TEXT when the value is not UTF-8. */
  readonly as?: F;
}

/** Of a write of any type. */
export interface UpdateOptions extends ConsistencyOptions {
  /** Durable copies wanted before the answer to a quorum-less write. Default 1. */
  readonly w?: number;
}

export interface SetOptions extends UpdateOptions {
  /** The key goes when this lease ends. Consistent writes only. */
  readonly lease?: string;
}

export interface SwapOptions extends CallOptions {
  readonly lease?: string;
}

export type DeleteOptions = UpdateOptions;

/** A value as its type shows it; in listings, watches and conflicts. */
export type View<V = string> =
  | { readonly type: 'register'; readonly value: V }
  | { readonly type: 'multiRegister'; readonly values: readonly V[]; readonly context: string }
  | { readonly type: 'counter'; readonly total: bigint }
  /** In order of their bytes. */
  | { readonly type: 'set'; readonly elements: readonly V[] }
  | { readonly type: 'flag'; readonly enabled: boolean }
  /** Chunks of Automerge; `read` loads the document, see docs/client.md for what that costs. */
  | {
      readonly type: 'document';
      readonly chunks: readonly Uint8Array[];
      readonly operations: number;
      readonly read: () => Promise<unknown>;
    };

export interface ListOptions<F extends Form = Form> extends ConsistencyOptions, CatchUpOptions {
  readonly as?: F;
  /** Entries of a page; default 256, at most what the node allows. */
  readonly limit?: number;
  /** Keys above this one. */
  readonly after?: string;
  readonly keysOnly?: boolean;
}

export interface Entry<V = string> {
  readonly key: string;
  /** null with `keysOnly`, and where `view` has the value. */
  readonly value: V | null;
  /** Of every type but the register. */
  readonly view?: View<V>;
  readonly version: string;
}

export interface Page<V = string> {
  readonly entries: readonly Entry<V>[];
  /** Pass as `after` for the next page; null: that was all. */
  readonly next: string | null;
  readonly timeout: boolean;
  /** The page may be older than what this session has seen elsewhere. */
  readonly behind?: true;
}

export interface WatchOptions<F extends Form = Form> {
  readonly as?: F;
  /** Watch all keys that begin with the key. */
  readonly prefix?: boolean;
  /** Continue after this cursor; '' first gives the current state; absent: from now on. */
  readonly cursor?: string;
  /**
   * Bytes that may wait for the reader, about; default 64 MiB. Beyond it the watch pauses and later goes on from its
   * cursor. Within the current state there is no cursor to go on from: a reader that lets more than this of it wait gets
   * what waits and then SLOW_CONSUMER. Read faster, allow more, or read the state with `entries` instead.
   */
  readonly bufferBytesMax?: number;
  readonly signal?: AbortSignal;
}

export interface WatchedChange<V = string> {
  readonly key: string;
  /** null: deleted, or `view` has the value. */
  readonly value: V | null;
  /** Of every type but the register. */
  readonly view?: View<V>;
  readonly version: string;
}

export interface WatchBatch<V = string> {
  readonly events: readonly WatchedChange<V>[];
  /** Resume after this batch, from any node of the region. */
  readonly cursor: string;
  /** These events are the current state, not changes; keys that are not among them up to `last` are gone. */
  readonly reset?: 'more' | 'last';
  /** The current state begins with this batch, also when it was begun before: forget what was collected of it. */
  readonly resetBegins?: true;
}

export interface ReceiptStatus {
  readonly state: ReceiptState;
  readonly reason: string | null;
  readonly version: string | null;
}

/** One record of the conflict ledger. */
export interface Conflict<V = string> extends Omit<ConflictEntry, 'loser' | 'winner'> {
  /** null: a delete. */
  readonly loser: View<V> | null;
  readonly loserStamp: Stamp | null;
  /** null: a delete, or nothing. */
  readonly winner: View<V> | null;
  readonly winnerStamp: Stamp | null;
}

export interface ConflictsOptions<F extends Form = Form> extends CallOptions {
  readonly as?: F;
  /** Entries of a page at most; default 256. */
  readonly limit?: number;
  /** `next` of an earlier page; or `PARTITION:NUMBER`, several of them separated by commas: only these partitions, below these numbers. */
  readonly before?: string;
}

export interface ConflictPage<V = string> {
  /** The newest first; of one partition in falling order of their numbers. */
  readonly entries: readonly Conflict<V>[];
  /** Pass as `before` for the next page; null: that was all. */
  readonly next: string | null;
}

export interface FollowOptions {
  /** Begins after this cursor of an earlier one; absent: with the value as it is now. */
  readonly cursor?: string;
  readonly signal?: AbortSignal;
}

/** One value of a key that is followed: `db.counter(key).watch()` and the like. */
export interface Followed<V> {
  /** null: no such key (any more). */
  readonly value: V | null;
  readonly version: string | null;
  /** Goes on behind this one. '' within a state that is being sent. */
  readonly cursor: string;
}
