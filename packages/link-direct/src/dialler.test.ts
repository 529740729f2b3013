import { SeededRandom } from '@skerry/base';
import { describe, expect, test } from 'vitest';
import { redialPauseMs } from './dialler.ts';
import { directLinkLimits } from './limits.ts';

describe('the pause between two rounds of dialling', () => {
  const limits = directLinkLimits({ redialMsMin: 20, redialMsMax: 500 });
  const pauses = (rounds: number): number[] => {
    const random = new SeededRandom(1);
    return Array.from({ length: 200 }, () => redialPauseMs(rounds, { limits, random }));
  };

  test.each([
    [1, 10, 20],
    [2, 20, 40],
    [5, 160, 320],
    [6, 250, 500],
    [1_000, 250, 500],
  ])('after round %d lies between %d and %d ms, at random', (rounds, min, max) => {
    const drawn = pauses(rounds);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(min);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(max);
    expect(Math.max(...drawn) - Math.min(...drawn)).toBeGreaterThan((max - min) / 2);
  });
});

describe('limits that do not fit together', () => {
  test.each([
    [{ frameBytesMax: 1_000, unsentBytesMax: 1_999 }, 'two frames must have room'],
    [{ pingMs: 400 }, 'deadMs must be at least three times pingMs'],
    [{ redialMsMin: 501 }, 'redialMsMax must not be below redialMsMin'],
  ])('%j are refused', (changes, message) => {
    expect(() => directLinkLimits(changes)).toThrow(message);
  });
});
