import type { ClientId, NodeId, RegionId, ReplicaId } from '@skerry/base';

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
  /** A value of any type; WRONG_TYPE if the key is there with another one. */
  | {
      readonly kind: 'read';
      readonly key: string;
      readonly type: ValueType;
      readonly consistent: boolean;
      readonly r?: number;
    }
  | {
      readonly kind: 'list';
      readonly prefix: string;
      /** Lists keys above this one; '' from the start. */
      readonly after: string;
      readonly limit: number;
      readonly consistent: boolean;
      readonly keysOnly: boolean;
    }
  /** The newest first. `before`: `next` of an earlier answer, or `PARTITION:NUMBER`, separated by commas: only these partitions, below these. */
  | { readonly kind: 'conflicts'; readonly prefix: string; readonly limit: number; readonly before?: string };

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
  /** Deletes a key of any type. */
  | { readonly kind: 'delete'; readonly key: string; readonly consistent: boolean; readonly w?: number }
  /** A write of any type but the register; WRONG_TYPE if the key is there with another one. */
  | {
      readonly kind: 'update';
      readonly key: string;
      readonly change: ValueChange;
      readonly consistent: boolean;
      readonly w?: number;
    }
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

export type ValueType = 'register' | 'multiRegister' | 'counter' | 'set' | 'flag' | 'document';

/** What an update does. A `context` is that of the view that the writer saw. */
export type ValueChange =
  /** Replaces the values that `context` names; null replaces none. */
  | { readonly type: 'multiRegister'; readonly value: Uint8Array; readonly context: string | null }
  | { readonly type: 'counter'; readonly action: 'add'; readonly amount: number }
  | { readonly type: 'counter'; readonly action: 'reset' }
  | { readonly type: 'set'; readonly action: 'add' | 'remove'; readonly element: Uint8Array }
  | { readonly type: 'flag'; readonly action: 'enable' | 'disable' }
  /** Automerge changes, and how many operations they hold. */
  | { readonly type: 'document'; readonly action: 'change'; readonly bytes: Uint8Array; readonly operations: number }
  /** One saved document in place of the chunks that `context` names. */
  | {
      readonly type: 'document';
      readonly action: 'compact';
      readonly bytes: Uint8Array;
      readonly operations: number;
      readonly context: string;
    };

/** A value as its type shows it. */
export type ValueView =
  | { readonly type: 'register'; readonly value: Uint8Array }
  | { readonly type: 'multiRegister'; readonly values: readonly Uint8Array[]; readonly context: string }
  /** Decimal, of any size. */
  | { readonly type: 'counter'; readonly total: string }
  /** In byte order. */
  | { readonly type: 'set'; readonly elements: readonly Uint8Array[] }
  | { readonly type: 'flag'; readonly enabled: boolean }
  | {
      readonly type: 'document';
      readonly chunks: readonly Uint8Array[];
      readonly operations: number;
      readonly context: string;
    };

/** All keys of a transaction must be in one partition (error CROSS_PARTITION). */
export type Compare =
  | { readonly kind: 'value'; readonly key: string; readonly equals: Uint8Array | null }
  | {
      readonly kind: 'version';
      readonly key: string;
      readonly relation: '<' | '=' | '>';
      readonly version: string | null;
    };

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
  /** A read waits until the node has applied this; at the deadline it is answered with `behind`. */
  readonly after?: Causality;
}

/** What a session has seen of one partition: the logs of regions up to some entry, and quorum-less writes. */
export interface Causality {
  readonly positions: readonly { readonly origin: ReplicaId; readonly sequence: number }[];
  readonly dots: readonly { readonly replica: ReplicaId; readonly sequence: number }[];
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
    }
  | { readonly kind: 'regions' }
  | { readonly kind: 'addRegion'; readonly region: RegionId; readonly urls: readonly string[] }
  /** What it has not sent is offered to the merge when it comes back; then it is re-seeded. */
  | { readonly kind: 'evictRegion'; readonly region: RegionId };

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
  /** The value of a `read`, or what an `update` led to; absent if there is no such key. `value` is null then. */
  readonly view?: ValueView;
  readonly outcome?: Outcome;
  readonly receipt?: string;
  readonly ticket?: string;
  /** The read's deadline came before the node had applied what the session saw elsewhere (I13). */
  readonly behind?: true;
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
      readonly results: readonly {
        readonly key: string;
        readonly value: Uint8Array | null;
        readonly version: string | null;
      }[];
      readonly ticket?: string;
    }
  | {
      readonly kind: 'lease';
      readonly timeout: boolean;
      readonly outcome: Outcome;
      readonly ttlMs: number;
      readonly ticket?: string;
    }
  | {
      readonly kind: 'receipt';
      readonly state: ReceiptState;
      readonly reason?: string;
      readonly version: string | null;
      readonly timeout: boolean;
    }
  /** `next`: pass as `before` for what comes after; null: that was all. */
  | { readonly kind: 'conflicts'; readonly entries: readonly ConflictEntry[]; readonly next: string | null }
  | { readonly kind: 'regions'; readonly regions: readonly RegionStatus[] }
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
  /** Of what the watcher missed there is more, which waits for `watchReady`. For the node alone; not on the wire. */
  readonly more?: true;
};

export interface WatchEvent {
  readonly key: string;
  /** null: deleted, or `view` has the value. */
  readonly value: Uint8Array | null;
  /** Every type but the register. */
  readonly view?: ValueView;
  readonly version: string;
}

export interface ListEntry {
  readonly key: string;
  /** null with `keysOnly`, or `view` has the value. */
  readonly value: Uint8Array | null;
  /** Every type but the register; absent with `keysOnly`. */
  readonly view?: ValueView;
  readonly version: string;
}

export interface ConflictEntry {
  /** Names the record in its region: `PARTITION:NUMBER`. */
  readonly id: string;
  readonly key: string;
  readonly reason: ConflictReason;
  /** What lost, as a value of its type; null: a delete. */
  readonly loser: ValueView | null;
  readonly loserVersion: string;
  /** Region where the loser was written; null: not known (any more). */
  readonly loserRegion: RegionId | null;
  /** What stands at the key instead; null: a delete, or nothing. */
  readonly winner: ValueView | null;
  readonly winnerVersion: string;
  readonly winnerRegion: RegionId | null;
  /** Milliseconds since 1970 on the leader's clock. */
  readonly timeMs: number;
}

/**
 * `superseded`: a later write was there already. `overwrote`: a write that had not seen it won. `otherType`: the key is
 * visible as another type. `siblingLimit`: a multi-value register was full. `documentDeleted`: a change met a deleted
 * document. `rejected`: a quorum-less write that could not take effect.
 */
export type ConflictReason = 'superseded' | 'overwrote' | 'otherType' | 'siblingLimit' | 'documentDeleted' | 'rejected';

/** A region as one node's leader of partition 0 sees it. */
export interface RegionStatus {
  readonly region: RegionId;
  readonly state: 'self' | 'up' | 'down' | 'evicted';
  readonly nodes: readonly {
    readonly node: NodeId;
    readonly clientUrl: string;
    readonly peerUrl: string;
    readonly adminUrl: string;
  }[];
  readonly partitions: readonly {
    readonly partition: number;
    /** Entries of that region's log that exist, as far as is known, and that this region has applied. */
    readonly head: number;
    readonly applied: number;
    /** For how long something of it has been known and not applied. */
    readonly lagMs: number;
    /** Entries of this region's log that the other one has not applied, as far as it has told. */
    readonly unacknowledged: number;
  }[];
  /** The other region's clock against this one's, milliseconds; null: not measured. */
  readonly clockOffsetMs: number | null;
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
  | 'LIMIT_EXCEEDED'
  | 'REGION_UNKNOWN'
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
