import type { RegionId, ReplicaId } from '@skerry/base';
import type { Now } from '../replica-api.ts';
import type { LinkMessage } from './link-message.ts';

type Heartbeat = Extract<LinkMessage, { kind: 'heartbeat' }>;

interface Told {
  readonly heartbeat: Heartbeat;
  readonly positions: ReadonlyMap<ReplicaId, number>;
  readonly atMs: number;
  /** The other wall clock against this one, as of the fastest of the last messages; late messages only lower it. */
  readonly clockOffsetMs: number;
}

/** A region that has not told anything for this long is not asked for anything. */
const freshMs = 3_000;

/** What the regions told of themselves last, as one node knows it. */
export class Heard {
  readonly #byRegion: Map<RegionId, Told> = new Map();
  /** When an entry was first known of that is not applied yet, by origin. */
  readonly #behind: Map<ReplicaId, { head: number; sinceMs: number }[]> = new Map();
  #nowMs = 0;

  heartbeat(from: RegionId, heartbeat: Heartbeat, now: Now): void {
    this.#nowMs = now.monoMs;
    const known = this.#byRegion.get(from);
    const offset = heartbeat.wallMs - now.wallMs;
    const isKnown = known !== undefined && now.monoMs - known.atMs < freshMs;
    this.#byRegion.set(from, {
      heartbeat,
      positions: new Map(heartbeat.positions.map(({ origin, applied }) => [origin, applied] as const)),
      atMs: now.monoMs,
      clockOffsetMs: isKnown ? Math.max(offset, known.clockOffsetMs - 1) : offset,
    });
    for (const { origin, applied } of heartbeat.positions) {
      const marks = this.#behind.get(origin) ?? [];
      this.#behind.set(origin, marks);
      if (applied <= (marks.at(-1)?.head ?? 0)) continue;
      marks.push({ head: applied, sinceMs: now.monoMs });
      if (marks.length > 64) marks.splice(1, 1);
    }
  }

  tick(now: Now): void {
    this.#nowMs = now.monoMs;
  }

  of(region: RegionId): Told | null {
    return this.#byRegion.get(region) ?? null;
  }

  forget(region: RegionId): void {
    this.#byRegion.delete(region);
  }

  lastMs(region: RegionId): number {
    return this.#byRegion.get(region)?.atMs ?? Number.NEGATIVE_INFINITY;
  }

  isFresh(region: RegionId): boolean {
    return this.#nowMs - this.lastMs(region) <= freshMs;
  }

  /** Every origin that any region told of. */
  origins(): { origin: ReplicaId; region: RegionId }[] {
    const found: Map<ReplicaId, RegionId> = new Map();
    for (const { heartbeat } of this.#byRegion.values())
      for (const { origin, region } of heartbeat.positions) found.set(origin, region);
    return Array.from(found, ([origin, region]) => ({ origin, region }));
  }

  /** Length of an origin's log, as far as anybody told. */
  head(origin: ReplicaId): number {
    let head = 0;
    for (const { positions } of this.#byRegion.values()) head = Math.max(head, positions.get(origin) ?? 0);
    return head;
  }

  /** Regions heard of lately that have applied entry `sequence`, those that are furthest first. */
  regionsWith(origin: ReplicaId, sequence: number): RegionId[] {
    const able = [...this.#byRegion].filter(
      ([region, { positions }]) => this.isFresh(region) && (positions.get(origin) ?? 0) >= sequence,
    );
    return able
      .sort(([, a], [, b]) => (b.positions.get(origin) ?? 0) - (a.positions.get(origin) ?? 0))
      .map(([region]) => region);
  }

  /** For how long something of that log has been known here that is not applied, milliseconds. */
  lagMs(origin: ReplicaId, applied: number): number {
    const marks = this.#behind.get(origin);
    if (marks === undefined) return 0;
    while (marks.length > 0 && (marks[0] as { head: number }).head <= applied) marks.shift();
    const oldest = marks[0];
    return oldest === undefined ? 0 : this.#nowMs - oldest.sinceMs;
  }
}
