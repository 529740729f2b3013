import type { Asking } from './asking.ts';
import type { NodeId, ReplicaId } from '@skerry/base';
import { membersOf } from '@skerry/raft';
import { joiningConfig } from './membership.ts';
import type { Partition } from './partition.ts';
import type { DirectoryEntry } from './replica-api.ts';
import type { ControlOperation, NodeStatus } from './requests.ts';
import { commandBytes, type Command } from './state/command.ts';
import type { MemberRecord } from './state/member-record.ts';
import type { Turn } from './turn.ts';
import type { Refusal } from './validate.ts';

type AdminOperation = Extract<ControlOperation, { kind: 'transferLeadership' | 'changeMembers' }>;

const retryEveryMs = 200;

/** The member directory, its changes, hand-over of leadership, and the node's status. */
export class Admin {
  readonly #turn: Turn;
  readonly #partitions: readonly Partition[];
  #directoryDue = false;
  #directory: readonly MemberRecord[] = [];
  /** What the directory said last of nodes that it may not have any more. */
  readonly #before: Map<NodeId, MemberRecord> = new Map();
  #lastAnnounceMs = 0;

  constructor(turn: Turn, partitions: readonly Partition[]) {
    this.#turn = turn;
    this.#partitions = partitions;
  }

  membersChanged(): void {
    for (const member of this.#directory) this.#before.set(member.node, member);
    this.#directory = this.#partitions[0]?.state.members.all() ?? [];
    for (const { membership } of this.#partitions) membership.setWanted(this.#directory);
    this.#directoryDue = true;
  }

  topologyChanged(): void {
    this.#directoryDue = true;
  }

  /** The directory if it, the roles or the leaders changed since the last call. */
  takeDirectory(): readonly DirectoryEntry[] | null {
    if (!this.#directoryDue) return null;
    this.#directoryDue = false;
    const config = this.#partitions[0]?.config;
    return [...this.#directory, ...this.#leaving()].map((member) => {
      const { node, learner, peerUrl, clientUrl, adminUrl } = member;
      const isVoter = config?.voters.includes(node) ?? !learner;
      return {
        node,
        replica: this.#incarnationInForce(member),
        peerUrl,
        clientUrl,
        adminUrl,
        role: isVoter ? 'voter' : 'learner',
      };
    });
  }

  /**
   * The incarnation that the operator wants, unless a group of this node still counts another one as a member. Until
   * that has left all groups, nobody else may come under its name: one with an empty disk would vote in the place of one
   * that remembers. null: the one that does is not known.
   */
  #incarnationInForce({ node, replica, announced }: MemberRecord): ReplicaId | null {
    // A group that this node is not yet told of may count on anybody.
    if (this.#partitions.some(({ config }) => config.voters.some((voter) => joiningConfig.voters.includes(voter))))
      return null;
    const groups = this.#partitions.filter(({ config }) => membersOf(config).includes(node));
    const admitted = groups.map(({ state }) => state.admittedAs(node));
    // One group may have taken in the new incarnation while another one still counts on the old one's log. Which is which, the
    // directory does not tell: this node may have heard of the new one by that group first.
    const [one, another] = new Set(admitted.filter((found) => found !== null));
    if (another !== undefined) return null;
    if (one !== undefined && one !== replica) return one;
    return admitted.includes(null) && !announced ? null : replica;
  }

  /** Nodes that the directory has no more and some group still has. */
  #leaving(): MemberRecord[] {
    if (this.#directory.length === 0) return [];
    const gone = new Set(this.#partitions.flatMap(({ config }) => membersOf(config)));
    for (const node of [...joiningConfig.voters, ...this.#directory.map((member) => member.node)]) gone.delete(node);
    return Array.from(
      gone,
      (node) =>
        this.#before.get(node) ?? {
          node,
          replica: null,
          announced: false,
          learner: false,
          peerUrl: '',
          clientUrl: '',
          adminUrl: '',
        },
    );
  }

  /** Tells the region about this node until the directory has it. */
  tick(): void {
    const { now, options } = this.#turn;
    if (now.monoMs - this.#lastAnnounceMs < retryEveryMs) return;
    this.#lastAnnounceMs = now.monoMs;
    const known = this.#directory.find(({ node }) => node === options.node);
    if (known === undefined || (known.replica !== null && known.replica !== options.replica)) return;
    const { peerUrl, clientUrl, adminUrl } = options.urls;
    if (
      known.replica !== null &&
      known.peerUrl === peerUrl &&
      known.clientUrl === clientUrl &&
      known.adminUrl === adminUrl
    )
      return;
    this.#propose({
      kind: 'announce',
      member: {
        node: options.node,
        replica: options.replica,
        announced: true,
        learner: known.learner,
        peerUrl,
        clientUrl,
        adminUrl,
      },
    });
  }

  request(operation: AdminOperation, timeoutMs: number | null, asking: Asking): Refusal | null {
    return operation.kind === 'changeMembers'
      ? this.#changeMembers(operation, timeoutMs, asking)
      : this.#transfer(operation, timeoutMs, asking);
  }

  status(): NodeStatus {
    return {
      node: this.#turn.options.node,
      storageFull: this.#turn.storageFull,
      peers: [...this.#turn.connected].sort(),
      partitions: this.#partitions.map((partition) => {
        const { role, term, commit, firstIndex, lastIndex, config } = partition.raft.status();
        return {
          partition: partition.id,
          role,
          term,
          leader: partition.leader,
          commit,
          applied: partition.state.applied,
          firstIndex,
          lastIndex,
          pending: partition.pending.count,
          voters: config.voters,
          learners: config.learners,
          quorum: partition.canPropose,
        };
      }),
    };
  }

  /** Answers once the directory shows what was asked for; the leaders then bring their groups in line with it. */
  #changeMembers(
    { add, remove }: Extract<AdminOperation, { kind: 'changeMembers' }>,
    timeoutMs: number | null,
    asking: Asking,
  ): Refusal | null {
    const unknown = remove.find((node) => !this.#directory.some((member) => member.node === node));
    if (unknown !== undefined) return { code: 'MEMBER_UNKNOWN', detail: `${unknown} is not a member` };
    const taken = add.find((spec) =>
      this.#directory.some(
        ({ node, replica, learner }) =>
          node === spec.node &&
          replica !== null &&
          (spec.replica === null || spec.replica === replica) &&
          learner === spec.learner,
      ),
    );
    if (taken !== undefined) return { code: 'MEMBER_EXISTS', detail: `${taken.node} is a member already` };
    const left = this.#directory.filter(({ node, learner }) => !learner && !remove.includes(node));
    if (left.length + add.filter(({ learner }) => !learner).length === 0)
      return { code: 'BAD_REQUEST', detail: 'no voter would be left' };
    const isDone = (): boolean =>
      add.every((spec) =>
        this.#directory.some(
          ({ node, replica, learner }) =>
            node === spec.node && learner === spec.learner && (spec.replica === null || replica === spec.replica),
        ),
      ) && remove.every((node) => this.#hasLeft(node));
    const propose = (): void => {
      for (const member of add) this.#propose({ kind: 'memberSet', member: { ...member, announced: false } });
      for (const node of remove) this.#propose({ kind: 'memberRemove', node });
    };
    this.#until({ isDone, act: propose, timeoutMs, asking });
    return null;
  }

  /** Whoever removed a node will switch it off: not before the groups of this node have let go of it, on disk too. */
  #hasLeft(node: NodeId): boolean {
    if (this.#directory.some((member) => member.node === node)) return false;
    return (
      node === this.#turn.options.node ||
      this.#partitions.every(({ config, isConfigDurable }) => isConfigDurable && !membersOf(config).includes(node))
    );
  }

  #transfer(
    { partition, to }: Extract<AdminOperation, { kind: 'transferLeadership' }>,
    timeoutMs: number | null,
    asking: Asking,
  ): Refusal | null {
    const chosen = this.#partitions.filter(({ id, leader }) =>
      partition === null ? leader === this.#turn.options.node : id === partition,
    );
    if (partition !== null && chosen.length === 0)
      return { code: 'BAD_REQUEST', detail: `there is no partition ${partition}` };
    if (to !== null && chosen.some(({ config }) => !config.voters.includes(to)))
      return { code: 'MEMBER_UNKNOWN', detail: `${to} is not a voter` };
    const before: Map<Partition, NodeId | null> = new Map(chosen.map((one) => [one, one.leader]));
    const isMoved = (one: Partition): boolean =>
      one.leader !== null && (to === null ? one.leader !== before.get(one) : one.leader === to);
    const act = (): void => {
      for (const one of chosen) {
        if (isMoved(one)) continue;
        if (one.isLeader) one.transferLeadership(to);
        else if (one.leader !== null) this.#turn.send(one.leader, { kind: 'transfer', partition: one.id, to });
      }
    };
    this.#until({ isDone: () => chosen.every(isMoved), act, timeoutMs, asking });
    return null;
  }

  /** Acts again and again until it is done; answers then, or that time is over. */
  #until({
    isDone,
    act,
    timeoutMs,
    asking,
  }: {
    isDone: () => boolean;
    act: () => void;
    timeoutMs: number | null;
    asking: Asking;
  }): void {
    const startMs = this.#turn.now.monoMs;
    let actedMs = Number.NEGATIVE_INFINITY;
    const step = (): void => {
      const { monoMs } = this.#turn.now;
      if (!asking.isOpen()) return;
      if (isDone()) return asking.answer({ kind: 'done' });
      if (timeoutMs !== null && monoMs - startMs >= timeoutMs)
        return asking.answer({ kind: 'error', code: 'NO_LEADER', detail: 'not done in time; it may still happen' });
      if (monoMs - actedMs >= retryEveryMs) {
        actedMs = monoMs;
        act();
      }
      this.#turn.at(monoMs, step);
    };
    step();
  }

  /** Puts a command into partition 0's log, through its leader. */
  #propose(command: Command): void {
    const partition = this.#partitions[0];
    if (partition === undefined || !partition.canPropose || partition.leader === null) return;
    if (partition.isLeader) partition.proposals.proposeOwn(command);
    else
      this.#turn.send(partition.leader, {
        kind: 'forward',
        partition: partition.id,
        number: 0,
        commands: [commandBytes(command)],
      });
  }
}
