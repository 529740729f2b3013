import { replicaId, type PartitionId, type RegionId, type ReplicaId } from '@skerry/base';
import { compareStamps, stampAfter, stampMax, stampZero, type Dot } from '@skerry/crdt';
import type { Command } from './command.ts';
import { wholeLogs } from './ended-logs.ts';
import type { StateHeader } from './header.ts';
import { decodeRegionEntry, encodeEntryList, type Effect } from './region-entry.ts';
import { originState, type OriginPosition, type OriginState } from './region-log.ts';
import type { RegionOut, RegionRecord, RegionReport } from './region-record.ts';
import { laterPositions, type Positions } from './tombstones.ts';
import type { Values } from './values.ts';

/** Records of a log that one command drops at most. */
const trimCountMax = 4_096;
/** No log gets as far: all that there will ever be. It still fits into a storage key, with one more. */
const positionMax = 2 ** 47;
/** No log has this name. */
const unknownOrigin = replicaId(0);

/** What one partition knows of other regions: their logs, how far this region has applied them, and what they told. */
export class Regions {
  readonly #header: StateHeader;
  readonly #values: Values;
  readonly #region: RegionId;
  readonly #isFirst: boolean;

  constructor({
    header,
    values,
    region,
    partition,
  }: {
    header: StateHeader;
    values: Values;
    region: RegionId;
    partition: PartitionId;
  }) {
    this.#isFirst = partition === 0;
    this.#header = header;
    this.#values = values;
    this.#region = region;
  }

  /** Entries of all origins' logs that this region has applied. */
  positions(): Map<ReplicaId, number> {
    return new Map(Array.from(this.#header.origins, ([origin, { applied }]) => [origin, applied] as const));
  }

  /** The same with the region of each. */
  list(): OriginPosition[] {
    return Array.from(this.#header.origins, ([origin, { region, applied, offered }]) => ({
      origin,
      region,
      applied,
      offered,
    }));
  }

  applied(origin: ReplicaId): number {
    return this.#header.origins.get(origin)?.applied ?? 0;
  }

  /** Entries of an ended log that are not wanted any more: applied, or taken as an offer. */
  taken(origin: ReplicaId): number {
    const state = this.#header.origins.get(origin);
    return state === undefined ? 0 : Math.max(state.applied, state.offered);
  }

  /** The log that a region was known by, if it tells of another one without having been out; null: all is well. */
  replacedLog(region: RegionId, origin: ReplicaId): ReplicaId | null {
    const record = this.#header.regions.get(region);
    const before = record?.report?.origin ?? unknownOrigin;
    // A late frame may tell of a log that has ended here, too.
    const isNew = before !== unknownOrigin && before !== origin && !this.#wasOffered(origin);
    return record?.outSince === null && isNew ? before : null;
  }

  /** Regions whose reports count: what they lack is kept. */
  active(): RegionRecord[] {
    return [...this.#header.regions.values()].filter(
      ({ region, outSince }) => outSince === null || this.isSeeding(region),
    );
  }

  /** Regions that were evicted and do not count again yet. */
  out(): RegionOut[] {
    return Array.from(this.#header.regions.values()).flatMap(({ region, outSince }) =>
      outSince === null ? [] : [{ region, outSince }],
    );
  }

  /** True for a region that is out and takes its state from here, or has taken it from another one. */
  isSeeding(region: RegionId): boolean {
    const record = this.#header.regions.get(region);
    return record !== undefined && record.outSince !== null && (record.report?.positions.size ?? 0) > 0;
  }

  /** True if these positions are no lower than those of the region's report; of one that is out, those of {@link seeding}. */
  isCovered(region: RegionId, positions: Positions): boolean {
    const wanted = this.#header.regions.get(region)?.report?.positions ?? new Map<ReplicaId, number>();
    return Array.from(wanted).every(([origin, sequence]) => (positions.get(origin) ?? 0) >= sequence);
  }

  /** Re-seeded after an eviction: nothing of the own state stays but what was offered. */
  isReplacing(): boolean {
    const { reseeding, reseededFor } = this.#header;
    return reseeding !== null && compareStamps(reseeding.outSince, reseededFor) > 0;
  }

  /** Its state is not whole, or not for long: it takes no offers and gives nothing, or what it took would be replaced. */
  isSilent(): boolean {
    return this.isReplacing() && this.#header.reseeding?.stage !== 'yields';
  }

  /** The log that others know this region by: until it is re-seeded, the one that was ended. */
  knownAs(): ReplicaId {
    return this.#header.reseeding?.ended ?? this.#header.origin;
  }

  /** True for a region that was evicted and not re-seeded since. */
  isOut(region: RegionId): boolean {
    return (this.#header.regions.get(region)?.outSince ?? null) !== null;
  }

  /** Each entry from the position that the state has, and no other (I7, I10). Answers the dots that it settled. */
  applyRemote({ region, origin, first, entries }: Extract<Command, { kind: 'remote' }>): { dot: Dot; key: string }[] {
    const header = this.#header;
    // Values that were replaced must not take on the context that is to be replaced: it names what they lack, as if it had been
    // removed. Positions start over with the new state, so the entry comes again.
    if (header.reseeding !== null) return [];
    // An ended log too: what one region took of it before the end, all take.
    if (origin === header.origin || (region !== this.#region && !header.regions.has(region))) return [];
    const state = header.origins.get(origin) ?? originState(region);
    const known = state.applied - first + 1;
    if (known < 0 || known >= entries.length || state.region !== region) return [];
    header.origins.set(origin, state);
    header.replicaRegions.set(origin, region);
    const fresh = entries.slice(known);
    const isEnded = this.#isEnded(origin, region);
    const settled: { dot: Dot; key: string }[] = [];
    fresh.forEach((bytes, index) => {
      const at = { origin, sequence: state.applied + 1 + index };
      settled.push(...this.#values.applyRemote(decodeRegionEntry(bytes), at, { region, isEnded }));
    });
    this.#values.log.append(origin, state, { count: fresh.length, record: encodeEntryList(fresh) });
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
    // Later than that it came back, too, by which the clock has not gone on.
    const at = changedAt ?? stampAfter(stampMax(header.clock, known?.changedAt ?? stampZero), 0, header.origin);
    header.clock = stampMax(header.clock, at);
    header.regions.set(region, {
      region,
      urls: urls.length > 0 ? urls : (known?.urls ?? []),
      nodes: nodes ?? known?.nodes ?? [],
      evicted,
      changedAt: at,
      outSince: evicted ? at : (known?.outSince ?? null),
      report: evicted ? withoutPositions(known?.report ?? null) : (known?.report ?? null),
    });
    this.#trim([]);
    return true;
  }

  retain({ reports, cuts }: Extract<Command, { kind: 'retain' }>): void {
    for (const { region, report } of reports) {
      const known = this.#header.regions.get(region);
      if (known === undefined || known.outSince !== null || this.#wasOffered(report.origin)) continue;
      if (known.report !== null && known.report.origin === report.origin && known.report.head > report.head) continue;
      this.#header.regions.set(region, { ...known, report: laterOf(known.report, report) });
      this.#endOthers(region, report);
    }
    this.#trim(cuts);
  }

  /** The first values come in the place of those that were here. */
  replaces(): void {
    const { reseeding } = this.#header;
    if (reseeding !== null && reseeding.stage !== 'replaces')
      this.#header.reseeding = { ...reseeding, stage: 'replaces' };
  }

  /** All that another region had applied at some time is merged here: so are the logs that led to it. */
  adopt({ origins, context, takenAway, collected, buried, replaces, out }: Extract<Command, { kind: 'adopt' }>): void {
    const header = this.#header;
    if (!replaces && this.isReplacing()) return;
    header.collected = stampMax(header.collected, collected);
    header.clock = stampMax(header.clock, collected);
    header.graves.floor = stampMax(header.graves.floor, buried);
    if (replaces) {
      if (header.reseeding === null) return;
      header.reseededFor = header.reseeding.outSince;
      header.reseeding = null;
      for (const origin of [...header.origins.keys()]) {
        if (origin === header.origin) continue;
        this.#values.log.clear(origin);
        header.origins.delete(origin);
      }
      // What had been seen here, and had not reached that region, is in no value any more: it comes again. A context that
      // still held its dots would make removals of them, in all regions.
      header.context = context.clone();
      header.takenAway = takenAway.clone();
      // What the others told counted on this region having applied all that they had written.
      for (const known of [...header.regions.values()])
        header.regions.set(known.region, { ...known, report: withoutPositions(known.report) });
      // What was kept here for these is gone with the state: they may have to take it from here.
      for (const { region, outSince } of out) {
        const known = header.regions.get(region);
        if (known === undefined) continue;
        header.regions.set(region, {
          ...known,
          outSince: known.outSince === null ? outSince : stampMax(known.outSince, outSince),
        });
      }
      for (const { origin, region, applied, offered } of origins) {
        if (origin === header.origin) continue;
        header.origins.set(origin, originState(region, applied, offered));
        header.replicaRegions.set(origin, region);
      }
      this.#again(origins.find(({ origin }) => origin === header.origin)?.applied ?? 0);
      return;
    }
    for (const { origin, region, applied } of origins) {
      const state = header.origins.get(origin) ?? originState(region);
      if (origin === header.origin || applied <= state.applied) continue;
      this.#values.log.clear(origin);
      // What was taken of it stays taken: this region has reported that, and others take no state from it that has less.
      const { offered, ended, endedAt } = state;
      header.origins.set(origin, { ...originState(region, applied, offered), ended, endedAt });
      header.replicaRegions.set(origin, region);
    }
    header.context.merge(context);
    header.takenAway.merge(takenAway);
  }

  /**
   * An evicted region asks for the state. What it is told of is as of now or later, so whatever is applied from now on stays
   * until it has that too: else a tombstone that is made and collected while it copies reaches it neither way (I11).
   */
  seeding({ region, outSince, ended }: Extract<Command, { kind: 'seeding' }>): void {
    const known = this.#header.regions.get(region);
    if (known === undefined) return;
    const { report } = known;
    const isMeant =
      ended === null
        ? known.outSince !== null && compareStamps(outSince, known.outSince) === 0
        : known.outSince === null && report?.origin === ended;
    // The first time counts: it may still take what it was told then.
    if (!isMeant || this.isSeeding(region)) return;
    const origin = report?.origin ?? unknownOrigin;
    this.#header.regions.set(region, { ...known, outSince, report: { origin, head: 0, positions: this.positions() } });
  }

  /** The region has the state of this one or of another that evicted it at `outSince`: it counts again. */
  reseeded({ region, outSince, origin }: Extract<Command, { kind: 'reseeded' }>): boolean {
    const known = this.#header.regions.get(region);
    if (known?.outSince === undefined || known.outSince === null || compareStamps(outSince, known.outSince) < 0)
      return false;
    const latest = [known.changedAt, outSince].reduce(stampMax, this.#header.clock);
    const changedAt = stampAfter(latest, 0, this.#header.origin);
    const ended = known.report === null ? undefined : this.#header.origins.get(known.report.origin);
    // Late frames may still bring its entries, and reports from before.
    if (ended !== undefined && known.report?.origin !== origin) ended.ended = true;
    // Others may have offered what it has written under its new name; all of that has been applied since.
    const current = this.#header.origins.get(origin);
    if (current !== undefined) current.offered = 0;
    // Partition 0 tells the others and the other regions; it alone has the last word.
    this.#header.regions.set(region, {
      ...known,
      outSince: null,
      evicted: false,
      // Which log it has begun is known when it reports; until then no other one of its logs is taken for it.
      report: { origin: unknownOrigin, head: 0, positions: new Map() },
      ...(this.#isFirst ? { changedAt } : {}),
    });
    return true;
  }

  /** This region's log was ended by `from`: a new one begins, and nothing enters it before the state is that region's. */
  reseed({ from, ended, outSince, yields }: Extract<Command, { kind: 'reseed' }>): void {
    const header = this.#header;
    if (header.reseeding?.ended === ended) {
      // The one that was to give its state is silent, or waits for this one.
      const stage = yields ? 'yields' : header.reseeding.stage;
      header.reseeding = { ...header.reseeding, stage, from, outSince };
      return;
    }
    if (header.origin !== ended || header.reseeding !== null || yields) return;
    header.reseeding = { stage: 'waits', from, ended, outSince, until: this.applied(ended) };
    this.#values.renameOrigin(outSince);
  }

  /**
   * Late writes from an ended log, each once, in order. They are merged like promotions, so that they bring back nothing
   * that was deleted and forgotten, and enter this region's own log.
   */
  takeOffer({ region, origin, first, entries }: Extract<Command, { kind: 'offer' }>): { dot: Dot; key: string }[] {
    const header = this.#header;
    const state = header.origins.get(origin) ?? originState(region);
    if (this.isSilent() || state.region !== region || !this.isOut(region)) return [];
    header.origins.set(origin, state);
    const settled: { dot: Dot; key: string }[] = [];
    entries.forEach((bytes, index) => {
      // It offers from where it was told on. If that lies further on, its log had been cut off for its length.
      if (first + index <= Math.max(state.applied, state.offered)) return;
      state.offered = first + index;
      const entry = decodeRegionEntry(bytes.slice());
      for (const { key, op } of entry.effects) {
        if (header.context.has(op.dot)) continue;
        header.replicaRegions.set(op.dot.replica, state.region);
        this.#values.offer({ key, op }, state.ended);
        settled.push({ dot: op.dot, key });
      }
      for (const dot of entry.settled) header.context.add(dot);
      this.#values.endCommand();
    });
    return settled;
  }

  /** What every region has applied, and had applied before it wrote anything that this region lacks. */
  stable(): Positions {
    const { origins } = this.#header;
    const regions = this.active();
    const stable = new Map(
      Array.from(
        origins,
        ([origin, { applied }]) =>
          [origin, Math.min(applied, ...regions.map(({ report }) => report?.positions.get(origin) ?? 0))] as const,
      ),
    );
    // Any region that is out may still have entries of them, and offer these.
    if (this.out().length > 0) return stable;
    for (const origin of wholeLogs(origins, stable)) stable.set(origin, positionMax);
    return stable;
  }

  collectTombstones(keepMs: number, limit: number): void {
    this.#header.takenAway = this.#header.takenAway.without(this.#header.context);
    const stable = this.stable();
    for (const [origin, state] of this.#header.origins)
      if (state.endedAt !== null && stable.get(origin) === positionMax) state.endedAt = new Map();
    const { graves } = this.#values;
    const isAnyOut = this.out().length > 0;
    if (!isAnyOut && graves.isAny) graves.drop(limit);
    const highest = this.#values.tombstones.collect(
      stable,
      { untilMs: this.#header.clusterMs - keepMs, limit },
      (key, value) => {
        if (isAnyOut) graves.add(key, value);
      },
    );
    if (highest !== null) this.#header.collected = stampMax(this.#header.collected, highest);
  }

  /** True if there is something for {@link collectTombstones} to do. */
  canCollect(untilMs: number): boolean {
    const { tombstones, graves } = this.#values;
    return tombstones.isAnyDue(this.stable(), untilMs) || (graves.isAny && this.out().length === 0);
  }

  /** True if {@link retain} would drop entries that every region has. */
  canTrim(): boolean {
    return Array.from(this.#header.origins).some(
      ([origin, state]) => state.bytes > 0 && this.#acknowledged(origin, state) > state.first,
    );
  }

  /** Offers that were taken while this region yielded: others may have them from its new log. */
  #again(from: number): void {
    const { origin } = this.#header;
    const first = Math.max(from + 1, this.#header.origins.get(origin)?.first ?? 1);
    this.#values.log.read(origin, first, Number.POSITIVE_INFINITY).forEach((bytes, index) => {
      const at = { origin, sequence: first + index };
      const { effects, settled } = decodeRegionEntry(bytes);
      const lacking = effects.flatMap((effect) => this.#lacking(effect));
      this.#values.applyRemote({ effects: lacking, settled }, at, { region: this.#region, isEnded: false });
    });
  }

  /** What the state that was adopted had seen by another way is in it, or was deleted there, and perhaps forgotten (I11). */
  #lacking({ key, op }: Effect): Effect[] {
    const { context } = this.#header;
    if (context.has(op.dot)) return [];
    const left = this.#values.notTaken(op, { key, current: this.#values.read(key) });
    if (left === null) context.add(op.dot);
    return left === null || this.#values.buries(key, left) ? [] : [{ key, op: left }];
  }

  /** The region has begun another log since, or is out: tombstones do not wait for what is still under way of this one. */
  #isEnded(origin: ReplicaId, region: RegionId): boolean {
    if (region === this.#region || this.isOut(region) || this.#wasOffered(origin)) return true;
    const report = this.#header.regions.get(region)?.report ?? null;
    return report !== null && report.origin !== origin;
  }

  /**
   * The region reports of the log that it writes now: it had the state of another one before it began that, with all that was
   * offered of those before.
   */
  #endOthers(region: RegionId, report: RegionReport): void {
    for (const [origin, state] of this.#header.origins) {
      if (state.region !== region) continue;
      if (origin === report.origin) state.endedAt = null;
      else state.endedAt ??= report.positions;
    }
  }

  /** Its region begins another log before it counts again: what this one's late frames tell is of before. */
  #wasOffered(origin: ReplicaId): boolean {
    const state = this.#header.origins.get(origin);
    return state !== undefined && (state.ended || state.offered > 0);
  }

  #trim(cuts: readonly { readonly origin: ReplicaId; readonly until: number }[]): void {
    for (const [origin, state] of this.#header.origins) {
      const cut = cuts.find((one) => one.origin === origin)?.until ?? 0;
      const until = Math.max(cut, this.#acknowledged(origin, state));
      if (until > state.first) this.#values.log.trim(origin, state, until, trimCountMax);
    }
  }

  /** The first entry that some region has not applied. */
  #acknowledged(origin: ReplicaId, { applied, first }: OriginState): number {
    // A region that is out may have evicted this one and all others, too: then this one has to offer what they wrote since.
    if (this.out().length > 0) return first;
    return Math.min(applied, ...this.active().map(({ report }) => report?.positions.get(origin) ?? 0)) + 1;
  }
}

/** Which log it was, and nothing of how far it or the others had come. */
function withoutPositions(report: RegionReport | null): RegionReport | null {
  return report === null ? null : { ...report, head: 0, positions: new Map() };
}

/** Positions never fall, whatever order reports come in. */
function laterOf(known: RegionReport | null, report: RegionReport): RegionReport {
  if (known === null || known.origin !== report.origin) return report;
  return { ...report, positions: laterPositions(known.positions, report.positions) };
}
