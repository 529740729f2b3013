import { assert, type NodeId, type RegionId } from '@skerry/base';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { LinkEvents, LinkLog, LogBatch, RegionContacts, RegionLink } from '@skerry/replica';
import { Connector } from './connector.ts';
import type { LinkContext, LinkLogger } from './context.ts';
import { metricsOf, newCounters } from './counters.ts';
import { FrameChannel } from './frames/channel.ts';
import {
  checkLimits,
  defaultNatsLinkLimits,
  defaultNatsLinkTiming,
  type NatsLinkLimits,
  type NatsLinkTiming,
} from './limits.ts';
import { addressKey, type LogAddress } from './log/message.ts';
import { LogPublisher } from './log/publisher.ts';
import { LogReader } from './log/reader.ts';
import { Names } from './names.ts';

export interface NatsLinkOptions {
  /** Name of the system of regions: links of other clusters on the same NATS are not heard. */
  readonly cluster: string;
  /** The region of this node. */
  readonly region: RegionId;
  /** Name of this node, for other regions to show. */
  readonly node?: NodeId;
  /** `nats://host:port` of servers of one NATS cluster; one is used at a time. `user:password@` or `token@` may precede. */
  readonly servers: readonly string[];
  readonly events: LinkEvents;
  readonly log?: LinkLogger;
  readonly limits?: Partial<NatsLinkLimits>;
  readonly timing?: Partial<NatsLinkTiming>;
  /** JetStream domains of regions, where their nodes cannot tell (a region that is down from the start). */
  readonly domains?: Readonly<Record<string, string>>;
}

const silent: LinkLogger = { info: () => {}, warn: () => {} };

/**
 * The link port over NATS: frames over core NATS, and a log per origin region in one JetStream stream. It connects in
 * the background and for ever; while it is not connected, regions are down, frames are dropped, and own entries wait
 * in a bounded queue.
 */
export class NatsLink implements RegionLink {
  readonly log: LinkLog;
  readonly #context: LinkContext;
  readonly #domains: Readonly<Record<string, string>>;
  readonly #channel: FrameChannel;
  readonly #publisher: LogPublisher;
  readonly #readers = new Map<string, { readonly address: LogAddress; readonly reader: LogReader }>();
  readonly #connector: Connector;
  #connection: NatsConnection | null = null;
  #closed = false;

  constructor(options: NatsLinkOptions) {
    assert(options.servers.length > 0, 'a link to NATS needs a server');
    const limits = { ...defaultNatsLinkLimits, ...options.limits };
    checkLimits(limits);
    this.#domains = options.domains ?? {};
    this.#context = {
      names: new Names(options.cluster),
      region: options.region,
      node: options.node ?? null,
      limits,
      timing: { ...defaultNatsLinkTiming, ...options.timing },
      events: this.#guarded(options.events),
      logger: options.log ?? silent,
      counters: newCounters(),
    };
    this.#channel = new FrameChannel(this.#context, { reached: (region) => this.#nudge(region) });
    this.#publisher = new LogPublisher(this.#context);
    this.log = {
      publish: (batch) => this.#publish(batch),
      subscribe: (partition, origin, from) => this.#subscribe({ partition, ...origin }, from),
    };
    this.#connector = new Connector(this.#context, options.servers, {
      up: (connection) => void this.#attach(connection),
      down: () => this.#detach(),
    });
  }

  send(region: RegionId, frame: Uint8Array): void {
    if (!this.#closed) this.#channel.send(region, frame);
  }

  setRegions(regions: readonly RegionContacts[]): void {
    if (!this.#closed) this.#channel.setRegions(regions.map(({ region }) => region));
  }

  cut(region: RegionId): void {
    this.#channel.cut(region);
    for (const reader of this.#readersOf(region)) reader.detach();
  }

  heal(region: RegionId): void {
    if (this.#closed || !this.#channel.isCut(region)) return;
    this.#channel.heal(region);
    if (this.#connection === null) return;
    for (const reader of this.#readersOf(region)) reader.attach(this.#connection);
  }

  metrics(): Readonly<Record<string, number>> {
    return {
      ...metricsOf(this.#context.counters),
      link_unsent_bytes: this.#channel.unsentBytes() + this.#publisher.queueBytes,
      link_connected: this.#connection === null ? 0 : 1,
      link_log_writable: this.#publisher.isOpen ? 1 : 0,
      link_log_queue_bytes: this.#publisher.queueBytes,
      link_log_readers: this.#readers.size,
    };
  }

  /** The node that frames for the region go to; null: any node of it, or the region is down. */
  via(region: RegionId): string | null {
    return this.#channel.contactOf(region);
  }

  /** Ends it without a word, as a crash would. */
  terminate(): void {
    this.close().catch(() => {});
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#detach();
    this.#channel.close();
    this.#readers.clear();
    await this.#connector.close();
  }

  #publish(batch: LogBatch): void {
    assert(batch.region === this.#context.region, 'a region publishes its own log only', { region: batch.region });
    if (!this.#closed) this.#publisher.publish(batch);
  }

  #subscribe(address: LogAddress, from: number | null): void {
    const key = addressKey(address);
    const known = this.#readers.get(key);
    if (from === null || this.#closed) {
      known?.reader.detach();
      this.#readers.delete(key);
      return;
    }
    if (known !== undefined) return known.reader.seek(from);
    const { region } = address;
    const domain = (): string | null => this.#domains[region] ?? this.#channel.domainOf(region);
    const reader = new LogReader(this.#context, { address, from, domain });
    this.#readers.set(key, { address, reader });
    if (this.#connection !== null && !this.#channel.isCut(region)) reader.attach(this.#connection);
  }

  async #attach(connection: NatsConnection): Promise<void> {
    const domain = await domainOf(connection, this.#context);
    if (this.#closed || connection.isClosed()) return;
    this.#connection = connection;
    this.#channel.attach(connection, domain);
    this.#publisher.attach(connection);
    for (const { address, reader } of this.#readers.values()) {
      if (!this.#channel.isCut(address.region)) reader.attach(connection);
    }
  }

  #detach(): void {
    this.#connection = null;
    this.#publisher.detach();
    for (const { reader } of this.#readers.values()) reader.detach();
    this.#channel.detach();
  }

  #nudge(region: RegionId): void {
    for (const reader of this.#readersOf(region)) reader.nudge();
  }

  #readersOf(region: RegionId): LogReader[] {
    return [...this.#readers.values()].filter(({ address }) => address.region === region).map(({ reader }) => reader);
  }

  /** Nothing once the link is closed, and news of regions only after the call that made them has returned. */
  #guarded(events: LinkEvents): LinkEvents {
    // The library swallows what its callbacks throw; a broken invariant must end the process.
    const now = (tell: () => void): void => {
      if (this.#closed) return;
      try {
        tell();
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    };
    const later = (tell: () => void): void => queueMicrotask(() => now(tell));
    return {
      receive: (from, frame) => now(() => events.receive(from, frame)),
      entries: (batch) => now(() => events.entries(batch)),
      published: (partition, origin, last) => now(() => events.published(partition, origin, last)),
      regionUp: (region) => later(() => events.regionUp(region)),
      regionDown: (region) => later(() => events.regionDown(region)),
    };
  }
}

/** The JetStream domain that this connection's server belongs to or reaches; null: none, or no JetStream. */
async function domainOf(connection: NatsConnection, { timing }: LinkContext): Promise<string | null> {
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: timing.requestTimeoutMs });
    const { domain } = await manager.getAccountInfo();
    return domain ?? null;
  } catch {
    return null;
  }
}
