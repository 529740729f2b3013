import { regionId, type PartitionId, type RegionId, type ReplicaId } from '@skerry/base';
import type { LinkEvents, LogBatch } from '../ports/link.ts';
import type { LinkEndpoint, LinkHarness, linkMetricNames } from './link-harness.ts';

/** One endpoint with all that it delivered, and a check that it delivers nothing from inside a call. */
export class End implements LinkEvents {
  endpoint: LinkEndpoint | null = null;
  readonly frames: { readonly from: RegionId; readonly frame: Uint8Array }[] = [];
  readonly batches: LogBatch[] = [];
  readonly acknowledged: { partition: PartitionId; origin: ReplicaId; last: number }[] = [];
  /** `up region-2`, `down region-2`, … */
  readonly changes: string[] = [];
  /** What was told while a call of the link was under way. */
  readonly reentered: string[] = [];
  #calling = false;

  get region(): RegionId {
    return this.#there.region;
  }

  get url(): string {
    return this.#there.url;
  }

  get #there(): LinkEndpoint {
    if (this.endpoint === null) throw new Error('the endpoint is not started');
    return this.endpoint;
  }

  /** Does something to the link. */
  call<Result>(run: (link: LinkEndpoint['link']) => Result): Result {
    this.#calling = true;
    try {
      return run(this.#there.link);
    } finally {
      this.#calling = false;
    }
  }

  send(to: End, ...frames: Uint8Array[]): void {
    this.call((link) => {
      for (const frame of frames) link.send(to.region, frame);
    });
  }

  metric(name: (typeof linkMetricNames)[number]): number {
    const value = this.#there.link.metrics()[name];
    if (value === undefined) throw new Error(`metrics() lacks ${name}`);
    return value;
  }

  /** True if the last news of `other` was that it is up. */
  sees(other: End): boolean {
    return this.changes.findLast((change) => change.endsWith(` ${other.region}`)) === `up ${other.region}`;
  }

  framesFrom(other: End): Uint8Array[] {
    return this.frames.filter(({ from }) => from === other.region).map(({ frame }) => frame);
  }

  receive(from: RegionId, frame: Uint8Array): void {
    this.#note('receive');
    this.frames.push({ from, frame: Uint8Array.from(frame) });
  }

  entries(batch: LogBatch): void {
    this.#note('entries');
    this.batches.push({ ...batch, bytes: Uint8Array.from(batch.bytes) });
  }

  published(partition: PartitionId, origin: ReplicaId, last: number): void {
    this.#note('published');
    this.acknowledged.push({ partition, origin, last });
  }

  regionUp(region: RegionId): void {
    this.#note('regionUp');
    this.changes.push(`up ${region}`);
  }

  regionDown(region: RegionId): void {
    this.#note('regionDown');
    this.changes.push(`down ${region}`);
  }

  #note(what: string): void {
    if (this.#calling) this.reentered.push(what);
  }
}

/** The endpoints of one test. */
export class Ends {
  readonly harness: LinkHarness;
  readonly all: End[] = [];

  constructor(harness: LinkHarness) {
    this.harness = harness;
  }

  /** `region` and `node` by number: region-1, node n1. */
  async start(region: number, node = 1, inPlaceOf?: End): Promise<End> {
    const end = new End();
    const before = inPlaceOf?.endpoint;
    end.endpoint = await this.harness.start({
      region: regionId(`region-${region}`),
      node: `n${node}`,
      events: end,
      ...(before === undefined || before === null ? {} : { inPlaceOf: before }),
    });
    this.all.push(end);
    return end;
  }

  /** Tells each where the others are that live in other regions, and waits until all see each other. */
  async meet(...ends: readonly End[]): Promise<void> {
    for (const end of ends) introduce(end, ...ends);
    await untilTrue('all regions see each other', () =>
      ends.every((end) => ends.every((other) => other.region === end.region || end.sees(other))),
    );
  }
}

/** `end` learns where `others` are; those of its own region it is not told of. */
export function introduce(end: End, ...others: readonly End[]): void {
  const regions = [...new Set(others.map(({ region }) => region))].filter((region) => region !== end.region);
  end.call((link) =>
    link.setRegions(
      regions.map((region) => ({
        region,
        urls: others.filter((other) => other.region === region).map(({ url }) => url),
      })),
    ),
  );
}

/** Waits for a fact; fails with `what` after `timeoutMs`. */
export async function untilTrue(what: string, fact: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!fact()) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await nextTurn();
  }
}

/** A moment in which sockets are served. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

/** Sends a frame until it is there: what is sent while a connection comes and goes may be lost. */
export async function deliver(from: End, to: End, frame: string): Promise<void> {
  await untilTrue(`${frame} arrives`, () => {
    if (texts(to.framesFrom(from)).includes(frame)) return true;
    from.send(to, text(frame));
    return false;
  });
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function texts(frames: readonly Uint8Array[]): string[] {
  return frames.map((frame) => new TextDecoder().decode(frame));
}

/** `size` bytes that differ from those of another seed and at every place. */
export function patterned(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + seed * 17 + (i >> 8)) & 0xff;
  return bytes;
}
