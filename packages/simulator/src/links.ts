import { assertPresent, randomChance, randomPick, type RegionId, type SeededRandom } from '@skerry/base';
import { decodeLinkFrame, type LinkEffects } from '@skerry/replica';
import { LinkLogs } from './link-logs.ts';
import type { Machine } from './machine.ts';
import type { Plan } from './plan.ts';
import { draw } from './range.ts';
import type { Shared } from './system.ts';
import type { World } from './world.ts';

/** One direction between two regions. */
interface Direction {
  readonly from: RegionId;
  readonly to: RegionId;
  cut: boolean;
  /** Nothing arrives, and nothing is lost. */
  stalled: boolean;
  readonly held: (() => void)[];
  /** The first frames and the last ones, for a replay. */
  readonly first: Uint8Array[];
  readonly last: Uint8Array[];
  /** By sending machine. */
  readonly lastArrivalMs: Map<string, number>;
}

export interface LinksOptions {
  readonly shared: Shared;
  readonly plan: Plan;
  readonly random: SeededRandom;
  readonly worlds: readonly World[];
}

const keptMax = 60;

/**
 * The link port of every machine (replica's `ports/link.ts`): frames to whichever node of another region, in order while
 * nothing fails; with a log, batches too. A link owes nothing, so while its faults are on it may do anything to a frame but
 * change it.
 */
export class Links {
  readonly faults = { loss: false, duplicates: false, reordering: false };
  readonly logs: LinkLogs;
  readonly #options: LinksOptions;
  readonly #directions: Map<string, Direction> = new Map();
  /** The node at the other end, by `machine|region`. */
  readonly #targets: Map<string, Machine> = new Map();
  /** What each process believes: regions that it was told are up. */
  readonly #up: Set<string> = new Set();

  constructor(options: LinksOptions) {
    this.#options = options;
    for (const { region: from } of options.worlds) {
      for (const { region: to } of options.worlds) {
        if (from !== to)
          this.#directions.set(`${from}|${to}`, {
            from,
            to,
            cut: false,
            stalled: false,
            held: [],
            first: [],
            last: [],
            lastArrivalMs: new Map(),
          });
      }
    }
    this.logs = new LinkLogs({ ...options, isCut: (from, to) => this.#direction(from, to).cut });
  }

  get pairs(): readonly (readonly [RegionId, RegionId])[] {
    return [...this.#directions.values()].map(({ from, to }) => [from, to] as const);
  }

  carry(from: RegionId, machine: Machine, { frames, batches, subscriptions }: LinkEffects): void {
    for (const { region, frame } of frames) {
      const direction = this.#directions.get(`${from}|${region}`);
      if (direction !== undefined) this.#send(direction, machine, frame);
    }
    for (const batch of batches) this.logs.publish(machine, batch);
    for (const subscription of subscriptions) this.logs.subscribe({ region: from, machine }, subscription);
  }

  /** A process started: it connects to all regions that it can reach. */
  started(region: RegionId, machine: Machine): void {
    for (const { region: other } of this.#options.worlds) {
      if (other !== region) this.#targets.delete(`${machine.name}|${other}`);
      if (other !== region) this.#tell(machine, { region: other, up: true });
    }
  }

  /** Nothing goes from `from` to `to` any more; after a while both sides notice. */
  cut(from: RegionId, to: RegionId): void {
    const direction = this.#direction(from, to);
    if (direction.cut) return;
    direction.cut = true;
    this.#tellBoth(direction, false);
  }

  heal(from: RegionId, to: RegionId): void {
    const direction = this.#direction(from, to);
    if (!direction.cut) return;
    direction.cut = false;
    if (!this.#direction(to, from).cut) this.#tellBoth(direction, true);
  }

  stall(from: RegionId, to: RegionId): void {
    this.#direction(from, to).stalled = true;
  }

  goOn(from: RegionId, to: RegionId): void {
    const direction = this.#direction(from, to);
    direction.stalled = false;
    for (const run of direction.held.splice(0)) run();
  }

  /** All that is remembered of a direction comes again, from the start. */
  replay(from: RegionId, to: RegionId): void {
    const direction = this.#direction(from, to);
    const { queue, sometimes } = this.#options.shared;
    let afterMs = 0;
    for (const frame of [...direction.first, ...direction.last]) {
      queue.after((afterMs += 0.2), () => {
        this.#noteReplay(direction, frame);
        this.#deliver(direction, null, frame);
      });
    }
    if (afterMs > 0) sometimes.saw('link replayed');
  }

  healAll(): void {
    this.faults.loss = false;
    this.faults.duplicates = false;
    this.faults.reordering = false;
    for (const { from, to } of this.#directions.values()) {
      this.goOn(from, to);
      this.heal(from, to);
    }
    this.logs.heal();
  }

  #send(direction: Direction, machine: Machine, frame: Uint8Array): void {
    const { random, plan } = this.#options;
    if (direction.cut) return;
    // The production link copies, too: the frame may be a view of what the replica goes on using.
    const own = frame.slice();
    if (direction.first.length < keptMax) direction.first.push(own);
    else {
      direction.last.push(own);
      if (direction.last.length > 2 * keptMax) direction.last.splice(0, keptMax);
    }
    const happens = (on: boolean): boolean => on && randomChance(random, plan.link.frameFaultChance);
    const { sometimes } = this.#options.shared;
    if (happens(this.faults.loss)) return sometimes.saw('frame of a link lost');
    this.#carry(direction, machine, own);
    if (!happens(this.faults.duplicates)) return;
    sometimes.saw('frame of a link repeated');
    this.#carry(direction, machine, own);
  }

  #carry(direction: Direction, machine: Machine, frame: Uint8Array): void {
    const {
      random,
      plan,
      shared: { queue, sometimes },
    } = this.#options;
    let atMs = queue.nowMs + draw(random, plan.link.delayMs);
    if (this.faults.reordering && randomChance(random, plan.link.frameFaultChance)) {
      sometimes.saw('frame of a link late');
      atMs += random.uint32() % 800;
    } else {
      atMs = Math.max(atMs, (direction.lastArrivalMs.get(machine.name) ?? 0) + 0.001);
      direction.lastArrivalMs.set(machine.name, atMs);
    }
    queue.at(atMs, () => this.#deliver(direction, machine, frame));
  }

  #deliver(direction: Direction, sender: Machine | null, frame: Uint8Array): void {
    if (direction.cut) return;
    if (direction.stalled) {
      direction.held.push(() => this.#deliver(direction, sender, frame));
      return;
    }
    const { trace } = this.#options.shared;
    const receiver = this.#target(direction, sender);
    if (receiver === null) return;
    trace.bytes(() => `${direction.from} >> ${receiver.name} ${describe(frame)}`, frame);
    receiver.input(receiver.life, () => receiver.replica?.receiveFrame(direction.from, frame, receiver.now));
  }

  /** The other end of the sender's connection: the same node while that lives and its region names it. */
  #target({ to }: Direction, sender: Machine | null): Machine | null {
    const { random } = this.#options;
    const name = `${sender?.name ?? ''}|${to}`;
    const known = sender === null ? undefined : this.#targets.get(name);
    const { machines, members } = this.#world(to);
    if (known?.isUp === true && members.has(known.name) && !randomChance(random, 0.01)) return known;
    const able = [...machines.values()].filter((machine) => machine.isUp && members.has(machine.name));
    if (able.length === 0) return null;
    const target = randomPick(random, able);
    this.#targets.set(name, target);
    return target;
  }

  #tellBoth({ from, to }: Direction, up: boolean): void {
    for (const [region, other] of [
      [from, to],
      [to, from],
    ] as const) {
      for (const machine of this.#world(region).machines.values()) this.#tell(machine, { region: other, up });
    }
  }

  #tell(machine: Machine, { region, up }: { region: RegionId; up: boolean }): void {
    const {
      random,
      plan,
      shared: { queue },
    } = this.#options;
    const { life } = machine;
    queue.after(
      up ? 2 * draw(random, plan.link.delayMs) + (random.uint32() % 100) : 200 + (random.uint32() % 2_500),
      () => {
        if (machine.life !== life || !machine.isUp) return;
        const own = this.#options.worlds.find(({ machines }) => machines.has(machine.name)) as World;
        const isOpen = !this.#direction(own.region, region).cut && !this.#direction(region, own.region).cut;
        const name = `${machine.label}|${region}`;
        if (isOpen !== up || this.#up.has(name) === up) return;
        if (up) this.#up.add(name);
        else this.#up.delete(name);
        machine.input(life, () => {
          if (up) machine.replica?.regionUp(region, machine.now);
          else machine.replica?.regionDown(region, machine.now);
        });
      },
    );
  }

  /** Whether the replay brings what the other side has already, and must drop. */
  #noteReplay({ to }: Direction, frame: Uint8Array): void {
    const message = decodeLinkFrame(frame);
    if (message.kind !== 'entries') return;
    const last = message.first + message.entries.length - 1;
    const isKnown = [...this.#world(to).machines.values()].some(({ replica }) =>
      replica
        ?.seen()
        .partitions.some(({ positions }) =>
          positions.some(({ origin, sequence }) => origin === message.origin && sequence >= last),
        ),
    );
    if (isKnown) this.#options.shared.sometimes.saw('replayed entries dropped');
  }

  #world(region: RegionId): World {
    return assertPresent(
      this.#options.worlds.find((world) => world.region === region),
      'a region',
      { region },
    );
  }

  #direction(from: RegionId, to: RegionId): Direction {
    return assertPresent(this.#directions.get(`${from}|${to}`), 'a direction', { from, to });
  }
}

function describe(frame: Uint8Array): string {
  const message = decodeLinkFrame(frame);
  const partition = (frame[1] as number) * 256 + (frame[2] as number);
  switch (message.kind) {
    case 'entries':
    case 'offer':
      return `p${partition} ${message.kind} ${message.origin} ${message.first}+${message.entries.length}`;
    case 'pull':
      return `p${partition} pull ${message.origin} from ${message.from}${message.again ? ' again' : ''}`;
    case 'heartbeat':
      return `p${partition} heartbeat ${message.positions.map(({ origin, applied }) => `${origin}:${applied}`).join(' ')}`;
    default:
      return `p${partition} ${message.kind}`;
  }
}
