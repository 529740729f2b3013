import type { RegionId, ReplicaId } from '@skerry/base';
import type { Partition } from '../partition.ts';
import type { LinkMessage } from './link-message.ts';

/** Bytes of entries sent to one region and not acknowledged by its next pull. */
const windowBytes = 4 * 1_024 * 1_024;
const frameBytes = 256 * 1_024;
/** A region that has not pulled for this long gets nothing more until it does. */
const lapseMs = 5_000;
/**
 * A frame costs the same whether it holds one entry or a hundred, at both ends, and so does what is made of it there: after
 * one, so long goes by before the next with fewer than this.
 */
export const gatherMs = 5;
export const gatherCount = 64;

interface Outlet {
  next: number;
  sentMs: number;
  pulledMs: number;
  /** What is on its way: the last entry of each frame, and its bytes. */
  readonly inFlight: { readonly last: number; readonly bytes: number }[];
  inFlightBytes: number;
}

/** The leader's side of passing logs on: other regions pull, this sends from where they are, as fast as they take it. */
export class Outlets {
  readonly #partition: Partition;
  readonly #send: (to: RegionId, message: LinkMessage) => void;
  readonly #byRegion: Map<RegionId, Map<ReplicaId, Outlet>> = new Map();

  constructor(partition: Partition, send: (to: RegionId, message: LinkMessage) => void) {
    this.#partition = partition;
    this.#send = send;
  }

  pulled(from: RegionId, { origin, from: next, again }: Extract<LinkMessage, { kind: 'pull' }>): void {
    const state = this.#partition.state.header.origins.get(origin);
    if (state === undefined) return;
    if (next < state.first) return this.#send(from, { kind: 'trimmed', origin, first: state.first });
    const outlets = this.#byRegion.get(from) ?? new Map<ReplicaId, Outlet>();
    this.#byRegion.set(from, outlets);
    const { monoMs } = this.#partition.turn.now;
    let outlet = outlets.get(origin);
    if (outlet === undefined || again || next > outlet.next) {
      outlet = { next, sentMs: Number.NEGATIVE_INFINITY, pulledMs: monoMs, inFlight: [], inFlightBytes: 0 };
      outlets.set(origin, outlet);
    }
    outlet.pulledMs = monoMs;
    while (outlet.inFlight.length > 0 && (outlet.inFlight[0] as { last: number }).last < next) {
      outlet.inFlightBytes -= (outlet.inFlight.shift() as { bytes: number }).bytes;
    }
  }

  /** Sends what has been added to the logs, as far as the windows allow. */
  flush(): void {
    const { state, turn } = this.#partition;
    for (const [region, outlets] of this.#byRegion) {
      for (const [origin, outlet] of outlets) {
        const log = state.header.origins.get(origin);
        if (log === undefined || turn.now.monoMs - outlet.pulledMs > lapseMs) {
          outlets.delete(origin);
          continue;
        }
        if (log.applied - outlet.next + 1 < gatherCount && turn.now.monoMs - outlet.sentMs < gatherMs) continue;
        while (outlet.next <= log.applied && outlet.inFlightBytes < windowBytes) {
          if (outlet.next < log.first) {
            this.#send(region, { kind: 'trimmed', origin, first: log.first });
            outlets.delete(origin);
            break;
          }
          const entries = state.values.log.read(origin, outlet.next, frameBytes);
          if (entries.length === 0) break;
          this.#send(region, { kind: 'entries', origin, region: log.region, first: outlet.next, entries });
          const bytes = entries.reduce((sum, entry) => sum + entry.length, 0);
          outlet.next += entries.length;
          outlet.sentMs = turn.now.monoMs;
          outlet.inFlight.push({ last: outlet.next - 1, bytes });
          outlet.inFlightBytes += bytes;
        }
      }
    }
  }

  regionGone(region: RegionId): void {
    this.#byRegion.delete(region);
  }

  clear(): void {
    this.#byRegion.clear();
  }
}
