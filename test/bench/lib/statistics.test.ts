import { expect, test } from 'vitest';
import { ratioByPairs, spreadOf } from './statistics.ts';

test('the median of an odd and of an even number of rounds', () => {
  expect(spreadOf([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30 });
  expect(spreadOf([40, 10, 20, 30])).toEqual({ median: 25, min: 10, max: 40 });
});

test('ratios are taken round by round, so a machine that slows down for both changes nothing', () => {
  expect(ratioByPairs([100, 10, 1], [50, 5, 0.5])).toEqual({ median: 2, min: 2, max: 2 });
  expect(ratioByPairs([10, 20, 90], [10, 10, 10])).toEqual({ median: 2, min: 1, max: 9 });
});

test('rounds that do not pair are refused', () => {
  expect(() => ratioByPairs([1], [1, 2])).toThrow(/1 rounds of one and 2/);
  expect(() => spreadOf([])).toThrow(RangeError);
});
