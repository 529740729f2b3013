import { assertPresent, type NodeId, type RegionId, type SeededRandom } from '@skerry/base';
import type { Answer, ClientRequest, Effects, LinkEffects, RequestHandle, Seen } from '@skerry/replica';
import type { DiskFailure } from './disk.ts';
import type { EventQueue } from './event-queue.ts';
import { firstReplicaOf, Machine, nodeName, type MachineEvents } from './machine.ts';
import { Network } from './network.ts';
import { Observer } from './observer.ts';
import type { Plan } from './plan.ts';
import { draw } from './range.ts';
import type { Sometimes } from './sometimes.ts';
import type { Shared } from './system.ts';
import type { Trace } from './trace.ts';

/** A request on its way or open at a node. */
interface OpenRequest {
  readonly machine: Machine;
  readonly life: number;
  readonly asker: Asker;
  over: boolean;
}

/** Who waits for an answer. */
export interface Asker {
  /**
   * May come more than once only for a watch. `label` names the process and the data folder that answered, `seen` what it
   * had applied by then; null where there is one region only.
   */
  onAnswer(answer: Answer, label: string, seen: Seen | null): void;
  /** The connection to the node is gone. */
  onLost(): void;
}

export interface WorldOptions {
  /** Of this region. */
  readonly plan: Plan;
  readonly shared: Shared;
  readonly region: RegionId;
  /** From 0. */
  readonly index: number;
  /** The other ones. */
  readonly regions: readonly RegionId[];
  readonly random: SeededRandom;
  readonly onLink: (machine: Machine, effects: LinkEffects) => void;
  readonly onStarted: (machine: Machine) => void;
}

/** One region of machines, their network and the clients' way to them, under virtual time. */
export class World {
  readonly plan: Plan;
  readonly region: RegionId;
  readonly index: number;
  readonly queue: EventQueue;
  readonly trace: Trace;
  readonly machines: Map<NodeId, Machine> = new Map();
  readonly network: Network;
  readonly observer: Observer;
  readonly sometimes: Sometimes;
  readonly random: SeededRandom;
  /** Nodes that are members of the region, or shall be when the change under way is done. */
  readonly members: Set<NodeId>;
  /** Answers get lost on their way to the client. */
  losesAnswers = false;
  /** Called when a process ended by itself in the middle of a turn. */
  onCrashInTurn: (machine: Machine) => void = () => {};
  /** Called when the disk gave out, and the process must end. */
  onDiskFailure: (machine: Machine, failure: DiskFailure) => void = () => {};
  onWiped: (machine: Machine) => void = () => {};
  readonly #options: WorldOptions;
  readonly #clientNet: SeededRandom;
  readonly #open: Map<RequestHandle, OpenRequest> = new Map();
  #nextHandle = 1;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { plan, shared, region, index, regions, random } = options;
    this.plan = plan;
    this.region = region;
    this.index = index;
    this.random = random;
    this.queue = shared.queue;
    this.trace = shared.trace;
    this.sometimes = shared.sometimes;
    this.observer = new Observer(plan, shared);
    this.#clientNet = random.fork();
    const members = Array.from({ length: plan.nodeCount }, (_, i) => nodeName(index, i + 1));
    this.members = new Set(members);
    for (let number = 1; number <= plan.nodeCount + plan.spareCount; number++) {
      const name = nodeName(index, number);
      const bootstrap = number <= plan.nodeCount ? members : null;
      this.machines.set(
        name,
        new Machine({
          name,
          number: firstReplicaOf(index) + number,
          region,
          regions,
          bootstrap,
          plan,
          queue: this.queue,
          random: random.fork(),
          events: this.#events(),
        }),
      );
    }
    this.network = new Network({
      queue: this.queue,
      random: random.fork(),
      plan,
      trace: this.trace,
      sometimes: this.sometimes,
      machines: this.machines,
    });
  }

  machine(name: NodeId): Machine {
    return assertPresent(this.machines.get(name), 'no such node', { name });
  }

  start(machine: Machine): void {
    this.trace.line(`start ${machine.label}`);
    machine.start();
    this.network.started(machine.name);
    this.#options.onStarted(machine);
  }

  /** `reset`: the process dies and its kernel closes its connections; else the power goes. */
  crash(machine: Machine, reset: boolean): void {
    if (!machine.isUp) return;
    this.trace.line(`crash ${machine.label}${reset ? '' : ' (power)'}`);
    this.observer.crashed(machine);
    machine.crash();
    this.network.crashed(machine.name, reset);
    for (const [handle, open] of this.#open) {
      if (open.machine !== machine) continue;
      this.#open.delete(handle);
      open.over = true;
      if (reset) this.queue.after(this.#clientDelayMs(), () => open.asker.onLost());
    }
  }

  /** The data folder of a node that is down is gone; it will start as another incarnation. */
  wipe(machine: Machine): void {
    this.trace.line(`wipe ${machine.label}`);
    machine.wipe();
    this.observer.wiped(machine);
    this.onWiped(machine);
  }

  /** Sends a request; the answer or the loss is told later, or nothing ever is. */
  request(name: NodeId, request: ClientRequest, asker: Asker): RequestHandle {
    const handle = this.#nextHandle++;
    const machine = this.machine(name);
    const { life } = machine;
    this.queue.after(this.#clientDelayMs(), () => {
      if (!machine.isUp || machine.life !== life) {
        this.queue.after(this.#clientDelayMs(), () => asker.onLost());
        return;
      }
      this.#open.set(handle, { machine, life, asker, over: false });
      this.trace.line(`${machine.name} < #${handle} ${describeRequest(request)}`);
      machine.input(life, () => machine.replica?.request(handle, request, machine.now));
    });
    return handle;
  }

  /** True if the data folder of this process (`node#incarnation.life`) is gone. */
  isWipedSince(label: string): boolean {
    const [name, rest = ''] = label.split('#');
    return this.machine(name as NodeId).incarnation !== Number.parseInt(rest, 10);
  }

  cancel(handle: RequestHandle): void {
    const open = this.#open.get(handle);
    if (open === undefined) return;
    this.#open.delete(handle);
    open.over = true;
    open.machine.input(open.life, () => open.machine.replica?.cancel(handle));
  }

  #answered(machine: Machine, { handle, answer }: Effects['answers'][number]): void {
    const open = this.#open.get(handle);
    this.trace.line(`${machine.name} > #${handle} ${describeAnswer(answer)}`);
    if (open === undefined || open.over) return;
    if (answer.kind !== 'watch') this.#open.delete(handle);
    if (this.losesAnswers && this.#clientNet.uint32() % 8 === 0) {
      open.over = true;
      this.#open.delete(handle);
      this.sometimes.saw('answer lost');
      if (this.#clientNet.uint32() % 2 === 0) this.queue.after(this.#clientDelayMs(), () => open.asker.onLost());
      return;
    }
    const { label } = machine;
    const seen = this.plan.others.length > 0 ? (machine.replica?.seen() ?? null) : null;
    // Of a watch several come, and a connection keeps their order.
    this.queue.after(answer.kind === 'watch' ? 1 : this.#clientDelayMs(), () =>
      open.asker.onAnswer(answer, label, seen),
    );
  }

  #clientDelayMs(): number {
    return 0.05 + draw(this.#clientNet, { min: 0, max: 1.5 });
  }

  #events(): MachineEvents {
    return {
      onMessages: (machine, to, messages) => {
        for (const message of messages) this.observer.sent(machine, message);
        this.network.send(machine, to, messages);
      },
      onAnswer: (machine, answer) => this.#answered(machine, answer),
      onBatch: (machine, writes) => this.observer.written(machine, writes),
      onBatchDurable: (machine, writes) => this.observer.durable(machine, writes),
      onCrashInTurn: (machine) => this.onCrashInTurn(machine),
      onDiskFailure: (machine, failure) => this.onDiskFailure(machine, failure),
      onLink: (machine, effects) => this.#options.onLink(machine, effects),
    };
  }
}

function describeRequest({ operation, id, timeoutMs, after }: ClientRequest): string {
  const key = 'key' in operation ? ` ${operation.key}` : '';
  const value =
    'value' in operation
      ? `=${text(operation.value)}`
      : 'newValue' in operation
        ? ` ${text(operation.oldValue)}>${text(operation.newValue)}`
        : '';
  const consistent = 'consistent' in operation && !operation.consistent ? ' local' : '';
  const name = 'receipt' in operation ? ` ${operation.receipt}` : 'ticket' in operation ? ` ${operation.ticket}` : '';
  const write = id === undefined ? '' : ` ${id.client.slice(-4)}:${id.sequence}${id.retry ? ' retry' : ''}`;
  const causality =
    after === undefined
      ? ''
      : ` after ${[...after.positions, ...after.dots.map(({ replica, sequence }) => ({ origin: replica, sequence }))].map(({ origin, sequence }) => `${origin}:${sequence}`).join(' ')}`;
  return `${operation.kind}${key}${value}${consistent}${name}${write}${causality}${timeoutMs === null ? '' : ` ${timeoutMs} ms`}`;
}

function describeAnswer(answer: Answer): string {
  return JSON.stringify(answer, (_, value: unknown) => (value instanceof Uint8Array ? text(value) : value));
}

function text(value: Uint8Array | null): string {
  return value === null ? 'null' : String.fromCharCode(...value.subarray(0, 40));
}
