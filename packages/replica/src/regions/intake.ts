import type { RegionId, ReplicaId } from '@skerry/base';
import { compareStamps } from '@skerry/crdt';
import type { Partition } from '../partition.ts';
import { commandBytes } from '../state/command.ts';
import { decodeEntryList } from '../state/region-entry.ts';
import type { LogBatch } from '../ports/link.ts';
import type { Heard } from './heard.ts';
import type { LinkMessage } from './link-message.ts';
import { gatherCount, gatherMs } from './outlets.ts';

/**
 * Entries and bytes of one origin proposed and not applied. All of them may be applied in one turn, which must stay well
 * below an election timeout on a slow machine: a leader that applies for longer loses its followers, again and again.
 */
const proposedCountMax = 2_048;
const proposedBytesMax = 1_024 * 1_024;
/** Bytes of those that wait for room. */
const waitingBytesMax = 16 * 1_024 * 1_024;
/** Entries and bytes in one command: some are written and applied while others are on their way. */
const commandCountMax = 256;
const commandBytesMax = 256 * 1_024;
const keepAliveMs = 1_000;
/** Each acknowledgement is a frame, and a turn of two nodes at the other end, whose windows hold more than comes in so long. */
const acknowledgeEveryMs = 50;

interface Source {
  readonly origin: ReplicaId;
  readonly region: RegionId;
  /** Where the entries are pulled from; null: from the link's log, or nowhere yet. */
  from: RegionId | null;
  /** Entries up to here have been received, proposed. */
  received: number;
  proposed: number;
  readonly waiting: Uint8Array[];
  waitingBytes: number;
  /** Proposed and not applied: last entry and bytes of each command. */
  readonly inFlight: { readonly last: number; readonly bytes: number }[];
  inFlightBytes: number;
  /** When entries last came, or nothing was missing. */
  progressMs: number;
  /** When the state last moved, or had nothing to wait for. */
  appliedMs: number;
  pulledMs: number;
  /** An acknowledgement is due. */
  pullDue: boolean;
}

/**
 * The leader's side of reading other regions' logs: pulls each origin's from its own region, or from another one that has
 * it when that region is silent, and proposes what comes in order. The position is the state machine's alone.
 */
export class Intake {
  readonly #partition: Partition;
  readonly #heard: Heard;
  readonly #send: (to: RegionId, message: LinkMessage) => void;
  readonly #sources: Map<ReplicaId, Source> = new Map();
  #gaps = 0;
  #flushedMs = Number.NEGATIVE_INFINITY;

  constructor(partition: Partition, heard: Heard, send: (to: RegionId, message: LinkMessage) => void) {
    this.#partition = partition;
    this.#heard = heard;
    this.#send = send;
  }

  /** Batches that did not follow on what was there, since the start. */
  get gapCount(): number {
    return this.#gaps;
  }

  clear(): void {
    const { turn, id } = this.#partition;
    if (turn.options.linkHasLog) {
      for (const { origin, region } of this.#sources.values())
        turn.link.subscribe({ partition: id, origin: { origin, region }, from: null });
    }
    this.#sources.clear();
  }

  /** Another region told how far it is: of logs that are longer there, more can be had. */
  heard(): void {
    const {
      turn,
      state: { header },
    } = this.#partition;
    for (const { origin, region } of this.#heard.origins()) {
      const record = header.regions.get(region);
      if (origin === header.origin) continue;
      if (region !== turn.options.region && record === undefined) this.#sources.delete(origin);
      else if (!this.#sources.has(origin)) this.#open(origin, region);
    }
  }

  entries(
    from: RegionId | null,
    {
      origin,
      first,
      entries,
    }: { readonly origin: ReplicaId; readonly first: number; readonly entries: readonly Uint8Array[] },
  ): void {
    const source = this.#sources.get(origin);
    if (source === undefined) return;
    const known = source.received - first + 1;
    if (known < 0) {
      this.#gaps++;
      // What is missing was lost on the way. Of a log it may still come; else it is pulled when nothing comes for a while.
      if (from !== null && from === source.from) this.#pull(source, true);
      return;
    }
    if (known >= entries.length) return;
    if (source.waitingBytes > waitingBytesMax) return;
    const { now } = this.#partition.turn;
    for (const entry of entries.slice(known)) {
      // A view of a frame that others share.
      const own = entry.slice();
      source.waiting.push(own);
      source.waitingBytes += own.length;
    }
    source.received = first + entries.length - 1;
    source.progressMs = now.monoMs;
    source.pullDue = from !== null;
  }

  batch(batch: LogBatch): void {
    const source = this.#sources.get(batch.origin);
    if (source === undefined || source.region !== batch.region || batch.last <= source.received) return;
    const entries = decodeEntryList(batch.bytes);
    if (entries.length !== batch.last - batch.first + 1) return;
    this.entries(null, { origin: batch.origin, first: batch.first, entries });
  }

  /**
   * A region that was asked has it no more; true if nobody else is known to have it. Over a slow link another one may have
   * been asked since: whoever answers counts, or each answer would come too late for ever.
   */
  trimmed(from: RegionId, origin: ReplicaId, first: number): boolean {
    const source = this.#sources.get(origin);
    if (source === undefined || first <= this.#partition.state.regions.applied(origin) + 1) return false;
    const other = this.#heard.regionsWith(origin, source.received + 1).find((region) => region !== from);
    source.progressMs = this.#partition.turn.now.monoMs;
    return (
      other === undefined ||
      this.#partition.turn.now.monoMs - this.#heard.lastMs(from) < this.#partition.turn.options.timing.linkRetryMs
    );
  }

  /** A region's connection is new, or gone: what was under way on it is lost. */
  regionChanged(region: RegionId): void {
    for (const source of this.#sources.values()) if (source.from === region) source.from = null;
  }

  /** The state took positions from elsewhere. */
  restart(): void {
    for (const { origin, region } of [...this.#sources.values()]) this.#open(origin, region);
  }

  tick(): void {
    const { turn } = this.#partition;
    const { linkRetryMs } = turn.options.timing;
    for (const source of this.#sources.values()) {
      const { monoMs } = turn.now;
      const applied = this.#partition.state.regions.applied(source.origin);
      if (source.proposed <= applied) source.appliedMs = monoMs;
      // The proposal was lost, or another leader was faster and the log of this one was cut.
      else if (monoMs - source.appliedMs > 2 * linkRetryMs) this.#restartAt(source, applied);
      if (this.#heard.head(source.origin) <= source.received) {
        source.progressMs = monoMs;
        // Nothing is missing: be there when something comes.
        if (source.from === null && !turn.options.linkHasLog && this.#heard.isFresh(source.region)) {
          source.from = source.region;
          this.#pull(source, true);
        } else if (source.from !== null && monoMs - source.pulledMs > keepAliveMs) this.#pull(source, false);
        continue;
      }
      const isSilent = monoMs - source.progressMs > linkRetryMs;
      const waits = turn.options.linkHasLog && monoMs - source.progressMs <= 2 * linkRetryMs;
      if (waits && source.from === null) continue;
      if (source.from === null || isSilent) this.#choose(source);
      else if (monoMs - source.pulledMs > keepAliveMs) this.#pull(source, false);
    }
  }

  /** Proposes what came and acknowledges it now and then, unless so little came so soon after the last time that more may join it. */
  flush(): void {
    const { monoMs } = this.#partition.turn.now;
    const sources = [...this.#sources.values()];
    const gathers = monoMs - this.#flushedMs < gatherMs && sources.every(({ waiting }) => waiting.length < gatherCount);
    if (gathers) return;
    for (const source of sources) {
      if (source.waiting.length > 0) this.#flushedMs = monoMs;
      this.#propose(source);
      if (source.pullDue && monoMs - source.pulledMs < acknowledgeEveryMs) continue;
      if (source.pullDue && source.from !== null) this.#pull(source, false);
      source.pullDue = false;
    }
  }

  #open(origin: ReplicaId, region: RegionId): void {
    const { turn, id, state } = this.#partition;
    const applied = state.regions.applied(origin);
    const { monoMs } = turn.now;
    this.#sources.set(origin, {
      origin,
      region,
      from: null,
      received: applied,
      proposed: applied,
      waiting: [],
      waitingBytes: 0,
      inFlight: [],
      inFlightBytes: 0,
      progressMs: monoMs,
      appliedMs: monoMs,
      pulledMs: Number.NEGATIVE_INFINITY,
      pullDue: false,
    });
    // Of an ended log, what some region took before its end can be had there; what the link has beyond is taken by nobody.
    const told = this.#heard.of(region)?.heartbeat;
    const outSince = state.header.regions.get(region)?.outSince ?? null;
    const isIn = outSince === null || (told !== undefined && compareStamps(told.reseededFor, outSince) >= 0);
    const isCurrent = told?.origin === origin && isIn;
    if (turn.options.linkHasLog && isCurrent)
      turn.link.subscribe({ partition: id, origin: { origin, region }, from: applied + 1 });
  }

  #restartAt(source: Source, applied: number): void {
    this.#open(source.origin, source.region);
    const fresh = this.#sources.get(source.origin);
    if (fresh !== undefined) fresh.received = applied;
  }

  /** The origin's own region is the best source. Another one only if that is silent, or has not moved things along. */
  #choose(source: Source): void {
    const able = this.#heard.regionsWith(source.origin, source.received + 1);
    if (able.length === 0) return;
    const at = source.from === null ? -1 : able.indexOf(source.from);
    const next =
      able.includes(source.region) && source.from !== source.region
        ? source.region
        : (able[(at + 1) % able.length] as RegionId);
    source.from = next;
    source.progressMs = this.#partition.turn.now.monoMs;
    this.#pull(source, true);
  }

  #pull(source: Source, again: boolean): void {
    if (source.from === null) return;
    source.pulledMs = this.#partition.turn.now.monoMs;
    this.#send(source.from, { kind: 'pull', origin: source.origin, from: source.received + 1, again });
  }

  #propose(source: Source): void {
    const { state, proposals, turn } = this.#partition;
    const applied = state.regions.applied(source.origin);
    if (applied > source.proposed) {
      // An exchange was faster, or another leader.
      this.#restartAt(source, applied);
      return;
    }
    while (source.inFlight.length > 0 && (source.inFlight[0] as { last: number }).last <= applied) {
      source.inFlightBytes -= (source.inFlight.shift() as { bytes: number }).bytes;
      source.appliedMs = turn.now.monoMs;
    }
    let at = 0;
    while (
      at < source.waiting.length &&
      source.proposed - applied + commandCountMax <= proposedCountMax &&
      source.inFlightBytes < proposedBytesMax
    ) {
      const entries: Uint8Array[] = [];
      let bytes = 0;
      while (at + entries.length < source.waiting.length && entries.length < commandCountMax) {
        const entry = source.waiting[at + entries.length] as Uint8Array;
        if (entries.length > 0 && bytes + entry.length > commandBytesMax) break;
        entries.push(entry);
        bytes += entry.length;
      }
      const command = commandBytes({
        kind: 'remote',
        region: source.region,
        origin: source.origin,
        first: source.proposed + 1,
        entries,
      });
      if (!proposals.add(command, null, entries.length)) break;
      at += entries.length;
      source.proposed += entries.length;
      source.waitingBytes -= bytes;
      source.inFlight.push({ last: source.proposed, bytes });
      source.inFlightBytes += bytes;
    }
    if (at > 0) source.waiting.splice(0, at);
  }
}
