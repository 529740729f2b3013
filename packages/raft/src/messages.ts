import type { NodeId } from '@skerry/base';
import type { Entry, LogIndex, SnapshotMeta, Term } from './types.ts';

interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  /** The sender's term. In `preVote`, and in a grant of it, the term that the candidate would campaign in. */
  readonly term: Term;
}

/**
 * What the sender knows to be committed; said by leaders, and in everything about elections. A node whose log has that entry may
 * commit it too. Without this a group can stand still: a leader that was removed from it knows that the new
 * configuration is committed, and those who would have to elect another one wait for votes by the old one.
 */
export interface CommitKnown {
  readonly commit: LogIndex;
  readonly commitTerm: Term;
}

/** "Would you vote for me?" (thesis 9.6). Changes neither term nor vote of the receiver. */
export interface PreVoteMessage extends Envelope, CommitKnown {
  readonly kind: 'preVote';
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
}

export interface PreVoteResponseMessage extends Envelope, CommitKnown {
  readonly kind: 'preVoteResponse';
  readonly granted: boolean;
}

/** RequestVote (section 5.2). */
export interface VoteMessage extends Envelope, CommitKnown {
  readonly kind: 'vote';
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** The leader asked for this election (thesis 3.10), so contact with it is no reason to refuse. */
  readonly transfer: boolean;
}

export interface VoteResponseMessage extends Envelope, CommitKnown {
  readonly kind: 'voteResponse';
  readonly granted: boolean;
}

/** AppendEntries (section 5.3). `entries` are dense and follow `prevIndex`. */
export interface AppendMessage extends Envelope {
  readonly kind: 'append';
  readonly prevIndex: LogIndex;
  readonly prevTerm: Term;
  readonly entries: readonly Entry[];
  readonly commit: LogIndex;
}

/**
 * The leader tells one that is in step how far is committed. Nobody answers: where it is lost, or comes before the entry,
 * the next append or heartbeat says it again.
 */
export interface CommitMessage extends Envelope, CommitKnown {
  readonly kind: 'commit';
}

/** Also answers `snapshot`. */
export interface AppendResponseMessage extends Envelope {
  readonly kind: 'appendResponse';
  readonly rejected: boolean;
  /** Accepted: the log matches the leader's up to here, durably. Rejected: the `prevIndex` that did not match. */
  readonly index: LogIndex;
  /** Rejected: the last position of this log that may match, given the term of `prevIndex`; else 0. */
  readonly hintIndex: LogIndex;
  readonly hintTerm: Term;
}

export interface HeartbeatMessage extends Envelope {
  readonly kind: 'heartbeat';
  /** Never beyond what the receiver has acknowledged. */
  readonly commit: LogIndex;
  /** Number of the newest round of the ReadIndex protocol (thesis 6.4); it counts up within a term. */
  readonly round: number;
}

export interface HeartbeatResponseMessage extends Envelope {
  readonly kind: 'heartbeatResponse';
  readonly round: number;
}

/** InstallSnapshot (section 7). The owner streams the data and steps this message in once all of it is staged. */
export interface SnapshotMessage extends Envelope {
  readonly kind: 'snapshot';
  readonly meta: SnapshotMeta;
}

/** A follower asks for a read index (thesis 6.4). */
export interface ReadIndexMessage extends Envelope {
  readonly kind: 'readIndex';
  /** Names this request among all that this node ever sent, over restarts too. */
  readonly request: number;
}

export interface ReadIndexResponseMessage extends Envelope {
  readonly kind: 'readIndexResponse';
  readonly request: number;
  /** null: failed, ask again. */
  readonly index: LogIndex | null;
}

/** The receiver shall campaign at once (thesis 3.10). */
export interface TimeoutNowMessage extends Envelope {
  readonly kind: 'timeoutNow';
}

export type Message =
  | PreVoteMessage
  | PreVoteResponseMessage
  | VoteMessage
  | VoteResponseMessage
  | AppendMessage
  | AppendResponseMessage
  | HeartbeatMessage
  | HeartbeatResponseMessage
  | SnapshotMessage
  | ReadIndexMessage
  | ReadIndexResponseMessage
  | TimeoutNowMessage
  | CommitMessage;
