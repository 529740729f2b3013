import type { ClientId, NodeId, ReplicaId } from '@skerry/base';

/**
 * What a client may ask of a node, and what it is answered. The server passes these through from the wire (protocol
 * defines the same shapes with validation; a type test in server holds the two together).
 *
 * Keys are well-formed text of 1 to 1024 UTF-8 bytes. Values are bytes. `null` is "no such key", as a value and as
 * the `oldValue` of a swap (create if absent) or its `newValue` (delete if it matches).
 */
export type Operation = ReadOperation | WriteOperation;

export type ReadOperation =
  | { readonly kind: 'get'; readonly key: string; readonly consistent: boolean; readonly r?: number }
  | {
      readonly kind: 'list';
      readonly prefix: string;
      /** Lists keys above this one; '' from the start. */
      readonly after: string;
      readonly limit: number;
      readonly consistent: boolean;
      readonly keysOnly: boolean;
    }
  | { readonly kind: 'conflicts'; readonly prefix: string; readonly limit: number };

export type WriteOperation =
  | {
      readonly kind: 'set';
      readonly key: string;
      readonly value: Uint8Array;
      readonly consistent: boolean;
      /** Durable copies wanted before the answer to a quorum-less write, this node included. Default 1. */
      readonly w?: number;
      /** The key goes when this lease ends. Consistent writes only. */
      readonly lease?: string;
    }
  | { readonly kind: 'delete'; readonly key: string; readonly consistent: boolean; readonly w?: number }
  | {
      readonly kind: 'swap';
      readonly key: string;
      readonly newValue: Uint8Array | null;
      readonly oldValue: Uint8Array | null;
      readonly lease?: string;
    }
  | {
      readonly kind: 'txn';
      readonly compares: readonly Compare[];
      readonly then: readonly TxnOperation[];
      readonly otherwise: readonly TxnOperation[];
    }
  /** `key` fixes the partition: a lease holds keys of one partition. Ids are chosen by the client: 1 to 64 of [A-Za-z0-9._-]. */
  | { readonly kind: 'leaseGrant'; readonly lease: string; readonly ttlMs: number; readonly key: string }
  | { readonly kind: 'leaseKeepAlive'; readonly lease: string; readonly key: string }
  | { readonly kind: 'leaseRevoke'; readonly lease: string; readonly key: string };

/** All keys of a transaction must be in one partition (error CROSS_PARTITION). */
export type Compare =
  | { readonly kind: 'value'; readonly key: string; readonly equals: Uint8Array | null }
  | { readonly kind: 'version'; readonly key: string; readonly relation: '<' | '=' | '>'; readonly version: string | null };

export type TxnOperation =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'set'; readonly key: string; readonly value: Uint8Array; readonly lease?: string }
  | { readonly kind: 'delete'; readonly key: string };

/** Identifies a write for ever: retries carry the same pair. Sequences count from 1 per session and partition. */
export interface WriteId {
  readonly client: ClientId;
  readonly sequence: number;
  /** Every sequence of this session and partition below this one has been answered to the client. */
  readonly answeredBelow: number;
  /**
   * False only if no node was ever sent this write before. A node that cannot reach the quorum may call a first attempt
   * `notApplied`; of a retry it cannot know what the first node did with it.
   */
  readonly retry: boolean;
}

export interface ClientRequest {
  readonly operation: Operation | ControlOperation;
  /** Present on writes. */
  readonly id?: WriteId;
  /** null: blocking. Otherwise the answer comes after about this long at the latest. */
  readonly timeoutMs: number | null;
}

/** Everything that is neither a read nor a write of keys. */
export type ControlOperation =
  /** State of a quorum-less write; `wait` answers when it is no longer `accepted`. */
  | { readonly kind: 'receipt'; readonly receipt: string; readonly wait: boolean }
  /** Blocks until the outcome of an undecided write is known. */
  | { readonly kind: 'resolve'; readonly ticket: string }
  | {
      readonly kind: 'watch';
      readonly key: string;
      readonly prefix: boolean;
      /** Continues after this cursor; null starts now; '' first sends the current state. */
      readonly cursor: string | null;
    }
  | { readonly kind: 'status' }
  | { readonly kind: 'transferLeadership'; readonly partition: number | null; readonly to: NodeId | null }
  | {
      readonly kind: 'changeMembers';
      readonly add: readonly MemberSpec[];
      readonly remove: readonly NodeId[];
    };

export interface MemberSpec {
  readonly node: NodeId;
  readonly peerUrl: string;
  readonly clientUrl: string;
  readonly adminUrl: string;
  /** Joins as a non-voting learner and stays one. */
  readonly learner: boolean;
  /** The incarnation to admit; another one than that recorded replaces the member. null: as recorded. */
  readonly replica: ReplicaId | null;
}

export type Outcome = 'applied' | 'refused' | 'notApplied' | 'undecided';
export type ReceiptState = 'accepted' | 'promoted' | 'merged' | 'superseded' | 'rejected' | 'unknown';

/** The answer to a read or write of one key; DESIGN section 2. */
export interface KeyAnswer {
  readonly kind: 'key';
  readonly valid: boolean;
  readonly timeout: boolean;
  readonly value: Uint8Array | null;
  /** Comparable per key: later versions sort higher. null: no such key. */
  readonly version: string | null;
  readonly outcome?: Outcome;
  readonly receipt?: string;
  readonly ticket?: string;
}

export type Answer =
  | KeyAnswer
  | {
      readonly kind: 'list';
      readonly entries: readonly ListEntry[];
      /** Pass as `after` for the next page; null: that was all. */
      readonly next: string | null;
      readonly timeout: boolean;
    }
  | {
      readonly kind: 'txn';
      readonly timeout: boolean;
      readonly outcome: Outcome;
      readonly succeeded: boolean;
      readonly results: readonly { readonly key: string; readonly value: Uint8Array | null; readonly version: string | null }[];
      readonly ticket?: string;
    }
  | { readonly kind: 'lease'; readonly timeout: boolean; readonly outcome: Outcome; readonly ttlMs: number; readonly ticket?: string }
  | { readonly kind: 'receipt'; readonly state: ReceiptState; readonly reason?: string; readonly version: string | null; readonly timeout: boolean }
  | { readonly kind: 'conflicts'; readonly entries: readonly ConflictEntry[] }
  | { readonly kind: 'status'; readonly status: NodeStatus }
  | { readonly kind: 'done' }
  | { readonly kind: 'error'; readonly code: ReplicaErrorCode; readonly detail: string; readonly ticket?: string }
  /** Watch only; the request stays open. */
  | WatchAnswer;

export type WatchAnswer = {
  readonly kind: 'watch';
  readonly events: readonly WatchEvent[];
  /** Resume after these events from any node of the region. */
  readonly cursor: string;
  /** The cursor was too old (or ''): these events are the current state; keys not among them are gone. `last`: the state ends here. */
  readonly reset?: 'more' | 'last';
};

export interface WatchEvent {
  readonly key: string;
  /** null: deleted. */
  readonly value: Uint8Array | null;
  readonly version: string;
}

export interface ListEntry {
  readonly key: string;
  /** null with `keysOnly`. */
  readonly value: Uint8Array | null;
  readonly version: string;
}

export interface ConflictEntry {
  readonly key: string;
  readonly loser: Uint8Array | null;
  readonly loserVersion: string;
  readonly winner: Uint8Array | null;
  readonly winnerVersion: string;
  /** Milliseconds since 1970 on the leader's clock. */
  readonly timeMs: number;
  readonly reason: 'superseded' | 'overwrote' | 'rejected';
}

export interface NodeStatus {
  readonly node: NodeId;
  readonly partitions: readonly {
    readonly partition: number;
    readonly role: string;
    readonly term: number;
    readonly leader: NodeId | null;
    readonly commit: number;
    readonly applied: number;
    readonly firstIndex: number;
    readonly lastIndex: number;
    readonly pending: number;
    readonly voters: readonly NodeId[];
    readonly learners: readonly NodeId[];
    readonly quorum: boolean;
  }[];
  readonly storageFull: boolean;
  readonly peers: readonly NodeId[];
}

/** Error codes that a replica answers with; text, HTTP status, definiteness and retry advice stand in protocol's table. */
export type ReplicaErrorCode =
  | 'BAD_REQUEST'
  | 'KEY_EMPTY'
  | 'KEY_TOO_LONG'
  | 'KEY_NOT_UTF8'
  | 'VALUE_TOO_LARGE'
  | 'TXN_TOO_LARGE'
  | 'CROSS_PARTITION'
  | 'WRONG_TYPE'
  | 'LEASE_NOT_FOUND'
  | 'LEASE_EXISTS'
  | 'SESSION_EXPIRED'
  | 'SEQUENCE_ANSWERED'
  | 'RECEIPT_UNKNOWN'
  | 'TICKET_UNKNOWN'
  | 'CURSOR_INVALID'
  | 'OVERLOADED'
  | 'PENDING_FULL'
  | 'STORAGE_FULL'
  | 'MEMBER_UNKNOWN'
  | 'MEMBER_EXISTS'
  | 'NO_LEADER'
  | 'STOPPING';
