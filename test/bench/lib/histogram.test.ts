import { randomFloat, SeededRandom } from '@skerry/base';
import { expect, test } from 'vitest';
import { Histogram } from './histogram.ts';

test('a quantile is within 1 % of the one of the sorted values, from microseconds to minutes', () => {
  const random = new SeededRandom(1);
  const histogram = new Histogram();
  const values = Array.from({ length: 20_000 }, () => 10 ** (-2 + 7 * randomFloat(random)));
  for (const value of values) histogram.record(value);
  values.sort((a, b) => a - b);
  for (const share of [0.01, 0.5, 0.9, 0.99, 0.999]) {
    const exact = values[Math.ceil(share * values.length) - 1] as number;
    // A microsecond is the unit: a value of 10 of them can be half a one off.
    expect(Math.abs(histogram.quantileMs(share) - exact)).toBeLessThanOrEqual(exact * 0.01 + 0.001);
  }
});

test('a bucket is told by its upper end, which is less than one part in 128 above any value in it', () => {
  for (let microseconds = 300; microseconds < 10 ** 8; microseconds = Math.ceil(microseconds * 1.003)) {
    const histogram = new Histogram();
    histogram.record(microseconds / 1_000);
    histogram.record(10 ** 6);
    const told = histogram.quantileMs(0.5) * 1_000;
    expect(told).toBeGreaterThanOrEqual(microseconds - 0.001);
    expect(told).toBeLessThan(microseconds * (1 + 1 / 128));
  }
});

test('the mean and the greatest value are exact, and the last quantile is the greatest', () => {
  const histogram = new Histogram();
  for (const value of [1, 2, 3, 1_234.567]) histogram.record(value);
  expect(histogram.meanMs).toBeCloseTo(1_240.567 / 4, 9);
  expect(histogram.maxMs).toBe(1_234.567);
  expect(histogram.quantileMs(1)).toBe(1_234.567);
});

test('one value among a hundred is the 100th percentile and not the 99th', () => {
  const histogram = new Histogram();
  for (let i = 0; i < 99; i++) histogram.record(1);
  histogram.record(500);
  expect(histogram.quantileMs(0.99)).toBeCloseTo(1, 1);
  expect(histogram.quantileMs(0.991)).toBe(500);
});

test('histograms of several processes add up to the one of all values', () => {
  const [left, right, all] = [new Histogram(), new Histogram(), new Histogram()];
  for (let i = 1; i <= 1_000; i++) {
    (i % 3 === 0 ? left : right).record(i);
    all.record(i);
  }
  const sum = Histogram.from(structuredClone(left.data()));
  sum.add(right.data());
  expect(sum.data()).toEqual(all.data());
  expect(sum.count).toBe(1_000);
});

test('without values there is no quantile', () => {
  expect(new Histogram().quantileMs(0.5)).toBeNaN();
});
