import { randomFloat, type RegionId } from '@skerry/base';
import type { Host } from './host.ts';
import type { LinkOptions } from './link.ts';
import { probe, type Probed } from './probe.ts';
import type { RegionDistance } from './ranking.ts';

export interface ScoutOptions {
  readonly link: LinkOptions;
  /** Between two measurements of a region, about. */
  readonly probeEveryMs: number;
  /** The same for one that would be better than that of now. */
  readonly returnProbeEveryMs: number;
}

export interface ScoutListener {
  readonly urlsOf: (region: RegionId) => readonly string[];
  /** Something is known that was not. */
  readonly onChange: () => void;
  readonly onProbed: (url: string, probed: Probed) => void;
}

/** A greeting and a ping per region and probe: the least of this many is how far the region is, so that a busy moment does not count. */
const samplesMax = 5;
/** The first measurement, soon after connecting and not in the way of it. */
const firstProbeMs = 1_000;

interface Known {
  samples: number[];
  /** Since when each probe found a node that knows leaders of all partitions; null: the last one did not. */
  healthySinceMs: number | null;
  dueMs: number;
  /** Position of the next endpoint to ask. */
  next: number;
  cancel: (() => void) | null;
}

/** Measures now and then how far regions are and whether they are well; costs one short connection each time. */
export class Scout {
  readonly #host: Host;
  readonly #options: ScoutOptions;
  readonly #listener: ScoutListener;
  readonly #known = new Map<RegionId, Known>();

  constructor(host: Host, options: ScoutOptions, listener: ScoutListener) {
    this.#host = host;
    this.#options = options;
    this.#listener = listener;
  }

  /** What is known of regions that are not among these is forgotten. */
  setRegions(regions: readonly RegionId[]): void {
    for (const [region, known] of this.#known) {
      if (regions.includes(region)) continue;
      known.cancel?.();
      this.#known.delete(region);
    }
    for (const region of regions) {
      if (!this.#known.has(region))
        this.#known.set(region, {
          samples: [],
          healthySinceMs: null,
          dueMs: this.#host.nowMs() + this.#jittered(firstProbeMs),
          next: 0,
          cancel: null,
        });
    }
  }

  distance(region: RegionId): RegionDistance {
    const samples = this.#known.get(region)?.samples ?? [];
    return { region, roundTripMs: samples.length === 0 ? null : Math.min(...samples) };
  }

  /** For how long the region has been found well; 0: it is not. Milliseconds. */
  healthyForMs(region: RegionId): number {
    const sinceMs = this.#known.get(region)?.healthySinceMs ?? null;
    return sinceMs === null ? 0 : this.#host.nowMs() - sinceMs;
  }

  /** The region was seen to be gone, or did not take a client that wanted to come. */
  disappoint(region: RegionId): void {
    const known = this.#known.get(region);
    if (known !== undefined) known.healthySinceMs = null;
  }

  /** A measurement that was made over the connection there is. */
  note(region: RegionId, roundTripMs: number): void {
    const known = this.#known.get(region);
    if (known !== undefined) known.samples = [...known.samples.slice(1 - samplesMax), roundTripMs];
  }

  /** `measure`: of the region that is used, over its connection. `better` are preferred to it. Returns when to call it again. */
  tick({
    current,
    better,
    measure,
  }: {
    readonly current: RegionId;
    readonly better: readonly RegionId[];
    readonly measure: () => void;
  }): number {
    // Nowhere to go: nothing to know.
    if (this.#known.size < 2) return Number.POSITIVE_INFINITY;
    const nowMs = this.#host.nowMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [region, known] of this.#known) {
      const isBetter = better.includes(region);
      if (isBetter) known.dueMs = Math.min(known.dueMs, nowMs + 1.5 * this.#options.returnProbeEveryMs);
      if (known.cancel === null && nowMs >= known.dueMs) {
        known.dueMs = nowMs + this.#jittered(isBetter ? this.#options.returnProbeEveryMs : this.#options.probeEveryMs);
        if (region === current) measure();
        else this.#probe(region, known, this.#listener.urlsOf(region).length);
      }
      // What is under way says when it ends.
      if (known.cancel === null) nextMs = Math.min(nextMs, Math.max(known.dueMs, nowMs + 1));
    }
    return nextMs;
  }

  close(): void {
    for (const { cancel } of this.#known.values()) cancel?.();
    this.#known.clear();
  }

  /** Asks the endpoints in turn until one answers; `left` may still be tried. */
  #probe(region: RegionId, known: Known, left: number): void {
    const urls = this.#listener.urlsOf(region);
    const url = urls[known.next++ % urls.length];
    if (url === undefined || left <= 0) {
      known.healthySinceMs = null;
      this.#listener.onChange();
      return;
    }
    known.cancel = probe({ host: this.#host, url, options: this.#options.link }, (probed) => {
      known.cancel = null;
      if (probed !== null) this.#listener.onProbed(url, probed);
      if (this.#known.get(region) !== known) return;
      if (probed?.welcome.region === region) this.#probed(region, known, probed);
      else this.#probe(region, known, left - 1);
    });
  }

  #probed(region: RegionId, known: Known, { welcome, roundTripMs }: Probed): void {
    this.note(region, roundTripMs);
    const isWell = welcome.leaders.every((leader) => leader !== null);
    known.healthySinceMs = isWell ? (known.healthySinceMs ?? this.#host.nowMs()) : null;
    this.#listener.onChange();
  }

  /** Half to one and a half of it, so that many clients do not measure at once. */
  #jittered(everyMs: number): number {
    return everyMs * (0.5 + randomFloat(this.#host.random));
  }
}
