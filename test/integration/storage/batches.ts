import { expect } from 'vitest';
import type { LmdbStorage } from '../../../packages/storage-lmdb/src/index.ts';

/** The numbers that a `submit` child has printed as acknowledged. */
export function acknowledgedIn(lines: readonly string[]): number[] {
  return lines.filter((line) => line.startsWith('ack ')).map((line) => Number(line.slice(4)));
}

/**
 * Checks what the batches of a `submit` child have left: every acknowledged one, whole batches only, and none without
 * all those before it.
 */
export function checkBatches(storage: LmdbStorage, acknowledgedMax: number): void {
  const decode = (value: Uint8Array | undefined): string => new TextDecoder().decode(value);
  const stored = storage.get('last');
  const last = stored === undefined ? -1 : Number(decode(stored));
  expect(last).toBeGreaterThanOrEqual(acknowledgedMax);
  for (let i = 0; i < 5; i++) expect(decode(storage.get(`shared/${i}`))).toBe(last < 0 ? '' : String(last));
  const counts = new Map<number, number>();
  for (const { key } of storage.scan({ from: 'own/', to: 'own0' })) {
    const n = Number(key.split('/')[1]);
    counts.set(n, (counts.get(n) ?? 0) + 1);
  }
  expect(counts.size).toBe(last + 1);
  for (let n = 0; n <= last; n++)
    if (counts.get(n) !== 1 + (n % 7)) throw new Error(`batch ${n} has ${counts.get(n)} records`);
}
