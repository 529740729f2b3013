import { describe, expect, test } from 'vitest';
import { Backoff, Pause } from './backoff.ts';

describe('pauses', () => {
  test('double up to the longest, less up to a half, and begin anew after a success', () => {
    const backoff = new Backoff({ minMs: 100, maxMs: 1000 });
    const pauses = Array.from({ length: 8 }, () => backoff.nextMs());
    for (const [i, ms] of pauses.entries()) {
      const full = Math.min(1000, 100 * 2 ** i);
      expect(ms).toBeGreaterThanOrEqual(full / 2);
      expect(ms).toBeLessThanOrEqual(full);
    }
    backoff.reset();
    expect(backoff.nextMs()).toBeLessThanOrEqual(100);
  });

  test('end at once when they are ended, and an end without a pause ends no later one', async () => {
    const pause = new Pause();
    pause.end();
    const waited = pause.wait(1_000_000);
    pause.end();
    await waited;
    await pause.wait(1);
  });
});
