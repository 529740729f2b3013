import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NumberTable } from './number-table.ts';

/** Some that meet in one slot, some side by side, some beyond 32 bits. */
const key = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.integer({ min: 0, max: 40 }).map((n) => 16 * n),
  fc.integer({ min: 0, max: 10 }).map((n) => 2 ** 32 - 5 + n),
  fc.maxSafeNat(),
);
const step = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key, value: fc.nat() }),
  fc.record({ kind: fc.constant('delete' as const), key }),
  fc.record({ kind: fc.constant('get' as const), key }),
);

it('does what a Map does', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = new NumberTable<number>();
      const map = new Map<number, number>();
      for (const one of steps) {
        if (one.kind === 'set') {
          table.set(one.key, one.value);
          map.set(one.key, one.value);
        } else if (one.kind === 'delete') {
          expect(table.delete(one.key)).toBe(map.delete(one.key));
        }
        expect(table.get(one.key)).toBe(map.get(one.key));
        expect(table.has(one.key)).toBe(map.has(one.key));
        expect(table.size).toBe(map.size);
      }
      expect(new Map(table.entries())).toEqual(map);
      for (const [each, value] of map) expect(table.get(each)).toBe(value);
    }),
    { numRuns: 500 },
  );
});

it('is empty after it was cleared, and usable', () => {
  const table = new NumberTable<number>();
  for (let i = 0; i < 100; i++) table.set(i, i);
  table.clear();
  expect([table.size, table.entries(), table.get(5)]).toEqual([0, [], undefined]);
  table.set(5, 6);
  expect(table.entries()).toEqual([[5, 6]]);
});

it('holds thousands that come and go in order, beside some that stay', () => {
  const table = new NumberTable<{ readonly id: number }>();
  for (const id of [3, 1_027, 70_000]) table.set(id, { id });
  let deleted = 0;
  for (let id = 100_000; id < 130_000; id++) {
    table.set(id, { id });
    if (id >= 100_300 && table.delete(id - 300)) deleted++;
  }
  expect(deleted).toBe(29_700);
  expect(table.size).toBe(303);
  expect([3, 1_027, 70_000, 129_999, 129_700].map((id) => table.get(id)?.id)).toEqual([
    3, 1_027, 70_000, 129_999, 129_700,
  ]);
});

it('lets go of many numbers that were given out one after the other, in steps that do not grow with their number', () => {
  const table = new NumberTable<true>();
  const count = 300_000;
  for (let i = 0; i < count; i++) table.set(i, true);
  // A walk over the rest for each would be some 45,000,000,000 steps: minutes, and the test would run out of time.
  for (let i = 0; i < count; i++) table.delete(i);
  expect(table.size).toBe(0);
});
