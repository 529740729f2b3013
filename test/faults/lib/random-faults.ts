import { randomChance, randomInt, randomPick, type SeededRandom } from '@skerry/base';
import type { Clocks } from './clocks.ts';
import type { Cluster } from './cluster.ts';
import type { Isolation } from './plain-model.ts';
import type { Region } from './region.ts';
import type { RegionNode } from './region-node.ts';
import { pause } from './until.ts';

/** Undoes a fault. */
type End = () => Promise<void>;

const lastsMsMax = 1_500;
/** Until a node that was started is up: on a machine with other work that alone takes long. */
const patienceMs = 180_000;
/** Those that come more often stand there more often. */
const kinds = ['isolate', 'isolate', 'cut', 'kill', 'kill', 'killLeader', 'killRegion', 'pause'] as const;
const clockKinds = ['clock', 'clock', 'clocks'] as const;
const clockSteps = [1, 30, 3_600, 24 * 3_600];

/** Random cuts between regions, kills and pauses of nodes, kills of regions, and jumps of clocks. */
export class RandomFaults {
  /** How often each kind was made to happen. */
  readonly counts = new Map<string, number>();
  readonly #cluster: Cluster;
  readonly #random: SeededRandom;
  /** null: there is nothing to set them with. */
  readonly #clocks: Clocks | null;
  #isolations: Isolation[] = [];
  #isolated: { readonly region: number; readonly fromMs: number } | null = null;

  constructor(cluster: Cluster, random: SeededRandom, clocks: Clocks | null) {
    this.#cluster = cluster;
    this.#random = random;
    this.#clocks = clocks;
  }

  /** One fault after the other until `isOver`; some go on while the next one begins. At the end all of them are undone. */
  async run(isOver: () => boolean): Promise<readonly Isolation[]> {
    this.#isolations = [];
    const ends: End[] = [];
    while (!isOver()) {
      const end = await this.#begin();
      await this.#wait(randomInt(this.#random, 100, lastsMsMax), isOver);
      if (randomChance(this.#random, 0.5)) await end();
      else ends.push(end);
      await this.#wait(randomInt(this.#random, 0, 500), isOver);
    }
    for (const end of ends) await end();
    return this.#isolations;
  }

  async #wait(ms: number, isOver: () => boolean): Promise<void> {
    for (let left = ms; left > 0 && !isOver(); left -= 50) await pause(Math.min(left, 50));
  }

  async #begin(): Promise<End> {
    const possible = this.#clocks === null ? kinds : [...kinds, ...clockKinds];
    const kind: (typeof kinds | typeof clockKinds)[number] = randomPick(this.#random, possible);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const region = randomPick(this.#random, this.#cluster.regions);
    switch (kind) {
      case 'isolate':
        return this.#isolate(region);
      case 'cut':
        return this.#cut(region, randomPick(this.#random, this.#cluster.others(region)));
      case 'kill':
        return this.#kill(region, [randomPick(this.#random, region.nodes)]);
      case 'killLeader':
        return this.#kill(region, await leadersOf(region));
      case 'killRegion':
        return this.#kill(region, region.nodes);
      case 'pause':
        return this.#pause(randomPick(this.#random, region.nodes));
      case 'clock':
        return this.#setClocks([randomPick(this.#random, region.nodes)]);
      case 'clocks':
        return this.#setClocks(region.nodes);
    }
  }

  async #isolate(region: Region): Promise<End> {
    await this.#cluster.isolate(region);
    // A node that does not run now knows nothing of the cut when it starts: that ends the isolation.
    this.#isolated ??= { region: this.#cluster.regions.indexOf(region), fromMs: performance.now() };
    return () => this.#heal();
  }

  async #cut(a: Region, b: Region): Promise<End> {
    await this.#cluster.cut(a, b);
    return () => this.#heal();
  }

  async #heal(): Promise<void> {
    this.#isolationEnds();
    await this.#cluster.heal();
  }

  async #kill(region: Region, nodes: readonly RegionNode[]): Promise<End> {
    await Promise.all(nodes.map((node) => node.kill()));
    return async () => {
      this.#isolationEnds();
      for (const node of nodes) if (!node.isRunning) node.start();
      await region.listening(nodes, patienceMs);
    };
  }

  /** Ends by itself: nobody can tell a node that is paused anything. */
  async #pause(node: RegionNode): Promise<End> {
    node.pause();
    await pause(randomInt(this.#random, 100, lastsMsMax));
    node.resume();
    return () => Promise.resolve();
  }

  #setClocks(nodes: readonly RegionNode[]): Promise<End> {
    const seconds = randomPick(this.#random, clockSteps) * (randomChance(this.#random, 0.5) ? 1 : -1);
    for (const { name } of nodes) this.#clocks?.set(name, seconds);
    return Promise.resolve(() => {
      for (const { name } of nodes) this.#clocks?.set(name, 0);
      return Promise.resolve();
    });
  }

  #isolationEnds(): void {
    if (this.#isolated !== null) this.#isolations.push({ ...this.#isolated, toMs: performance.now() });
    this.#isolated = null;
  }
}

async function leadersOf({ running }: Region): Promise<RegionNode[]> {
  const statuses = await Promise.all(running.map((node) => node.status(300)));
  return running.filter((_, index) => statuses[index]?.partitions[0]?.role === 'leader');
}
