import { nodeId, replicaId, type NodeId, type RegionId, type SeededRandom } from '@skerry/base';
import {
  defaultLimits,
  defaultTiming,
  MemoryStorage,
  Replica,
  type Effects,
  type LinkEffects,
  type Now,
  type PeerMessage,
  type ReplicaOptions,
} from '@skerry/replica';
import { Disk, type DiskFailure } from './disk.ts';
import type { EventQueue } from './event-queue.ts';
import { FailingReads, ReadFailure } from './failing-reads.ts';
import { Incarnations } from './incarnations.ts';
import type { Plan } from './plan.ts';
import { WallClock } from './wall-clock.ts';

/** What a machine tells the world about. */
export interface MachineEvents {
  onMessages(machine: Machine, to: NodeId, messages: readonly PeerMessage[]): void;
  onAnswer(machine: Machine, answer: Effects['answers'][number]): void;
  onBatchDurable(machine: Machine, writes: NonNullable<Effects['batch']>['writes']): void;
  onBatch(machine: Machine, writes: NonNullable<Effects['batch']>['writes']): void;
  onCrashInTurn(machine: Machine): void;
  onDiskFailure(machine: Machine, failure: DiskFailure): void;
  onLink(machine: Machine, effects: LinkEffects): void;
}

export interface MachineOptions {
  readonly name: NodeId;
  /** Replica numbers of one region lie in one block: see {@link homeOf}. */
  readonly number: number;
  readonly region: RegionId;
  /** The other ones. */
  readonly regions: readonly RegionId[];
  /** Members of the new cluster; null on a spare node. */
  readonly bootstrap: readonly NodeId[] | null;
  readonly plan: Plan;
  readonly queue: EventQueue;
  readonly random: SeededRandom;
  readonly events: MachineEvents;
}

/** One computer: a process with the production replica, or none; a disk; clocks. */
export class Machine {
  readonly name: NodeId;
  replica: Replica | null = null;
  storage: MemoryStorage = new MemoryStorage();
  /** What the process reads through, in worlds in which reads fail. */
  #reads: FailingReads | null = null;
  readonly disk: Disk;
  readonly clock: WallClock;
  /** Counts starts of the process. */
  life = 0;
  /** Counts data folders. */
  incarnation = 1;
  paused = false;
  /** The process ends after so many more steps of carrying out what its turns came to; null: it does not. */
  crashAfterSteps: number | null = null;
  bootstrap: readonly NodeId[] | null;
  readonly incarnations: Incarnations = new Incarnations();
  readonly #options: MachineOptions;
  #monoOriginMs = 0;
  /** What waits while the process is paused. */
  #held: (() => void)[] = [];
  #turnDue = false;
  /** Ticks that the replica may still be left without, and those that went by so: the server's nodes rest as well. */
  #restTicks = 0;
  #owedTicks = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.bootstrap = options.bootstrap;
    this.clock = new WallClock(options.queue);
    this.disk = new Disk({
      machine: this,
      queue: options.queue,
      random: options.random.fork(),
      syncMs: options.plan.syncMs,
      onDurable: (...batch) => options.events.onBatchDurable(...batch),
      onFailure: (...failure) => options.events.onDiskFailure(...failure),
    });
  }

  get isUp(): boolean {
    return this.replica !== null;
  }

  /** Names one run of the process over one data folder. */
  get label(): string {
    return `${this.name}#${this.incarnation}.${this.life}`;
  }

  get replicaNumber(): number {
    return this.#options.number + 100 * this.incarnation;
  }

  get now(): Now {
    return { wallMs: this.clock.wallMs, monoMs: this.#options.queue.nowMs - this.#monoOriginMs };
  }

  start(): void {
    const { plan, queue, random, region, regions } = this.#options;
    this.life++;
    this.paused = false;
    this.crashAfterSteps = null;
    // A monotonic clock starts anywhere.
    this.#monoOriginMs = queue.nowMs - [0, 3_600_000, 12.5][random.uint32() % 3]!;
    const options: ReplicaOptions = {
      node: this.name,
      region,
      replica: replicaId(this.replicaNumber),
      partitionCount: plan.partitionCount,
      bootstrap: this.bootstrap,
      regions: regions.map((other) => ({ region: other, urls: [`ws://${other}`] })),
      linkHasLog: regions.length > 0 && plan.link.hasLog,
      urls: {
        peerUrl: `ws://${this.name}/peer`,
        clientUrl: `ws://${this.name}/client`,
        adminUrl: `http://${this.name}/admin`,
      },
      random: random.fork(),
      timing: { ...defaultTiming, ...plan.timing },
      limits: { ...defaultLimits, ...plan.limits },
    };
    this.#reads = plan.faults.has('readError') ? new FailingReads(this.storage) : null;
    this.replica = new Replica(options, this.#reads ?? this.storage, this.now);
    if (this.disk.isFull) this.replica.setStorageFull(true, this.now);
    this.#restTicks = 0;
    this.#owedTicks = 0;
    this.#scheduleTick(this.life);
    this.#scheduleTurn();
  }

  /** The process is gone, and with it what the disk had not taken. */
  crash(): void {
    this.replica = null;
    this.paused = false;
    this.#held = [];
    this.#turnDue = false;
    this.disk.crash();
  }

  /** An empty disk, under a new incarnation. */
  wipe(): void {
    this.storage = new MemoryStorage();
    this.incarnation++;
    this.bootstrap = null;
    this.incarnations.wipe();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    const held = this.#held;
    this.#held = [];
    for (const run of held) this.input(this.life, run);
  }

  /** Something reaches the process of that `life`: at once, after its pause, or never. */
  input(life: number, run: () => void): void {
    if (this.replica === null || life !== this.life) return;
    if (this.paused) {
      this.#held.push(() => run());
      return;
    }
    const isAlive = this.#process(() => {
      this.#tick(0);
      run();
    });
    if (isAlive !== null) this.#scheduleTurn();
  }

  /** Hands in what is owed and `more`. */
  #tick(more: number): void {
    const count = this.#owedTicks + more;
    this.#owedTicks = 0;
    if (count > 0) this.replica?.tick(this.now, count);
  }

  #scheduleTick(life: number): void {
    const { queue, plan } = this.#options;
    queue.after(plan.timing.tickMs ?? defaultTiming.tickMs, () => {
      if (life !== this.life || this.replica === null) return;
      this.#scheduleTick(life);
      if (this.paused) return;
      if (this.#restTicks > 1) {
        this.#restTicks--;
        this.#owedTicks++;
        return;
      }
      if (this.#process(() => this.#tick(1)) !== null) this.#turn();
    });
  }

  /** A read of the process that runs now fails after so many more; null: none does. */
  failRead(afterReads: number | null): void {
    this.#reads?.failAfter(afterReads);
  }

  /** What the process does itself, and what came of it. null: a read failed, and it has ended, whatever it was at. */
  #process<T>(run: () => T): { readonly came: T } | null {
    const reads = this.#reads;
    if (reads === null) return { came: run() };
    reads.isProcess = true;
    try {
      return { came: run() };
    } catch (error) {
      if (!(error instanceof ReadFailure)) throw error;
      this.#options.events.onDiskFailure(this, 'readError');
      return null;
    } finally {
      reads.isProcess = false;
    }
  }

  /** Inputs that come close together share a turn. */
  #scheduleTurn(): void {
    if (this.#turnDue) return;
    this.#turnDue = true;
    const { life } = this;
    const { plan, random } = this.#options;
    this.#options.queue.after(((random.uint32() % 8) * plan.turnMsMax) / 7, () => {
      if (life !== this.life || !this.#turnDue) return;
      this.#turnDue = false;
      if (!this.paused) this.#turn();
    });
  }

  #turn(): void {
    const { events } = this.#options;
    const flushed = this.#process(() => this.replica?.flush(this.now) ?? null);
    if (flushed === null) return;
    const { came: effects } = flushed;
    this.#restTicks = this.replica?.restTicks() ?? 0;
    if (effects === null) return;
    if (effects.batch !== null) {
      if (this.#crashesHere()) return;
      events.onBatch(this, effects.batch.writes);
      this.disk.submit(effects.batch.id, effects.batch.writes);
    }
    for (const [to, messages] of effects.messages) {
      if (this.#crashesHere()) return;
      events.onMessages(this, to, messages);
    }
    for (const answer of effects.answers) {
      if (this.#crashesHere()) return;
      events.onAnswer(this, answer);
    }
    if (effects.directory !== null) this.incarnations.learn(effects.directory);
    if (effects.link === null) return;
    if (this.#crashesHere()) return;
    events.onLink(this, effects.link);
  }

  #crashesHere(): boolean {
    if (this.crashAfterSteps === null || this.crashAfterSteps-- > 0) return false;
    this.crashAfterSteps = null;
    this.#options.events.onCrashInTurn(this);
    return true;
  }
}

/** Nodes of the region with that index, from 0. */
export function nodeName(index: number, number: number): NodeId {
  return nodeId(index === 0 ? `n${number}` : `r${index + 1}-n${number}`);
}

const replicasPerRegion = 10_000;

export function firstReplicaOf(index: number): number {
  return index * replicasPerRegion;
}

/** Index of the region that a replica number belongs to. */
export function homeOf(replica: number): number {
  return Math.floor(replica / replicasPerRegion);
}
