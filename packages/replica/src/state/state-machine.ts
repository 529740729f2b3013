import { assert, equalBytes, type NodeId, type PartitionId, type ReplicaId } from '@skerry/base';
import {
  clampStamp, compareStamps, equalDots, stampAfter, stampFromText, stampMax, stampToText, type Dot, type Stamp,
} from '@skerry/crdt';
import type { ConfigState } from '@skerry/raft';
import { stateKeys, type StateKeys } from '../keys.ts';
import type { Compare, ConflictEntry, TxnOperation } from '../requests.ts';
import type { StagedStore } from '../staged-store.ts';
import type { Batch } from './batch.ts';
import type { Command, CommandId, Promotion } from './command.ts';
import { expire } from './expiry.ts';
import { encodeChanges, type Change } from './feed.ts';
import { decodeHeader, emptyHeader, encodeHeader, type StateHeader } from './header.ts';
import { decodeKeyRecord, encodeKeyRecord, type KeyRecord } from './key-record.ts';
import { Leases } from './leases.ts';
import { decodeConflict, encodeConflict, type ConflictRecord } from './ledger.ts';
import { Members } from './members.ts';
import { Receipts, type ReceiptRecord } from './receipts.ts';
import type { CommandResult, TxnResult } from './result.ts';
import { sessionBirthMs, Sessions, type Session } from './sessions.ts';

/** What applying one log entry came to. */
export interface AppliedBatch {
  readonly index: number;
  readonly results: readonly { readonly id: CommandId; readonly result: CommandResult }[];
  readonly changes: readonly Change[];
  /** Dots that are settled now: whoever holds such a pending write lets go of it. */
  readonly settled: readonly { readonly dot: Dot; readonly key: string }[];
  readonly membersChanged: boolean;
}

/** The readings that every command of a batch shares. */
interface Reading {
  readonly wallMs: number;
  readonly clampMs: number;
  readonly replica: ReplicaId;
}

/**
 * The replicated state of one partition: a deterministic function of the log. All replicas that applied up to the same
 * index hold the same records, except for when they write them.
 */
export class StateMachine {
  readonly keys: StateKeys;
  readonly header: StateHeader;
  readonly sessions: Sessions;
  readonly leases: Leases;
  readonly members: Members;
  readonly receipts: Receipts;
  readonly #store: StagedStore;
  #headerDirty = false;
  // Collected while one batch is applied.
  #results: { id: CommandId; result: CommandResult }[] = [];
  #changes: Change[] = [];
  #settled: { dot: Dot; key: string }[] = [];
  #membersChanged = false;

  /** Opens the state of `generation`, or starts an empty one from `initial`. */
  constructor(store: StagedStore, partition: PartitionId, generation: number, initial: { config: ConfigState; applied: number; term: number }) {
    this.#store = store;
    this.keys = stateKeys(partition, generation);
    const record = store.get(this.keys.header);
    this.header = record === undefined ? emptyHeader(initial.config, initial.applied, initial.term) : decodeHeader(record);
    this.#headerDirty = record === undefined;
    this.sessions = new Sessions(this.keys, store);
    this.leases = new Leases(this.keys, store);
    this.members = new Members(this.keys, store);
    this.receipts = new Receipts(this.keys, store, this.header.receipts);
  }

  get applied(): number {
    return this.header.applied;
  }

  /** The committed record, tombstones included. */
  read(key: string): KeyRecord | null {
    const record = this.#store.get(this.keys.user(key));
    return record === undefined ? null : decodeKeyRecord(record);
  }

  /** An entry without commands (no-op, configuration) also moves the applied index. */
  skip(index: number, term: number, config: ConfigState | null): void {
    this.#advance(index, term);
    if (config !== null) this.header.config = config;
  }

  apply(index: number, term: number, batch: Batch): AppliedBatch {
    this.#advance(index, term);
    this.header.clusterMs = Math.max(this.header.clusterMs, batch.clusterMs);
    this.#results = [];
    this.#changes = [];
    this.#settled = [];
    this.#membersChanged = false;
    for (const command of batch.commands) this.#applyCommand(command, batch);
    if (this.#changes.length > 0) this.#store.defer(this.keys.feed(index), encodeChanges(this.#changes));
    return {
      index, results: this.#results, changes: this.#changes, settled: this.#settled, membersChanged: this.#membersChanged,
    };
  }

  /** Writes what is kept decoded into the deferred writes; call before they enter a batch. */
  save(): void {
    this.sessions.save();
    if (!this.#headerDirty) return;
    this.#store.defer(this.keys.header, encodeHeader(this.header));
    this.#headerDirty = false;
  }

  /** The state came by snapshot: there is no feed before it. */
  startFeed(): void {
    this.header.feedFirst = this.header.applied + 1;
    this.#headerDirty = true;
  }

  /** Forgets the feed up to and including `index`: watch cursors before it start over. */
  trimFeed(index: number): void {
    if (index < this.header.feedFirst) return;
    for (const { key } of this.#store.scan({ from: this.keys.feed(this.header.feedFirst), to: this.keys.feed(index + 1) })) {
      this.#store.deferDelete(key);
    }
    this.header.feedFirst = index + 1;
    this.#headerDirty = true;
  }

  #advance(index: number, term: number): void {
    assert(index === this.header.applied + 1, 'entries are applied in order, each once', { index, applied: this.header.applied });
    this.header.applied = index;
    this.header.term = term;
    this.#headerDirty = true;
  }

  #applyCommand(command: Command, reading: Reading): void {
    switch (command.kind) {
      case 'promote':
        return this.#promote(command.id, command.write, reading);
      case 'expire':
        return expire(this, this.#store, command.retention, (keys) => {
          for (const key of keys) this.#writeKey(key, null, { reading, lease: null });
        });
      case 'announce':
        this.#membersChanged = this.members.announce(command.member) || this.#membersChanged;
        return;
      case 'memberSet':
        this.#membersChanged = this.members.set(command.member) || this.#membersChanged;
        return;
      case 'memberRemove':
        this.#membersChanged = this.members.remove(command.node) || this.#membersChanged;
        return;
      case 'admit':
        this.header.admitted.set(command.node, command.replica);
        return;
      default:
        return this.#applyWrite(command, reading);
    }
  }

  /** A command with (client, sequence): takes effect unless it did before, was fenced, or comes too late. */
  #applyWrite(command: Exclude<Command, { kind: 'promote' | 'expire' | 'announce' | 'memberSet' | 'memberRemove' | 'admit' }>, reading: Reading): void {
    const { id } = command;
    const session = this.#sessionOf(id, this.header.sessionHorizonMs);
    if (session === null || session.revived) {
      this.#results.push({ id, result: { kind: 'error', code: 'SESSION_EXPIRED' } });
      return;
    }
    if (session.done.has(id.sequence)) {
      const first = session.results.get(id.sequence)?.result;
      this.#results.push({ id, result: first ?? { kind: 'error', code: 'SEQUENCE_ANSWERED' } });
      return;
    }
    if (id.sequence < session.answeredBelow) {
      this.#results.push({ id, result: { kind: 'error', code: 'SEQUENCE_ANSWERED' } });
      return;
    }
    const result = this.#execute(command, reading);
    this.sessions.finish(id.client, session, { sequence: id.sequence, result });
    this.#results.push({ id, result });
  }

  #execute(command: Exclude<Command, { kind: 'promote' | 'expire' | 'announce' | 'memberSet' | 'memberRemove' | 'admit' }>, reading: Reading): CommandResult {
    switch (command.kind) {
      case 'fence':
        return { kind: 'notApplied' };
      case 'set':
        if (command.lease !== null && this.leases.find(command.lease) === null) return { kind: 'error', code: 'LEASE_NOT_FOUND' };
        return { kind: 'applied', stamp: this.#writeKey(command.key, command.value, { reading, lease: command.lease }) };
      case 'delete': {
        const existing = this.read(command.key);
        if (existing === null || existing.value === null) return { kind: 'applied', stamp: null };
        this.#writeKey(command.key, null, { reading, lease: null });
        return { kind: 'applied', stamp: null };
      }
      case 'swap': {
        const current = this.read(command.key);
        const value = current?.value ?? null;
        if (!sameValue(value, command.oldValue)) {
          return { kind: 'refused', value, stamp: value === null ? null : (current?.stamp ?? null) };
        }
        if (command.lease !== null && this.leases.find(command.lease) === null) return { kind: 'error', code: 'LEASE_NOT_FOUND' };
        if (command.newValue === null && value === null) return { kind: 'applied', stamp: null };
        const stamp = this.#writeKey(command.key, command.newValue, { reading, lease: command.lease });
        return { kind: 'applied', stamp: command.newValue === null ? null : stamp };
      }
      case 'txn':
        return this.#transact(command, reading);
      case 'leaseGrant': {
        if (this.leases.find(command.lease) !== null) return { kind: 'error', code: 'LEASE_EXISTS' };
        this.leases.extend(command.lease, command.ttlMs, this.header.clusterMs);
        return { kind: 'lease', ttlMs: command.ttlMs };
      }
      case 'leaseKeepAlive': {
        const lease = this.leases.find(command.lease);
        if (lease === null) return { kind: 'error', code: 'LEASE_NOT_FOUND' };
        this.leases.extend(command.lease, lease.ttlMs, this.header.clusterMs);
        return { kind: 'lease', ttlMs: lease.ttlMs };
      }
      case 'leaseRevoke': {
        const lease = this.leases.find(command.lease);
        if (lease === null) return { kind: 'error', code: 'LEASE_NOT_FOUND' };
        for (const key of this.leases.keysOf(command.lease)) this.#writeKey(key, null, { reading, lease: null });
        this.leases.remove(command.lease);
        return { kind: 'lease', ttlMs: 0 };
      }
    }
  }

  #transact(command: Extract<Command, { kind: 'txn' }>, reading: Reading): CommandResult {
    const succeeded = command.compares.every((compare) => this.#compares(compare));
    const branch = succeeded ? command.then : command.otherwise;
    // All or nothing: a lease that is missing refuses the whole before anything is written (I14).
    for (const operation of branch) {
      if (operation.kind === 'set' && operation.lease !== undefined && this.leases.find(operation.lease) === null) {
        return { kind: 'error', code: 'LEASE_NOT_FOUND' };
      }
    }
    return { kind: 'txn', succeeded, results: branch.map((operation) => this.#transactOne(operation, reading)) };
  }

  #transactOne(operation: TxnOperation, reading: Reading): TxnResult {
    const { key } = operation;
    switch (operation.kind) {
      case 'get': {
        const record = this.read(key);
        const value = record?.value ?? null;
        return { key, value, stamp: value === null ? null : (record?.stamp ?? null) };
      }
      case 'set':
        return { key, value: null, stamp: this.#writeKey(key, operation.value, { reading, lease: operation.lease ?? null }) };
      case 'delete':
        if ((this.read(key)?.value ?? null) !== null) this.#writeKey(key, null, { reading, lease: null });
        return { key, value: null, stamp: null };
    }
  }

  #compares(compare: Compare): boolean {
    const record = this.read(compare.key);
    const value = record?.value ?? null;
    if (compare.kind === 'value') return sameValue(value, compare.equals);
    const version = record !== null && value !== null ? stampToText(record.stamp) : '';
    const wanted = compare.version ?? '';
    switch (compare.relation) {
      case '<':
        return version < wanted;
      case '=':
        return version === wanted;
      case '>':
        return version > wanted;
    }
  }

  /** DESIGN section 3: each dot takes effect once, the later stamp wins, the loser is kept in the ledger. */
  #promote(id: CommandId, write: Promotion, reading: Reading): void {
    const { dot, key } = write;
    if (!this.header.context.add(dot)) return;
    this.#settled.push({ dot, key });
    const session = this.#sessionOf(id, this.header.sessionQuorumlessHorizonMs);
    if (session === null) return this.#reject(write, reading, 'SESSION_EXPIRED');
    this.sessions.setQuorumless(id.client, session);
    if (session.done.has(id.sequence)) {
      // Its client had it fenced: that told that it is not applied, so it is not, but it was acknowledged too.
      if (!session.promoted.has(id.sequence)) return this.#reject(write, reading, 'FENCED');
      // The client's retry was accepted by two nodes; the other copy was here first, and what became of it became of this one.
      const first = session.results.get(id.sequence)?.result;
      const receipt = first?.kind === 'promoted' ? this.receipts.find(first.dot) : null;
      const state = session.superseded.has(id.sequence) ? 'superseded' : 'promoted';
      this.receipts.settle(dot, receipt ?? { state, stamp: null, reason: null });
      return;
    }
    const receipt = this.#mergePromotion(write, reading);
    this.receipts.settle(dot, receipt);
    const result: CommandResult = { kind: 'promoted', stamp: receipt.stamp, dot };
    if (receipt.state === 'superseded') session.superseded.add(id.sequence);
    this.sessions.finish(id.client, session, { sequence: id.sequence, result });
    this.#results.push({ id, result });
  }

  /** An acknowledged write that takes no effect is kept in the ledger, from where it can be restored (I12). */
  #reject(write: Promotion, reading: Reading, reason: string): void {
    this.#discard({ ...losing(write), winner: null, winnerStamp: write.stamp, timeMs: reading.wallMs, reason: 'rejected' });
    this.receipts.settle(write.dot, { state: 'rejected', stamp: null, reason });
  }

  #mergePromotion(write: Promotion, reading: Reading): ReceiptRecord {
    const current = this.read(write.key);
    const clamped = this.#clamp(write.stamp, reading.clampMs);
    const seen = current !== null && write.base !== null && sawBase(write.base, current);
    if (current !== null && !seen && compareStamps(clamped, current.stamp) <= 0) {
      this.#discard({ ...losing(write), winner: current.value, winnerStamp: current.stamp, timeMs: reading.wallMs, reason: 'superseded' });
      return { state: 'superseded', stamp: current.stamp, reason: null };
    }
    // A write that saw the current value comes after it, even if the clamp has put its stamp below.
    const stamp = current !== null && compareStamps(clamped, current.stamp) <= 0 ? stampAfter(current.stamp, 0, clamped.replica) : clamped;
    if (current !== null && !seen) {
      this.#discard({
        key: write.key, loser: current.value, loserStamp: current.stamp, winner: write.value, winnerStamp: stamp,
        timeMs: reading.wallMs, reason: 'overwrote',
      });
    }
    this.#putRecord(write.key, { value: write.value, stamp, dot: write.dot, lease: null }, current);
    return { state: 'promoted', stamp, reason: null };
  }

  #clamp(stamp: Stamp, clampMs: number): Stamp {
    if (stamp.wallMs <= clampMs) return stamp;
    const clamped = clampStamp(stamp, clampMs, this.header.clampFloors.get(stamp.replica) ?? null);
    this.header.clampFloors.set(stamp.replica, clamped);
    return clamped;
  }

  #discard(record: Omit<ConflictRecord, 'clusterMs'>): void {
    this.#store.defer(this.keys.conflict(this.header.conflicts.next++), encodeConflict({ ...record, clusterMs: this.header.clusterMs }));
  }

  /** A consistent write: its stamp is above every stamp of the partition, so above the committed one. */
  #writeKey(key: string, value: Uint8Array | null, { reading, lease }: { reading: Reading; lease: string | null }): Stamp {
    const stamp = stampAfter(this.header.clock, reading.wallMs, reading.replica);
    this.#putRecord(key, { value, stamp, dot: null, lease }, this.read(key));
    return stamp;
  }

  #putRecord(key: string, record: KeyRecord, previous: KeyRecord | null): void {
    if (previous !== null && previous.lease !== null && previous.lease !== record.lease) this.leases.detach(previous.lease, key);
    if (record.lease !== null && previous?.lease !== record.lease) this.leases.attach(record.lease, key);
    this.header.clock = stampMax(this.header.clock, record.stamp);
    this.#store.defer(this.keys.user(key), encodeKeyRecord(record));
    this.#changes.push({ key, value: record.value, stamp: record.stamp });
  }

  /** The session, made when it is new; null if it may be one that was forgotten. */
  #sessionOf(id: CommandId, horizonMs: number): Session | null {
    const { clusterMs } = this.header;
    let session = this.sessions.find(id.client);
    if (session === null) {
      if (sessionBirthMs(id.client) < horizonMs) return null;
      const revived = sessionBirthMs(id.client) < this.header.sessionHorizonMs;
      session = this.sessions.create(id.client, { clusterMs, revived });
    }
    this.sessions.touch(id.client, session, { clusterMs, answeredBelow: id.answeredBelow });
    return session;
  }

  /** Cluster time of the oldest record in the ledger; infinite when it is empty. */
  oldestConflictMs(): number {
    const { first, next } = this.header.conflicts;
    const record = first === next ? undefined : this.#store.get(this.keys.conflict(first));
    return record === undefined ? Number.POSITIVE_INFINITY : decodeConflict(record).clusterMs;
  }

  /** Newest first. */
  conflicts(prefix: string, limit: number, decode: (bytes: Uint8Array) => ConflictEntry): ConflictEntry[] {
    const found: ConflictEntry[] = [];
    for (const { value } of this.#store.scan({ ...this.keys.range('o'), reverse: true })) {
      const entry = decode(value);
      if (!entry.key.startsWith(prefix)) continue;
      found.push(entry);
      if (found.length >= limit) break;
    }
    return found;
  }

  admittedAs(node: NodeId): ReplicaId | null {
    return this.header.admitted.get(node) ?? null;
  }
}

function losing(write: Promotion): Pick<ConflictRecord, 'key' | 'loser' | 'loserStamp'> {
  return { key: write.key, loser: write.value, loserStamp: write.stamp };
}

function sawBase(base: { readonly stamp: Stamp; readonly dot: Dot | null }, current: KeyRecord): boolean {
  if (base.dot !== null && current.dot !== null) return equalDots(base.dot, current.dot);
  return compareStamps(base.stamp, current.stamp) === 0;
}

function sameValue(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}

/** True for a version as answers carry it. */
export function isVersion(text: string): boolean {
  return stampFromText(text) !== null;
}
