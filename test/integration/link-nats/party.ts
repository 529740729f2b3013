import {
  partitionId,
  regionId,
  replicaId,
  utf8Decode,
  utf8Encode,
  type PartitionId,
  type RegionId,
  type ReplicaId,
} from '@skerry/base';
import { NatsLink, type NatsLinkOptions } from '@skerry/link-nats';
import type { LogBatch } from '@skerry/replica';

export const partition0: PartitionId = partitionId(0);
const parties = new Set<Party>();

export type PartyOptions = Partial<Omit<NatsLinkOptions, 'region' | 'events'>> & {
  readonly servers: readonly string[];
};

/** One node with a link, which remembers what it was told. */
export class Party {
  readonly link: NatsLink;
  readonly region: RegionId;
  readonly origin: ReplicaId;
  readonly frames: { from: RegionId; text: string; bytes: Uint8Array }[] = [];
  readonly batches: LogBatch[] = [];
  /** `+region` and `-region`. */
  readonly news: string[] = [];
  published = 0;
  /** How long its event loop stands still at every batch. */
  blockMs = 0;

  constructor(region: string, options: PartyOptions) {
    this.region = regionId(region);
    this.origin = replicaId(Number(region.replace(/\D/g, '')) + 0xab00);
    this.link = new NatsLink({
      cluster: 'test',
      region: this.region,
      ...options,
      events: {
        receive: (from, bytes) =>
          this.frames.push({ from, bytes, text: bytes.length > 100 ? '' : (utf8Decode(bytes) ?? '') }),
        entries: (batch) => {
          block(this.blockMs);
          this.batches.push(batch);
        },
        published: (_partition, _origin, last) => (this.published = last),
        regionUp: (up) => this.news.push(`+${up}`),
        regionDown: (down) => this.news.push(`-${down}`),
      },
    });
    parties.add(this);
  }

  get texts(): string[] {
    return this.frames.map(({ text }) => text);
  }

  /** Entry numbers in the order they came, repetitions included. */
  get entries(): number[] {
    return this.batches.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
  }

  get lastEntry(): number {
    return Math.max(0, ...this.batches.map(({ last }) => last));
  }

  metric(name: string): number {
    return this.link.metrics()[`link_${name}`] ?? Number.NaN;
  }

  knows(...others: readonly Party[]): void {
    this.link.setRegions(others.map(({ region }) => ({ region, urls: [] })));
  }

  send(to: Party, text: string): void {
    this.link.send(to.region, utf8Encode(text));
  }

  /** Entries `first` to `last` as one batch, of its own log. */
  publish(first: number, last: number = first, bytes: Uint8Array = utf8Encode(`${first}-${last}`)): void {
    const { region, origin } = this;
    this.link.log.publish({ partition: partition0, region, origin, first, last, bytes });
  }

  /** One batch per entry. */
  publishEach(first: number, last: number): void {
    for (let entry = first; entry <= last; entry++) this.publish(entry);
  }

  read(other: Party, from: number | null): void {
    this.link.log.subscribe(partition0, { region: other.region, origin: other.origin }, from);
  }

  async close(): Promise<void> {
    parties.delete(this);
    await this.link.close();
  }
}

export async function closeParties(): Promise<void> {
  await Promise.all([...parties].map((party) => party.close()));
}

/** Two regions that know each other, linked. */
export async function twoRegions(options: PartyOptions): Promise<[Party, Party]> {
  const one = new Party('region-1', options);
  const two = new Party('region-2', options);
  one.knows(two);
  two.knows(one);
  await until('both regions are up', () => one.news.includes('+region-2') && two.news.includes('+region-1'));
  return [one, two];
}

/** Waits for a fact; fails with `what` after `timeoutMs`. */
export async function until(what: string, fact: () => boolean, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!fact()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Keeps the event loop busy. */
export function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
