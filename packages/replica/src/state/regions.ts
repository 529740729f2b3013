import type { RegionId, ReplicaId } from '@skerry/base';
import { compareStamps, stampAfter, stampMax, type Dot } from '@skerry/crdt';
import type { Command } from './command.ts';
import type { StateHeader } from './header.ts';
import { decodeRegionEntry } from './region-entry.ts';
import type { OriginState } from './region-log.ts';
import type { RegionRecord, RegionReport } from './region-record.ts';
import type { Positions } from './tombstones.ts';
import type { Values } from './values.ts';

/** Records of a log that one command drops at most. */
const trimCountMax = 256;

/** What one partition knows of other regions: their logs, how far this region has applied them, and what they told. */
export class Regions {
  readonly #header: StateHeader;
  readonly #values: Values;
  readonly #region: RegionId;

  constructor({ header, values, region }: { header: StateHeader; values: Values; region: RegionId }) {
    this.#header = header;
    this.#values = values;
    this.#region = region;
  }

  /** Entries of all origins' logs that this region has applied. */
  positions(): Map<ReplicaId, number> {
    return new Map(Array.from(this.#header.origins, ([origin, { applied }]) => [origin, applied] as const));
  }

  applied(origin: ReplicaId): number {
    return this.#header.origins.get(origin)?.applied ?? 0;
  }

  /** Regions whose reports count: what they lack is kept. */
  active(): RegionRecord[] {
    return [...this.#header.regions.values()].filter(({ evicted }) => !evicted);
  }

  /** True for a log that was ended by evicting its region. */
  isEnded(region: RegionId, origin: ReplicaId): boolean {
    return this.#header.regions.get(region)?.endedOrigins.includes(origin) ?? false;
  }

  /** Each entry from the position that the state has, and no other (I7, I10). Answers the dots that it settled. */
  applyRemote({ region, origin, first, entries }: Extract<Command, { kind: 'remote' }>): { dot: Dot; key: string }[] {
    const header = this.#header;
    const isTaken = region === this.#region || header.regions.get(region)?.evicted === false;
    if (origin === header.origin || !isTaken || this.isEnded(region, origin)) return [];
    const state = header.origins.get(origin) ?? { region, applied: 0, first: 1, bytes: 0 };
    const known = state.applied - first + 1;
    if (known < 0 || known >= entries.length || state.region !== region) return [];
    header.origins.set(origin, state);
    header.replicaRegions.set(origin, region);
    const fresh = entries.slice(known);
    const settled: { dot: Dot; key: string }[] = [];
    fresh.forEach((bytes, index) => {
      const at = { origin, sequence: state.applied + 1 + index };
      settled.push(...this.#values.applyRemote(decodeRegionEntry(bytes), at, region));
    });
    this.#values.log.append(origin, state, fresh.map((bytes) => bytes.slice()));
    state.applied += fresh.length;
    return settled;
  }

  /** True if anything changed. */
  set({ region, urls, nodes, evicted, changedAt }: Extract<Command, { kind: 'regionSet' }>): boolean {
    if (region === this.#region) return false;
    const header = this.#header;
    const known = header.regions.get(region);
    const isNewer = known === undefined || changedAt === null || compareStamps(changedAt, known.changedAt) > 0;
    if (known !== undefined && !isNewer) {
      if (nodes === null || JSON.stringify(nodes) === JSON.stringify(known.nodes)) return false;
      header.regions.set(region, { ...known, nodes });
      return true;
    }
    const at = changedAt ?? stampAfter(header.clock, 0, header.origin);
    header.clock = stampMax(header.clock, at);
    const ended = new Set(known?.endedOrigins);
    if (evicted) for (const [origin, state] of header.origins) if (state.region === region) ended.add(origin);
    header.regions.set(region, {
      region, urls: urls.length > 0 ? urls : (known?.urls ?? []), nodes: nodes ?? known?.nodes ?? [], evicted, changedAt: at,
      endedOrigins: [...ended], report: evicted ? null : (known?.report ?? null),
    });
    this.#trim([]);
    return true;
  }

  retain({ reports, cuts }: Extract<Command, { kind: 'retain' }>): void {
    for (const { region, report } of reports) {
      const known = this.#header.regions.get(region);
      if (known === undefined || known.evicted || known.endedOrigins.includes(report.origin)) continue;
      if (known.report !== null && known.report.origin === report.origin && known.report.head > report.head) continue;
      this.#header.regions.set(region, { ...known, report: laterOf(known.report, report) });
    }
    this.#trim(cuts);
  }

  /** All that another region had applied at some time is merged here: so are the logs that led to it. */
  adopt({ origins, context }: Extract<Command, { kind: 'adopt' }>): void {
    const header = this.#header;
    for (const { origin, region, applied } of origins) {
      const state = header.origins.get(origin) ?? { region, applied: 0, first: 1, bytes: 0 };
      if (origin === header.origin || applied <= state.applied || this.isEnded(region, origin)) continue;
      this.#values.log.clear(origin);
      header.origins.set(origin, { region, applied, first: applied + 1, bytes: 0 });
      header.replicaRegions.set(origin, region);
    }
    header.context.merge(context);
  }

  /** What every region has applied, and had applied before it wrote anything that this region lacks. */
  stable(): Positions {
    const regions = this.active();
    return new Map(Array.from(this.#header.origins, ([origin, { applied }]) => [
      origin, Math.min(applied, ...regions.map(({ report }) => report?.positions.get(origin) ?? 0)),
    ] as const));
  }

  collectTombstones(keepMs: number, limit: number): void {
    const highest = this.#values.tombstones.collect(this.stable(), this.#header.clusterMs - keepMs, limit);
    if (highest !== null) this.#header.collected = stampMax(this.#header.collected, highest);
  }

  /** True if {@link retain} would drop entries that every region has. */
  canTrim(): boolean {
    return Array.from(this.#header.origins).some(([origin, state]) => state.bytes > 0 && this.#acknowledged(origin, state) > state.first);
  }

  #trim(cuts: readonly { readonly origin: ReplicaId; readonly until: number }[]): void {
    for (const [origin, state] of this.#header.origins) {
      const cut = cuts.find((one) => one.origin === origin)?.until ?? 0;
      const until = Math.max(cut, this.#acknowledged(origin, state));
      if (until > state.first) this.#values.log.trim(origin, state, until, trimCountMax);
    }
  }

  /** The first entry that some region has not applied. */
  #acknowledged(origin: ReplicaId, { applied }: OriginState): number {
    return Math.min(applied, ...this.active().map(({ report }) => report?.positions.get(origin) ?? 0)) + 1;
  }
}

/** Positions never fall, whatever order reports come in. */
function laterOf(known: RegionReport | null, report: RegionReport): RegionReport {
  if (known === null || known.origin !== report.origin) return report;
  const positions = new Map(known.positions);
  for (const [origin, sequence] of report.positions) positions.set(origin, Math.max(sequence, positions.get(origin) ?? 0));
  return { ...report, positions };
}
