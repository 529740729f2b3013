import type { ReplicaId } from '@skerry/base';
import type { OriginState } from './region-log.ts';
import type { Positions } from './tombstones.ts';

/**
 * Logs that have ended, and of which every region has all that there will ever be: what is applied here, and what their regions
 * had of other logs when they began new ones, be it offers of the rest. Nobody needs to wait for positions beyond that. Two may
 * name each other, so each of them is taken for one until something is missing.
 */
export function wholeLogs(
  origins: ReadonlyMap<ReplicaId, Pick<OriginState, 'applied' | 'endedAt'>>,
  common: Positions,
): ReadonlySet<ReplicaId> {
  const whole: Map<ReplicaId, Positions> = new Map();
  for (const [origin, { applied, endedAt }] of origins)
    if (endedAt !== null && common.get(origin) === applied) whole.set(origin, endedAt);
  for (let before = -1; before !== whole.size;) {
    before = whole.size;
    for (const [origin, endedAt] of whole) {
      const isMissing = ([log, sequence]: readonly [ReplicaId, number]): boolean =>
        (common.get(log) ?? 0) < sequence && !whole.has(log);
      if (Array.from(endedAt).some(isMissing)) whole.delete(origin);
    }
  }
  return new Set(whole.keys());
}
