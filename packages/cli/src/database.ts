import type { NodeId, RegionId } from '@skerry/base';
import type { Conflict, ConflictPage, Entry, TextEdits, WatchedChange } from '@skerry/client';
import type { Member, MemberSpec, NodeStatus, Outcome, ReceiptState, RegionStatus, ValueType } from '@skerry/protocol';
import type { Hold } from '@skerry/recipes';
import type { Shown } from './shown.ts';

/**
 * What the commands ask of a cluster, in bytes. `client-database.ts` gives it over a connection of `@skerry/client`;
 * tests give their own.
 */
export interface Database {
  get(key: string, options: ReadOptions): Promise<KeyResult>;
  set(key: string, value: Uint8Array, options: WriteOptions): Promise<KeyResult>;
  /** A consistent one tells whether there was such a key. */
  delete(key: string, options: WriteOptions): Promise<DeleteResult>;
  /** `null`: no such key, before or after. */
  swap(
    key: string,
    change: { readonly newValue: Uint8Array | null; readonly oldValue: Uint8Array | null },
    options: CallOptions,
  ): Promise<KeyResult>;
  /** A value of any type but the register; rejects with WRONG_TYPE. */
  read(key: string, type: TypedValueType, options: ReadOptions): Promise<ViewResult>;
  /** A write of any type but the register; rejects with WRONG_TYPE. */
  update(key: string, change: Change, options: WriteOptions): Promise<ViewResult>;
  /** One page of the keys that start with `prefix` and lie above `after`. */
  list(prefix: string, options: ListOptions): Promise<ListPage>;
  /** Ends when `signal` is aborted. */
  watch(target: WatchTarget, signal: AbortSignal): AsyncIterable<WatchBatch>;
  receipt(receipt: string, options: CallOptions & { readonly waitUntilKnown: boolean }): Promise<ReceiptResult>;
  resolve(ticket: string, options: CallOptions): Promise<KeyResult>;
  /** One page of the region's ledger, the newest first; `before` is `next` of an earlier page (see the client). */
  conflicts(
    prefix: string,
    options: CallOptions & { readonly limit: number; readonly before?: string },
  ): Promise<ConflictPage<Uint8Array>>;
  /** What the node that answers says of itself. Not blocking: rejects with TIMEOUT. */
  status(options: Pick<CallOptions, 'signal' | 'timeoutMs'>): Promise<NodeStatus>;
  /** The region that answers; null: none at the moment. */
  region(): string | null;
  /** The nodes of the region as the cluster tells its clients, with the addresses to ask each by. */
  members(): Promise<readonly Member[]>;
  changeMembers(
    change: { readonly add: readonly MemberSpec[]; readonly remove: readonly NodeId[] },
    options: CallOptions,
  ): Promise<void>;
  transferLeadership(
    target: { readonly partition: number | null; readonly to: NodeId | null },
    options: CallOptions,
  ): Promise<void>;
  /** All regions as the connected node sees them. Not blocking: rejects with TIMEOUT. */
  regions(options: Pick<CallOptions, 'signal' | 'timeoutMs'>): Promise<readonly RegionStatus[]>;
  /** `urls`: where nodes of the region listen for nodes. */
  addRegion(region: RegionId, urls: readonly string[], options: CallOptions): Promise<void>;
  evictRegion(region: RegionId, options: CallOptions): Promise<void>;
  /** Recipe lock; null: `wait` is false and another holder has it. Rejects when `signal` is aborted. */
  lock(name: string, options: LockOptions): Promise<Hold | null>;
  /** Recipe getLastLog: the suffix of `rawLogs`, in whole lines, that was not returned before for this server. */
  getLastLog(server: string, rawLogs: string, signal: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

export interface CallOptions {
  readonly blocking: boolean;
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  readonly consistent: boolean;
  /** Local views to merge. */
  readonly r?: number;
}

export interface WriteOptions extends CallOptions {
  readonly consistent: boolean;
  /** Durable copies wanted before the answer. */
  readonly w?: number;
}

export interface ListOptions extends CallOptions {
  readonly consistent: boolean;
  readonly after: string;
  readonly limit: number;
  readonly keysOnly: boolean;
}

export type ConflictRecord = Conflict<Uint8Array>;
export type TypedValueType = Exclude<ValueType, 'register'>;

export type Change =
  | { readonly type: 'counter'; readonly action: 'add'; readonly amount: bigint }
  | { readonly type: 'counter'; readonly action: 'reset' }
  | { readonly type: 'set'; readonly action: 'add' | 'remove'; readonly element: Uint8Array }
  | { readonly type: 'flag'; readonly action: 'enable' | 'disable' }
  | { readonly type: 'multiRegister'; readonly value: Uint8Array; readonly context: string | null }
  | { readonly type: 'document'; readonly edit: DocumentEdit }
  /** Automerge changes that were made elsewhere. */
  | { readonly type: 'document'; readonly changes: Uint8Array };

/** Changes the draft in place. */
export type DocumentEdit = (draft: Record<string, unknown>, text: TextEdits) => void;

/** The answer to a call on one key; DESIGN section 2. */
export interface Answered {
  /** The version's parts, for display. */
  readonly stamp?: object | null;
  /** A local read older than what was seen before. */
  readonly behind?: true;
  readonly valid: boolean;
  readonly timeout: boolean;
  readonly version: string | null;
  readonly outcome?: Outcome;
  readonly receipt?: string;
  readonly ticket?: string;
}

/** Of a register. */
export interface KeyResult extends Answered {
  readonly value: Uint8Array | null;
}

/** Of any other type. */
export interface ViewResult extends Answered {
  /** null: no such key, or not told. */
  readonly view: Shown | null;
}

export interface DeleteResult extends KeyResult {
  readonly existed?: boolean;
}

export interface LockOptions {
  readonly wait: boolean;
  readonly ttlMs: number;
  readonly signal: AbortSignal;
}

export interface ListPage {
  readonly entries: readonly Entry<Uint8Array>[];
  /** null: that was all. */
  readonly next: string | null;
  readonly timeout: boolean;
}

export interface WatchTarget {
  readonly key: string;
  readonly prefix: boolean;
  readonly cursor: string | null;
}

export interface WatchBatch {
  readonly events: readonly WatchedChange<Uint8Array>[];
  readonly cursor: string;
  /** The events are the current state, not changes. */
  readonly reset: boolean;
}

export interface ReceiptResult {
  readonly state: ReceiptState;
  readonly reason?: string;
  readonly version: string | null;
  readonly timeout: boolean;
}
