import { utf8Decode, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { compareStamps, registerValue, type Value } from './index.ts';
import { registerRequests } from './testing/arbitraries.ts';
import { Cluster, type HistoryEntry } from './testing/cluster.ts';
import { testLaws } from './testing/laws.ts';

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
    const losers = cluster.discarded.map(({ reason, loser }) => [reason, loser.type === 'register' && loser.value && utf8Decode(loser.value)]);
    expect(losers).toContainEqual(['laterStamp', 'second']);
  });

  it('a delete leaves a tombstone that an older write does not lift', () => {
    const cluster = new Cluster(2);
    cluster.write(0, set('old'));
    cluster.write(1, { type: 'delete' }, { skewMs: 100 });
    cluster.settle();
    expect(cluster.members.map(({ state }) => view(state))).toEqual([null, null]);
  });
});
