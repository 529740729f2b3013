import type { RegionId } from '@skerry/base';

/** A region, and how far it is: the least of the last round trips; null: not measured. */
export interface RegionDistance {
  readonly region: RegionId;
  readonly roundTripMs: number | null;
}

/** A region is worth a move only if it is nearer by this much and by this part: two that are about as far never take turns. */
const nearerMs = 5;
const nearerPart = 0.7;

/** Best first: the `preferred` one; then the nearest, and those that are about as far in the order given. */
export function rankRegions(regions: readonly RegionDistance[], preferred: string | null): RegionId[] {
  const rest = [...regions];
  const ranked: RegionId[] = [];
  while (rest.length > 0) {
    let best = 0;
    for (let i = 1; i < rest.length; i++) {
      if (isBetter(rest[i] as RegionDistance, rest[best] as RegionDistance, preferred)) best = i;
    }
    ranked.push(...rest.splice(best, 1).map(({ region }) => region));
  }
  return ranked;
}

function isBetter(a: RegionDistance, b: RegionDistance, preferred: string | null): boolean {
  if (a.region === preferred || b.region === preferred) return a.region === preferred;
  if (a.roundTripMs === null || b.roundTripMs === null) return false;
  return a.roundTripMs + nearerMs < b.roundTripMs && a.roundTripMs < b.roundTripMs * nearerPart;
}
