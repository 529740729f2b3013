import { assert, randomInt, type NodeId } from '@skerry/base';
import { checkConfigState, isVoter } from './config-change.ts';
import { RaftLog } from './log.ts';
import type { Message } from './messages.ts';
import { settingsOf, type RaftSettings } from './options.ts';
import type { Progress } from './progress.ts';
import { quorumReached } from './quorum.ts';
import { ReadQueues } from './read-queues.ts';
import type {
  ConfigState,
  LogIndex,
  LogReader,
  RaftOptions,
  RaftRestored,
  ReadState,
  Role,
  SoftState,
  Term,
} from './types.ts';

/**
 * The state of one node in one group, shared by the modules of this package and hidden behind `Raft`. The modules
 * are the rules: `election`, `follower`, `replication`, `read-index`, `transfer`, `membership`, `output`.
 */
export class RaftCore {
  readonly id: NodeId;
  readonly settings: RaftSettings;
  readonly log: RaftLog;

  term: Term;
  /** Who got this node's vote in `term`. Invariant: it only changes from null, or together with `term`. */
  vote: NodeId | null;
  role: Role = 'follower';
  /** The leader of `term` as far as known; this node itself when it leads. */
  leader: NodeId | null = null;
  /** In force since its entry was handed out as committed. */
  config: ConfigState;

  /** Ticks since this node started; only differences mean anything. */
  ticks = 0;
  /** Ticks since the election timer was set: by contact with a leader, a vote given or a campaign. */
  electionElapsed = 0;
  /** Drawn anew whenever the timer is set (section 5.2). */
  electionTimeoutTicks: number;
  heartbeatElapsed = 0;
  /** The transport saw the leader's connection break and nothing came from a leader since. */
  leaderSuspected = false;
  /** Campaigns since this node last knew a leader or gave a vote. */
  campaigns = 0;
  /** Answers to the current campaign, this node's own included once that counts. */
  readonly votes: Map<NodeId, boolean> = new Map();

  /** Leader: every other member; else empty. */
  readonly peers: Map<NodeId, Progress> = new Map();
  /** Leader: something may be due to a follower; looked at in `takeOutput`, so that one turn is one message. */
  replicationDue = false;
  /** Leader: its first entry of this term. Once that is committed, `commit` is what this group has committed. */
  noopIndex: LogIndex = 0 as LogIndex;
  /** Leader: no configuration change may be proposed before this entry is handed out as committed. */
  configIndexLast: LogIndex = 0 as LogIndex;
  /** Leader: data proposed in this term and not handed out as committed yet. */
  uncommittedBytes = 0;
  /** Leader: whom leadership is being handed to. */
  transferee: NodeId | null = null;
  transferElapsed = 0;
  /** The leader told this node to campaign, and it waits for a committed configuration to come into force. */
  campaignDue = false;
  /** The newest ReadIndex round of this node; rounds are unique within a term as only one process leads it. */
  round = 0;
  readonly reads: ReadQueues;

  /** The owner's word on its disk. */
  storageHealthy = true;
  /** The owner said that persists wait for space: no sign of a broken disk. */
  storageFull = false;
  /** When a persist last became durable. */
  persistedAtTick = 0;
  stepDownReason: string | null = null;

  /** Term or vote differ from what was last handed out to persist, or a configuration is in force beyond its commit index. */
  hardStateDue = false;
  /** The commit index that was last handed out to persist. */
  commitPersisted: LogIndex;
  configDue = false;
  softReported: SoftState;
  messages: Message[] = [];
  messagesAfterPersist: Message[] = [];
  readStates: ReadState[] = [];

  /** How far each member's log is durable and known to match; for counting. */
  readonly matchOf = (id: NodeId): number => (id === this.id ? this.log.durable : (this.peers.get(id)?.match ?? 0));
  readonly roundOf = (id: NodeId): number => (id === this.id ? this.round : (this.peers.get(id)?.roundAcked ?? 0));
  readonly contactOf = (id: NodeId): number =>
    id === this.id ? this.ticks : (this.peers.get(id)?.contactTick ?? -Infinity);

  constructor(options: RaftOptions, reader: LogReader, restored: RaftRestored) {
    this.settings = settingsOf(options);
    this.id = options.id;
    checkConfigState(restored.config);
    this.config = restored.config;
    this.term = restored.hardState.term;
    this.vote = restored.hardState.vote;
    this.log = new RaftLog(reader, {
      commit: restored.hardState.commit,
      applied: restored.applied,
      entriesCachedBytesMax: options.entriesCachedBytesMax,
    });
    assert(this.log.lastTerm <= this.term, 'the restored term is behind the restored log', {
      term: this.term,
      lastTerm: this.log.lastTerm,
    });
    this.commitPersisted = this.log.commit;
    this.reads = new ReadQueues(options.random);
    this.electionTimeoutTicks = this.drawElectionTimeout();
    this.softReported = { role: this.role, leader: this.leader, term: this.term };
  }

  /** Leader: a majority was heard from within the last `electionTicksMin`. */
  get quorumActive(): boolean {
    return (
      this.role === 'leader' &&
      this.ticks - quorumReached(this.config, this.contactOf) <= this.settings.electionTicksMin
    );
  }

  /**
   * In contact with a live leader, so a candidate would only disturb (thesis 4.2.3): this is what keeps removed and
   * partially connected nodes from unseating a leader that works.
   */
  get inLease(): boolean {
    if (!this.settings.checkQuorum || this.leader === null) return false;
    if (this.role === 'leader') return this.quorumActive;
    return !this.leaderSuspected && this.electionElapsed < this.settings.electionTicksMin;
  }

  /**
   * Persists are outstanding and none became durable for two election timeouts, and not for want of space. Progress
   * counts, not the age of the oldest: a slow disk under load is behind, but works.
   */
  get persistHangs(): boolean {
    if (this.storageFull) return false;
    const oldest = this.log.persists.oldestTick;
    return oldest !== null && this.ticks - Math.max(oldest, this.persistedAtTick) > 2 * this.settings.electionTicksMax;
  }

  /** May campaign: a voter whose disk works. */
  get promotable(): boolean {
    return isVoter(this.config, this.id) && this.storageHealthy && !this.persistHangs && !this.log.snapshotInstalling;
  }

  send(message: Message): void {
    this.messages.push(message);
  }

  /** The message vouches for term, vote or log, so it leaves only when what it vouches for is durable. */
  sendAfterPersist(message: Message): void {
    this.messagesAfterPersist.push(message);
  }

  resetElectionTimer(): void {
    this.electionElapsed = 0;
    this.electionTimeoutTicks = this.drawElectionTimeout();
  }

  drawElectionTimeout(): number {
    return randomInt(this.settings.random, this.settings.electionTicksMin, this.settings.electionTicksMax);
  }
}
