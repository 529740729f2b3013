import { describe, expect, it } from 'vitest';
import { ConfigurationCache, LinearizedSet } from './configurations.ts';

const sameHash = { equal: (a: string, b: string): boolean => a === b, hash: (): number => 0 };

describe('the cache of configurations', () => {
  it('tells states of one hash apart', () => {
    const cache = new ConfigurationCache(sameHash);
    const set = new LinearizedSet(3);
    expect([cache.add(set, 'a'), cache.add(set, 'b'), cache.add(set, 'a')]).toEqual([true, true, false]);
    expect(cache.size).toBe(2);
  });

  it('tells sets of one hash apart', () => {
    const cache = new ConfigurationCache(sameHash);
    const set = new LinearizedSet(40);
    const { hash } = set;
    expect(cache.add(set, 'a')).toBe(true);
    for (const index of setOfHashZero(40)) set.toggle(index);
    expect(set.hash).toBe(hash);
    expect(cache.add(set, 'a')).toBe(true);
    expect(cache.add(set, 'a')).toBe(false);
  });
});

/** Of more than 32 keys of 32 bits some combination is zero: Gaussian elimination finds it. */
function setOfHashZero(operationCount: number): number[] {
  const rows: { key: number; readonly members: Set<number> }[] = [];
  for (let index = 0; index < operationCount; index++) {
    const set = new LinearizedSet(operationCount);
    set.toggle(index);
    const row = { key: set.hash, members: new Set([index]) };
    for (const other of rows) {
      if (Math.clz32(row.key ^ other.key) <= Math.clz32(other.key)) continue;
      row.key ^= other.key;
      for (const member of other.members) if (!row.members.delete(member)) row.members.add(member);
    }
    if (row.key === 0) return [...row.members];
    rows.push(row);
    rows.sort((a, b) => Math.clz32(a.key) - Math.clz32(b.key));
  }
  throw new Error('more keys than bits are linearly dependent');
}
