import { replicaId, type PartitionId, type RegionId, type ReplicaId } from '@skerry/base';
import {
  applyOperation,
  clampStamp,
  compactValue,
  compareStamps,
  confirmOperation,
  decodeValue,
  isTombstone,
  LimitError,
  mergeValues,
  prepareOperation,
  stampAfter,
  stampMax,
  stampToText,
  stampZero,
  valueStamp,
  visiblePart,
  withoutSeen,
  WrongTypeError,
  defaultLimits,
  type CausalContext,
  type Discarded,
  type Dot,
  type Operation,
  type Stamp,
  type Value,
  type WriteRequest,
} from '@skerry/crdt';
import { ByteReader } from '@skerry/base';
import type { StateKeys } from '../keys.ts';
import type { StagedStore } from '../staged-store.ts';
import type { Promotion } from './promotion.ts';
import { Digests } from './digests.ts';
import type { Change } from './feed.ts';
import { Graves } from './graves.ts';
import type { StateHeader } from './header.ts';
import { givenOf, type KeyRecord } from './key-record.ts';
import { KeyRecords } from './key-records.ts';
import { effectOf, finalStamp, isBuried, leftHere, offeredStamp, withoutKey } from './late-writes.ts';
import type { Leases } from './leases.ts';
import { isOwn, Losers, type ConflictCount } from './losers.ts';
import { isRegister, sameParts, sameRegister } from './same.ts';
import type { Reading } from './reading.ts';
import type { ReceiptRecord } from './receipts.ts';
import { EntryListWriter, type Effect, type RegionEntry } from './region-entry.ts';
import { originOf, originState, RegionLog } from './region-log.ts';
import { copyWasReplaced, observing } from './second-copy.ts';
import { laterPositions, Tombstones, type Positions } from './tombstones.ts';

export type WriteEnd = { readonly stamp: Stamp } | { readonly error: 'WRONG_TYPE' | 'LIMIT_EXCEEDED' };

interface ValuesParts {
  readonly keys: StateKeys;
  readonly store: StagedStore;
  readonly header: StateHeader;
  readonly leases: Leases;
  readonly region: RegionId;
  readonly partition: PartitionId;
}

/** Where in which log an effect stands. */
interface Place {
  readonly origin: ReplicaId;
  readonly sequence: number;
}

/**
 * The values of one partition, and everything that changing one entails: the ledger, the digests, the feed, the region
 * log, tombstones, leases. Three ways lead in: a write of this region, an entry of another region's log, and a state that
 * was exchanged.
 */
export class Values {
  readonly log: RegionLog;
  readonly digests: Digests;
  readonly tombstones: Tombstones;
  readonly records: KeyRecords;
  readonly graves: Graves;
  readonly #losers: Losers;
  readonly #parts: ValuesParts;
  // Collected while one batch is applied.
  #changes: Change[] = [];
  #stampsAhead = 0;
  #reading: Reading = { wallMs: 0, clampMs: 0, replica: replicaId(0), valueBytesMax: 0 };
  /** The entries that the commands of this batch have made, encoded, and the one that is being made. */
  readonly #entries: EntryListWriter = new EntryListWriter();
  #entryCount = 0;
  /** Those of the reading. */
  #limits: typeof defaultLimits = defaultLimits;
  #effects: Effect[] = [];
  #settled: RegionEntry['settled'][number][] = [];

  constructor(parts: ValuesParts) {
    this.#parts = parts;
    this.#losers = new Losers(parts);
    this.log = new RegionLog(parts.keys, parts.store);
    this.digests = new Digests(parts.keys, parts.store);
    this.records = new KeyRecords(parts.keys, parts.store);
    this.graves = new Graves(parts);
    this.tombstones = new Tombstones(parts.keys, parts.store, this.records);
  }

  /** The committed record, tombstones included. */
  read(key: string): KeyRecord | null {
    return this.records.read(key);
  }

  begin(reading: Reading): void {
    this.#reading = reading;
    if (this.#limits.valueBytesMax !== reading.valueBytesMax)
      this.#limits = { ...defaultLimits, valueBytesMax: reading.valueBytesMax };
    this.#changes = [];
    this.#losers.begin(reading.wallMs);
    this.#stampsAhead = 0;
    this.#entryCount = 0;
    const { header, region, partition } = this.#parts;
    if (header.origin !== 0) return;
    header.origin = originOf(region, partition, reading.replica);
    header.origins.set(header.origin, originState(region));
    header.replicaRegions.set(header.origin, region);
  }

  /** One command is done: what it came to is one entry of the region log. */
  endCommand(): void {
    if (this.#effects.length === 0 && this.#settled.length === 0) return;
    if (this.#parts.header.regions.size > 0) this.#entries.add({ effects: this.#effects, settled: this.#settled });
    this.#entryCount++;
    this.#effects = [];
    this.#settled = [];
  }

  end(): { changes: readonly Change[]; conflicts: readonly ConflictCount[]; stampsAhead: number } {
    const own = this.#own();
    // Written before this region knew of another one: those may stand in one batch with what is written after.
    const unlogged = this.#entryCount - this.#entries.count;
    if (unlogged > 0) {
      own.applied += unlogged;
      own.first = own.applied + 1;
    }
    if (this.#entries.count > 0) {
      const { count, record } = this.#entries.take();
      this.log.append(this.#parts.header.origin, own, { count, record });
      own.applied += count;
    }
    return { changes: this.#changes, conflicts: this.#losers.counts, stampsAhead: this.#stampsAhead };
  }

  /** A register may hold `value`, by the limit that came with the batch. */
  hasRoomFor(value: Uint8Array): boolean {
    return value.length <= this.#reading.valueBytesMax;
  }

  /** A consistent write: its stamp is above every stamp of the partition, so above the committed one. */
  write(key: string, request: WriteRequest, lease: string | null): WriteEnd {
    const { header } = this.#parts;
    const current = this.read(key);
    const stamp = stampAfter(header.clock, this.#reading.wallMs, this.#reading.replica);
    let op: Operation | null;
    try {
      op = prepareOperation(current?.value ?? null, request, {
        dot: { replica: header.origin, sequence: header.lastDot + 1 },
        stamp,
        limits: this.#limits,
      });
    } catch (error) {
      if (error instanceof WrongTypeError) return { error: 'WRONG_TYPE' };
      if (error instanceof LimitError || error instanceof RangeError) return { error: 'LIMIT_EXCEEDED' };
      throw error;
    }
    if (op === null) return { stamp: current === null ? stamp : valueStamp(current.value) };
    header.lastDot++;
    this.#effects.push({ key, op });
    return {
      stamp: valueStamp(
        this.#apply(key, op, { current, lease, at: this.#ownPlace(), region: this.#parts.region }).value,
      ),
    };
  }

  /** DESIGN section 3.3 and 3.4: the final stamp, the merge, and what the receipt says of it. Its dot is new. */
  promote(write: Promotion): ReceiptRecord {
    const given = this.#clamp(write.op.stamp);
    // Of a register that is there, stamps decide, and whether the write saw it.
    const isThere = isRegister(write.op) && this.read(write.key) !== null;
    const isTaken = !isThere && this.#parts.header.takenAway.has(write.key, write.op);
    return isTaken ? this.#takeTaken(write, given) : this.#takeLate(write, given, finalStamp);
  }

  /** One that saw it was promoted first, took it away, and may be forgotten: it does not come back (I11). */
  #takeTaken(write: Promotion, given: Stamp): ReceiptRecord {
    const { header, region } = this.#parts;
    const { key } = write;
    const current = this.read(key);
    const left = this.notTaken(write.op, { key, current });
    const stamp = left && finalStamp({ ...write, op: left }, given, { current, known: header });
    header.takenAway.note(key, write.op.body, header.context);
    const op = left === null || stamp === null ? null : { ...left, stamp };
    if (op !== null && this.#apply(key, op, { current, lease: null, at: this.#ownPlace(), region }).changed)
      this.#effects.push({ key, op });
    else this.settle(write.op.dot);
    const winnerStamp = current === null ? header.collected : valueStamp(current.value);
    if (write.op.body.type === 'delete') return { state: 'promoted', stamp: op?.stamp ?? null, reason: null };
    this.#losers.write(write.op, { key, reason: 'superseded', winnerStamp });
    return { state: 'superseded', stamp: current === null ? null : winnerStamp, reason: null };
  }

  /** `given`: the stamp that it comes with. */
  #takeLate(late: Promotion, given: Stamp, stampOf: typeof finalStamp): ReceiptRecord {
    const { header, region } = this.#parts;
    const { key } = late;
    const { dot } = late.op;
    if (!header.replicaRegions.has(dot.replica)) header.replicaRegions.set(dot.replica, region);
    const current = this.read(key);
    const { base, baseDeleted = false } = late;
    const isForgotten = current === null && compareStamps(given, header.collected) <= 0;
    const write =
      isForgotten && base !== null && !baseDeleted
        ? { ...late, op: { ...late.op, body: withoutKey(late.op.body) } }
        : late;
    const stamp = stampOf(write, given, { current, known: header });
    if (stamp === null) {
      header.takenAway.note(key, write.op.body, header.context);
      header.context.add(dot);
      this.#settled.push(dot);
      if (write.op.body.type === 'delete') return { state: 'promoted', stamp: null, reason: null };
      this.#losers.write(write.op, { key, reason: 'superseded', winnerStamp: header.collected });
      return { state: 'superseded', stamp: null, reason: null };
    }
    const op = { ...confirmOperation(write.op, current?.value ?? null), stamp };
    const { value, changed, discarded } = this.#apply(key, op, {
      current,
      lease: null,
      at: this.#ownPlace(),
      region,
      given: write.op.stamp,
    });
    // What lost here changes nothing anywhere, and may meet no tombstone any more elsewhere.
    const effect = changed ? effectOf(op, { current, value, known: header }) : null;
    if (effect === null) this.#settled.push(dot);
    else this.#effects.push({ key, op: effect });
    const lost = discarded.some(({ loser, reason }) =>
      reason === 'otherType' ? loser.type === op.body.type : isOwn(loser, op),
    );
    // Its own successor was promoted first and had seen it: no conflict, but its receipt says superseded, so it is kept.
    if (!changed && !lost) this.#losers.write(op, { key, reason: 'superseded', winnerStamp: valueStamp(value) });
    if (lost || !changed) return { state: 'superseded', stamp: valueStamp(value), reason: null };
    return { state: isRegister(op) ? 'promoted' : 'merged', stamp: valueStamp(value), reason: null };
  }

  /**
   * `write` is a second copy of one that was promoted as `first`. If a write that observed this copy has been applied already,
   * it was meant to replace that one too, but could not name it: so the copy takes effect, as what replaces `first` and is
   * replaced itself. False: nobody has seen it, or `first` is gone. Its dot is then not settled yet.
   */
  replaceFirst({ key, op }: Promotion, first: Dot): boolean {
    const current = this.read(key);
    if (current === null || !copyWasReplaced(current.value, op, first)) return false;
    const body = observing(op.body, first);
    if (body === null) return false;
    const replacing = { ...op, body, stamp: this.#clamp(op.stamp) };
    this.#apply(key, replacing, { current, lease: null, at: this.#ownPlace(), region: this.#parts.region });
    this.#effects.push({ key, op: replacing });
    return true;
  }

  /**
   * A write of an evicted region that nobody else had: like a promotion, without a receipt here. Its stamp was clamped where it
   * was written; a third region may have it under that (I9). `isOld`: its log had ended before this eviction.
   */
  offer({ key, op: offered }: Effect, isOld: boolean): void {
    const { header } = this.#parts;
    const current = this.read(key);
    const op = this.notTaken(offered, { key, current });
    if (op === null) return this.settle(offered.dot);
    const buried = isOld ? header.collected : this.graves.stampOf(key);
    this.#takeLate({ key, op, base: stampZero }, op.stamp, ({ op: one }, _, known) =>
      offeredStamp(one, { ...known, buried }),
    );
  }

  /** True if what was offered takes no effect in the state that was adopted since: a later delete is forgotten there (I11). */
  buries(key: string, op: Operation): boolean {
    const { header } = this.#parts;
    const buried = this.graves.stampOf(key);
    if (!isBuried(op, this.read(key), buried)) return false;
    header.takenAway.note(key, op.body, header.context);
    header.context.add(op.dot);
    this.#losers.write(op, { key, reason: 'superseded', winnerStamp: buried });
    return true;
  }

  /** An acknowledged write that takes no effect is kept in the ledger, from where it can be restored (I12). */
  reject(write: Promotion): void {
    this.#parts.header.context.add(write.op.dot);
    this.#settled.push(write.op.dot);
    this.#losers.write(write.op, { key: write.key, reason: 'rejected', winnerStamp: write.op.stamp });
  }

  /** Its dot is settled already; other regions need not know it. */
  settle(dot: Operation['dot']): void {
    this.#parts.header.context.add(dot);
    this.#settled.push(dot);
  }

  /** One entry of another region's log, in its turn. Answers the dots that it settled. */
  applyRemote(
    entry: RegionEntry,
    at: Place,
    { region, isEnded }: { region: RegionId; isEnded: boolean },
  ): readonly { dot: Operation['dot']; key: string }[] {
    const { header } = this.#parts;
    for (const { key, op } of entry.effects) {
      if (op.stamp.wallMs > this.#reading.clampMs) this.#stampsAhead++;
      if (!header.replicaRegions.has(op.dot.replica)) header.replicaRegions.set(op.dot.replica, region);
      // Taken as an offer before, and perhaps deleted and forgotten since.
      if (isEnded && header.context.has(op.dot)) continue;
      const current = this.read(key);
      const left = isEnded ? this.notTaken(op, { key, current }) : op;
      if (left === null) header.context.add(op.dot);
      else if (isEnded && (current === null || isTombstone(current.value)) && this.#mayBeBuried(left)) {
        header.takenAway.note(key, op.body, header.context);
        this.#losers.write(op, { key, reason: 'superseded', winnerStamp: header.collected });
      } else this.#apply(key, left, { current, lease: null, at, region });
    }
    for (const dot of entry.settled) header.context.add(dot);
    return entry.effects.map(({ key, op }) => ({ dot: op.dot, key }));
  }

  /** The write; of one that was taken away by what came first, and may be forgotten, what is left to do. null: nothing. */
  notTaken(op: Operation, { key, current }: { key: string; current: KeyRecord | null }): Operation | null {
    const { header } = this.#parts;
    if (!header.takenAway.has(key, op)) return op;
    const left = leftHere(op, { current, known: header });
    if (left === null) header.takenAway.note(key, op.body, header.context);
    return left;
  }

  /** A value of another region as it was, or later than, when that region had applied `positions`. */
  mergeExchanged(
    key: string,
    bytes: Uint8Array,
    { region, positions }: { region: RegionId; positions: Positions },
  ): void {
    const { header } = this.#parts;
    const current = this.read(key);
    const given = decodeValue(new ByteReader(bytes));
    const known = { mine: current?.value ?? null, seen: header.context, collected: header.collected };
    // A region that is restored may have deleted what nobody else hears of: it takes that anew, or they would stay apart.
    const incoming = header.reseeding === null ? withoutSeen(given, known) : given;
    const { state, discarded } =
      current === null ? { state: incoming, discarded: [] } : mergeValues(current.value, incoming);
    this.#losers.record(discarded, { key, value: state, region, own: false });
    if (current !== null && sameParts(current.value, state)) return;
    this.#put(
      key,
      {
        value: state,
        lease: sameRegister(current?.value ?? null, state) ? (current?.lease ?? null) : null,
        given: null,
      },
      current,
    );
    if (!isTombstone(state)) return;
    // What was taken away here before is in it, too.
    this.tombstones.addExchanged(key, state, {
      positions: laterPositions(positions, this.#positions()),
      number: ++header.exchangedTombstones,
      clusterMs: header.clusterMs,
    });
  }

  /** The value of the region that this one is re-seeded from, which had applied so much by then; null: it has no such key. */
  replace(
    key: string,
    bytes: Uint8Array | null,
    { positions, context }: { readonly positions: Positions; readonly context: CausalContext },
  ): void {
    const { header, leases } = this.#parts;
    const current = this.read(key);
    const incoming = bytes === null ? null : decodeValue(new ByteReader(bytes));
    if (current !== null) this.#losers.keepUnsent(key, current.value, { value: incoming, context });
    if (incoming === null) {
      if (current === null) return;
      if (current.lease !== null) leases.detach(current.lease, key);
      this.digests.replace(key, current.value, null);
      this.records.delete(key);
      this.#changes.push({ key, stamp: valueStamp(current.value), typed: false, value: null });
      return;
    }
    this.#put(key, { value: incoming, lease: null, given: null }, current);
    if (isTombstone(incoming))
      this.tombstones.addExchanged(key, incoming, {
        positions,
        number: ++header.exchangedTombstones,
        clusterMs: header.clusterMs,
      });
  }

  /**
   * A new log, as of an empty region: the one before was ended by others. Its name differs from that of an earlier one which
   * followed on the same, and is known to others after all nodes were put back to a backup.
   */
  renameOrigin(outSince: Stamp): void {
    const { header, region, partition } = this.#parts;
    const founder = `${header.origin}/${stampToText(outSince)}/${header.clusterMs}`;
    header.origin = originOf(region, partition, founder);
    header.lastDot = 0;
    header.origins.set(header.origin, originState(region));
    header.replicaRegions.set(header.origin, region);
  }

  #apply(
    key: string,
    op: Operation,
    {
      current,
      lease,
      at,
      region,
      given = op.stamp,
    }: { current: KeyRecord | null; lease: string | null; at: Place; region: RegionId; given?: Stamp },
  ): { value: Value; changed: boolean; discarded: readonly Discarded[] } {
    const { header } = this.#parts;
    header.takenAway.note(key, op.body, header.context);
    const merged = applyOperation(current?.value ?? null, op, header.context);
    header.context.add(op.dot);
    header.clock = stampMax(header.clock, op.stamp);
    this.#losers.record(merged.discarded, { key, value: merged.state, region, own: true, op });
    if (current !== null && sameParts(current.value, merged.state))
      return { value: current.value, changed: false, discarded: merged.discarded };
    const value =
      isRegister(op) && merged.state.parts.length === 1 ? merged.state : compactValue(merged.state, header.context);
    const stays = current !== null && sameRegister(current.value, value);
    this.#put(
      key,
      { value, lease: stays ? current.lease : lease, given: givenOf(value, { op, given, current }) },
      current,
    );
    if (isTombstone(value))
      this.tombstones.add(key, value, {
        ...at,
        clusterMs: header.clusterMs,
        positions: () => this.#positions(),
      });
    return { value, changed: true, discarded: merged.discarded };
  }

  #put(key: string, record: KeyRecord, previous: KeyRecord | null): void {
    const { leases, header } = this.#parts;
    const before = previous?.lease ?? null;
    if (before !== null && before !== record.lease) leases.detach(before, key);
    if (record.lease !== null && before !== record.lease) leases.attach(record.lease, key);
    const stamp = valueStamp(record.value);
    header.clock = stampMax(header.clock, stamp);
    this.digests.replace(key, previous?.value ?? null, record.value);
    this.records.put(key, record);
    const shown = visiblePart(record.value);
    const isTyped = shown !== null && shown.type !== 'register';
    this.#changes.push({ key, stamp, typed: isTyped, value: shown?.type === 'register' ? shown.value : null });
  }

  /**
   * Of an ended log: the tombstone that beats this may be gone, as it waited for that region no more; one that is there may
   * be of an earlier delete of the same log. Whoever took the entry first still had it, so if the write stands there it comes
   * by state exchange. Its dot stays unseen until then: a context that held it would make a removal of it.
   */
  #mayBeBuried({ body, stamp }: Operation): boolean {
    return body.type !== 'delete' && compareStamps(stamp, this.#parts.header.collected) <= 0;
  }

  #clamp(stamp: Stamp): Stamp {
    const { header } = this.#parts;
    if (stamp.wallMs <= this.#reading.clampMs) return stamp;
    const clamped = clampStamp(stamp, this.#reading.clampMs, header.clampFloors.get(stamp.replica) ?? null);
    header.clampFloors.set(stamp.replica, clamped);
    return clamped;
  }

  #own(): NonNullable<ReturnType<StateHeader['origins']['get']>> {
    const { header, region } = this.#parts;
    let own = header.origins.get(header.origin);
    if (own === undefined) {
      own = originState(region);
      header.origins.set(header.origin, own);
    }
    return own;
  }

  /** All that is applied here, what the commands of this batch wrote included. */
  #positions(): Positions {
    const { header } = this.#parts;
    const positions = new Map(Array.from(header.origins, ([origin, { applied }]) => [origin, applied] as const));
    return positions.set(header.origin, this.#ownPlace().sequence - 1);
  }

  /** Of the entry that the command at hand makes. */
  #ownPlace(): Place {
    return { origin: this.#parts.header.origin, sequence: this.#own().applied + this.#entryCount + 1 };
  }
}
