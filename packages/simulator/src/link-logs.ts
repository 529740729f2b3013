import type { PartitionId, RegionId, SeededRandom } from '@skerry/base';
import type { LinkEffects, LogBatch } from '@skerry/replica';
import type { Machine } from './machine.ts';
import type { Plan } from './plan.ts';
import { draw } from './range.ts';
import type { Shared } from './system.ts';

interface Subscription {
  readonly region: RegionId;
  readonly machine: Machine;
  readonly life: number;
  readonly partition: PartitionId;
  readonly log: string;
  readonly from: number;
  /** The next batch. */
  at: number;
  pumping: boolean;
  over: boolean;
}

export interface LinkLogsOptions {
  readonly shared: Shared;
  readonly plan: Plan;
  readonly random: SeededRandom;
  readonly isCut: (from: RegionId, to: RegionId) => boolean;
}

/** The durable logs of a link that has them, as a broker gives them: at least once, in order, and not to be trusted. */
export class LinkLogs {
  readonly #options: LinkLogsOptions;
  readonly #logs: Map<string, LogBatch[]> = new Map();
  readonly #subscriptions: Map<string, Subscription> = new Map();
  /** Delivers nothing, and says nothing of that. */
  #stalls = false;
  /** Acknowledges what it does not keep. */
  #lies = false;

  constructor(options: LinkLogsOptions) {
    this.#options = options;
  }

  publish(machine: Machine, batch: LogBatch): void {
    const {
      shared: { queue, sometimes },
      random,
      plan,
    } = this.#options;
    const own = { ...batch, bytes: batch.bytes.slice() };
    const { life } = machine;
    queue.after(draw(random, plan.link.delayMs), () => {
      const name = nameOf(batch.partition, batch.origin);
      const log = this.#logs.get(name) ?? [];
      this.#logs.set(name, log);
      if (this.#lies) sometimes.saw('log of the link lied');
      else log.push(own);
      queue.after(draw(random, plan.link.delayMs), () => {
        machine.input(life, () => machine.replica?.published(batch.partition, batch.origin, batch.last, machine.now));
      });
      for (const subscription of this.#subscriptions.values()) if (subscription.log === name) this.#pump(subscription);
    });
  }

  subscribe(
    { region, machine }: { region: RegionId; machine: Machine },
    { partition, origin, from }: LinkEffects['subscriptions'][number],
  ): void {
    const log = nameOf(partition, origin.origin);
    const name = `${machine.name}/${log}`;
    const known = this.#subscriptions.get(name);
    if (known !== undefined) known.over = true;
    this.#subscriptions.delete(name);
    if (from === null) return;
    const subscription = {
      region,
      machine,
      life: machine.life,
      partition,
      log,
      from,
      at: 0,
      pumping: false,
      over: false,
    };
    this.#subscriptions.set(name, subscription);
    this.#pump(subscription);
  }

  set stalls(stalls: boolean) {
    this.#stalls = stalls;
    if (!stalls) for (const subscription of this.#subscriptions.values()) this.#pump(subscription);
  }

  set lies(lies: boolean) {
    this.#lies = lies;
  }

  /** Every log is delivered from its start again. */
  replay(): void {
    for (const subscription of this.#subscriptions.values()) {
      subscription.at = 0;
      this.#pump(subscription);
    }
  }

  /** All that was kept is gone. */
  purge(): void {
    for (const log of this.#logs.values()) log.length = 0;
    for (const subscription of this.#subscriptions.values()) subscription.at = 0;
  }

  heal(): void {
    this.lies = false;
    this.stalls = false;
  }

  #pump(subscription: Subscription): void {
    if (subscription.pumping) return;
    subscription.pumping = true;
    const {
      shared: { queue, trace },
      random,
      plan,
    } = this.#options;
    queue.after(draw(random, plan.link.delayMs), () => {
      subscription.pumping = false;
      const { machine, life, log, region, from } = subscription;
      if (subscription.over || machine.life !== life || !machine.isUp || this.#stalls) return;
      const batch = this.#logs.get(log)?.[subscription.at];
      if (batch === undefined) return;
      if (this.#options.isCut(batch.region, region)) {
        queue.after(100, () => this.#pump(subscription));
        return;
      }
      subscription.at++;
      this.#pump(subscription);
      if (batch.last < from && random.uint32() % 4 > 0) return;
      trace.bytes(
        () => `log >> ${machine.name} p${batch.partition} ${batch.origin} ${batch.first}-${batch.last}`,
        batch.bytes,
      );
      machine.input(life, () => machine.replica?.receiveEntries(batch, machine.now));
    });
  }
}

function nameOf(partition: PartitionId, origin: number): string {
  return `${partition}/${origin}`;
}
