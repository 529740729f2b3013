import type { RegionId } from '@skerry/base';
import {
  equalDots,
  operationDelta,
  isTombstone,
  valueStamp,
  visiblePart,
  type Discarded,
  type Operation,
  type Stamp,
  type Value,
} from '@skerry/crdt';
import type { StateKeys } from '../keys.ts';
import type { ConflictReason } from '../requests.ts';
import type { StagedStore } from '../staged-store.ts';
import type { StateHeader } from './header.ts';
import { encodeConflict, type ConflictRecord } from './ledger.ts';
import { sameDigest } from './same.ts';
import { holdsUnseen, type Given } from './unseen.ts';

/** A conflict for the metrics: the ledger has the rest. */
export interface ConflictCount {
  readonly reason: ConflictReason;
  readonly loserRegion: RegionId | null;
  readonly winnerRegion: RegionId | null;
}

/** Writes the conflict ledger of one partition: whatever loses is kept there (I12). */
export class Losers {
  readonly #keys: StateKeys;
  readonly #store: StagedStore;
  readonly #header: StateHeader;
  readonly #region: RegionId;
  #wallMs = 0;
  /** Collected while one batch is applied. */
  #counts: ConflictCount[] = [];

  constructor({
    keys,
    store,
    header,
    region,
  }: {
    keys: StateKeys;
    store: StagedStore;
    header: StateHeader;
    region: RegionId;
  }) {
    this.#keys = keys;
    this.#store = store;
    this.#header = header;
    this.#region = region;
  }

  /** `wallMs`: the time of the batch. */
  begin(wallMs: number): void {
    this.#wallMs = wallMs;
    this.#counts = [];
  }

  get counts(): readonly ConflictCount[] {
    return this.#counts;
  }

  /** What a merge took from sight. `own`: `op` came in; else a state did. */
  record(
    discarded: readonly Discarded[],
    { key, value, region, own, op }: { key: string; value: Value; region: RegionId; own: boolean; op?: Operation },
  ): void {
    for (const { reason, loser, stamp, winnerStamp } of discarded) {
      const shown = visiblePart(value);
      const isIncoming = own && op !== undefined && isOwn(loser, op);
      const regions = this.#regionsOf(
        loser,
        reason === 'otherType' ? shown : value.parts.find(({ type }) => type === 'register'),
        { region, isIncoming },
      );
      this.add({
        key,
        loser: { parts: [loser] },
        loserStamp: stamp,
        winnerStamp,
        ...regions,
        winner: shown === null || shown.type === 'document' ? null : { parts: [shown] },
        reason: reason === 'laterStamp' ? (isIncoming ? 'superseded' : 'overwrote') : reason,
      });
    }
  }

  /** The dots of registers tell; of other types only the side that came in is known. */
  #regionsOf(
    loser: Discarded['loser'],
    winner: Discarded['loser'] | null | undefined,
    { region, isIncoming }: { region: RegionId; isIncoming: boolean },
  ): Pick<ConflictRecord, 'loserRegion' | 'winnerRegion'> {
    const { replicaRegions } = this.#header;
    const of = (part: typeof winner): RegionId | null =>
      part?.type === 'register' ? (replicaRegions.get(part.dot.replica) ?? null) : null;
    if (isIncoming) return { loserRegion: region, winnerRegion: of(winner) };
    return { loserRegion: of(loser), winnerRegion: of(winner) ?? region };
  }

  /** A write that takes no effect at all. */
  write(
    op: Operation,
    { key, reason, winnerStamp }: { key: string; reason: ConflictReason; winnerStamp: Stamp },
  ): void {
    this.add({
      key,
      reason,
      loser: operationDelta(op),
      loserStamp: op.stamp,
      loserRegion: this.#header.replicaRegions.get(op.dot.replica) ?? this.#region,
      winner: null,
      winnerStamp,
      winnerRegion: null,
    });
  }

  /**
   * Entries that were not kept cannot be offered: they were cut for size, or written before any other region was known, or are
   * of a third region. What re-seeding takes away that the other side has never had goes to this region's ledger (I12).
   */
  keepUnsent(key: string, current: Value, given: Given): void {
    const { reseeding, replicaRegions } = this.#header;
    if (reseeding === null || !holdsUnseen(key, current, given)) return;
    const { value: incoming } = given;
    // A delete, too: what it took away comes back.
    const loser = visiblePart(current) ?? current.parts[0];
    if (loser === undefined || (incoming === null ? isTombstone(current) : sameDigest(key, current, incoming))) return;
    const shown = incoming === null ? null : visiblePart(incoming);
    this.add({
      key,
      reason: 'overwrote',
      loser: { parts: [loser] },
      loserStamp: valueStamp(current),
      loserRegion: (loser.type === 'register' ? replicaRegions.get(loser.dot.replica) : null) ?? this.#region,
      winner: shown === null || shown.type === 'document' ? null : { parts: [shown] },
      winnerStamp: incoming === null ? reseeding.outSince : valueStamp(incoming),
      winnerRegion: reseeding.from,
    });
  }

  add(record: Omit<ConflictRecord, 'clusterMs' | 'timeMs'>): void {
    const { conflicts, clusterMs } = this.#header;
    this.#store.defer(
      this.#keys.conflict(conflicts.next++),
      encodeConflict({ ...record, timeMs: this.#wallMs, clusterMs }),
    );
    this.#counts.push({ reason: record.reason, loserRegion: record.loserRegion, winnerRegion: record.winnerRegion });
  }
}

/** True if the loser is what this very operation wrote. */
export function isOwn(loser: Discarded['loser'], op: Operation): boolean {
  if (loser.type === 'register') return equalDots(loser.dot, op.dot);
  return loser.type === 'document' && [...loser.chunks.entries.values()].some(({ dot }) => equalDots(dot, op.dot));
}
