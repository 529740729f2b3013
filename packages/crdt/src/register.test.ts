import { utf8Decode, utf8Encode } from '@skerry/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareStamps, dotToText, equalDots, registerValue, type Value } from './index.ts';
import { registerRequests, replicaCount, steps } from './testing/arbitraries.ts';
import { Cluster, type HistoryEntry } from './testing/cluster.ts';
import { isOvertaken, testLaws } from './testing/laws.ts';

function view(state: Value | null): string | null {
  const bytes = registerValue(state);
  return bytes === null ? null : utf8Decode(bytes);
}

/** The write with the highest stamp, whatever the order of arrival. */
function model(history: readonly HistoryEntry[]): string | null {
  const last = [...history].sort((a, b) => compareStamps(a.operation.stamp, b.operation.stamp)).at(-1);
  return last?.request.type === 'register' ? utf8Decode(last.request.value) : null;
}

const set = (text: string) => ({ type: 'register', value: utf8Encode(text) }) as const;

describe('register', () => {
  testLaws({ requests: registerRequests, view, model });

  it('reports the loser of two concurrent writes, and no loser where the writer saw what it replaced', () => {
    const cluster = new Cluster(2);
    cluster.write(0, set('first'));
    cluster.write(0, set('second'));
    expect(cluster.discarded).toEqual([]);
    cluster.write(1, set('other'), { skewMs: 100 });
    cluster.settle();
    expect(view(cluster.member(0).state)).toBe('other');
    const losers = cluster.discarded.map(({ reason, loser }) => [
      reason,
      loser.type === 'register' && loser.value && utf8Decode(loser.value),
    ]);
    expect(losers).toContainEqual(['laterStamp', 'second']);
  });

  it('I12: every write is visible, replaced by one who saw it, or reported as discarded', () => {
    fc.assert(
      fc.property(steps(registerRequests), (run) => {
        const cluster = new Cluster(replicaCount).run(run);
        cluster.settle();
        const visible = cluster.member(0).state?.parts.find((part) => part.type === 'register')?.dot;
        const reported = new Set(
          cluster.discarded.map(({ loser }) => (loser.type === 'register' ? dotToText(loser.dot) : '')),
        );
        for (const entry of cluster.history) {
          const { dot } = entry.operation;
          const isAccounted = visible !== undefined && equalDots(dot, visible);
          expect(isAccounted || isOvertaken(entry, cluster.history, () => true) || reported.has(dotToText(dot))).toBe(
            true,
          );
        }
      }),
    );
  });

  it('a delete leaves a tombstone that an older write does not lift', () => {
    const cluster = new Cluster(2);
    cluster.write(0, set('old'));
    cluster.write(1, { type: 'delete' }, { skewMs: 100 });
    cluster.settle();
    expect(cluster.members.map(({ state }) => view(state))).toEqual([null, null]);
  });
});
