import type { RegionId } from '@skerry/base';
import type { RegionStatus } from '@skerry/replica';

/** How far this region is behind another one, over all partitions. */
export interface RegionHealth {
  readonly region: RegionId;
  readonly state: RegionStatus['state'];
  /** Entries of its log that this region has not applied, as far as is known. */
  readonly lagEntries: number;
  readonly lagSeconds: number;
  /** Entries of this region's log that it has not applied, as far as it has told. */
  readonly unacknowledgedEntries: number;
  /** Its clock against this region's; null: not measured. */
  readonly clockOffsetSeconds: number | null;
}

/** Of the other regions. */
export function regionHealth(regions: readonly RegionStatus[]): RegionHealth[] {
  return regions
    .filter(({ state }) => state !== 'self')
    .map(({ region, state, partitions, clockOffsetMs }) => ({
      region,
      state,
      lagEntries: partitions.reduce((sum, { head, applied }) => sum + Math.max(0, head - applied), 0),
      lagSeconds: Math.max(0, ...partitions.map(({ lagMs }) => lagMs)) / 1_000,
      unacknowledgedEntries: partitions.reduce((sum, { unacknowledged }) => sum + unacknowledged, 0),
      clockOffsetSeconds: clockOffsetMs === null ? null : clockOffsetMs / 1_000,
    }));
}

/** What an operator should look at, though the node serves. */
export function healthWarnings(regions: readonly RegionHealth[], maxClockSkewMs: number): string[] {
  const warnings: string[] = [];
  for (const { region, state, clockOffsetSeconds } of regions) {
    if (state === 'down') warnings.push(`${region} does not answer`);
    if (state === 'evicted' || clockOffsetSeconds === null) continue;
    if (Math.abs(clockOffsetSeconds) * 1_000 > maxClockSkewMs) {
      const direction = clockOffsetSeconds > 0 ? 'ahead' : 'behind';
      warnings.push(`the clock of ${region} is ${Math.abs(clockOffsetSeconds)} s ${direction}`);
    }
  }
  return warnings;
}
