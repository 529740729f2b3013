import { utf8Decode, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { setHas, setValues, valueType, type Value } from './index.ts';
import { setRequests } from './testing/arbitraries.ts';
import { Cluster, type HistoryEntry } from './testing/cluster.ts';
import { isOvertaken, testLaws } from './testing/laws.ts';

function view(state: Value | null): (string | null)[] {
  return (setValues(state) ?? []).map(utf8Decode);
}

/** An element is there if one of its adds was not seen by a later remove of it, nor by a delete. */
function model(history: readonly HistoryEntry[]): (string | null)[] {
  const elements = new Set<string | null>();
  for (const entry of history) {
    if (entry.request.type !== 'set' || entry.request.action !== 'add') continue;
    const text = utf8Decode(entry.request.element);
    const removes = ({ request }: HistoryEntry): boolean =>
      request.type === 'delete' ||
      (request.type === 'set' && request.action === 'remove' && utf8Decode(request.element) === text);
    if (!isOvertaken(entry, history, removes)) elements.add(text);
  }
  return [...elements].sort();
}

const add = (text: string) => ({ type: 'set', action: 'add', element: utf8Encode(text) }) as const;
const remove = (text: string) => ({ type: 'set', action: 'remove', element: utf8Encode(text) }) as const;

describe('add-wins set', () => {
  testLaws({ requests: setRequests, view, model });

  it('a concurrent add wins over a remove', () => {
    const cluster = new Cluster(2);
    cluster.write(0, add('x'));
    cluster.settle();
    cluster.write(0, remove('x'));
    cluster.write(1, add('x'));
    cluster.settle();
    expect(cluster.members.map(({ state }) => setHas(state, utf8Encode('x')))).toEqual([true, true]);
  });

  it('an old state does not bring back what was removed', () => {
    const cluster = new Cluster(2);
    cluster.write(0, add('x'));
    cluster.settle();
    cluster.write(0, remove('x'));
    cluster.step({ do: 'merge', at: 0, from: 1 });
    expect(view(cluster.member(0).state)).toEqual([]);
  });

  it('tells an empty set from a deleted one', () => {
    const cluster = new Cluster(1);
    cluster.write(0, add('x'));
    cluster.write(0, remove('x'));
    expect(setValues(cluster.member(0).state)).toEqual([]);
    cluster.write(0, { type: 'delete' });
    expect(setValues(cluster.member(0).state)).toBeNull();
    expect(valueType(cluster.member(0).state)).toBeNull();
  });

  it('removes leave nothing behind but a context that compaction makes constant', () => {
    const cluster = new Cluster(1);
    for (let i = 0; i < 200; i++) {
      cluster.write(0, add(`e${i}`), { skipDots: 3 });
      cluster.write(0, remove(`e${i}`), { skipDots: 3 });
    }
    const context = () => cluster.member(0).state!.parts.find((part) => part.type === 'set')!.adds.context;
    expect(context().rangeCount).toBe(400);
    cluster.step({ do: 'compact', at: 0 });
    expect(context().rangeCount).toBe(1);
  });
});
