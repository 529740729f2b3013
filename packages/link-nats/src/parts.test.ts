import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PartJoiner, splitParts } from './parts.ts';

const bytes = fc.uint8Array({ maxLength: 50 });
const size = fc.integer({ min: 1, max: 60 });

function numbered(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i);
}

describe('parts', () => {
  test('are no larger than asked for, and make the whole again', () => {
    fc.assert(
      fc.property(bytes, size, (whole, partSize) => {
        const parts = splitParts(whole, partSize);
        expect(parts.every((part) => part.bytes.length <= partSize && part.total === whole.length)).toBe(true);
        const joiner = new PartJoiner(50);
        const results = parts.map((part) => joiner.add('a', part));
        expect(results.pop()).toEqual(whole);
        expect(results.every((result) => result === 'waiting')).toBe(true);
      }),
    );
  });

  test('that come twice, or again from the first one, make the whole', () => {
    const [a, b, c] = splitParts(numbered(25), 10);
    if (a === undefined || b === undefined || c === undefined) throw new Error('three parts');
    const joiner = new PartJoiner(100);
    expect([a, b, b, a, b].map((part) => joiner.add('x', part))).toEqual(Array(5).fill('waiting'));
    expect(joiner.add('x', c)).toEqual(numbered(25));
    expect(joiner.add('x', c)).toBe('broken');
  });

  test('with one missing make nothing, and neither do parts of two things', () => {
    const [a, b, c] = splitParts(numbered(25), 10);
    const [d] = splitParts(numbered(30), 10);
    if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error('four parts');
    const joiner = new PartJoiner(100);
    expect([joiner.add('x', a), joiner.add('x', c)]).toEqual(['waiting', 'broken']);
    expect([joiner.add('x', a), joiner.add('y', b)]).toEqual(['waiting', 'broken']);
    expect([joiner.add('x', a), joiner.add('y', d), joiner.add('x', b)]).toEqual(['waiting', 'waiting', 'broken']);
  });

  test.each([
    ['larger than the limit', { offset: 0, total: 101, bytes: numbered(10) }],
    ['beyond the end', { offset: 0, total: 9, bytes: numbered(10) }],
    ['empty, of something', { offset: 0, total: 9, bytes: numbered(0) }],
    ['without numbers', { offset: Number.NaN, total: Number.NaN, bytes: numbered(1) }],
    ['below zero', { offset: -1, total: 9, bytes: numbered(1) }],
  ])('%s are refused', (_, part) => {
    expect(new PartJoiner(100).add('x', part)).toBe('broken');
  });
});
