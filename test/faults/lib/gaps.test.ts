import { describe, expect, it } from 'vitest';
import { longestGap } from './gaps.ts';
import type { Acknowledgement } from './load.ts';
import { coveredMs, generator, Stalls, type Stall, type StallOf } from './stalls.ts';

const at = (...times: number[]): Acknowledgement[] => times.map((atMs) => ({ client: 0, sentMs: 0, atMs }));
const window = { fromMs: 0, toMs: 100 };

/** Of spans as `who kind from to`. */
function stallsOf(...texts: readonly string[]): Stalls {
  const stalls = new Stalls();
  for (const text of texts) {
    const [who = '', kind, from, to] = text.split(' ');
    const since = performance.timeOrigin;
    stalls.note(who, { kind: kind as Stall['kind'], fromMs: since + Number(from), toMs: since + Number(to) });
  }
  return stalls;
}

function gap(acknowledged: readonly Acknowledgement[], ...stalls: readonly string[]) {
  const { ms, ownMs } = longestGap(acknowledged, window, {
    stalls: stallsOf(...stalls),
    nodes: ['n1', 'n2'],
    usualSyncMs: 5,
  });
  return [Math.round(ms), Math.round(ownMs)];
}

describe('the longest time without an acknowledgement', () => {
  it('counts up to the first one and from the last one', () => {
    expect(gap(at(40, 50, 60, 70, 80, 90, 100))).toEqual([40, 40]);
    expect(gap(at(10, 20, 30, 40))).toEqual([60, 60]);
    expect(gap([])).toEqual([100, 100]);
  });

  it('does not count as its own when a process that it needs was held up, once where stalls overlap', () => {
    expect(gap(at(10, 90), 'n1 starved 20 50', 'n2 garbage 40 60')).toEqual([80, 40]);
    expect(gap(at(10, 90), `${generator} busy 80 95`)).toEqual([80, 70]);
  });

  it('counts as its own a node that is busy, a node that it does not need, and a sync as far as it is usual', () => {
    expect(gap(at(10, 90), 'n1 busy 20 50', 'n3 starved 20 60')).toEqual([80, 80]);
    expect(gap(at(10, 90), 'n1 sync 20 50', 'n2 sync 60 64')).toEqual([80, 55]);
  });

  it('is of all gaps the longest by what is its own, which need not be the longest', () => {
    expect(gap(at(60, 95), 'n1 starved 0 55')).toEqual([60, 35]);
  });
});

describe('covered time', () => {
  it('ends at both ends of the span', () => {
    const stall = (fromMs: number, toMs: number): StallOf => ({ who: 'n1', kind: 'sync', fromMs, toMs });
    expect(coveredMs([stall(50, 200), stall(-10, 10), stall(5, 20), stall(300, 400)], window)).toBe(70);
    expect(coveredMs([], window)).toBe(0);
  });
});
