import { nodeId, randomChance, randomShuffle, regionId, SeededRandom, type NodeId, type RegionId } from '@skerry/base';
import type { LinkEvents } from '../ports/link.ts';
import type { Replica } from '../replica.ts';
import type { Now } from '../replica-api.ts';
import type { Answer, Operation } from '../requests.ts';
import type { LinkEndpoint, LinkHarness } from './link-harness.ts';
import { nextTurn } from './link-ends.ts';
import { positionsOf, stateOf } from './regions-world.ts';
import { World, type Call } from './world.ts';

/** What is done to whatever a link delivers, before the replica gets it. */
export interface Distortion {
  duplicate: boolean;
  /** All that was ever delivered comes again, from the start, every now and then. */
  replay: boolean;
  /** This share of it is lost. */
  drop: number;
  reorder: boolean;
}

/** Deliveries kept for a replay, and those that are held to be put in another order. */
const replayMax = 400;
const reorderCount = 8;

interface Node {
  readonly world: World;
  readonly name: NodeId;
  readonly endpoint: LinkEndpoint;
}

/**
 * Replicas of several regions over real links. Inside a region time is virtual, but it goes as fast as that of the
 * links, which is real.
 */
export class LinkedRegions {
  readonly distortion: Distortion = { duplicate: false, replay: false, drop: 0, reorder: false };
  /** How often something was done to a delivery. */
  distorted = 0;
  readonly regions: readonly RegionId[];
  /** Regions of which the log of the link has something. */
  readonly logged: Set<RegionId> = new Set();
  readonly #nodes: Node[] = [];
  readonly #worlds: World[] = [];
  readonly #random = new SeededRandom(7);
  readonly #past: (() => void)[] = [];
  #held: (() => void)[] = [];
  #deliveries = 0;
  #calls = 0;
  #steppedMs: number = performance.now();
  #ended = false;

  private constructor(sizes: readonly number[]) {
    this.regions = sizes.map((_, i) => regionId(`region-${i + 1}`));
  }

  /** `sizes`: nodes of each region. Resolves when each region has a leader and all are linked. */
  static async start(
    harness: LinkHarness,
    { sizes, hasLog }: { sizes: readonly number[]; hasLog: boolean },
  ): Promise<LinkedRegions> {
    const linked = new LinkedRegions(sizes);
    const up = new Set<string>();
    for (const [i, region] of linked.regions.entries()) {
      const endpoints = new Map<string, LinkEndpoint>();
      const others = linked.regions.filter((other) => other !== region).map((other) => ({ region: other, urls: [] }));
      const world = new World({
        nodeCount: sizes[i] ?? 1,
        region,
        regions: others,
        linkHasLog: hasLog,
        replicaBase: (i + 1) * 1_000,
        seed: i + 1,
        // A link comes and goes here as fast as a test does.
        timing: { linkHeartbeatMs: 50, linkRetryMs: 200 },
        onLink: (node, { frames, batches, subscriptions }) => {
          const link = endpoints.get(node)?.link;
          for (const frame of frames) link?.send(frame.region, frame.frame);
          for (const batch of batches) link?.log?.publish(batch);
          for (const { partition, origin, from } of subscriptions) link?.log?.subscribe(partition, origin, from);
        },
      });
      linked.#worlds.push(world);
      for (const name of world.names) {
        const events = linked.#eventsOf({ world, name, region }, (other, isUp) => {
          if (isUp) up.add(`${region}/${name} ${other}`);
          else up.delete(`${region}/${name} ${other}`);
        });
        const endpoint = await harness.start({ region, node: name, events });
        endpoints.set(name, endpoint);
        linked.#nodes.push({ world, name, endpoint });
      }
    }
    linked.#introduce();
    const links = linked.#nodes.length * (sizes.length - 1);
    await linked.until(
      'leaders and links',
      () => up.size === links && linked.#worlds.every((world) => world.leader() !== null),
    );
    return linked;
  }

  /** Some node of a region. */
  endpoint(region: RegionId): LinkEndpoint {
    const node = this.#nodes.find(({ endpoint }) => endpoint.region === region);
    if (node === undefined) throw new Error(`no region ${region}`);
    return node.endpoint;
  }

  cut(a: RegionId, b: RegionId): void {
    this.#eachBetween(a, b, (endpoint, other) => endpoint.link.cut(other));
  }

  heal(a: RegionId, b: RegionId): void {
    this.#eachBetween(a, b, (endpoint, other) => endpoint.link.heal(other));
  }

  /** A call to a node of the region with this index; the nodes take turns. */
  call(region: number, operation: Operation): Call {
    const world = this.#world(region);
    return world.call(world.names[this.#calls++ % world.names.length] ?? nodeId('n1'), operation, {
      client: `c${region}`,
    });
  }

  async ask(region: number, operation: Operation): Promise<Answer> {
    const call = this.call(region, operation);
    await this.until('an answer', () => call.answer !== undefined);
    return call.answer as Answer;
  }

  /** All nodes of all regions have applied the same entries and show the same. */
  isConverged(): boolean {
    const distinct = (of: typeof positionsOf): number =>
      new Set(this.#nodes.map(({ world, name }) => of(world, name))).size;
    return distinct(positionsOf) === 1 && distinct(stateOf) === 1;
  }

  /** Goes on until it is so. */
  async until(what: string, fact: () => boolean, timeoutMs = 20_000): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!fact()) {
      if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
      await this.#step();
    }
  }

  /** Nothing reaches the replicas any more. */
  end(): void {
    this.#ended = true;
  }

  #world(region: number): World {
    const world = this.#worlds[region];
    if (world === undefined) throw new Error(`no region ${region}`);
    return world;
  }

  /** As much virtual time as real time has passed, but not a long pause at once: that would look like a dead leader. */
  async #step(): Promise<void> {
    const nowMs = performance.now();
    const steps = Math.min(20, Math.floor(nowMs - this.#steppedMs));
    if (steps > 0) this.#steppedMs = nowMs;
    for (let i = 0; i < steps; i++) for (const world of this.#worlds) world.step();
    if (!this.distortion.reorder || this.#held.length >= reorderCount) this.#release();
    await nextTurn();
  }

  #introduce(): void {
    for (const { endpoint } of this.#nodes) {
      const others = this.regions.filter((region) => region !== endpoint.region);
      const urls = (region: RegionId): string[] =>
        this.#nodes.filter((node) => node.endpoint.region === region).map((node) => node.endpoint.url);
      endpoint.link.setRegions(others.map((region) => ({ region, urls: urls(region) })));
    }
  }

  #eachBetween(a: RegionId, b: RegionId, order: (endpoint: LinkEndpoint, other: RegionId) => void): void {
    for (const { endpoint } of this.#nodes) {
      if (endpoint.region === a) order(endpoint, b);
      if (endpoint.region === b) order(endpoint, a);
    }
  }

  #eventsOf(
    { world, name, region: own }: { readonly world: World; readonly name: NodeId; readonly region: RegionId },
    onChange: (region: RegionId, isUp: boolean) => void,
  ): LinkEvents {
    const tell = (event: (replica: Replica, now: Now) => void): void => {
      if (!this.#ended) world.linkEvent(name, event);
    };
    return {
      receive: (from, frame) => {
        const copy = Uint8Array.from(frame);
        this.#distort(() => tell((replica, now) => replica.receiveFrame(from, copy, now)));
      },
      entries: (batch) => {
        const copy = { ...batch, bytes: Uint8Array.from(batch.bytes) };
        this.#distort(() => tell((replica, now) => replica.receiveEntries(copy, now)));
      },
      published: (partition, origin, last) => {
        this.logged.add(own);
        tell((replica, now) => replica.published(partition, origin, last, now));
      },
      regionUp: (region) => {
        onChange(region, true);
        tell((replica, now) => replica.regionUp(region, now));
      },
      regionDown: (region) => {
        onChange(region, false);
        tell((replica, now) => replica.regionDown(region, now));
      },
    };
  }

  #distort(deliver: () => void): void {
    const { duplicate, replay, drop, reorder } = this.distortion;
    this.#deliveries++;
    if (this.#past.length < replayMax) this.#past.push(deliver);
    if (drop > 0 && randomChance(this.#random, drop)) {
      this.distorted++;
      return;
    }
    if (reorder) {
      this.distorted++;
      this.#held.push(deliver);
      return;
    }
    deliver();
    if (duplicate) {
      this.distorted++;
      deliver();
    }
    if (replay && this.#deliveries % 10 === 0) {
      this.distorted += this.#past.length;
      for (const again of this.#past) again();
    }
  }

  #release(): void {
    const held = randomShuffle(this.#random, this.#held);
    this.#held = [];
    for (const deliver of held) deliver();
  }
}
