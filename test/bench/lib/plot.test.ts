import { expect, test } from 'vitest';
import { plotSvg, type Plot } from './plot.ts';

const plot = (lines: Plot['lines'], y: Partial<Plot['y']> = {}): string =>
  plotSvg({ title: 'a < b', subtitle: '', x: { label: 'x', max: 10 }, y: { label: 'y', ...y }, lines });

/** The corners of the first line, as numbers. */
function cornersOf(svg: string): number[][] {
  const path = /<path d="([^"]+)" stroke="#0b6e99"/.exec(svg)?.[1] ?? '';
  return [...path.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
}

test('a point lies where its axes say, higher values higher up', () => {
  const [start, middle, end] = cornersOf(
    plot(
      [
        {
          name: 'a',
          points: [
            [0, 0],
            [5, 50],
            [10, 100],
          ],
        },
      ],
      { max: 100 },
    ),
  );
  expect(start).toEqual([74, 408]);
  expect(end).toEqual([630, 62]);
  expect(middle).toEqual([352, 235]);
});

test('a logarithmic axis gives each power of ten the same room', () => {
  const points = [1, 10, 100].map((value, x): [number, number] => [x, value]);
  const [a, b, c] = cornersOf(plot([{ name: 'a', points }], { log: true })).map(([, y]) => y as number);
  expect((a as number) - (b as number)).toBeCloseTo((b as number) - (c as number), 0);
  expect((a as number) - (b as number)).toBeGreaterThan(50);
});

test('a logarithmic axis begins with the power of ten below its least value', () => {
  expect(cornersOf(plot([{ name: 'a', points: [[0, 100]] }], { log: true, max: 10_000 }))[0]).toEqual([74, 408]);
});

test('a gap breaks the line, and a point beyond the axis stays at its edge', () => {
  const svg = plot(
    [
      {
        name: 'a',
        points: [
          [0, 1],
          [1, null],
          [2, 999],
        ],
      },
    ],
    { max: 10 },
  );
  expect(/<path d="M74 [\d.]+M185.2 62" stroke="#0b6e99"/.test(svg)).toBe(true);
});

test('text is escaped', () => {
  expect(plot([{ name: 'c & d', points: [[0, 0]] }])).toContain('c &amp; d');
  expect(plot([])).toContain('a &lt; b');
});
