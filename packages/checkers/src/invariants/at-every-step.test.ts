import { describe, expect, it } from 'vitest';
import { ClampChecker } from './clamped-stamps.ts';
import { StateChecker } from './equal-state.ts';
import { LeaderChecker } from './i1-leaders.ts';
import { RegionLogChecker } from './i10-region-logs.ts';
import { LogChecker } from './i2-logs.ts';

describe('I1', () => {
  it('holds while each term of each partition has one leader', () => {
    const leaders = new LeaderChecker();
    expect(leaders.claims({ partition: 0, term: 1, node: 'n1' })).toBe('first');
    expect(leaders.claims({ partition: 0, term: 1, node: 'n1' })).toBe('known');
    expect(leaders.claims({ partition: 1, term: 1, node: 'n2' })).toBe('first');
    expect(leaders.claims({ partition: 0, term: 2, node: 'n2' })).toBe('first');
  });

  it('is violated by a second leader in one term', () => {
    const leaders = new LeaderChecker();
    leaders.claims({ partition: 0, term: 3, node: 'n1' });
    expect(leaders.claims({ partition: 0, term: 3, node: 'n2' })).toEqual({
      invariant: 'I1',
      message: 'n1 and n2 both lead partition 0 in term 3',
    });
  });
});

describe('I2', () => {
  const place = { partition: 0, index: 7 };

  it('holds when nodes have the same entry, or another one of another term that was not applied', () => {
    const logs = new LogChecker();
    expect(logs.entry({ ...place, term: 2, hash: 11, node: 'n1' })).toBeNull();
    expect(logs.entry({ ...place, term: 2, hash: 11, node: 'n2' })).toBeNull();
    expect(logs.entry({ ...place, term: 3, hash: 12, node: 'n3' })).toBeNull();
    expect(logs.applied({ ...place, hash: 5, node: 'n1' })).toBe('first');
    expect(logs.applied({ ...place, hash: 5, node: 'n2' })).toBe('known');
  });

  it('is violated by two entries of one index and term', () => {
    const logs = new LogChecker();
    logs.entry({ ...place, term: 2, hash: 11, node: 'n1' });
    expect(logs.entry({ ...place, term: 2, hash: 12, node: 'n2' })?.message).toBe(
      'n2 and n1 have different entries at partition/index/term 0/7/2',
    );
  });

  it('is violated by a committed entry that another one replaced', () => {
    const logs = new LogChecker();
    logs.applied({ ...place, hash: 5, node: 'n1' });
    expect(logs.applied({ ...place, hash: 6, node: 'n2' })).toMatchObject({
      invariant: 'I2',
      message: 'n2 and n1 applied different changes at 0/7',
    });
  });
});

describe('equal state', () => {
  const at = (node: string, sum: number, records: [string, number][]): Parameters<StateChecker['holds']>[0] => ({
    partition: 0,
    applied: 9,
    node,
    sum,
    records: new Map(records),
  });

  it('holds for replicas with the same records', () => {
    const states = new StateChecker();
    expect(states.holds(at('n1', 3, [['k', 3]]))).toBeNull();
    expect(states.holds(at('n2', 3, [['k', 3]]))).toBeNull();
    expect(states.holds({ ...at('n2', 4, [['k', 4]]), applied: 10 })).toBeNull();
  });

  it('is violated by records that differ, and says which', () => {
    const states = new StateChecker({ explains: true });
    states.holds(at('n1', 3, [['k', 3]]));
    expect(
      states.holds(
        at('n2', 6, [
          ['k', 4],
          ['l', 2],
        ]),
      )?.message,
    ).toBe('n2 and n1 applied partition 0 up to 9 and hold different records: k in both, l only here');
  });
});

describe('clamped stamps', () => {
  const commit = (clamps: ClampChecker, index: number, wallMs: number): string | undefined =>
    clamps.committed({ partition: 0, index, key: 'k', wallMs, version: `${wallMs}`, limitMs: clamps.limitAt(0, index) })
      ?.message;

  it('lie below the limit of their entry, or count on from what is committed', () => {
    const clamps = new ClampChecker();
    clamps.limited({ partition: 0, index: 1, limitMs: 100 });
    clamps.limited({ partition: 0, index: 2, limitMs: 50 });
    expect(commit(clamps, 1, 100)).toBeUndefined();
    expect(commit(clamps, 2, 101)).toBeUndefined();
  });

  it('are violated by a stamp beyond it', () => {
    const clamps = new ClampChecker();
    clamps.limited({ partition: 0, index: 1, limitMs: 100 });
    expect(commit(clamps, 1, 300)).toBe("k got the stamp 300 at 0/1, 200 ms beyond the leader's limit");
  });
});

describe('I10', () => {
  const origin = 77;
  const of = (node: string, generation = 0): Parameters<RegionLogChecker['stored']>[0] => ({
    node,
    partition: 0,
    generation,
  });

  it('holds when nodes of all regions apply the same entries one after the other', () => {
    const logs = new RegionLogChecker();
    expect(logs.stored(of('n1'), { origin, first: 1, hashes: [1, 2] })).toBeNull();
    expect(logs.positions(of('n1'), [{ origin, first: 1, applied: 2 }], '')).toBeNull();
    expect(logs.stored(of('r2-n1'), { origin, first: 1, hashes: [1] })).toBeNull();
    expect(logs.stored(of('r2-n1'), { origin, first: 2, hashes: [2] })).toBeNull();
    expect(logs.positions(of('r2-n1'), [{ origin, first: 1, applied: 2 }], '')).toBeNull();
  });

  it('lets a state exchange step over entries, and a snapshot begin where the log was cut', () => {
    const logs = new RegionLogChecker();
    expect(logs.positions(of('n1'), [{ origin, first: 41, applied: 40 }], '')).toBeNull();
    logs.stored(of('n1'), { origin, first: 41, hashes: [41] });
    expect(logs.positions(of('n1'), [{ origin, first: 41, applied: 41 }], '')).toBeNull();
    logs.stored(of('n2', 1), { origin, first: 41, hashes: [41] });
    expect(logs.positions(of('n2', 1), [{ origin, first: 41, applied: 41 }], '')).toBeNull();
  });

  it('is violated by a gap', () => {
    const logs = new RegionLogChecker();
    logs.stored(of('n1'), { origin, first: 1, hashes: [1] });
    logs.stored(of('n1'), { origin, first: 3, hashes: [3] });
    expect(logs.positions(of('n1'), [{ origin, first: 1, applied: 3 }], '')).toEqual({
      invariant: 'I10',
      message: 'of the log of 77, partition 0, n1 has applied 3 entries, but 2 never came',
    });
  });

  it('is violated by another order, or another numbering', () => {
    const logs = new RegionLogChecker();
    logs.stored(of('n1'), { origin, first: 1, hashes: [1, 2, 3] });
    expect(logs.stored(of('r2-n1'), { origin, first: 1, hashes: [1, 3] })?.message).toBe(
      'r2-n1 and n1 have different entries at partition/origin/number 0/77/2',
    );
  });

  it('is violated by a position that falls, unless the region was re-seeded', () => {
    const logs = new RegionLogChecker();
    logs.stored(of('n1'), { origin, first: 1, hashes: [1, 2, 3] });
    logs.positions(of('n1'), [{ origin, first: 1, applied: 3 }], '');
    expect(logs.positions(of('n1'), [{ origin, first: 3, applied: 2 }], '')?.message).toBe(
      'of the log of 77, partition 0, n1 had applied 3 entries, and now 2',
    );
    const others = new RegionLogChecker();
    others.stored(of('n1'), { origin, first: 1, hashes: [1, 2, 3] });
    others.positions(of('n1'), [{ origin, first: 1, applied: 3 }], '');
    expect(others.positions(of('n1'), [{ origin, first: 2, applied: 1 }], 'once')).toBeNull();
    expect(others.positions(of('n1'), [{ origin, first: 2, applied: 2 }], 'once')?.message).toContain('2 never came');
  });
});
