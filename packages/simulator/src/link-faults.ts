import { randomInt, randomPick, type RegionId, type SeededRandom } from '@skerry/base';
import { ask } from './clients/asking.ts';
import type { Links } from './links.ts';
import type { LinkFaultKind } from './plan-regions.ts';
import type { System } from './system.ts';
import type { World } from './world.ts';

/** Makes things go wrong between regions, and right again before the end. */
export class LinkFaults {
  readonly #system: System;
  readonly #links: Links;
  readonly #random: SeededRandom;
  readonly #kinds: readonly LinkFaultKind[];
  readonly #crash: (world: World) => void;
  /** A region is evicted and not yet back in all the others' eyes. */
  #evicting = false;
  #stopped = false;

  constructor(
    system: System,
    links: Links,
    { random, crash }: { random: SeededRandom; crash: (world: World) => void },
  ) {
    this.#system = system;
    this.#links = links;
    this.#random = random;
    this.#crash = crash;
    this.#kinds = [...system.plan.link.faults].filter((kind) => system.plan.link.hasLog || !kind.startsWith('log'));
    if (this.#kinds.length > 0) this.#next();
  }

  /** The safety phase is over. An eviction that is under way goes on. */
  heal(): void {
    this.#stopped = true;
    this.#links.healAll();
  }

  #next(): void {
    const { queue, plan } = this.#system;
    queue.after(randomInt(this.#random, 1, 2 * plan.link.faultEveryMs), () => {
      if (this.#stopped) return;
      this.#next();
      this.#make(randomPick(this.#random, this.#kinds));
    });
  }

  #make(kind: LinkFaultKind): void {
    const { faults, logs } = this.#links;
    const [from, to] = randomPick(this.#random, this.#links.pairs);
    const forMs = randomInt(this.#random, 1, randomPick(this.#random, [100, 1_000, 4_000]));
    this.#system.trace.line(`fault ${kind} ${from} ${to} ${forMs}`);
    switch (kind) {
      case 'linkLoss':
        faults.loss = true;
        return this.#later(forMs, () => {
          faults.loss = false;
        });
      case 'linkDuplicates':
        faults.duplicates = true;
        return this.#later(forMs, () => {
          faults.duplicates = false;
        });
      case 'linkReordering':
        faults.reordering = true;
        return this.#later(forMs, () => {
          faults.reordering = false;
        });
      case 'linkReplay':
        return this.#links.replay(from, to);
      case 'linkStall':
        this.#saw('link stalled');
        this.#links.stall(from, to);
        return this.#later(forMs, () => this.#links.goOn(from, to));
      case 'linkCut':
        return this.#cut(
          [
            [from, to],
            [to, from],
          ],
          forMs,
        );
      case 'linkOneWayCut':
        return this.#cut([[from, to]], forMs);
      case 'regionCutOff':
        this.#saw('region cut off');
        return this.#cut(
          this.#links.pairs.filter((pair) => pair.includes(from)),
          forMs,
        );
      case 'regionCrash':
        this.#saw('region crashed');
        return this.#crash(this.#system.world(from));
      case 'regionEvict':
        return this.#evict(from, to);
      case 'logStall':
        logs.stalls = true;
        return this.#later(forMs, () => {
          logs.stalls = false;
        });
      case 'logReplay':
        this.#saw('log of the link replayed');
        return logs.replay();
      case 'logPurge':
        this.#saw('log of the link purged');
        return logs.purge();
      case 'logLies':
        logs.lies = true;
        return this.#later(forMs, () => {
          logs.lies = false;
        });
    }
  }

  #cut(pairs: readonly (readonly [RegionId, RegionId])[], forMs: number): void {
    this.#saw('link cut');
    for (const [from, to] of pairs) this.#links.cut(from, to);
    this.#later(forMs, () => {
      for (const [from, to] of pairs) this.#links.heal(from, to);
    });
  }

  /** An operator of region `by` gives up on `region`. */
  #evict(by: RegionId, region: RegionId): void {
    const isOneOfSeveral = this.#evicting || !this.#isAtPeace();
    if (isOneOfSeveral && this.#system.plan.link.evictsAtOnce !== true) return;
    const { sometimes, trace, evicted } = this.#system;
    const isAwaited = this.#evicting;
    this.#evicting = true;
    evicted.add(region);
    ask({
      world: this.#system.world(by),
      random: this.#random,
      request: { operation: { kind: 'evictRegion', region }, timeoutMs: 3_000 },
      pickNode: ({ members }) => randomPick(this.#random, [...members]),
      onAnswer: (answer) => {
        if (answer.kind !== 'done') return false;
        sometimes.saw('region evicted');
        if (isOneOfSeveral) sometimes.saw('region evicted while another one was');
        trace.line(`${by} has evicted ${region}`);
        if (!isAwaited) this.#awaitReturn();
        return true;
      },
    });
  }

  /** It comes back by itself, when it can: it is told, offers what it had not sent, and takes the others' state. */
  #awaitReturn(): void {
    this.#system.queue.after(100, () => {
      if (!this.#isAtPeace()) return this.#awaitReturn();
      this.#evicting = false;
      this.#saw('region re-seeded');
    });
  }

  /** No node takes any region for evicted, and none is being re-seeded. */
  #isAtPeace(): boolean {
    return this.#system.machines.every(
      ({ replica }) =>
        replica !== null &&
        replica.regions().every(({ state }) => state !== 'evicted') &&
        replica.partitionsForTests.every(
          ({ state: { header, regions } }) =>
            header.reseeding === null && regions.active().length === header.regions.size,
        ),
    );
  }

  #saw(name: Parameters<System['sometimes']['saw']>[0]): void {
    this.#system.sometimes.saw(name);
  }

  #later(afterMs: number, run: () => void): void {
    this.#system.queue.after(afterMs, () => {
      if (!this.#stopped) run();
    });
  }
}
