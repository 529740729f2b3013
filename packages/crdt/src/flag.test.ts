import { describe, expect, it } from 'vitest';
import { flagValue, type Value } from './index.ts';
import { flagRequests } from './testing/arbitraries.ts';
import { Cluster, type HistoryEntry } from './testing/cluster.ts';
import { isOvertaken, testLaws } from './testing/laws.ts';

const view = (state: Value | null): boolean => flagValue(state) ?? false;

/** Enabled if one enable was not seen by a later disable or delete. */
function model(history: readonly HistoryEntry[]): boolean {
  const disables = ({ request }: HistoryEntry): boolean =>
    request.type === 'delete' || (request.type === 'flag' && request.action === 'disable');
  return history.some(
    (entry) =>
      entry.request.type === 'flag' && entry.request.action === 'enable' && !isOvertaken(entry, history, disables),
  );
}

describe('enable-wins flag', () => {
  testLaws({ requests: flagRequests, view, model });

  it('a concurrent enable wins over a disable', () => {
    const cluster = new Cluster(2);
    cluster.write(0, { type: 'flag', action: 'enable' });
    cluster.settle();
    cluster.write(0, { type: 'flag', action: 'disable' });
    cluster.write(1, { type: 'flag', action: 'enable' });
    cluster.settle();
    expect(cluster.members.map(({ state }) => flagValue(state))).toEqual([true, true]);
  });

  it('tells a disabled flag from a deleted one', () => {
    const cluster = new Cluster(1);
    cluster.write(0, { type: 'flag', action: 'disable' });
    expect(flagValue(cluster.member(0).state)).toBe(false);
    cluster.write(0, { type: 'delete' });
    expect(flagValue(cluster.member(0).state)).toBeNull();
  });
});
