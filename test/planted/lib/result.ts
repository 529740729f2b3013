import { createHash } from 'node:crypto';
import type { PlantedBug } from './bug.ts';

export interface Result {
  /** Of the edits that were tried: another patch needs another run. */
  readonly patch: string;
  /** null: nothing noticed it. */
  readonly caught: Caught | null;
  /** Worlds that were run; 0 where unit tests are the bench. */
  readonly seeds: number;
  readonly seconds: number;
}

export interface Caught {
  /** The invariant, or the test. */
  readonly by: string;
  /** The first line of what it said. */
  readonly said: string;
  /** The world that shows it; null where unit tests are the bench. */
  readonly seed: number | null;
}

export type Results = Readonly<Record<string, Result>>;

export function patchDigest({ edits, bench }: PlantedBug): string {
  return createHash('sha256')
    .update(JSON.stringify([edits, bench]))
    .digest('hex')
    .slice(0, 16);
}
