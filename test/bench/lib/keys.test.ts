import { SeededRandom } from '@skerry/base';
import { expect, test } from 'vitest';
import { keyOf, keyPicker, zipfRanks } from './keys.ts';

const draws = 200_000;

function frequencies(draw: () => number, count: number): number[] {
  const found = Array.from({ length: count }, () => 0);
  for (let i = 0; i < draws; i++) {
    const index = draw();
    found[index] = (found[index] as number) + 1;
  }
  return found;
}

test('a rank comes as often as Zipf says: the first ones, and the rarer half together', () => {
  const count = 1_000;
  const found = frequencies(zipfRanks(count, new SeededRandom(1)), count);
  const weights = Array.from({ length: count }, (_, i) => 1 / (i + 1) ** 0.99);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const expected = (i: number): number => ((weights[i] as number) / total) * draws;
  expect(found).toHaveLength(count);
  for (const i of [0, 1]) expect(Math.abs((found[i] as number) / expected(i) - 1)).toBeLessThan(0.03);
  // Between the first two and the tail the method interpolates; its authors' error is a few percent.
  const tail = (list: readonly number[]): number => list.slice(count / 2).reduce((sum, value) => sum + value, 0);
  expect(Math.abs(tail(found) / ((tail(weights) / total) * draws) - 1)).toBeLessThan(0.1);
});

test('popular keys are scattered over all keys, and draw most of the calls', () => {
  const count = 10_000;
  const found = frequencies(keyPicker('zipf', count, new SeededRandom(2)), count);
  const popular = found
    .map((calls, index) => ({ calls, index }))
    .sort((a, b) => b.calls - a.calls)
    .slice(0, 100);
  const share = popular.reduce((sum, { calls }) => sum + calls, 0) / draws;
  expect(share).toBeGreaterThan(0.4);
  expect(popular.filter(({ index }) => index < count / 2).length).toBeGreaterThan(25);
  expect(popular.filter(({ index }) => index >= count / 2).length).toBeGreaterThan(25);
});

test('uniform keys are all drawn, none much more often than another', () => {
  const count = 100;
  const found = frequencies(keyPicker('uniform', count, new SeededRandom(3)), count);
  expect(Math.min(...found)).toBeGreaterThan(0.85 * (draws / count));
  expect(Math.max(...found)).toBeLessThan(1.15 * (draws / count));
});

test('keys are distinct and of one length', () => {
  const keys = [0, 9, 10, 999_999].map(keyOf);
  expect(new Set(keys.map((key) => key.length)).size).toBe(1);
  expect(new Set(keys).size).toBe(4);
});
