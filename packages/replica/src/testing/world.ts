import {
  nodeId,
  regionId,
  replicaId,
  SeededRandom,
  utf8Decode,
  utf8Encode,
  type ClientId,
  type NodeId,
} from '@skerry/base';
import { decodePeerFrame, encodePeerFrame, type PeerMessage } from '../peer-message.ts';
import { MemoryStorage } from '../ports/memory-storage.ts';
import type { RegionContacts } from '../ports/link.ts';
import type { StorageRecord } from '../ports/storage.ts';
import {
  defaultLimits,
  defaultTiming,
  type Effects,
  type LinkEffects,
  type Now,
  type ReplicaLimits,
  type ReplicaTiming,
} from '../replica-api.ts';
import { Replica } from '../replica.ts';
import type { Answer, Causality, ControlOperation, Operation } from '../requests.ts';

interface Machine {
  readonly name: NodeId;
  readonly replicaNumber: number;
  readonly storage: MemoryStorage;
  replica: Replica | null;
  /** Batch ids handed to storage and not durable. */
  batches: number[];
  /** The disk takes no more batches to completion. */
  hangs: boolean;
  wallOffsetMs: number;
  paused: boolean;
}

interface Frame {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

export interface WorldOptions {
  readonly nodeCount?: number;
  readonly partitionCount?: number;
  readonly seed?: number;
  readonly timing?: Partial<ReplicaTiming>;
  readonly limits?: Partial<ReplicaLimits>;
  /** Nodes beyond the first `votersAtStart` start without a configuration, to be added. Default: all vote. */
  readonly votersAtStart?: number;
  /** Default: one region that knows of no other. */
  readonly region?: string;
  readonly regions?: readonly RegionContacts[];
  readonly linkHasLog?: boolean;
  /** Distinguishes the nodes of several regions. */
  readonly replicaBase?: number;
  /** Takes what a node wants its link to do. */
  readonly onLink?: (node: NodeId, effects: LinkEffects) => void;
}

/** One open call. */
export class Call {
  readonly handle: number;
  readonly answers: Answer[] = [];

  constructor(handle: number) {
    this.handle = handle;
  }

  get answer(): Answer | undefined {
    return this.answers.at(-1);
  }
}

const startWallMs = 1_700_000_000_000;

/** A region of replicas in one process under virtual time: frames take 1 ms, a sync takes 2 ms, unless a test says otherwise. */
export class World {
  readonly #options: WorldOptions;
  readonly #machines: Map<NodeId, Machine> = new Map();
  #frames: Frame[] = [];
  readonly #cuts: Set<string> = new Set();
  readonly #calls: Map<number, Call> = new Map();
  readonly #random: SeededRandom;
  /** Messages between nodes that it refuses are lost. */
  passes: (from: NodeId, to: NodeId, message: PeerMessage) => boolean = () => true;
  #nowMs = 0;
  #nextHandle = 1;
  readonly #sequences: Map<string, number> = new Map();

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed ?? 1);
    const count = options.nodeCount ?? 3;
    for (let i = 1; i <= count; i++) {
      const name = nodeId(`n${i}`);
      this.#machines.set(name, {
        name,
        replicaNumber: (options.replicaBase ?? 0) + i,
        storage: new MemoryStorage(),
        replica: null,
        batches: [],
        hangs: false,
        wallOffsetMs: 0,
        paused: false,
      });
    }
    for (const name of this.#machines.keys()) this.start(name);
  }

  get names(): NodeId[] {
    return [...this.#machines.keys()];
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  replica(name: string): Replica {
    const { replica } = this.#machine(name);
    if (replica === null) throw new Error(`${name} is down`);
    return replica;
  }

  isUp(name: string): boolean {
    return this.#machine(name).replica !== null;
  }

  /** `join`: as a node that waits to be taken in, whatever it was at the start. */
  start(name: string, { join = false }: { join?: boolean } = {}): void {
    const machine = this.#machine(name);
    const voters = this.names.slice(0, this.#options.votersAtStart ?? this.names.length);
    machine.replica = new Replica(
      {
        node: machine.name,
        region: regionId(this.#options.region ?? 'r'),
        regions: this.#options.regions ?? [],
        linkHasLog: this.#options.linkHasLog ?? false,
        replica: replicaId(machine.replicaNumber),
        partitionCount: this.#options.partitionCount ?? 1,
        bootstrap: voters.includes(machine.name) && !join ? voters : null,
        urls: { peerUrl: `ws://${name}/peer`, clientUrl: `ws://${name}/client`, adminUrl: `http://${name}/admin` },
        random: this.#random.fork(),
        timing: { ...defaultTiming, ...this.#options.timing },
        // Small runs, so that records move to their places while a test looks on.
        limits: { ...defaultLimits, runsBytesMax: 3_000, ...this.#options.limits },
      },
      machine.storage,
      this.#now(machine),
    );
    for (const other of this.#machines.values()) {
      if (other.replica === null || other === machine || this.#isCut(machine.name, other.name)) continue;
      other.replica.peerUp(machine.name, this.#now(other));
      machine.replica.peerUp(other.name, this.#now(machine));
    }
  }

  /** Kills the process; what is not durable is lost. */
  crash(name: string): void {
    const machine = this.#machine(name);
    machine.replica = null;
    machine.storage.crash();
    machine.batches = [];
    this.#frames = this.#frames.filter((frame) => frame.to !== name && frame.from !== name);
    for (const other of this.#machines.values()) other.replica?.peerDown(machine.name, true, this.#now(other));
  }

  /** What is durable on a node. */
  backup(name: string): readonly StorageRecord[] {
    return [...this.#machine(name).storage.scan({ from: '', to: '\uffff' })].map(({ key, value }) => ({
      key,
      value: value.slice(),
    }));
  }

  /** A crashed node's data folder is put back to what {@link backup} took. */
  restore(name: string, records: readonly StorageRecord[]): void {
    const machine = this.#machine(name);
    const storage = new MemoryStorage();
    storage.enqueue(records);
    storage.flushOne();
    this.#machines.set(machine.name, { ...machine, storage });
  }

  /** A wiped disk under a new incarnation. */
  wipe(name: string): void {
    const machine = this.#machine(name);
    this.crash(name);
    this.#machines.set(machine.name, {
      ...machine,
      storage: new MemoryStorage(),
      replicaNumber: machine.replicaNumber + 100,
    });
  }

  pause(name: string): void {
    this.#machine(name).paused = true;
  }

  resume(name: string): void {
    this.#machine(name).paused = false;
  }

  hangDisk(name: string, hangs: boolean): void {
    this.#machine(name).hangs = hangs;
  }

  setClock(name: string, offsetMs: number): void {
    this.#machine(name).wallOffsetMs = offsetMs;
  }

  cut(a: string, b: string): void {
    this.#cuts.add(`${a}|${b}`).add(`${b}|${a}`);
    this.#frames = this.#frames.filter((frame) => !this.#isCut(frame.from, frame.to));
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const)
      this.#machine(one).replica?.peerDown(nodeId(other), false, this.#now(this.#machine(one)));
  }

  heal(): void {
    const cuts = [...this.#cuts];
    this.#cuts.clear();
    for (const pair of cuts) {
      const [a, b] = pair.split('|') as [string, string];
      if (this.isUp(a) && this.isUp(b)) this.#machine(a).replica?.peerUp(nodeId(b), this.#now(this.#machine(a)));
    }
  }

  /** Cuts `name` off from everybody. */
  isolate(name: string): void {
    for (const other of this.names) if (other !== name) this.cut(name, other);
  }

  call(
    name: string,
    operation: Operation | ControlOperation,
    {
      timeoutMs = null,
      client = 'a',
      sequence,
      retry = false,
      answeredBelow = 0,
    }: {
      timeoutMs?: number | null;
      client?: string;
      sequence?: number;
      retry?: boolean;
      answeredBelow?: number;
    } = {},
  ): Call {
    const handle = this.#nextHandle++;
    const call = new Call(handle);
    this.#calls.set(handle, call);
    const id = this.clientOf(client);
    const next = sequence ?? (this.#sequences.get(client) ?? 0) + 1;
    this.#sequences.set(client, Math.max(next, this.#sequences.get(client) ?? 0));
    const machine = this.#machine(name);
    this.replica(name).request(
      handle,
      { operation, id: { client: id, sequence: next, answeredBelow, retry }, timeoutMs },
      this.#now(machine),
    );
    return call;
  }

  /** A read of a session that has seen something elsewhere. */
  callAfter(
    name: string,
    operation: Operation,
    { after, timeoutMs }: { after: Causality; timeoutMs: number | null },
  ): Call {
    const handle = this.#nextHandle++;
    const call = new Call(handle);
    this.#calls.set(handle, call);
    this.replica(name).request(handle, { operation, timeoutMs, after }, this.#now(this.#machine(name)));
    return call;
  }

  /** The asker is gone. */
  cancel(name: string, call: Call): void {
    this.replica(name).cancel(call.handle);
  }

  clientOf(name: string): ClientId {
    const birth = '0'.repeat(12);
    return (birth +
      [...name]
        .map((c) => c.charCodeAt(0).toString(16))
        .join('')
        .padStart(20, '0')
        .slice(-20)) as ClientId;
  }

  /** Runs until `condition` holds; throws after `limitMs` of virtual time. */
  until(condition: () => boolean, limitMs = 10_000, what = 'condition'): void {
    const end = this.#nowMs + limitMs;
    while (!condition()) {
      if (this.#nowMs >= end) throw new Error(`${what} does not hold after ${limitMs} ms of virtual time`);
      this.step();
    }
  }

  run(ms: number): void {
    const end = this.#nowMs + ms;
    while (this.#nowMs < end) this.step();
  }

  /** The answer to a call, waited for. */
  settle(call: Call, limitMs = 10_000): Answer {
    this.until(() => call.answer !== undefined, limitMs, 'an answer');
    return call.answer as Answer;
  }

  leader(partition = 0): NodeId | null {
    const leaders = this.names.filter(
      (name) => this.isUp(name) && this.replica(name).status().partitions[partition]?.role === 'leader',
    );
    return leaders.find((name) => this.replica(name).status().partitions[partition]?.quorum === true) ?? null;
  }

  awaitLeader(partition = 0): NodeId {
    this.until(() => this.leader(partition) !== null, 10_000, 'a leader');
    return this.leader(partition) as NodeId;
  }

  /** What the link of a node tells it. */
  linkEvent(name: string, event: (replica: Replica, now: Now) => void): void {
    const machine = this.#machine(name);
    if (machine.replica !== null) event(machine.replica, this.#now(machine));
  }

  /** One millisecond. */
  step(): void {
    this.#nowMs++;
    const due = this.#frames.filter((frame) => frame.atMs <= this.#nowMs && !this.#machine(frame.to).paused);
    if (due.length > 0) this.#frames = this.#frames.filter((frame) => !due.includes(frame));
    for (const { from, to, bytes } of due) {
      const machine = this.#machine(to);
      for (const message of decodePeerFrame(bytes)) machine.replica?.receive(from, message, this.#now(machine));
    }
    for (const machine of this.#machines.values())
      if (machine.replica !== null && !machine.paused) this.#turn(machine, machine.replica);
  }

  #turn(machine: Machine, replica: Replica): void {
    const now = this.#now(machine);
    if (!machine.hangs && this.#nowMs % 2 === 0 && machine.batches.length > 0) {
      for (const id of machine.batches.splice(0)) {
        machine.storage.flushOne();
        replica.durable(id, now);
      }
    }
    if (this.#nowMs % defaultTiming.tickMs === 0) replica.tick(now);
    this.deliver(machine.name, replica.flush(now));
  }

  /** Carries out what a flush of that node came to. */
  deliver(name: string, effects: Effects | null): void {
    if (effects === null) return;
    const machine = this.#machine(name);
    const now = this.#now(machine);
    if (effects.batch !== null) {
      machine.storage.enqueue(effects.batch.writes);
      machine.batches.push(effects.batch.id);
    }
    for (const [to, messages] of effects.messages) {
      if (this.#isCut(machine.name, to) || !this.#machines.has(to) || !this.isUp(to)) continue;
      const passing = messages.filter((message) => this.passes(machine.name, to, message));
      if (passing.length > 0)
        this.#frames.push({ from: machine.name, to, bytes: encodePeerFrame(passing), atMs: this.#nowMs + 1 });
    }
    if (effects.link !== null) this.#options.onLink?.(machine.name, effects.link);
    for (const { handle, answer } of effects.answers) {
      this.#calls.get(handle)?.answers.push(answer);
      if (answer.kind === 'watch' && (answer.reset === 'more' || answer.more === true))
        machine.replica?.watchReady(handle, now);
    }
  }

  #isCut(a: string, b: string): boolean {
    return this.#cuts.has(`${a}|${b}`);
  }

  #now(machine: Machine): Now {
    return { wallMs: startWallMs + this.#nowMs + machine.wallOffsetMs, monoMs: this.#nowMs };
  }

  #machine(name: string): Machine {
    const machine = this.#machines.get(name as NodeId);
    if (machine === undefined) throw new Error(`no node ${name}`);
    return machine;
  }
}

export function set(key: string, value: string, consistent = true): Operation {
  return { kind: 'set', key, value: utf8Encode(value), consistent };
}

export function get(key: string, consistent = true): Operation {
  return { kind: 'get', key, consistent };
}

export function swap(key: string, newValue: string | null, oldValue: string | null): Operation {
  const bytes = (text: string | null): Uint8Array | null => (text === null ? null : utf8Encode(text));
  return { kind: 'swap', key, newValue: bytes(newValue), oldValue: bytes(oldValue) };
}

/** The value of an answer to a call on one key, as text. */
export function versionIn(answer: Answer): string {
  return answer.kind === 'key' ? (answer.version ?? '') : '';
}

export function valueOf(answer: Answer | undefined): string | null {
  if (answer?.kind !== 'key') throw new Error(`not a key answer: ${JSON.stringify(answer)}`);
  return answer.value === null ? null : utf8Decode(answer.value);
}
