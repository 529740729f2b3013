import { pathToFileURL } from 'node:url';
import { besideSources } from './beside-sources.ts';
import type { RegionOptions } from './region.ts';

/**
 * A time in which a process did not go on. `sync`: a storage transaction; `garbage`: a collection; `starved`: it was
 * ready to run and had no processor; `busy`: its event loop was late for another reason. Milliseconds since 1970, so
 * that those of several processes can be laid beside each other.
 */
export interface Stall {
  readonly kind: 'sync' | 'garbage' | 'starved' | 'busy';
  readonly fromMs: number;
  readonly toMs: number;
}

export interface StallOf extends Stall {
  /** The node, or {@link generator}. */
  readonly who: string;
}

/** The process that makes the load and takes the times. */
export const generator = 'load';

/** What kept the nodes, and the process that measures them, from going on: so that a gap can be laid to its cause. */
export class Stalls {
  readonly #all: StallOf[] = [];

  /** Begins to watch this process. */
  static async watch(): Promise<Stalls> {
    const stalls = new Stalls();
    const { watchStalls } = (await import(pathToFileURL(besideSources('stall-watch.mjs')).href)) as {
      watchStalls: (tell: (stall: Stall) => void) => void;
    };
    watchStalls((stall) => stalls.note(generator, stall));
    return stalls;
  }

  /** Makes the nodes of a region tell theirs. */
  get regionOptions(): Pick<RegionOptions, 'nodeArgs' | 'onMessage'> {
    return {
      nodeArgs: ['--import', pathToFileURL(besideSources('stall-recorder.mjs')).href],
      onMessage: (node, message) => {
        const { stall } = message as { readonly stall?: Stall };
        if (stall !== undefined) this.note(node, stall);
      },
    };
  }

  note(who: string, stall: Stall): void {
    this.#all.push({ who, ...stall });
  }

  /** Those that overlap the time from `fromMs` to `toMs`; `performance.now()`. */
  during(fromMs: number, toMs: number): StallOf[] {
    const [from, to] = [performance.timeOrigin + fromMs, performance.timeOrigin + toMs];
    return this.#all
      .filter((stall) => stall.toMs > from && stall.fromMs < to)
      .map((stall) => ({
        ...stall,
        fromMs: stall.fromMs - performance.timeOrigin,
        toMs: stall.toMs - performance.timeOrigin,
      }));
  }

  /** How long all of one kind took, milliseconds. */
  durations(kind: Stall['kind']): number[] {
    return this.#all.filter((stall) => stall.kind === kind).map(({ fromMs, toMs }) => toMs - fromMs);
  }
}

/** How much of the time from `fromMs` to `toMs` is covered by at least one of `stalls`. */
export function coveredMs(
  stalls: readonly { readonly fromMs: number; readonly toMs: number }[],
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): number {
  let covered = 0;
  let atMs = fromMs;
  for (const stall of stalls.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const [from, to] = [Math.max(stall.fromMs, atMs), Math.min(stall.toMs, toMs)];
    if (to <= from) continue;
    covered += to - from;
    atMs = to;
  }
  return covered;
}
