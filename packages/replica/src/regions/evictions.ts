import { compareText, type RegionId, type ReplicaId } from '@skerry/base';
import { compareStamps, stampAfter, stampMax, type Stamp } from '@skerry/crdt';
import type { Partition } from '../partition.ts';
import { encodeRegionEntry } from '../state/region-entry.ts';
import type { Positions } from '../state/tombstones.ts';
import type { Reseeding } from '../state/header.ts';
import { takenPositions } from '../state/region-log.ts';
import type { RegionRecord } from '../state/region-record.ts';
import type { Exchange } from './exchange.ts';
import type { Intake } from './intake.ts';
import type { LinkMessage, WaitingRegion } from './link-message.ts';

/** Bytes of entries in one offer, and entries that are gone, of which one tells. */
const offerBytes = 256 * 1_024;
const offerGoneMax = 4_096;
/** So many retries a region that was re-seeded elsewhere, and lacks what was here, is waited for if it does not come along. */
const stuckAfterRetries = 5;
/** Regions that a heartbeat tells of as waiting for each other. */
const waitsMax = 64;
/** So many retries an offer of another region's log is repeated. */
const refusedAfterRetries = 5;
/** So many retries a region that tells of a log that has ended is given to tell of another one. */
const putBackAfterRetries = 2;
const nothingOffered = encodeRegionEntry({ effects: [], settled: [] });

interface Returning {
  /** The last eviction after which it was re-seeded. */
  readonly reseededFor: Stamp;
  /** What it had applied, as it told last, and when that last changed. */
  positions: Positions;
  changedMs: number;
}

/**
 * The leader's dealings with regions that were evicted, on both sides: an evicted one offers what it had not sent, takes the
 * state of one that evicted it, and counts again where it was out once it has applied what was there (DESIGN section 4).
 */
export class Evictions {
  readonly #partition: Partition;
  readonly #send: (to: RegionId, message: LinkMessage) => void;
  readonly #exchange: Exchange;
  readonly #intake: Intake;
  readonly #evict: (region: RegionId, at: Stamp) => void;
  /** Ended logs of which entries were offered, and how much of them was taken when it was told last. */
  readonly #offers: Map<RegionId, { readonly origin: ReplicaId; readonly told: number }> = new Map();
  /** Since when an entry was the next to be offered, by its log. */
  readonly #offering: Map<ReplicaId, { readonly from: number; readonly sinceMs: number; readonly lastMs: number }> =
    new Map();
  /** The log that each region was told last that it is out with. */
  readonly #endedLogs: Map<RegionId, ReplicaId> = new Map();
  /** What regions that are out told. */
  readonly #returning: Map<RegionId, Returning> = new Map();
  /** What other regions told of whom they wait for. */
  readonly #waits: Map<RegionId, readonly WaitingRegion[]> = new Map();
  /** Since when a region that counts has told of no other log than one that has ended. */
  readonly #putBackMs: Map<RegionId, number> = new Map();
  /** When the region that is to re-seed this one was heard of last, and when each last said that this one is out. */
  #evictedMs = Number.NEGATIVE_INFINITY;
  readonly #toldOutMs: Map<RegionId, number> = new Map();

  constructor(
    partition: Partition,
    parts: {
      readonly send: (to: RegionId, message: LinkMessage) => void;
      readonly exchange: Exchange;
      readonly intake: Intake;
      /** Has partition 0 evict the region, at that time or later. */
      readonly evict: (region: RegionId, at: Stamp) => void;
    },
  ) {
    this.#partition = partition;
    this.#send = parts.send;
    this.#exchange = parts.exchange;
    this.#intake = parts.intake;
    this.#evict = parts.evict;
  }

  clear(): void {
    this.#returning.clear();
    this.#waits.clear();
    this.#offering.clear();
    this.#putBackMs.clear();
  }

  /** This region and those that it waits for, for a heartbeat. */
  waits(): readonly WaitingRegion[] {
    const { state, turn } = this.#partition;
    const { reseeding } = state.header;
    if (reseeding === null || !state.regions.isReplacing()) return [];
    const own = { region: turn.options.region, stage: reseeding.stage };
    return [own, ...upTo(own.region, this.#waits.get(reseeding.from) ?? [])].slice(0, waitsMax);
  }

  /** Where regions wait for each other in a ring, one goes first: of those whose state is whole, the lowest by name. */
  toldWaits(from: RegionId, waits: readonly WaitingRegion[]): void {
    const { state, proposals, turn } = this.#partition;
    this.#waits.set(from, waits);
    const { reseeding } = state.header;
    const { region } = turn.options;
    if (reseeding?.from !== from || !state.regions.isReplacing() || waits.every((one) => one.region !== region)) return;
    const ring = [{ region, stage: reseeding.stage }, ...upTo(region, waits)];
    if (ring.some(({ stage }) => stage === 'yields')) return;
    const whole = ring.filter(({ stage }) => stage !== 'replaces');
    const able = whole.length > 0 ? whole : ring;
    if (able.every((one) => compareText(region, one.region) <= 0))
      proposals.proposeOwn({ ...reseeding, kind: 'reseed', yields: true });
  }

  /**
   * While this region yields, it takes offers of those in the ring alone, who give them back with their state. What others
   * offer may have been deleted and forgotten in the ring, which is known when this one has the state from there.
   */
  #takesOffersOf(from: RegionId): boolean {
    const { state, turn } = this.#partition;
    const { reseeding } = state.header;
    if (reseeding === null || !state.regions.isReplacing()) return true;
    const ring = upTo(turn.options.region, this.#waits.get(reseeding.from) ?? []);
    return ring.some(({ region }) => region === from);
  }

  /** It said that it is about to be re-seeded itself: it takes no offer, and gives nothing. */
  #isSilent(region: RegionId): boolean {
    const stage = this.#waits.get(region)?.[0]?.stage;
    return stage !== undefined && stage !== 'yields';
  }

  /** It was re-seeded elsewhere, and what it lacks now may be forgotten here, on its word of before. */
  isReplaced(region: RegionId, told: { readonly origin: ReplicaId; readonly reseededFor: Stamp }): boolean {
    const { state, proposals } = this.#partition;
    const ended = state.regions.replacedLog(region, told.origin);
    if (ended !== null) proposals.proposeOwn({ kind: 'seeding', region, outSince: told.reseededFor, ended });
    return ended !== null;
  }

  /**
   * A region that counts tells of a log that has ended: in a late frame, or all its nodes were put back to a backup from before it
   * was re-seeded. It alone knows which, so it is asked: it is told that it was evicted just now, which means nothing to one that
   * writes another log. If it then says that it is being re-seeded for that, it is out here, too. What its state says is of no use
   * before: what it has may have been deleted and forgotten.
   */
  isPutBack(
    { region, changedAt }: RegionRecord,
    { origin, reseedingFor }: Extract<LinkMessage, { kind: 'heartbeat' }>,
  ): boolean {
    const { state, turn, id } = this.#partition;
    const { header, regions } = state;
    if (header.origins.get(origin)?.ended !== true) {
      this.#putBackMs.delete(region);
      return false;
    }
    const { monoMs } = turn.now;
    const sinceMs = this.#putBackMs.get(region) ?? monoMs;
    this.#putBackMs.set(region, sinceMs);
    if (reseedingFor !== null) {
      // What it says of an earlier one is late.
      if (compareStamps(reseedingFor, changedAt) > 0) this.#evict(region, reseedingFor);
      return true;
    }
    // Where its log is shorter than it is known here, it sees that by itself. Partition 0 goes first, and tells the others.
    const patience = id === 0 ? putBackAfterRetries : 3 * putBackAfterRetries;
    if (header.reseeding !== null || monoMs - sinceMs <= patience * turn.options.timing.linkRetryMs) return true;
    const wallMs = Math.max(0, Math.floor(turn.clocks.wallMs()));
    this.#send(region, {
      kind: 'evicted',
      origin,
      outSince: stampAfter(stampMax(header.clock, changedAt), wallMs, header.origin),
      out: regions.out().map((one) => one.region),
      taken: regions.list(),
    });
    return true;
  }

  /** Asks for the next part of an offer when the one before was taken. */
  passOn(): void {
    for (const [region, { origin, told }] of this.#offers) {
      if (this.#partition.state.regions.taken(origin) === told) continue;
      this.#offers.delete(region);
      const ended = this.#endedLogs.get(region);
      if (ended !== undefined) this.#tellEvicted(region, ended);
    }
  }

  /** This region's log was ended over there: what was not sent is offered, then the state is taken from there. */
  told(from: RegionId, message: Extract<LinkMessage, { kind: 'evicted' }>): void {
    const {
      state: { header },
      proposals,
    } = this.#partition;
    const { origin, outSince } = message;
    const { reseeding } = header;
    this.#toldOutMs.set(from, this.#partition.turn.now.monoMs);
    if (reseeding === null) {
      if (origin === header.origin)
        proposals.proposeOwn({ kind: 'reseed', from, ended: origin, outSince, yields: false });
      this.#evictedMs = this.#partition.turn.now.monoMs;
      return;
    }
    const { now, options } = this.#partition.turn;
    if (reseeding.ended !== origin) return;
    if (reseeding.from !== from) {
      const isLost = now.monoMs - this.#evictedMs > 3 * options.timing.linkRetryMs;
      if (!isLost && (this.#isSilent(from) || !this.#isSilent(reseeding.from))) return;
      proposals.proposeOwn({ kind: 'reseed', from, ended: origin, outSince, yields: false });
      this.#evictedMs = now.monoMs;
      return;
    }
    this.#evictedMs = now.monoMs;
    if (this.#isSilent(from)) return;
    const offer = this.#nextOffer(reseeding, message);
    if (offer === null) this.#exchange.begin(from, 'replace');
    else this.#send(from, offer);
  }

  /**
   * The region that is to give its state may know nothing of that any more, as it was put back to an older state: nobody would
   * ever say again that this one is out. If it has all that this one had written by then, the state is taken all the same.
   */
  heardWhileOut(from: RegionId, { positions }: Extract<LinkMessage, { kind: 'heartbeat' }>): void {
    const { state, turn } = this.#partition;
    const { reseeding } = state.header;
    if (reseeding?.from !== from || !state.regions.isReplacing() || this.#isSilent(from)) return;
    const { monoMs } = turn.now;
    if (this.#evictedMs === Number.NEGATIVE_INFINITY) this.#evictedMs = monoMs;
    if (monoMs - this.#evictedMs <= 2 * stuckAfterRetries * turn.options.timing.linkRetryMs) return;
    if ((takenPositions(positions).get(reseeding.ended) ?? 0) >= reseeding.until) this.#exchange.begin(from, 'replace');
  }

  /** What is kept here and the region that gives the state has not: of the own log first, then of others. */
  #nextOffer(
    { ended, until }: Reseeding,
    { taken, out }: Extract<LinkMessage, { kind: 'evicted' }>,
  ): Extract<LinkMessage, { kind: 'offer' }> | null {
    const { state, turn } = this.#partition;
    const own = turn.options.region;
    const { origins } = state.header;
    const has = takenPositions(taken);
    const applied = new Map(taken.map((one) => [one.origin, one.applied] as const));
    const first = (has.get(ended) ?? 0) + 1;
    const kept = Math.min(origins.get(ended)?.first ?? 1, until + 1);
    if (first < kept) {
      // Empty ones stand for what is not kept any more, or the other region would wait for it for ever.
      const entries = Array.from({ length: Math.min(kept - first, offerGoneMax) }, () => nothingOffered);
      return { kind: 'offer', origin: ended, region: own, first, entries };
    }
    const others = Array.from(origins).filter(([, { region }]) => region !== own);
    const logs = [[ended, { region: own, first: kept, applied: until }] as const, ...others];
    for (const [origin, log] of logs) {
      // Those of regions that count there are taken as from themselves, one after the other.
      const isOffer = origin === ended || out.includes(log.region);
      const from = ((isOffer ? has : applied).get(origin) ?? 0) + 1;
      if (from > log.applied || from < log.first) continue;
      if (origin !== ended && this.#isRefused(origin, from)) continue;
      const entries = state.values.log.read(origin, from, offerBytes);
      if (entries.length > 0) return { kind: 'offer', origin, region: log.region, first: from, entries };
    }
    return null;
  }

  /** Offered again and again, and not taken: of a region, say, that is not known over there. */
  #isRefused(origin: ReplicaId, from: number): boolean {
    const { now, options } = this.#partition.turn;
    const before = this.#offering.get(origin);
    const { linkRetryMs } = options.timing;
    // Time in which it could not be offered does not count.
    const goesOn = before?.from === from && now.monoMs - before.lastMs <= 2 * linkRetryMs;
    const sinceMs = goesOn ? before.sinceMs : now.monoMs;
    this.#offering.set(origin, { from, sinceMs, lastMs: now.monoMs });
    return now.monoMs - sinceMs > refusedAfterRetries * linkRetryMs;
  }

  offered(from: RegionId, { origin, region, first, entries }: Extract<LinkMessage, { kind: 'offer' }>): void {
    const { state, proposals } = this.#partition;
    if (!state.regions.isOut(from) || !this.#takesOffersOf(from)) return;
    const taken = state.regions.taken(origin);
    this.#offers.set(from, { origin, told: taken });
    if (!state.regions.isOut(region)) return proposals.proposeOwn({ kind: 'remote', region, origin, first, entries });
    proposals.proposeOwn({ kind: 'offer', region, origin, first, entries });
  }

  #tellEvicted(to: RegionId, origin: ReplicaId): void {
    const { regions } = this.#partition.state;
    const out = regions.out();
    const outSince = out.find(({ region }) => region === to)?.outSince;
    if (outSince === undefined) return;
    this.#endedLogs.set(to, origin);
    this.#send(to, {
      kind: 'evicted',
      origin,
      outSince,
      out: out.map(({ region }) => region).filter((region) => region !== to),
      taken: regions.list(),
    });
  }

  /** It counts, or counts again. */
  isIn(region: RegionId): void {
    this.#returning.delete(region);
  }

  #isCovered(region: RegionId): boolean {
    const { regions } = this.#partition.state;
    const told = this.#returning.get(region)?.positions;
    return told !== undefined && regions.isSeeding(region) && regions.isCovered(region, told);
  }

  /** A region that is out, and was re-seeded by another one since, as far as this leader has heard. */
  isReturning(region: RegionId): boolean {
    const outSince = this.#partition.state.header.regions.get(region)?.outSince ?? null;
    const told = this.#returning.get(region);
    return outSince !== null && told !== undefined && compareStamps(told.reseededFor, outSince) >= 0;
  }

  /**
   * An evicted region asks for the state, for which it has to wait until what follows is kept for it. Once it has one, it takes
   * logs from here and gives its own. States are not exchanged before it has applied all that may have been forgotten here
   * while nobody waited for it: they would be merged, and what was deleted would come back.
   */
  hears({ region, outSince }: RegionRecord, message: LinkMessage): boolean {
    const { state, proposals } = this.#partition;
    const { regions, header } = state;
    if (outSince === null) return true;
    // They evicted each other, and this one is to take its state from there.
    if (header.reseeding?.from === region && isExchangeAnswer(message)) return true;
    if (this.isReturning(region)) {
      if (this.#isCovered(region)) return true;
      if (message.kind === 'pull') return message.from >= (header.origins.get(message.origin)?.first ?? 1);
      return message.kind === 'entries';
    }
    if (!isExchangeAsk(message) || !this.#returning.has(region)) return false;
    if (regions.isSeeding(region)) return true;
    if (message.kind === 'digestsAsk') proposals.proposeOwn({ kind: 'seeding', region, outSince, ended: null });
    return false;
  }

  /**
   * A region counts again once it has applied what was here when waiting for it began, and what it had written by then is
   * applied here, as entries of an ended log are: they may be older than what was forgotten meanwhile (I11).
   */
  heard(
    { region, outSince, changedAt }: RegionRecord & { readonly outSince: Stamp },
    { origin, positions, reseededFor }: Extract<LinkMessage, { kind: 'heartbeat' }>,
  ): void {
    const { state, proposals, turn } = this.#partition;
    const { monoMs } = turn.now;
    const wasReturning = this.isReturning(region);
    const before = this.#returning.get(region);
    // A late frame takes nothing back.
    if (before === undefined || compareStamps(reseededFor, before.reseededFor) > 0)
      this.#returning.set(region, { reseededFor, positions: new Map(), changedMs: monoMs });
    if (!this.isReturning(region)) return this.#tellEvicted(region, origin);
    if (!state.regions.isSeeding(region))
      return proposals.proposeOwn({ kind: 'seeding', region, outSince, ended: null });
    const returning = this.#returning.get(region);
    if (!wasReturning || returning === undefined || compareStamps(reseededFor, returning.reseededFor) < 0) return;
    this.#intake.heard();
    const told = takenPositions(positions);
    if (Array.from(told).some(([log, applied]) => returning.positions.get(log) !== applied))
      returning.changedMs = monoMs;
    returning.positions = told;
    if (this.#isCovered(region) && state.regions.applied(origin) >= (told.get(origin) ?? 0))
      return proposals.proposeOwn({ kind: 'reseeded', region, outSince: reseededFor, origin });
    // Whoever has what it lacks is gone: it has to take the state from here.
    const { timing, region: here } = turn.options;
    // Two that lack something of each other do not evict one another.
    const patience = compareText(here, region) < 0 ? stuckAfterRetries : 2 * stuckAfterRetries;
    const toldOutMs = this.#toldOutMs.get(region) ?? Number.NEGATIVE_INFINITY;
    if (state.header.reseeding !== null || monoMs - toldOutMs <= patience * timing.linkRetryMs) return;
    if (monoMs - returning.changedMs <= patience * timing.linkRetryMs) return;
    this.#returning.delete(region);
    const { clock, origin: own } = state.header;
    this.#evict(region, stampAfter([changedAt, reseededFor].reduce(stampMax, clock), 0, own));
  }
}

/** Those before `region`, or all. */
function upTo(region: RegionId, waits: readonly WaitingRegion[]): readonly WaitingRegion[] {
  const at = waits.findIndex((one) => one.region === region);
  return at < 0 ? waits : waits.slice(0, at);
}

function isExchangeAnswer({ kind }: LinkMessage): boolean {
  return kind === 'digests' || kind === 'keys' || kind === 'values' || kind === 'graves';
}

function isExchangeAsk({ kind }: LinkMessage): boolean {
  return kind === 'digestsAsk' || kind === 'keysAsk' || kind === 'valuesAsk' || kind === 'gravesAsk';
}
