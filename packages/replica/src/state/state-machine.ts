import { assert, equalBytes, type NodeId, type PartitionId, type RegionId, type ReplicaId } from '@skerry/base';
import {
  isTombstone,
  registerValue,
  stampFromText,
  stampToText,
  valueStamp,
  valueType,
  type Dot,
  type Stamp,
  type Value,
  type ValueType,
} from '@skerry/crdt';
import type { ConfigState } from '@skerry/raft';
import { stateKeys, type StateKeys } from '../keys.ts';
import type { Compare, TxnOperation } from '../requests.ts';
import type { StagedStore } from '../staged-store.ts';
import type { Batch } from './batch.ts';
import type { Command, CommandId } from './command.ts';
import { Copies, type WriteName } from './copies.ts';
import { expire } from './expiry.ts';
import { encodeChanges, type Change } from './feed.ts';
import { decodeHeader, emptyHeader, encodeHeader, type StateHeader } from './header.ts';
import type { KeyRecord } from './key-record.ts';
import { Leases } from './leases.ts';
import { decodeConflict } from './ledger.ts';
import { Members } from './members.ts';
import type { Promotion } from './promotion.ts';
import { Receipts } from './receipts.ts';
import { Regions } from './regions.ts';
import type { CommandResult, TxnResult } from './result.ts';
import { sessionBirthMs, Sessions, type Session } from './sessions.ts';
import type { ConflictCount } from './losers.ts';
import { Values, type WriteEnd } from './values.ts';

/** What applying one log entry came to. */
export interface AppliedBatch {
  readonly index: number;
  readonly results: readonly { readonly id: CommandId; readonly result: CommandResult }[];
  readonly changes: readonly Change[];
  /** Dots that are settled now: whoever holds such a pending write lets go of it. */
  readonly settled: readonly { readonly dot: Dot; readonly key: string }[];
  readonly membersChanged: boolean;
  readonly regionsChanged: boolean;
  readonly conflicts: readonly ConflictCount[];
  /** Operations of other regions whose stamps lie further in the future than clocks may differ. */
  readonly stampsAhead: number;
}

export interface StateOptions {
  readonly region: RegionId;
  readonly partition: PartitionId;
  readonly generation: number;
  readonly initial: { readonly config: ConfigState; readonly applied: number; readonly term: number };
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
  readonly copies: Copies;
  readonly receipts: Receipts;
  readonly values: Values;
  readonly regions: Regions;
  readonly #store: StagedStore;
  #headerDirty = false;
  // Collected while one batch is applied.
  #results: { id: CommandId; result: CommandResult }[] = [];
  #settled: { dot: Dot; key: string }[] = [];
  #membersChanged = false;
  #regionsChanged = false;

  /** Opens the state of `generation`, or starts an empty one from `initial`. */
  constructor(store: StagedStore, { region, partition, generation, initial }: StateOptions) {
    this.#store = store;
    this.keys = stateKeys(partition, generation);
    const record = store.get(this.keys.header);
    this.header =
      record === undefined ? emptyHeader(initial.config, initial.applied, initial.term) : decodeHeader(record);
    this.#headerDirty = record === undefined;
    this.sessions = new Sessions(this.keys, store);
    this.leases = new Leases(this.keys, store);
    this.members = new Members(this.keys, store);
    this.receipts = new Receipts(this.keys, store, this.header.receipts);
    this.copies = new Copies(this.keys, store, this);
    this.values = new Values({ keys: this.keys, store, header: this.header, leases: this.leases, region, partition });
    this.regions = new Regions({ header: this.header, values: this.values, region, partition });
  }

  get applied(): number {
    return this.header.applied;
  }

  /** The committed record, tombstones included. */
  read(key: string): KeyRecord | null {
    return this.values.read(key);
  }

  /** An entry without commands (no-op, configuration) also moves the applied index. */
  skip(index: number, term: number, config: ConfigState | null): void {
    this.#advance(index, term);
    if (config !== null) this.header.config = config;
  }

  /** `entry`: the data of the log entry that `batch` was decoded from, if there is one. */
  apply(index: number, term: number, batch: Batch, entry: Uint8Array | null = null): AppliedBatch {
    this.#advance(index, term);
    this.header.clusterMs = Math.max(this.header.clusterMs, batch.clusterMs);
    this.#results = [];
    this.#settled = [];
    this.#membersChanged = false;
    this.#regionsChanged = false;
    this.values.begin(batch);
    for (const command of batch.commands) {
      this.#applyCommand(command);
      this.values.endCommand();
    }
    const { changes, conflicts, stampsAhead } = this.values.end();
    if (changes.length > 0) this.#store.deferDirect(this.keys.feed(index), encodeChanges(changes, entry));
    return {
      index,
      results: this.#results,
      changes,
      settled: this.#settled,
      membersChanged: this.#membersChanged,
      regionsChanged: this.#regionsChanged,
      conflicts,
      stampsAhead,
    };
  }

  /** Writes what is kept decoded into the deferred writes; call before they enter a batch. */
  save(): void {
    this.sessions.save();
    this.receipts.save();
    this.values.digests.save();
    if (!this.#headerDirty) return;
    this.#store.deferDirect(this.keys.header, encodeHeader(this.header));
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
    for (const { key } of this.#store.scan({
      from: this.keys.feed(this.header.feedFirst),
      to: this.keys.feed(index + 1),
    })) {
      this.#store.deferDeleteDirect(key);
    }
    this.header.feedFirst = index + 1;
    this.#headerDirty = true;
  }

  #advance(index: number, term: number): void {
    assert(index === this.header.applied + 1, 'entries are applied in order, each once', {
      index,
      applied: this.header.applied,
    });
    this.header.applied = index;
    this.header.term = term;
    this.#headerDirty = true;
  }

  #applyCommand(command: Command): void {
    switch (command.kind) {
      case 'promote':
        return this.#promote(command.id, command.write);
      case 'expire':
        return expire(this, this.#store, command.retention, (keys) => {
          for (const key of keys) this.#deleteKey(key);
        });
      case 'remote':
        for (const settled of this.regions.applyRemote(command)) this.#settled.push(settled);
        return;
      case 'regionSet':
        this.#regionsChanged = this.regions.set(command) || this.#regionsChanged;
        return;
      case 'retain':
        return this.regions.retain(command);
      case 'mergeValues':
        // Asked for before this region was told that it is out; what it is given now is compared with what is there.
        if (this.regions.isReplacing()) return;
        for (const { key, value } of command.values) this.values.mergeExchanged(key, value, command);
        return;
      case 'adopt':
        return this.regions.adopt(command);
      case 'reseed':
        return this.regions.reseed(command);
      case 'seeding':
        return this.regions.seeding(command);
      case 'reseeded':
        this.#regionsChanged = this.regions.reseeded(command) || this.#regionsChanged;
        return;
      case 'offer':
        this.#settled.push(...this.regions.takeOffer(command));
        return;
      case 'replaceValues':
        if (this.header.reseeding === null) return;
        this.regions.replaces();
        for (const { key, value } of command.values) this.values.replace(key, value, command);
        this.values.graves.take(command.graves);
        return;
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
        return this.#applyWrite(command);
    }
  }

  /** A command with (client, sequence): takes effect unless it did before, was fenced, or comes too late. */
  #applyWrite(command: WriteCommand): void {
    const { id } = command;
    const session = this.#sessionOf(id, this.header.sessionHorizonMs);
    if (session === null || session.revived) {
      this.#results.push({ id, result: { kind: 'error', code: 'SESSION_EXPIRED' } });
      return;
    }
    if (session.done.has(id.sequence)) {
      const first = this.resultOf(session, id);
      this.#results.push({ id, result: first ?? { kind: 'error', code: 'SEQUENCE_ANSWERED' } });
      return;
    }
    if (id.sequence < session.answeredBelow) {
      this.#results.push({ id, result: { kind: 'error', code: 'SEQUENCE_ANSWERED' } });
      return;
    }
    // What took effect now would be gone when the state is replaced; so it never does.
    const result: CommandResult = this.header.reseeding === null ? this.#execute(command) : { kind: 'notApplied' };
    this.sessions.finish(id.client, session, { sequence: id.sequence, result });
    this.#results.push({ id, result });
  }

  #execute(command: WriteCommand): CommandResult {
    switch (command.kind) {
      case 'fence':
        return { kind: 'notApplied' };
      case 'set':
        if (command.lease !== null && this.leases.find(command.lease) === null)
          return { kind: 'error', code: 'LEASE_NOT_FOUND' };
        return ended(this.values.write(command.key, { type: 'register', value: command.value }, command.lease));
      case 'delete':
        this.#deleteKey(command.key);
        return { kind: 'applied', stamp: null };
      case 'update': {
        const end = this.values.write(command.key, this.copies.renameContext(command.request), null);
        if ('error' in end) return ended(end);
        const { type } = command.request;
        // A set or a document may be large: who wants it reads it.
        if (type === 'set' || type === 'document') return { kind: 'updated', stamp: end.stamp, value: null };
        return { kind: 'updated', stamp: end.stamp, value: this.read(command.key)?.value ?? null };
      }
      case 'swap': {
        const current = this.read(command.key)?.value ?? null;
        const type = valueType(current);
        if (type !== null && type !== 'register') return { kind: 'error', code: 'WRONG_TYPE' };
        const value = registerValue(current);
        if (!sameValue(value, command.oldValue))
          return { kind: 'refused', value, stamp: value === null ? null : stampOf(current) };
        if (command.lease !== null && this.leases.find(command.lease) === null)
          return { kind: 'error', code: 'LEASE_NOT_FOUND' };
        if (command.newValue !== null)
          return ended(this.values.write(command.key, { type: 'register', value: command.newValue }, command.lease));
        this.#deleteKey(command.key);
        return { kind: 'applied', stamp: null };
      }
      case 'txn':
        return this.#transact(command);
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
        for (const key of this.leases.keysOf(command.lease)) this.#deleteKey(key);
        this.leases.remove(command.lease);
        return { kind: 'lease', ttlMs: 0 };
      }
    }
  }

  #transact(command: Extract<Command, { kind: 'txn' }>): CommandResult {
    const succeeded = command.compares.every((compare) => this.#compares(compare));
    const branch = succeeded ? command.then : command.otherwise;
    // All or nothing: what would fail refuses the whole before anything is written (I14).
    const types: Map<string, ValueType | null> = new Map();
    for (const operation of branch) {
      if (operation.kind === 'set' && operation.lease !== undefined && this.leases.find(operation.lease) === null) {
        return { kind: 'error', code: 'LEASE_NOT_FOUND' };
      }
      // It was checked when the request came, against the limit of another node than the one that wrote the entry.
      if (operation.kind === 'set' && !this.values.hasRoomFor(operation.value))
        return { kind: 'error', code: 'LIMIT_EXCEEDED' };
      const { key } = operation;
      if (!types.has(key)) types.set(key, valueType(this.read(key)?.value ?? null));
      const type = types.get(key) ?? null;
      if (operation.kind !== 'delete' && type !== null && type !== 'register')
        return { kind: 'error', code: 'WRONG_TYPE' };
      types.set(key, operation.kind === 'set' ? 'register' : operation.kind === 'delete' ? null : type);
    }
    return { kind: 'txn', succeeded, results: branch.map((operation) => this.#transactOne(operation)) };
  }

  #transactOne(operation: TxnOperation): TxnResult {
    const { key } = operation;
    switch (operation.kind) {
      case 'get': {
        const current = this.read(key)?.value ?? null;
        const value = registerValue(current);
        return { key, value, stamp: value === null ? null : stampOf(current) };
      }
      case 'set': {
        const end = this.values.write(key, { type: 'register', value: operation.value }, operation.lease ?? null);
        // Types, leases and sizes were checked.
        assert('stamp' in end, 'a set in a transaction cannot fail', { key });
        return { key, value: null, stamp: end.stamp };
      }
      case 'delete':
        this.#deleteKey(key);
        return { key, value: null, stamp: null };
    }
  }

  #compares(compare: Compare): boolean {
    const current = this.read(compare.key)?.value ?? null;
    // A value of another type equals no register, and is not missing either.
    if (compare.kind === 'value')
      return visibleType(current) !== 'other' && sameValue(registerValue(current), compare.equals);
    const version = current !== null && !isTombstone(current) ? stampToText(valueStamp(current)) : '';
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

  /** DESIGN section 3: each dot takes effect once; the merge rule of the key's type decides. */
  #promote(id: CommandId, write: Promotion): void {
    const { key } = write;
    const { dot } = write.op;
    // While the state is being replaced, writes stay pending.
    if (this.header.context.has(dot) || this.header.reseeding !== null) return;
    this.#settled.push({ dot, key });
    const session = this.#sessionOf(id, this.header.sessionQuorumlessHorizonMs);
    if (session === null) return this.#reject(write, 'SESSION_EXPIRED');
    this.sessions.setQuorumless(id.client, session);
    if (session.done.has(id.sequence)) {
      // Its client had it fenced: that told that it is not applied, so it is not, but it was acknowledged too.
      if (!session.promoted.has(id.sequence)) return this.#reject(write, 'FENCED');
      // The client's retry was accepted by two nodes; the other copy was here first, and what became of it became of this one.
      const first = this.receipts.firstOf(id);
      if (first !== null) this.copies.add(write.op, first.dot, this.read(key)?.value ?? null);
      if (first === null || !this.values.replaceFirst(write, first.dot)) this.values.settle(dot);
      const state = session.superseded.has(id.sequence) ? 'superseded' : 'promoted';
      this.receipts.settle({ dot, receipt: first?.receipt ?? { state, stamp: null, reason: null }, write: null });
      return;
    }
    const receipt = this.values.promote({ ...write, op: this.copies.rename(write.op) });
    this.receipts.settle({ dot, receipt, write: id });
    this.sessions.promoted(id.client, session, { sequence: id.sequence, superseded: receipt.state === 'superseded' });
    this.#results.push({ id, result: { kind: 'promoted', stamp: receipt.stamp, dot } });
  }

  /** What a write came to that is done; null: its client has had the answer. */
  resultOf(session: Session, id: WriteName): CommandResult | null {
    const owed = session.results.get(id.sequence)?.result;
    if (owed !== undefined || !session.promoted.has(id.sequence)) return owed ?? null;
    const first = this.receipts.firstOf(id);
    return first === null ? null : { kind: 'promoted', stamp: first.receipt.stamp, dot: first.dot };
  }

  #reject(write: Promotion, reason: string): void {
    this.values.reject(write);
    this.receipts.settle({ dot: write.op.dot, receipt: { state: 'rejected', stamp: null, reason }, write: null });
  }

  #deleteKey(key: string): void {
    const existing = this.read(key);
    if (existing !== null && !isTombstone(existing.value)) this.values.write(key, { type: 'delete' }, null);
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

  /** Records of the ledger with lower numbers than `number`, the newest first. */
  *conflictsBelow(
    number: number,
  ): Generator<{ readonly number: number; readonly record: Uint8Array }, void, undefined> {
    const all = this.keys.range('o');
    const range = {
      from: all.from,
      to: number < this.header.conflicts.next ? this.keys.conflict(number) : all.to,
      reverse: true,
    };
    for (const { key, value } of this.#store.scan(range))
      yield { number: Number.parseInt(key.slice(-12), 16), record: value };
  }

  admittedAs(node: NodeId): ReplicaId | null {
    return this.header.admitted.get(node) ?? null;
  }
}

type WriteCommand = Exclude<
  Command,
  {
    kind:
      | 'promote'
      | 'expire'
      | 'announce'
      | 'memberSet'
      | 'memberRemove'
      | 'admit'
      | 'remote'
      | 'regionSet'
      | 'retain'
      | 'mergeValues'
      | 'adopt'
      | 'reseed'
      | 'seeding'
      | 'reseeded'
      | 'offer'
      | 'replaceValues';
  }
>;

function ended(end: WriteEnd): CommandResult {
  return 'error' in end ? { kind: 'error', code: end.error } : { kind: 'applied', stamp: end.stamp };
}

function stampOf(value: Value | null): Stamp | null {
  return value === null ? null : valueStamp(value);
}

function visibleType(value: Value | null): 'none' | 'register' | 'other' {
  const type = valueType(value);
  return type === null ? 'none' : type === 'register' ? 'register' : 'other';
}

function sameValue(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}

/** True for a version as answers carry it. */
export function isVersion(text: string): boolean {
  return stampFromText(text) !== null;
}
