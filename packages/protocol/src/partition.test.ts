import { expect, it } from 'vitest';
import { partitionOf } from './partition.ts';
import { partitionVectors } from './testing/partition-vectors.ts';

it('owns keys as it always did', () => {
  for (const [key, of3, of16, of65536] of partitionVectors) {
    expect([key, partitionOf(key, 3), partitionOf(key, 16), partitionOf(key, 65_536)]).toEqual([
      key,
      of3,
      of16,
      of65536,
    ]);
    expect(partitionOf(key, 1)).toBe(0);
  }
});

it('spreads keys that differ in their digits only', () => {
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 32_000; i++) {
    const partition = partitionOf(`key-${i}`, 16);
    counts[partition] = (counts[partition] as number) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 2_000)).toBeLessThan(300);
});
