import { DecodeError, type RegionId, type ReplicaId } from '@skerry/base';
import { compareStamps, stampZero, type Stamp } from '@skerry/crdt';
import type { Partition } from '../partition.ts';
import type { LogBatch } from '../ports/link.ts';
import type { RegionDirectoryEntry } from '../replica-api.ts';
import type { RegionStatus } from '../requests.ts';
import type { Command } from '../state/command.ts';
import { encodeEntryList } from '../state/region-entry.ts';
import { takenPositions } from '../state/region-log.ts';
import type { RegionRecord, RegionReport } from '../state/region-record.ts';
import { Evictions } from './evictions.ts';
import { Exchange } from './exchange.ts';
import { Heard } from './heard.ts';
import { Intake } from './intake.ts';
import { decodeLinkFrame, encodeLinkFrame, type LinkMessage } from './link-message.ts';
import { Outlets } from './outlets.ts';

const retainEveryMs = 500;
const reconcileEveryMs = 200;
/** Regions from the configuration, before any operator's word. */
const configuredAt: Stamp = { ...stampZero, counter: 1 };
/** Entries of the own log given to the link and not acknowledged by it. */
const publishAheadMax = 8_192;
const publishBytes = 256 * 1_024;

/** What partition 0 says of the regions, and how it is asked to evict one: of evictions the latest counts, by its stamps alone. */
export interface Directory {
  readonly records: () => ReadonlyMap<RegionId, RegionRecord>;
  readonly evict: (region: RegionId, at: Stamp) => void;
}

/** One partition's dealings with its counterparts in the other regions. The leader acts; the others only listen. */
export class RegionLinks {
  readonly heard: Heard = new Heard();
  readonly intake: Intake;
  readonly exchange: Exchange;
  readonly #partition: Partition;
  readonly #outlets: Outlets;
  readonly #evictions: Evictions;
  /** What this node's region says of its nodes; partition 0 only. */
  #nodes: RegionDirectoryEntry['nodes'] = [];
  #directory: Directory = { records: () => new Map(), evict: () => {} };
  /** Reports that wait until this region has applied all that the other one had written, oldest first, at most two. */
  readonly #reports: Map<RegionId, RegionReport[]> = new Map();
  /** How often in a row a region's digest differed at the same positions. */
  readonly #differing: Map<RegionId, number> = new Map();
  /** Entries of the own log up to here were given to the link, and acknowledged by it. */
  #offered = 0;
  #published = 0;
  #publishedMs = 0;
  #heartbeatMs = Number.NEGATIVE_INFINITY;
  #retainedMs = 0;
  #reconciledMs = 0;
  #mismatches = 0;
  #malformed = 0;
  #setBacks = 0;

  constructor(partition: Partition) {
    this.#partition = partition;
    const send = (to: RegionId, message: LinkMessage): void => this.#send(to, message);
    this.intake = new Intake(partition, this.heard, send);
    this.exchange = new Exchange(partition, send, () => this.#differing.clear());
    this.#outlets = new Outlets(partition, send);
    this.#evictions = new Evictions(partition, {
      send,
      exchange: this.exchange,
      intake: this.intake,
      evict: (region, at) => this.#directory.evict(region, at),
    });
  }

  get mismatchCount(): number {
    return this.#mismatches;
  }

  /** How often it was seen that this region's own log is shorter than others know it. */
  get setBackCount(): number {
    return this.#setBacks;
  }

  get malformedCount(): number {
    return this.#malformed;
  }

  setNodes(nodes: RegionDirectoryEntry['nodes']): void {
    this.#nodes = nodes;
  }

  setDirectory(directory: Directory): void {
    this.#directory = directory;
  }

  elected(): void {
    this.#offered = this.#published = this.#lowestAcknowledged();
    this.#heartbeatMs = Number.NEGATIVE_INFINITY;
    this.intake.heard();
  }

  resigned(): void {
    this.intake.clear();
    this.exchange.clear();
    this.#outlets.clear();
    this.#reports.clear();
    this.#evictions.clear();
    this.#differing.clear();
  }

  /** The positions came from a snapshot or an exchange. */
  positionsChanged(): void {
    if (!this.#partition.isLeader) return;
    this.intake.restart();
    this.intake.heard();
  }

  regionUp(region: RegionId): void {
    this.intake.regionChanged(region);
    if (this.#partition.isLeader && this.#partition.state.header.regions.get(region)?.outSince === null)
      this.#heartbeat(region);
  }

  regionDown(region: RegionId): void {
    this.intake.regionChanged(region);
    this.#outlets.regionGone(region);
    this.exchange.regionGone(region);
  }

  /** A frame for the leader of this partition; others get copies of heartbeats. */
  receive(from: RegionId, frame: Uint8Array): void {
    let message: LinkMessage;
    try {
      message = decodeLinkFrame(frame);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#malformed++;
      return;
    }
    const { state, isLeader } = this.#partition;
    if (message.kind === 'heartbeat') return this.#onHeartbeat(from, message, frame);
    const record = state.header.regions.get(from);
    if (!isLeader || record === undefined) return;
    // An evicted region is not heard, but for what it may still bring and take.
    if (message.kind === 'offer') return this.#evictions.offered(from, message);
    if (message.kind === 'evicted') return this.#evictions.told(from, message);
    if (record.outSince !== null && !this.#evictions.hears(record, message)) return;
    switch (message.kind) {
      case 'pull':
        return this.#outlets.pulled(from, message);
      case 'entries':
        return this.intake.entries(from, message);
      case 'trimmed':
        if (state.header.reseeding === null && this.intake.trimmed(from, message.origin, message.first))
          this.exchange.begin(from);
        return;
      case 'digestsAsk':
        if (record.outSince === null && this.#evictions.isReplaced(from, message)) return;
        return this.exchange.answer(from, message);
      case 'keysAsk':
      case 'valuesAsk':
      case 'gravesAsk':
        return this.exchange.answer(from, message);
      case 'digests':
      case 'keys':
      case 'values':
      case 'graves':
        return this.exchange.receive(from, message);
    }
  }

  batch(batch: LogBatch): void {
    if (this.#partition.isLeader) this.intake.batch(batch);
  }

  published(origin: ReplicaId, last: number): void {
    if (origin !== this.#partition.state.header.origin) return;
    this.#published = Math.max(this.#published, last);
    this.#publishedMs = this.#partition.turn.now.monoMs;
  }

  tick(): void {
    const { isLeader, turn } = this.#partition;
    this.heard.tick(turn.now);
    if (!isLeader) return;
    const { monoMs } = turn.now;
    this.intake.tick();
    this.exchange.tick();
    if (monoMs - this.#heartbeatMs >= turn.options.timing.linkHeartbeatMs) {
      this.#heartbeatMs = monoMs;
      // To those that are out as well: they may have been re-seeded by another region, or have this one evicted themselves.
      for (const region of this.#partition.state.header.regions.keys()) this.#heartbeat(region);
    }
    if (monoMs - this.#reconciledMs >= reconcileEveryMs) {
      this.#reconciledMs = monoMs;
      this.#reconcile();
    }
    if (monoMs - this.#retainedMs >= retainEveryMs) {
      this.#retainedMs = monoMs;
      this.#retain();
    }
    if (this.#offered > this.#published && monoMs - this.#publishedMs > 5 * turn.options.timing.linkRetryMs) {
      this.#offered = this.#published;
      this.#publishedMs = monoMs;
    }
  }

  /** Proposes what came. */
  takeIn(): void {
    if (this.#partition.isLeader) this.intake.flush();
  }

  /** Passes on what was applied. */
  passOn(): void {
    if (!this.#partition.isLeader) return;
    this.#evictions.passOn();
    this.#outlets.flush();
    if (this.#partition.turn.options.linkHasLog) this.#publish();
  }

  status(record: RegionRecord): RegionStatus['partitions'][number] {
    const { state, id } = this.#partition;
    const own = state.header.origin;
    const told = this.heard.of(record.region);
    const origin = told?.heartbeat.origin ?? record.report?.origin ?? null;
    const applied = origin === null ? 0 : state.regions.applied(origin);
    const theirs = Math.max(told?.positions.get(own) ?? 0, record.report?.positions.get(own) ?? 0);
    return {
      partition: id,
      applied,
      head: Math.max(applied, origin === null ? 0 : this.heard.head(origin)),
      lagMs: origin === null ? 0 : Math.round(this.heard.lagMs(origin, applied)),
      unacknowledged: Math.max(0, state.regions.applied(own) - theirs),
    };
  }

  #send(to: RegionId, message: LinkMessage): void {
    this.#partition.turn.link.send(to, encodeLinkFrame(this.#partition.id, message));
  }

  #heartbeat(to: RegionId): void {
    const { state, id, turn } = this.#partition;
    const { header } = state;
    if (header.origin === 0) return;
    this.#send(to, {
      kind: 'heartbeat',
      origin: state.regions.knownAs(),
      positions: state.regions.list(),
      digest: state.values.digests.root,
      reseededFor: header.reseededFor,
      reseedingFor: header.reseeding?.outSince ?? null,
      waits: this.#evictions.waits(),
      wallMs: Math.max(0, Math.floor(turn.clocks.wallMs())),
      nodes: id === 0 ? this.#nodes : [],
      regions:
        id === 0
          ? Array.from(header.regions.values(), ({ region, urls, evicted, changedAt }) => ({
              region,
              urls,
              evicted,
              changedAt,
            }))
          : [],
    });
  }

  #onHeartbeat(from: RegionId, message: Extract<LinkMessage, { kind: 'heartbeat' }>, frame: Uint8Array): void {
    const { state, isLeader, turn, id } = this.#partition;
    if (state.regions.isOut(from) && !(isLeader && this.#evictions.isReturning(from))) this.heard.forget(from);
    else this.heard.heartbeat(from, message, turn.now);
    if (!isLeader) return;
    this.#evictions.toldWaits(from, message.waits);
    this.#evictions.heardWhileOut(from, message);
    // The followers answer questions about regions too, and one of them may lead soon.
    for (const peer of turn.connected)
      turn.send(peer, { kind: 'relay', partition: id, region: from, frame, note: true });
    const record = state.header.regions.get(from);
    if (record === undefined) return;
    if (this.#evictions.isReplaced(from, message)) return;
    if (record.outSince !== null) return this.#evictions.heard({ ...record, outSince: record.outSince }, message);
    this.#evictions.isIn(from);
    if (id === 0) this.#learn(record, message);
    if (this.#evictions.isPutBack(record, message)) return;
    this.#checkOwnLog(from, message);
    this.intake.heard();
    this.#report(from, message);
    this.#compare(from, message);
  }

  /**
   * Nobody can have more of this region's log, applied or taken as an offer, than it has itself, once its leader has applied all that was committed
   * before it was elected: so this region was put back to an older state, as by restoring a backup of all its nodes. What it
   * writes under the old name would be taken for what is known; it begins a new log, and takes the state from there.
   */
  #checkOwnLog(from: RegionId, { positions }: Extract<LinkMessage, { kind: 'heartbeat' }>): void {
    const { state, proposals, currentTerm } = this.#partition;
    const { header } = state;
    const { origin, reseededFor, reseeding } = header;
    if (reseeding !== null) {
      // An eviction is later than the last one that it was re-seeded for.
      if (compareStamps(reseeding.outSince, reseededFor) > 0) return;
      if (reseeding.from === from) this.exchange.begin(from, 'restore');
      else if (!this.heard.isFresh(reseeding.from))
        proposals.proposeOwn({ kind: 'reseed', from, ended: reseeding.ended, outSince: reseededFor, yields: false });
      return;
    }
    const told = takenPositions(positions).get(origin) ?? 0;
    if (header.term !== currentTerm || told <= state.regions.applied(origin)) return;
    this.#setBacks++;
    proposals.proposeOwn({ kind: 'reseed', from, ended: origin, outSince: reseededFor, yields: false });
  }

  /** What the other region says of its nodes, and of regions that this one has not heard of. */
  #learn(record: RegionRecord, { nodes, regions }: Extract<LinkMessage, { kind: 'heartbeat' }>): void {
    const { state, proposals, turn } = this.#partition;
    const { region, urls, evicted, changedAt } = record;
    if (JSON.stringify(nodes) !== JSON.stringify(record.nodes))
      proposals.proposeOwn({ kind: 'regionSet', region, urls, nodes, evicted, changedAt });
    for (const news of regions) {
      const known = state.header.regions.get(news.region);
      if (
        news.region === turn.options.region ||
        (known !== undefined && compareStamps(news.changedAt, known.changedAt) <= 0)
      )
        continue;
      proposals.proposeOwn({ kind: 'regionSet', ...news, nodes: null });
    }
  }

  #report(from: RegionId, { origin, positions }: Extract<LinkMessage, { kind: 'heartbeat' }>): void {
    const report: RegionReport = {
      origin,
      head: positions.find((one) => one.origin === origin)?.applied ?? 0,
      positions: takenPositions(positions),
    };
    const waiting = this.#reports.get(from) ?? [];
    // The oldest one stays: under steady load only that is ever reached.
    this.#reports.set(from, waiting.length === 0 ? [report] : [waiting[0] as RegionReport, report]);
  }

  /** At equal positions the states must be equal. Twice in a row: entries that are applied at this moment move both. */
  #compare(from: RegionId, { positions, digest }: Extract<LinkMessage, { kind: 'heartbeat' }>): void {
    const { state } = this.#partition;
    const own = state.regions.positions();
    const isLevel =
      positions.every(({ origin, applied }) => (own.get(origin) ?? 0) === applied) &&
      Array.from(own).every(
        ([origin, applied]) =>
          applied === 0 || positions.some((one) => one.origin === origin && one.applied === applied),
      );
    const { root } = state.values.digests;
    if (!isLevel || state.header.reseeding !== null || (root.high === digest.high && root.low === digest.low)) {
      this.#differing.delete(from);
      return;
    }
    const times = (this.#differing.get(from) ?? 0) + 1;
    this.#differing.set(from, times);
    if (times < 2) return;
    this.#mismatches++;
    this.#differing.delete(from);
    this.exchange.begin(from);
  }

  /** Brings this partition's regions in line with partition 0's, and that with the configuration. */
  #reconcile(): void {
    const { state, id, proposals, turn } = this.#partition;
    const { regions } = state.header;
    if (id === 0) {
      for (const { region, urls } of turn.options.regions) {
        if (region !== turn.options.region && !regions.has(region))
          proposals.proposeOwn({
            kind: 'regionSet',
            region,
            urls,
            nodes: null,
            evicted: false,
            changedAt: configuredAt,
          });
      }
      return;
    }
    for (const { region, urls, evicted, changedAt } of this.#directory.records().values()) {
      const known = regions.get(region);
      if (known === undefined || compareStamps(changedAt, known.changedAt) > 0)
        proposals.proposeOwn({ kind: 'regionSet', region, urls, nodes: null, evicted, changedAt });
    }
  }

  #retain(): void {
    const { state, proposals, turn } = this.#partition;
    const reports: Extract<Command, { kind: 'retain' }>['reports'][number][] = [];
    for (const [region, waiting] of this.#reports) {
      const ready = waiting.filter(({ origin, head }) => state.regions.applied(origin) >= head).at(-1);
      if (ready === undefined) continue;
      const rest = waiting.slice(waiting.indexOf(ready) + 1);
      if (rest.length > 0) this.#reports.set(region, rest);
      else this.#reports.delete(region);
      if (isNews(state.header.regions.get(region)?.report ?? null, ready)) reports.push({ region, report: ready });
    }
    const { regionLogBytesMax } = turn.options.limits;
    const cuts = Array.from(state.header.origins).flatMap(([origin, { bytes, first, applied }]) =>
      bytes > regionLogBytesMax
        ? [{ origin, until: first + Math.ceil((applied + 1 - first) * (1 - (0.8 * regionLogBytesMax) / bytes)) }]
        : [],
    );
    if (reports.length > 0 || cuts.length > 0 || state.regions.canTrim())
      proposals.proposeOwn({ kind: 'retain', reports, cuts });
  }

  #publish(): void {
    const { state, turn, id } = this.#partition;
    const { header } = state;
    const own = header.origins.get(header.origin);
    if (own === undefined) return;
    if (this.#offered + 1 < own.first) this.#offered = this.#published = own.first - 1;
    if (this.#offered === this.#published) this.#publishedMs = turn.now.monoMs;
    while (this.#offered < own.applied && this.#offered - this.#published < publishAheadMax) {
      const first = this.#offered + 1;
      const entries = state.values.log.read(header.origin, first, publishBytes);
      if (entries.length === 0) return;
      this.#offered += entries.length;
      turn.link.publish({
        partition: id,
        region: turn.options.region,
        origin: header.origin,
        first,
        last: this.#offered,
        bytes: encodeEntryList(entries),
      });
    }
  }

  #lowestAcknowledged(): number {
    const { header, regions } = this.#partition.state;
    const own = header.origins.get(header.origin);
    if (own === undefined) return 0;
    return Math.min(
      own.applied,
      ...regions.active().map(({ report }) => report?.positions.get(header.origin) ?? own.first - 1),
    );
  }
}

function isNews(known: RegionReport | null, report: RegionReport): boolean {
  if (known === null || known.origin !== report.origin || report.head > known.head) return true;
  return Array.from(report.positions).some(([origin, sequence]) => sequence > (known.positions.get(origin) ?? 0));
}
