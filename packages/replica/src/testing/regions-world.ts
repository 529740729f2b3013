import { regionId, SeededRandom, type NodeId, type RegionId } from '@skerry/base';
import type { LogBatch } from '../ports/link.ts';
import type { LinkEffects, ReplicaLimits, ReplicaTiming } from '../replica-api.ts';
import type { Answer, ControlOperation, Operation } from '../requests.ts';
import { decodeLinkFrame, type LinkMessage } from '../regions/link-message.ts';
import { World, type Call } from './world.ts';

export interface RegionsOptions {
  /** Nodes of each region. */
  readonly nodes?: readonly number[];
  readonly partitionCount?: number;
  readonly seed?: number;
  readonly timing?: Partial<ReplicaTiming>;
  readonly limits?: Partial<ReplicaLimits>;
  /** The link has a log, as with NATS; else frames only. */
  readonly linkHasLog?: boolean;
  /** Out of 1000 frames. */
  readonly lossPerMille?: number;
  readonly duplicatesPerMille?: number;
  readonly delayMsMax?: number;
  /** What every frame takes on top of that. */
  readonly frameDelayMs?: number;
  /** Regions that are configured at the start; the others know of nobody. */
  readonly joined?: number;
}

interface InFlight {
  readonly from: RegionId;
  readonly to: RegionId;
  readonly frame: Uint8Array;
  readonly atMs: number;
}

/** Several regions in one process under one virtual time, with a link that a test can make as bad as it likes. */
export class RegionsWorld {
  readonly regions: readonly RegionId[];
  readonly #worlds: Map<RegionId, World> = new Map();
  readonly #options: RegionsOptions;
  readonly #random: SeededRandom;
  readonly #cuts: Set<string> = new Set();
  #inFlight: InFlight[] = [];
  /** The link's logs: batches by partition and origin. */
  readonly logs: Map<string, LogBatch[]> = new Map();
  readonly #subscriptions: Map<
    string,
    { readonly region: RegionId; readonly node: NodeId; readonly log: string; at: number }
  > = new Map();
  /** Frames that it refuses are lost. */
  passes: (from: RegionId, to: RegionId, message: LinkMessage) => boolean = () => true;
  /** No log of the link delivers anything, and it says nothing of that (nats-server #8630). */
  logsStall = false;
  #nowMs = 0;

  constructor(options: RegionsOptions = {}) {
    this.#options = options;
    const sizes = options.nodes ?? [3, 3];
    this.regions = sizes.map((_, index) => regionId(`r${index + 1}`));
    this.#random = new SeededRandom(options.seed ?? 1);
    sizes.forEach((nodeCount, index) => {
      const region = this.regions[index] as RegionId;
      const joined = index < (options.joined ?? sizes.length);
      const others = joined
        ? this.regions.filter((other, at) => other !== region && at < (options.joined ?? sizes.length))
        : [];
      this.#worlds.set(
        region,
        new World({
          nodeCount,
          region,
          regions: others.map((other) => ({ region: other, urls: [`ws://${other}`] })),
          replicaBase: (index + 1) * 1_000,
          seed: (options.seed ?? 1) * 31 + index,
          partitionCount: options.partitionCount ?? 1,
          linkHasLog: options.linkHasLog ?? false,
          timing: options.timing ?? {},
          limits: options.limits ?? {},
          onLink: (node, effects) => this.#carry(region, node, effects),
        }),
      );
    });
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  world(region: string): World {
    const world = this.#worlds.get(region as RegionId);
    if (world === undefined) throw new Error(`no region ${region}`);
    return world;
  }

  awaitLeaders(): void {
    const count = this.#options.partitionCount ?? 1;
    this.until(
      () =>
        [...this.#worlds.values()].every((world) =>
          Array.from({ length: count }, (_, p) => world.leader(p)).every((leader) => leader !== null),
        ),
      20_000,
      'leaders',
    );
  }

  /** A call to the node named `n1` of a region unless another is named. */
  call(
    region: string,
    operation: Operation | ControlOperation,
    options: Parameters<World['call']>[2] & { node?: string } = {},
  ): Call {
    return this.world(region).call(options.node ?? 'n1', operation, options);
  }

  settle(call: Call, limitMs = 20_000): Answer {
    this.until(() => call.answer !== undefined, limitMs, 'an answer');
    return call.answer as Answer;
  }

  ask(
    region: string,
    operation: Operation | ControlOperation,
    options: Parameters<World['call']>[2] & { node?: string } = {},
  ): Answer {
    return this.settle(this.call(region, operation, options));
  }

  cut(a: string, b: string): void {
    this.#cuts.add(`${a}|${b}`).add(`${b}|${a}`);
    this.#inFlight = this.#inFlight.filter(({ from, to }) => !this.isCut(from, to));
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const)
      this.#tell(one, (replica, now) => replica.regionDown(regionId(other), now));
  }

  heal(): void {
    const cuts = [...this.#cuts];
    this.#cuts.clear();
    for (const cut of cuts) {
      const [one, other] = cut.split('|') as [string, string];
      this.#tell(one, (replica, now) => replica.regionUp(regionId(other), now));
    }
  }

  isCut(a: string, b: string): boolean {
    return this.#cuts.has(`${a}|${b}`);
  }

  stopRegion(region: string): void {
    for (const name of this.world(region).names) if (this.world(region).isUp(name)) this.world(region).crash(name);
  }

  startRegion(region: string): void {
    for (const name of this.world(region).names) if (!this.world(region).isUp(name)) this.world(region).start(name);
  }

  until(condition: () => boolean, limitMs = 20_000, what = 'condition'): void {
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

  step(): void {
    this.#nowMs++;
    const due = this.#inFlight.filter(({ atMs }) => atMs <= this.#nowMs);
    if (due.length > 0) this.#inFlight = this.#inFlight.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { from, to, frame } of due) {
      const world = this.world(to);
      const names = world.names.filter((name) => world.isUp(name));
      if (names.length === 0) continue;
      const name = names[this.#random.uint32() % names.length] as NodeId;
      world.linkEvent(name, (replica, now) => replica.receiveFrame(from, frame, now));
    }
    if (!this.logsStall) this.#deliverLogs();
    for (const world of this.#worlds.values()) world.step();
  }

  /** All that is committed anywhere, key by key, as `list` shows it, by node. */
  states(): Map<string, string> {
    const states = new Map<string, string>();
    for (const [region, world] of this.#worlds) {
      for (const name of world.names) if (world.isUp(name)) states.set(`${region}/${name}`, stateOf(world, name));
    }
    return states;
  }

  /** All nodes have applied the same entries of all logs, and show the same. */
  isConverged(): boolean {
    const positions = new Set<string>();
    for (const world of this.#worlds.values()) {
      for (const name of world.names) if (world.isUp(name)) positions.add(positionsOf(world, name));
    }
    return positions.size === 1 && new Set(this.states().values()).size === 1;
  }

  #tell(region: string, event: Parameters<World['linkEvent']>[1]): void {
    for (const name of this.world(region).names) this.world(region).linkEvent(name, event);
  }

  #carry(from: RegionId, node: NodeId, { frames, batches, subscriptions }: LinkEffects): void {
    const { lossPerMille = 0, duplicatesPerMille = 0, delayMsMax = 5, frameDelayMs = 0 } = this.#options;
    const happens = (perMille: number): boolean => this.#random.uint32() % 1_000 < perMille;
    for (const { region: to, frame } of frames) {
      if (this.isCut(from, to) || !this.#worlds.has(to)) continue;
      if (happens(lossPerMille) || !this.passes(from, to, decodeLinkFrame(frame))) continue;
      const copies = happens(duplicatesPerMille) ? 2 : 1;
      for (let i = 0; i < copies; i++)
        this.#inFlight.push({
          from,
          to,
          frame: frame.slice(),
          atMs: this.#nowMs + 1 + frameDelayMs + (this.#random.uint32() % delayMsMax),
        });
    }
    for (const batch of batches) {
      const log = this.logs.get(nameOf(batch)) ?? [];
      this.logs.set(nameOf(batch), [...log, batch]);
      this.world(from).linkEvent(node, (replica, now) =>
        replica.published(batch.partition, batch.origin, batch.last, now),
      );
    }
    for (const { partition, origin, from: position } of subscriptions) {
      const log = nameOf({ partition, origin: origin.origin });
      const key = `${from}/${node}/${log}`;
      if (position === null) this.#subscriptions.delete(key);
      else this.#subscriptions.set(key, { region: from, node, log, at: 0 });
    }
  }

  #deliverLogs(): void {
    for (const subscription of this.#subscriptions.values()) {
      const batch = this.logs.get(subscription.log)?.[subscription.at];
      if (batch === undefined || this.isCut(subscription.region, batch.region)) continue;
      subscription.at++;
      this.world(subscription.region).linkEvent(subscription.node, (replica, now) =>
        replica.receiveEntries(batch, now),
      );
    }
  }
}

function nameOf({ partition, origin }: { readonly partition: number; readonly origin: number }): string {
  return `${partition}/${origin}`;
}

export function positionsOf(world: World, name: NodeId): string {
  const { partitions } = world.replica(name).seen();
  return partitions
    .map(({ positions }) =>
      positions
        .filter(({ sequence }) => sequence > 0)
        .map(({ origin, sequence }) => `${origin}:${sequence}`)
        .sort()
        .join(),
    )
    .join(' ');
}

export function stateOf(world: World, name: NodeId): string {
  const lines: string[] = [];
  let after = '';
  for (;;) {
    const call = world.call(
      name,
      { kind: 'list', prefix: '', after, limit: 1_000, consistent: false, keysOnly: false },
      { client: 'lister' },
    );
    world.linkEvent(name, (replica, now) => world.deliver(name, replica.flush(now)));
    const answer = call.answer;
    if (answer?.kind !== 'list') throw new Error('a list is answered at once');
    for (const { key, value, view, version } of answer.entries)
      lines.push(JSON.stringify([key, value === null ? null : [...value], version, view], bytesAsArrays));
    if (answer.next === null) return lines.join('\n');
    after = answer.next;
  }
}

function bytesAsArrays(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  // How far a context was compacted is no part of the value.
  return typeof value === 'object' && value !== null && 'context' in value ? { ...value, context: null } : value;
}
