import { randomFloat, randomInt, type Random } from '@skerry/base';

export type Distribution = 'uniform' | 'zipf';

/** The skew of YCSB's core workloads. */
const theta = 0.99;
const fnvPrime = 0x01000193;
const fnvBasis = 0x811c9dc5;

/** Keys are of equal length and of characters that every system takes. */
export function keyOf(index: number): string {
  return `k${10_000_000 + index}`;
}

/** Draws a key's number, 0 to `keys` - 1, each time it is called. */
export function keyPicker(distribution: Distribution, keys: number, random: Random): () => number {
  if (distribution === 'uniform') return () => randomInt(random, 0, keys - 1);
  const rank = zipfRanks(keys, random);
  // The popular keys lie anywhere in the order of keys, as YCSB scatters them.
  return () => scattered(rank(), keys);
}

/**
 * Draws ranks, 0 the most popular: rank i with a probability in proportion to 1 / (i + 1)^0.99. The method is that of
 * Gray et al., "Quickly Generating Billion-Record Synthetic Databases" (SIGMOD 1994), section 3, as in YCSB.
 */
export function zipfRanks(count: number, random: Random): () => number {
  let zeta = 0;
  for (let i = 1; i <= count; i++) zeta += 1 / i ** theta;
  const alpha = 1 / (1 - theta);
  const eta = (1 - (2 / count) ** (1 - theta)) / (1 - (1 + 0.5 ** theta) / zeta);
  return () => {
    const u = randomFloat(random);
    const uz = u * zeta;
    if (uz < 1) return 0;
    if (uz < 1 + 0.5 ** theta) return 1;
    return Math.min(count - 1, Math.floor(count * (eta * u - eta + 1) ** alpha));
  };
}

/** FNV-1a of the four bytes of `rank`. */
function scattered(rank: number, count: number): number {
  let hash = fnvBasis;
  for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((rank >>> shift) & 0xff), fnvPrime);
  return (hash >>> 0) % count;
}
