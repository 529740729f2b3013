import { describe, expect, test } from 'vitest';
import { figureKinds, figuresOf, figureTable } from './figures.ts';

describe('figuresOf', () => {
  test('lists every figure of the issue, also those that were not found', () => {
    const figures = figuresOf({});
    expect(figures.map(({ id }) => id)).toEqual(Object.keys(figureKinds));
    expect(figures.every(({ value, verdict }) => value === null && verdict === 'not measured')).toBe(true);
  });

  test.each([
    ['set-vs-etcd', 10, 'aim'],
    ['set-vs-etcd', 9.99, 'reach'],
    ['set-vs-etcd', 6, 'reach'],
    ['set-vs-etcd', 5.99, 'missed'],
    ['single-set-latency-vs-etcd', 0.35, 'aim'],
    ['single-set-latency-vs-etcd', 0.36, 'reach'],
    ['single-set-latency-vs-etcd', 0.61, 'missed'],
    ['ramp-success', 1, 'aim'],
    ['ramp-success', 0.99999, 'missed'],
  ] as const)('judges %s of %d as %s', (id, value, verdict) => {
    expect(figuresOf({ [id]: { value } }).find((figure) => figure.id === id)?.verdict).toBe(verdict);
  });
});

describe('figureTable', () => {
  const rowOf = (findings: Parameters<typeof figuresOf>[0], label: string): string[] => {
    const line =
      figureTable(figuresOf(findings))
        .split('\n')
        .find((row) => row.includes(label)) ?? '';
    return line.split('|').map((cell) => cell.trim());
  };

  test('shows reach, aim, the figure with its range, and the verdict', () => {
    const spread = { median: 6.123, min: 5, max: 7.5 };
    expect(rowOf({ 'set-vs-etcd': { value: 6.123, spread } }, "against etcd's better figure").slice(2, 6)).toEqual([
      '≥ 6 ×',
      '≥ 10 ×',
      '6.12 × (5 × to 7.5 ×)',
      'reach',
    ]);
  });

  test('does not round a share up to all', () => {
    expect(rowOf({ 'ramp-success': { value: 0.999999 } }, 'share of 10,000/s')[4]).toBe('99.99 %');
    expect(rowOf({ 'ramp-success': { value: 1 } }, 'share of 10,000/s')[4]).toBe('100 %');
  });

  test('says why a figure is missing', () => {
    const row = rowOf({ 'set-vs-nats-always': { value: null, note: 'too old' } }, 'both syncing');
    expect(row.slice(4, 7)).toEqual(['–', 'not measured', 'too old']);
  });
});
