import { utf8Decode, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { defaultLimits, documentValue, isTombstone, LimitError, prepareOperation, type Value } from './index.ts';
import { documentRequests } from './testing/arbitraries.ts';
import { Cluster, type HistoryEntry } from './testing/cluster.ts';
import { testLaws } from './testing/laws.ts';

function view(state: Value | null): (string | null)[] {
  return (documentValue(state)?.chunks ?? []).map(utf8Decode).sort();
}

/**
 * The second opinion follows what builds on what through the full history. The roots of a chunk are the first chunks
 * that it goes back to; a delete ends all roots that it sees alive, a compaction replaces what it names.
 */
function model(history: readonly HistoryEntry[]): (string | null)[] {
  const roots = new Map<number, ReadonlySet<number>>();
  const ended = new Map<number, ReadonlySet<number>>();
  const living = (among: ReadonlySet<number>): HistoryEntry[] => {
    const dead = new Set([...among].flatMap((index) => [...(ended.get(index) ?? [])]));
    const isReplaced = (entry: HistoryEntry): boolean =>
      [...among].some((index) => {
        const { request, saw } = history[index]!;
        return (
          request.type === 'document' &&
          request.action === 'compact' &&
          saw.has(entry.index) &&
          request.context.has(entry.operation.dot)
        );
      });
    return history.filter(
      (entry) =>
        among.has(entry.index) &&
        roots.has(entry.index) &&
        ![...roots.get(entry.index)!].some((root) => dead.has(root)) &&
        !isReplaced(entry),
    );
  };
  for (const entry of history) {
    const seenRoots = new Set(living(entry.saw).flatMap(({ index }) => [...roots.get(index)!]));
    if (entry.request.type === 'delete') ended.set(entry.index, seenRoots);
    else roots.set(entry.index, seenRoots.size === 0 ? new Set([entry.index]) : seenRoots);
  }
  return living(new Set(history.keys()))
    .map(({ request }) => (request.type === 'document' ? utf8Decode(request.bytes) : null))
    .sort();
}

const change = (text: string, operations = 1) =>
  ({ type: 'document', action: 'change', bytes: utf8Encode(text), operations }) as const;

describe('document as a set of chunks', () => {
  testLaws({ requests: documentRequests, view, model });

  it('a change that races a delete is discarded and reported, since what it builds on is gone', () => {
    const cluster = new Cluster(2);
    cluster.write(0, change('base'));
    cluster.settle();
    cluster.write(0, { type: 'delete' });
    cluster.write(1, change('late'));
    cluster.settle();
    for (const { state } of cluster.members) expect(isTombstone(state!)).toBe(true);
    const reported = cluster.discarded.map(({ reason, loser }) => `${reason} ${view({ parts: [loser] }).join()}`);
    expect(reported).toEqual(['documentDeleted late', 'documentDeleted late']);
  });

  it('a document that was created elsewhere at the same time survives the delete, and so does a new one', () => {
    const cluster = new Cluster(2);
    cluster.write(0, change('mine'));
    cluster.write(1, change('theirs'));
    cluster.write(0, { type: 'delete' });
    cluster.settle();
    expect(view(cluster.member(0).state)).toEqual(['theirs']);
    cluster.write(0, { type: 'delete' });
    cluster.write(0, change('again'));
    cluster.settle();
    expect(view(cluster.member(1).state)).toEqual(['again']);
  });

  it('a compaction replaces the chunks it was made from and no later one', () => {
    const cluster = new Cluster(1);
    cluster.write(0, change('a'));
    cluster.write(0, change('b'));
    const { context } = documentValue(cluster.member(0).state)!;
    cluster.write(0, change('c'));
    cluster.write(0, { type: 'document', action: 'compact', bytes: utf8Encode('ab'), operations: 2, context });
    expect(view(cluster.member(0).state)).toEqual(['ab', 'c']);
  });

  it('automerge #705: history, chunks and bytes are refused before anything is loaded', () => {
    const cluster = new Cluster(1);
    cluster.write(0, change('a', 6));
    const { state, replica, clock } = cluster.member(0);
    const prepareWith = (limits: Partial<typeof defaultLimits>, operations: number) => () =>
      prepareOperation(state, change('b', operations), {
        dot: { replica, sequence: 2 },
        stamp: clock.next(0),
        limits: { ...defaultLimits, ...limits },
      });
    expect(prepareWith({ documentOperationsMax: 10 }, 5)).toThrow(LimitError);
    expect(prepareWith({ documentOperationsMax: 10 }, 4)).not.toThrow();
    expect(prepareWith({ documentChunksMax: 1 }, 1)).toThrow(LimitError);
    expect(prepareWith({ valueBytesMax: 1 }, 1)).toThrow(LimitError);
  });
});
