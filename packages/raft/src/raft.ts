import type { NodeId } from '@skerry/base';
import { RaftCore } from './core.ts';
import { describeStatus } from './describe.ts';
import { campaign, ownVoteDurable, suspectLeader } from './election.ts';
import { configRefusal, proposeChange } from './membership.ts';
import type { Message } from './messages.ts';
import { takeOutput, type Output } from './output.ts';
import { appendAsLeader, maybeCommit, peerUnreachable, snapshotReported } from './replication.ts';
import { statusOf } from './status.ts';
import { step } from './step.ts';
import { restTicks, tick } from './tick.ts';
import { beginTransfer, standDown } from './transfer.ts';
import type {
  ConfigChange,
  LogIndex,
  LogReader,
  ProposeRefusal,
  ProposeResult,
  RaftOptions,
  RaftRestored,
  Status,
} from './types.ts';

/**
 * One node's part in one Raft group ("In Search of an Understandable Consensus Algorithm", Ongaro and Ousterhout
 * 2014; "the thesis" is Ongaro 2014), as a value that is stepped: events go in by the methods, effects come out
 * of `takeOutput`. No method does I/O, reads a clock or draws chance of its own.
 *
 * The owner's duties:
 *
 * 1. After any batch of events it calls `takeOutput` until that returns null, and does what each output says.
 * 2. `persist`: written as one unit, in the order handed out; several may be outstanding. Once one is durable and
 *    the LogReader shows it, `persisted(id)` says so, for all before it as well. A persist that fails stops the node.
 * 3. `messages` may be sent at once, also before `persist` is durable: a leader writes its own log in parallel
 *    with its followers (thesis 10.2.1). It counts its own copy only after `persisted`.
 * 4. `messagesAfterPersist` are votes and acknowledgements. They are sent only when every persist handed out so
 *    far, this output's included, is durable; never at all if the node stops before that.
 * 5. `committed` is applied in order and need not be durable here first. What is made durable of it must not
 *    overtake the log: the applied index on disk never exceeds the last log index on disk. `applied` reports it;
 *    beyond `applyBytesMax` without that, no more is handed out.
 * 6. A configuration comes into force when its entry is handed out, always as the last of `committed`; `config`
 *    is then stored together with that applied index, as `RaftRestored` wants both of one moment.
 * 7. `persist.snapshot`: the staged data becomes the state, applied up to `snapshot.index`, in that same unit.
 *    Nothing after it is handed out as committed before it is durable. A snapshot message that leads to no
 *    `persist.snapshot` was not needed.
 * 8. A `snapshot` message in `messages` stands for a stream of data that the owner sends; `reportSnapshot` must
 *    follow, whatever the outcome.
 */
export class Raft {
  readonly #core: RaftCore;

  constructor(options: RaftOptions, log: LogReader, restored: RaftRestored) {
    this.#core = new RaftCore(options, log, restored);
  }

  /** One tick of the owner's clock. */
  tick(): void {
    tick(this.#core);
  }

  /** In how many ticks the first one can come to anything if nothing else happens before; 0: now is no time to rest. */
  restTicks(): number {
    return restTicks(this.#core);
  }

  /** A message from a peer; one for another node is ignored. */
  step(message: Message): void {
    step(this.#core, message);
  }

  /** Appends `data` to the log, on the leader. It is committed when `committed` has it at this index and term. */
  propose(data: Uint8Array): ProposeResult {
    const core = this.#core;
    const refusal = this.#proposeRefusal();
    if (refusal !== null) return this.#refused(refusal);
    // A single proposal that is larger than the limit is let through when nothing else waits.
    if (core.uncommittedBytes > 0 && core.uncommittedBytes + data.length > core.settings.uncommittedBytesMax)
      return this.#refused('tooMuchUncommitted');
    const { index, term } = appendAsLeader(core, 'normal', data);
    return { ok: true, index, term };
  }

  /**
   * Changes the members, on the leader. If voters change, the group goes through a joint configuration (section
   * 6), which the leader leaves by itself as soon as it is in force.
   */
  proposeConfig(change: ConfigChange): ProposeResult {
    const refusal = this.#proposeRefusal() ?? configRefusal(this.#core);
    if (refusal !== null) return this.#refused(refusal);
    const entry = proposeChange(this.#core, change);
    return entry === null ? this.#refused('invalidConfig') : { ok: true, index: entry.index, term: entry.term };
  }

  /**
   * Asks from where on reads are linearizable (thesis 6.4); a `ReadState` with `context` answers. All that is
   * asked before the next `takeOutput` shares one round. `context` is unique among the calls on this value.
   */
  readIndex(context: number): void {
    this.#core.reads.contexts.push(context);
  }

  /** Hands leadership to another voter (thesis 3.10). False if this node does not lead or `to` cannot. */
  transferLeadership(to: NodeId): boolean {
    return beginTransfer(this.#core, to);
  }

  /** Starts an election at once, as if the election timer had run out. */
  campaign(): void {
    campaign(this.#core, false);
  }

  /** Takes leadership as if the leader had handed it over (thesis 3.10): others vote though they hear of that leader. */
  takeOver(): void {
    campaign(this.#core, true);
  }

  /** The connection to the current leader was reset: if it has crashed, wait no whole election timeout. */
  leaderLost(): void {
    suspectLeader(this.#core);
  }

  /** The leader's disk hangs: it leads no more, and does not campaign until `setStorageHealthy(true)`. */
  stepDown(reason: string): void {
    this.#core.storageHealthy = false;
    standDown(this.#core, reason);
  }

  /** Whether this node's disk works. While it does not, the node neither leads nor campaigns. */
  setStorageHealthy(ok: boolean): void {
    if (ok) this.#core.storageHealthy = true;
    else this.stepDown('storage is unhealthy');
  }

  /**
   * The disk is full and persists wait for space. A leader goes on leading, so that reads are served where all disks
   * are full; the owner hands leadership to a node with space if there is one.
   */
  setStorageFull(full: boolean): void {
    this.#core.storageFull = full;
  }

  /** Messages to `id` were lost. */
  reportUnreachable(id: NodeId): void {
    const peer = this.#core.peers.get(id);
    if (peer !== undefined) peerUnreachable(this.#core, peer);
  }

  /** A snapshot for `id` was sent and staged there (`ok`), or was not. */
  reportSnapshot(id: NodeId, ok: boolean): void {
    const peer = this.#core.peers.get(id);
    if (peer !== undefined) snapshotReported(this.#core, peer, ok);
  }

  /** The owner removed entries up to `toIndex` from storage, never beyond what is applied. */
  compacted(toIndex: LogIndex): void {
    this.#core.log.compactTo(toIndex);
  }

  /** The persist `id` and all before it are durable. */
  persisted(id: number): void {
    const core = this.#core;
    core.persistedAtTick = core.ticks;
    for (let persist = core.log.persists.takeUpTo(id); persist !== null; persist = core.log.persists.takeUpTo(id)) {
      core.log.durableTo(persist.durableTo, persist.snapshot);
      ownVoteDurable(core, persist.term, persist.vote);
    }
    if (core.role === 'leader') maybeCommit(core);
  }

  /** Entries up to `index` are applied. */
  applied(index: LogIndex): void {
    this.#core.log.appliedTo(index);
  }

  /** What to do now; null: nothing. */
  takeOutput(): Output | null {
    return takeOutput(this.#core);
  }

  status(): Status {
    return statusOf(this.#core);
  }

  /** Leader: a majority was heard from within the last `electionTicksMin`, so a proposal is likely to commit. */
  quorumActive(): boolean {
    return this.#core.quorumActive;
  }

  /** The status in stable columns. */
  describe(): string {
    return describeStatus(this.status());
  }

  #proposeRefusal(): ProposeRefusal | null {
    if (this.#core.role !== 'leader') return 'notLeader';
    return this.#core.transferee === null ? null : 'transferring';
  }

  #refused(reason: ProposeRefusal): ProposeResult {
    return { ok: false, reason, leader: this.#core.leader };
  }
}
