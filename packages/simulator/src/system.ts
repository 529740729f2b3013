import { regionId, SeededRandom, type RegionId } from '@skerry/base';
import { RegionLogChecker } from '@skerry/checkers';
import type { LinkEffects } from '@skerry/replica';
import { EventQueue } from './event-queue.ts';
import { Links } from './links.ts';
import type { Machine } from './machine.ts';
import type { Plan } from './plan.ts';
import { Sometimes } from './sometimes.ts';
import { Trace } from './trace.ts';
import { World } from './world.ts';

/** What all regions of a run share. */
export interface Shared {
  readonly queue: EventQueue;
  readonly trace: Trace;
  readonly sometimes: Sometimes;
  /** Lines of the trace are wanted. */
  readonly explains: boolean;
  /** Counts what the clients saw: the order of events for the checkers. */
  readonly position: () => number;
  /** Watches the logs that go from region to region. */
  readonly regionLogs: RegionLogChecker;
}

/** All regions, and the links between them. */
export class System {
  readonly plan: Plan;
  readonly queue: EventQueue = new EventQueue();
  readonly trace: Trace;
  readonly sometimes: Sometimes = new Sometimes();
  readonly worlds: readonly World[];
  /** null: there is one region only. */
  readonly links: Links | null;
  /** Regions that were evicted at some time. */
  readonly evicted: Set<RegionId> = new Set();

  constructor(
    plan: Plan,
    random: SeededRandom,
    { sink, position }: { sink: ((line: string) => void) | null; position: () => number },
  ) {
    this.plan = plan;
    this.trace = new Trace(() => this.queue.nowMs, sink);
    const shared: Shared = {
      queue: this.queue,
      trace: this.trace,
      sometimes: this.sometimes,
      explains: sink !== null,
      position,
      regionLogs: new RegionLogChecker(),
    };
    const names = [...Array(plan.others.length + 1).keys()].map((index) => regionId(`r${index + 1}`));
    this.worlds = names.map(
      (region, index) =>
        new World({
          plan: planOf(plan, index),
          shared,
          region,
          index,
          regions: names.filter((name) => name !== region),
          // The first region draws as if it were alone.
          random: index === 0 ? random : regionRandom(plan.seed, index),
          onLink: (machine, effects) => this.#carry(region, machine, effects),
          onStarted: (machine) => this.links?.started(region, machine),
        }),
    );
    this.links =
      names.length === 1
        ? null
        : new Links({ shared, plan, random: regionRandom(plan.seed, names.length), worlds: this.worlds });
  }

  world(region: RegionId): World {
    return this.worlds.find((world) => world.region === region) as World;
  }

  /** All machines of all regions. */
  get machines(): Machine[] {
    return this.worlds.flatMap(({ machines }) => [...machines.values()]);
  }

  #carry(region: RegionId, machine: Machine, effects: LinkEffects): void {
    this.links?.carry(region, machine, effects);
  }
}

/** A stream of chance for what belongs to a region other than the first. */
export function regionRandom(seed: number, index: number): SeededRandom {
  return new SeededRandom(seed + index * 0x1_0000_0001 * 8);
}

function planOf(plan: Plan, index: number): Plan {
  return index === 0 ? plan : { ...plan, ...plan.others[index - 1] };
}
