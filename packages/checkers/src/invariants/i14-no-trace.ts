import type { Violation } from './facts.ts';
import type { Sighting } from './i8-outcomes.ts';

/** What one transaction read of keys that are only ever written together, with one value. */
export interface TwinsRead {
  readonly process: string;
  readonly values: readonly (string | null)[];
}

/** I14: a transaction leaves all of its trace or none: who reads both twins at once sees them equal. */
export function checkTwins(reads: readonly TwinsRead[]): Violation[] {
  return reads
    .filter(({ values }) => values.some((value) => value !== values[0]))
    .map(({ process, values }) => ({
      invariant: 'I14',
      message: `twins differ in one transaction of ${process}: ${values.join(' and ')}`,
    }));
}

/** A call that was refused, and what it would have written; nobody else wrote that value. */
export interface RefusedCall {
  readonly process: string;
  readonly key: string;
  readonly value: string | null;
}

/** I14: a request that fails leaves no trace, wherever one looks. */
export function checkRefused(refused: readonly RefusedCall[], sightings: readonly Sighting[]): Violation[] {
  const seen = new Map(sightings.map((sighting) => [`${sighting.key}=${sighting.value}`, sighting] as const));
  return refused.flatMap(({ process, key, value }) => {
    const found = value === null ? undefined : seen.get(`${key}=${value}`);
    return found === undefined
      ? []
      : [{ invariant: 'I14', key, message: `${key}=${value} of ${process} was refused, but ${found.where} shows it` }];
  });
}
