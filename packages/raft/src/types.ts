import { assert, type Branded, type NodeId, type Random } from '@skerry/base';

/** A term of the paper (section 5.1): a logical clock that grows by elections. 0 is before the first election. */
export type Term = Branded<number, 'Term'>;
/** Position of an entry in the log. The first entry is 1; 0 is the position before it. */
export type LogIndex = Branded<number, 'LogIndex'>;

export function term(value: number): Term {
  assert(Number.isSafeInteger(value) && value >= 0, 'not a term', { value });
  return value as Term;
}

export function logIndex(value: number): LogIndex {
  assert(Number.isSafeInteger(value) && value >= 0, 'not a log index', { value });
  return value as LogIndex;
}

/**
 * `normal` carries a proposal. `config` carries an encoded {@link ConfigState}, the whole configuration that it
 * brings into force. `noop` is what a leader writes at the start of its term (thesis 6.4) and has no data.
 */
export type EntryKind = 'normal' | 'config' | 'noop';

export interface Entry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  readonly data: Uint8Array;
}

/** The durable facts of a node besides its log. Term and vote are one record: a crash keeps both or neither. */
export interface HardState {
  readonly term: Term;
  /** The candidate that got this node's vote in `term`. */
  readonly vote: NodeId | null;
  /** A lower bound of what is committed; it is written along with entries, never on its own. */
  readonly commit: LogIndex;
}

/**
 * The members of the group. Invariants, checked by `checkConfigState`:
 * 1. `voters` is not empty; each list is sorted and has no duplicates.
 * 2. `learners` share no member with `voters` or `votersOutgoing`.
 * 3. `learnersNext` are members of `votersOutgoing` and not of `voters`.
 */
export interface ConfigState {
  readonly voters: readonly NodeId[];
  /** The old voters during a change (paper, section 6: C-old); a decision then needs both majorities. Else empty. */
  readonly votersOutgoing: readonly NodeId[];
  /** Receive the log and do not vote (thesis 4.2.1). */
  readonly learners: readonly NodeId[];
  /** Voters of `votersOutgoing` that become learners when the change ends. */
  readonly learnersNext: readonly NodeId[];
}

/** One change to one member. A `remove` of a node that is no member, or an `add` of one that is, changes nothing. */
export interface MemberChange {
  readonly kind: 'addVoter' | 'addLearner' | 'remove';
  readonly id: NodeId;
}

/** Any number of changes, made in order and brought into force together. */
export type ConfigChange = readonly MemberChange[];

export interface SnapshotMeta {
  /** The last entry that the snapshot covers. */
  readonly index: LogIndex;
  readonly term: Term;
  /** The configuration as of `index`. */
  readonly config: ConfigState;
}

/** Synchronous reads of what was handed out to persist and has become durable. Raft never asks beyond that. */
export interface LogReader {
  /** The first entry available: snapshot index + 1. */
  firstIndex(): LogIndex;
  /** The last entry available; the snapshot index, or 0, when there is none. */
  lastIndex(): LogIndex;
  /** Answers for `firstIndex() - 1` as well; undefined if compacted or beyond the end. */
  term(index: LogIndex): Term | undefined;
  /** Entries of `from` to `toExclusive`, cut off at `bytesMax` of data; at least one if there is any. */
  entries(from: LogIndex, toExclusive: LogIndex, bytesMax: number): Entry[];
  /** The newest snapshot that can be sent now; null: not now, ask again later. */
  snapshot(): SnapshotMeta | null;
}

/** Times are in ticks of the owner's clock, sizes in bytes of entry data plus a small constant per entry. */
export interface RaftOptions {
  readonly id: NodeId;
  readonly random: Random;
  /** A leader sends heartbeats this often; less than `electionTicksMin`. */
  readonly heartbeatTicks: number;
  /** The election timeout is drawn uniformly from here ... */
  readonly electionTicksMin: number;
  /** ... to here, both included (section 5.2). */
  readonly electionTicksMax: number;
  /** Data in one append message; an entry that is larger goes alone. */
  readonly appendBytesMax: number;
  /** Append messages sent to one follower and not yet answered. */
  readonly inflightAppendsMax: number;
  /** Data of those messages; at least `appendBytesMax`. */
  readonly inflightBytesMax: number;
  /** Data that this leader proposed and has not handed out as committed; beyond it `tooMuchUncommitted`. */
  readonly uncommittedBytesMax: number;
  /** Recent durable entries kept in memory, so that sending to followers rarely reads the LogReader. 0: none. */
  readonly entriesCachedBytesMax: number;
  /** Data handed out as committed and not yet reported by `applied`; then the next entries wait. Default 4 MiB. */
  readonly applyBytesMax?: number;
  /** Ask whether an election could be won before disturbing anybody with a new term (thesis 9.6). Default true. */
  readonly preVote?: boolean;
  /** A leader without contact to a majority steps down (thesis 6.2), and voters in contact with a leader refuse
   * to elect another one (thesis 4.2.3). Default true. */
  readonly checkQuorum?: boolean;
}

/** What a node knows after a restart. `applied` and `config` are durable together with the applied data. */
export interface RaftRestored {
  readonly hardState: HardState;
  /** As of `applied`. */
  readonly config: ConfigState;
  readonly applied: LogIndex;
}

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

export type ProposeRefusal =
  /** Ask the leader named. */
  | 'notLeader'
  /** Leadership is being handed over; ask again soon. */
  | 'transferring'
  /** `uncommittedBytesMax` is reached; ask again when something was committed. */
  | 'tooMuchUncommitted'
  /** Another configuration change is not applied yet. */
  | 'configInProgress'
  /** The leader has not committed an entry of its own term yet (Ongaro 2015). */
  | 'noCommitInTerm'
  /** The change would leave no voter, or changes nothing. */
  | 'invalidConfig';

export type ProposeResult =
  | { readonly ok: true; readonly index: LogIndex; readonly term: Term }
  | { readonly ok: false; readonly reason: ProposeRefusal; readonly leader: NodeId | null };

/** Answer to `readIndex`: reads are linearizable once `index` is applied; null: failed, ask again. */
export interface ReadState {
  readonly context: number;
  readonly index: LogIndex | null;
}

/** State that need not be durable. */
export interface SoftState {
  readonly role: Role;
  readonly leader: NodeId | null;
  readonly term: Term;
}

/** How a follower's log is being extended. */
export type ProgressState =
  /** Its end is unknown: one append at a time until one matches. */
  | 'probe'
  /** Appends are sent ahead of their answers. */
  | 'replicate'
  /** It needs entries that were compacted; nothing is sent until the snapshot was installed or has failed. */
  | 'snapshot';

export interface PeerStatus {
  readonly id: NodeId;
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly state: ProgressState;
  /** Heard from within the last `electionTicksMin`. */
  readonly recentActive: boolean;
  readonly inflightAppends: number;
  readonly inflightBytes: number;
}

export interface Status {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly vote: NodeId | null;
  readonly leader: NodeId | null;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  /** All entries up to here are durable on this node. */
  readonly durableIndex: LogIndex;
  readonly config: ConfigState;
  /** Leader only, in order of id; else empty. */
  readonly peers: readonly PeerStatus[];
  readonly quorumActive: boolean;
  readonly transferee: NodeId | null;
  readonly storageHealthy: boolean;
  /** Why this node last stepped down by itself. */
  readonly stepDownReason: string | null;
}
