import type { Acknowledgement } from './load.ts';
import { coveredMs, generator, type StallOf, type Stalls } from './stalls.ts';

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The longest times without an acknowledgement in a window: as it was, and without what the machine did to it. */
export interface LongestGap {
  readonly ms: number;
  /** Of all gaps in the window, the longest when the stalls within it are not counted. */
  readonly ownMs: number;
  /** What held up the longest one, ordered by time. */
  readonly stalls: readonly StallOf[];
  readonly span: Span;
}

/**
 * A stall counts as the machine's when a process that the acknowledgement needs (`nodes` and the one that measures) had
 * no processor or collected garbage, when the one that measures was busy, or for as long as a sync took more than
 * `usualSyncMs`. A node that is busy by itself, and syncs that take as long as usual, are the hand-over's own.
 */
export function longestGap(
  acknowledgements: readonly Acknowledgement[],
  window: Span,
  {
    stalls,
    nodes,
    usualSyncMs,
  }: { readonly stalls: Stalls; readonly nodes: readonly string[]; readonly usualSyncMs: number },
): LongestGap {
  let longest: Span = { fromMs: window.fromMs, toMs: window.fromMs };
  let ownMs = 0;
  for (const gap of gapsIn(acknowledgements, window)) {
    const length = gap.toMs - gap.fromMs;
    if (length > longest.toMs - longest.fromMs) longest = gap;
    if (length <= ownMs) continue;
    const foreign = foreignStalls(stalls.during(gap.fromMs, gap.toMs), nodes, usualSyncMs);
    ownMs = Math.max(ownMs, length - coveredMs(foreign, gap));
  }
  const around = stalls.during(longest.fromMs, longest.toMs);
  return {
    ms: longest.toMs - longest.fromMs,
    ownMs,
    stalls: foreignStalls(around, nodes, usualSyncMs).toSorted((a, b) => a.fromMs - b.fromMs),
    span: longest,
  };
}

function foreignStalls(stalls: readonly StallOf[], nodes: readonly string[], usualSyncMs: number): StallOf[] {
  return stalls
    .filter(({ who, kind }) => (who === generator ? true : nodes.includes(who) && kind !== 'busy'))
    .map((stall) => (stall.kind === 'sync' ? { ...stall, fromMs: stall.fromMs + usualSyncMs } : stall))
    .filter(({ fromMs, toMs }) => toMs > fromMs);
}

function* gapsIn(acknowledgements: readonly Acknowledgement[], { fromMs, toMs }: Span): Iterable<Span> {
  let lastMs = fromMs;
  for (const { atMs } of acknowledgements) {
    if (atMs < fromMs || atMs > toMs) continue;
    yield { fromMs: lastMs, toMs: atMs };
    lastMs = atMs;
  }
  yield { fromMs: lastMs, toMs };
}
