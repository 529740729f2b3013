import { randomChance, randomPick, replicaId, type NodeId, type SeededRandom } from '@skerry/base';
import type { ControlOperation, MemberSpec, Replica } from '@skerry/replica';
import { ask } from './clients/asking.ts';
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

type ChangeMembers = Extract<ControlOperation, { kind: 'changeMembers' }>;

const retireAfterMs = 5_000;

/**
 * What an operator does to the members, one thing at a time: replaces one that lost its disk, adds, removes. Never so
 * much that what is committed would be lost: a second disk fails only once the first is replaced.
 */
export class MemberFaults {
  readonly #world: World;
  readonly #random: SeededRandom;
  #underWay = false;

  constructor(world: World, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
  }

  /** The disk of `machine` is lost; it comes back empty and is admitted as another incarnation. */
  replace(machine: Machine): void {
    const { members } = this.#world;
    if (this.#underWay || members.size < 3 || !members.has(machine.name) || !this.#isWhole()) return;
    this.#underWay = true;
    this.#world.crash(machine, randomChance(this.#random, 0.5));
    this.#world.wipe(machine);
    this.#world.start(machine);
    this.#change({ kind: 'changeMembers', add: [specOf(machine)], remove: [] }, () => {
      this.#underWay = false;
      this.#world.sometimes.saw('member replaced');
    });
  }

  /** Adds a node that is none, or removes one that is. */
  change(machine: Machine): void {
    const { members, sometimes } = this.#world;
    if (this.#underWay || !this.#isWhole()) return;
    if (!members.has(machine.name)) {
      this.#underWay = true;
      if (!machine.isUp) this.#world.start(machine);
      this.#change({ kind: 'changeMembers', add: [specOf(machine)], remove: [] }, () => {
        this.#underWay = false;
        members.add(machine.name);
        sometimes.saw('member added');
      });
    } else if (members.size > 1) {
      this.#underWay = true;
      members.delete(machine.name);
      this.#change({ kind: 'changeMembers', add: [], remove: [machine.name] }, () => {
        sometimes.saw('member removed');
        this.#retire(machine, 0);
      });
    }
  }

  /** True if every member has all that is committed: then one disk may go. */
  #isWhole(): boolean {
    const { machines, members, plan } = this.#world;
    const states = [...members].map((name) => machines.get(name)?.replica?.status());
    for (const name of members) {
      if ([...members].some((other) => machines.get(name)?.incarnations.lists(other) !== true)) return false;
    }
    // In the middle of a change the old members decide, too, and may be so few that none can be missed.
    for (const name of members) {
      const replica = machines.get(name)?.replica ?? null;
      if (replica === null || isChanging(replica)) return false;
    }
    for (let partition = 0; partition < plan.partitionCount; partition++) {
      const here = states.map((state) => state?.partitions[partition]);
      const leader = here.find((state) => state?.role === 'leader');
      if (leader === undefined || here.some((state) => state === undefined || state.applied < leader.commit))
        return false;
      if (leader.voters.length !== members.size) return false;
    }
    return true;
  }

  /**
   * A removed node is switched off and its disk emptied when all members have said for a while that it has left all
   * groups, and that their disks know: one that restarts before that needs the old members to go on.
   */
  #retire(machine: Machine, goneForMs: number): void {
    const { machines, members, queue, trace } = this.#world;
    const knownBy = [...members].filter((name) => {
      const one = machines.get(name);
      return one?.incarnations.lists(machine.name) !== false || (one.replica !== null && isChanging(one.replica));
    });
    const isGone = knownBy.length === 0;
    trace.line(
      `${machine.name} is to be switched off, ${isGone ? 'has left' : `still known by ${knownBy.join(', ')}`}`,
    );
    if (!isGone || goneForMs < retireAfterMs) {
      queue.after(100, () => this.#retire(machine, isGone ? goneForMs + 100 : 0));
      return;
    }
    this.#world.crash(machine, true);
    this.#world.wipe(machine);
    this.#underWay = false;
    this.#world.start(machine);
  }

  #change(operation: ChangeMembers, onDone: () => void): void {
    ask({
      world: this.#world,
      random: this.#random,
      request: { operation, timeoutMs: 3_000 },
      pickNode: (): NodeId => randomPick(this.#random, [...this.#world.members]),
      onAnswer: (answer) => {
        const isDone =
          answer.kind === 'done' ||
          (answer.kind === 'error' && (answer.code === 'MEMBER_EXISTS' || answer.code === 'MEMBER_UNKNOWN'));
        if (!isDone) return false;
        onDone();
        return true;
      },
    });
  }
}

/** Some group is in a joint configuration, or would be after a restart: the disk has not the end of it yet. */
function isChanging(replica: Replica): boolean {
  return replica.metrics()['joint_configurations'] !== 0;
}

function specOf(machine: Machine): MemberSpec {
  const { name, replicaNumber } = machine;
  return {
    node: name,
    peerUrl: `ws://${name}/peer`,
    clientUrl: `ws://${name}/client`,
    adminUrl: `http://${name}/admin`,
    learner: false,
    replica: replicaId(replicaNumber),
  };
}
