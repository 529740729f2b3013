import { nodeId, type NodeId } from '@skerry/base';
import { simpleConfig, type ConfigState, type MemberChange } from '@skerry/raft';
import type { Partition } from './partition.ts';
import type { MemberRecord } from './state/member-record.ts';

/**
 * The configuration of a node that has none yet: a group of somebody else, so it neither votes for itself nor
 * campaigns. The snapshot that it is sent brings the true one.
 */
export const joiningConfig: ConfigState = simpleConfig([nodeId('joining')]);

const reconcileEveryMs = 100;
/** A leader that was removed and hears of it hands on sooner. */
const strangerMsMax = 2_000;
/** So that members do not all take over at once, each waits longer than the one before it in the directory. */
const takeOverStepMs = 300;
/** A learner this close to the end of the log becomes a voter. */
const caughtUpEntries = 64;

/**
 * Brings a partition's raft group in line with the member directory. The directory says what the operator wants; each
 * leader takes the next step towards it, so a change survives the loss of any leader half-way.
 */
export class Membership {
  readonly #partition: Partition;
  /** The directory, owned by partition 0 and known to all partitions of the node. */
  #wanted: readonly MemberRecord[] = [];
  #lastMs = 0;
  /** Since when the group's leader has not been in the directory. */
  #strangerSinceMs: number | null = null;

  constructor(partition: Partition) {
    this.#partition = partition;
  }

  setWanted(wanted: readonly MemberRecord[]): void {
    this.#wanted = wanted;
  }

  /**
   * A leader that was removed does not learn of it if it was cut off at that moment: from then on partition 0 sends it nothing,
   * and it would lead this group for ever. So a member takes over.
   */
  takeOver(): void {
    const { turn, config, raft, leader } = this.#partition;
    const place = this.#wanted.findIndex(({ node }) => node === turn.options.node);
    const isStranger = leader !== null && place >= 0 && this.#wanted.every(({ node }) => node !== leader);
    if (!isStranger || !config.voters.includes(turn.options.node)) {
      this.#strangerSinceMs = null;
      return;
    }
    const { monoMs } = turn.now;
    this.#strangerSinceMs ??= monoMs;
    if (monoMs - this.#strangerSinceMs < strangerMsMax + place * takeOverStepMs) return;
    this.#strangerSinceMs = monoMs;
    raft.takeOver();
  }

  reconcile(): void {
    const { turn, config, raft } = this.#partition;
    if (turn.now.monoMs - this.#lastMs < reconcileEveryMs || config.votersOutgoing.length > 0) return;
    this.#lastMs = turn.now.monoMs;
    if (this.#wanted.length === 0) {
      this.#seed();
      return;
    }
    this.#recordIncarnations();
    const change = this.#nextChange(config);
    if (change.length > 0) raft.proposeConfig(change);
  }

  /** A new cluster's directory has nobody: its first members are those of the configuration. */
  #seed(): void {
    const { id, config, proposals } = this.#partition;
    if (id !== 0) return;
    const empty = { replica: null, announced: false, peerUrl: '', clientUrl: '', adminUrl: '' };
    // In one entry: whoever is not in a directory that has somebody is removed.
    proposals.proposeTogether([
      ...config.voters.map((node) => ({ kind: 'memberSet' as const, member: { ...empty, node, learner: false } })),
      ...config.learners.map((node) => ({ kind: 'memberSet' as const, member: { ...empty, node, learner: true } })),
    ]);
  }

  /**
   * The member whose incarnation is not the wanted one has lost its data: it leaves before it comes again. So does one
   * that never told its incarnation, if the operator named one: whoever voted under the name until now was another.
   */
  #isReplaced(member: MemberRecord): boolean {
    if (member.replica === null) return false;
    const admitted = this.#partition.state.admittedAs(member.node);
    return admitted === null ? !member.announced : admitted !== member.replica;
  }

  #recordIncarnations(): void {
    const { config, state, proposals } = this.#partition;
    for (const member of this.#wanted) {
      const { node, replica } = member;
      if (replica === null || state.admittedAs(node) === replica) continue;
      const isMember = config.voters.includes(node) || config.learners.includes(node);
      if (!isMember || !this.#isReplaced(member)) proposals.proposeOwn({ kind: 'admit', node, replica });
    }
  }

  #nextChange(config: ConfigState): MemberChange[] {
    const wanted = new Map(this.#wanted.map((member) => [member.node, member]));
    const members = [...config.voters, ...config.learners];
    const gone = members.filter((id) => {
      const member = wanted.get(id);
      return member === undefined || this.#isReplaced(member);
    });
    if (gone.length > 0) return gone.map((id) => ({ kind: 'remove', id }));
    const change: MemberChange[] = [];
    for (const [id, member] of wanted) {
      if (this.#isReplaced(member)) continue;
      if (!members.includes(id)) change.push({ kind: 'addLearner', id });
      else if (config.learners.includes(id) && !member.learner && this.#isCaughtUp(id))
        change.push({ kind: 'addVoter', id });
      else if (config.voters.includes(id) && member.learner) change.push({ kind: 'addLearner', id });
    }
    return change;
  }

  #isCaughtUp(id: NodeId): boolean {
    const { lastIndex, peers } = this.#partition.raft.status();
    const peer = peers.find((one) => one.id === id);
    return (
      peer !== undefined && peer.recentActive && peer.state === 'replicate' && lastIndex - peer.match <= caughtUpEntries
    );
  }
}
