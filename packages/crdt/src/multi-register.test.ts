import { utf8Decode, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { CausalContext, compareStamps, defaultLimits, multiRegisterValues, type Value } from './index.ts';
import { multiRegisterRequests } from './testing/arbitraries.ts';
import { Cluster, type HistoryEntry } from './testing/cluster.ts';
import { isOvertaken, testLaws } from './testing/laws.ts';

function view(state: Value | null): (string | null)[] {
  return (multiRegisterValues(state)?.siblings ?? []).map(({ value }) => utf8Decode(value));
}

/** Every write that no later write with its reader's context, and no delete, had seen; in order of stamps. */
function model(history: readonly HistoryEntry[]): (string | null)[] {
  const replaces = ({ request }: HistoryEntry): boolean =>
    request.type === 'delete' || (request.type === 'multiRegister' && request.context !== null);
  return history
    .filter((entry) => entry.request.type === 'multiRegister' && !isOvertaken(entry, history, replaces))
    .sort((a, b) => compareStamps(a.operation.stamp, b.operation.stamp))
    .map(({ request }) => (request.type === 'multiRegister' ? utf8Decode(request.value) : null));
}

const set = (text: string, context: CausalContext | 'read' | null) =>
  ({ type: 'multiRegister', value: utf8Encode(text), context }) as never;

describe('multi-value register', () => {
  testLaws({ requests: multiRegisterRequests, view, model });

  it('a write that names the context it read replaces exactly those values', () => {
    const cluster = new Cluster(2);
    cluster.write(0, set('a', null));
    const read = multiRegisterValues(cluster.member(0).state)!.context;
    cluster.write(1, set('b', null));
    cluster.settle();
    cluster.write(0, set('c', read));
    expect(view(cluster.member(0).state)).toEqual(['b', 'c']);
    cluster.write(0, set('d', 'read'));
    expect(view(cluster.member(0).state)).toEqual(['d']);
  });

  it('a write replaces what its context names, also where that has not arrived yet', () => {
    const cluster = new Cluster(2);
    cluster.write(0, set('a', null));
    cluster.write(0, set('b', null));
    const read = multiRegisterValues(cluster.member(0).state)!.context;
    cluster.write(0, set('late', null));
    cluster.write(1, set('c', read));
    expect(view(cluster.member(1).state)).toEqual(['c']);
    cluster.settle();
    for (const member of [0, 1]) expect([...view(cluster.member(member).state)].sort()).toEqual(['c', 'late']);
  });

  it('a context of far more dots than a read names suppresses nothing of the future', () => {
    const cluster = new Cluster(2);
    const future = CausalContext.empty();
    future.addRange(cluster.member(1).replica, 1, 1_000);
    cluster.write(0, set('a', future));
    cluster.write(1, set('b', null));
    cluster.settle();
    expect(view(cluster.member(0).state)).toEqual(['a', 'b']);
  });

  it('riak_kv #1648: blind writes in a loop do not explode into siblings, and the ledger gets each one over the limit', () => {
    const cluster = new Cluster(2);
    for (let i = 0; i < 100; i++) cluster.write(0, set(`v${i}`, null));
    const kept = view(cluster.member(0).state);
    expect(kept).toHaveLength(defaultLimits.siblingsMax);
    expect(kept.at(-1)).toBe('v99');
    const evicted = cluster.discarded.map(({ reason, loser }) => `${reason} ${view({ parts: [loser] }).join()}`);
    expect(evicted).toEqual(Array.from({ length: 84 }, (_, i) => `siblingLimit v${i}`));
    cluster.settle();
    expect(view(cluster.member(1).state)).toEqual(kept);
  });

  it('riak_kv #1648: a writer who reads before each write keeps one value', () => {
    const cluster = new Cluster(2);
    for (let i = 0; i < 100; i++) {
      cluster.write(i, set(`v${i}`, 'read'));
      cluster.settle();
    }
    expect(view(cluster.member(0).state)).toEqual(['v99']);
  });
});
