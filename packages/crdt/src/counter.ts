import { DecodeError, type ByteReader, type ByteWriter, type ReplicaId } from '@skerry/base';
import type { CausalContext } from './context.ts';
import type { Dot } from './dot.ts';
import { decodeLifetime, encodeLifetime, mergeLifetimes, written, type Lifetime } from './lifetime.ts';
import { checkLimit, type ValueLimits } from './limits.ts';
import type { Stamp } from './stamp.ts';
import { readSigned, readUnsigned, writeSigned, writeUnsigned } from './wide-integers.ts';

/** Sums over all of one replica's increments of this counter with a sequence up to `upTo`. Both sums only grow. */
export interface CounterPrefix {
  readonly upTo: number;
  readonly plus: bigint;
  readonly minus: bigint;
}

/**
 * A set of one replica's increments: those of a prefix as sums, those above it one by one. A prefix means *every*
 * increment of that replica up to there, so of two prefixes the longer contains the shorter and needs no comparison
 * of sums; an increment that arrives late, above or below others, is still counted exactly once.
 */
export interface IncrementSet {
  readonly prefix: CounterPrefix;
  /** Sequence (above the prefix) to amount. */
  readonly beyond: ReadonlyMap<number, bigint>;
}

export interface CounterEntry {
  readonly seen: IncrementSet;
  /** The increments that resets and deletes have observed: a subset of `seen` that no longer counts. */
  readonly reset: IncrementSet;
}

/**
 * PN-counter (Shapiro et al. 2011) with per-replica totals and an observed reset: reset and delete take away exactly
 * the increments that their writer saw, so an increment that races with them survives, whole and once. Increments
 * below a reset are never revived, since what was reset is itself a growing set.
 */
export interface CounterState extends Lifetime {
  readonly type: 'counter';
  readonly entries: ReadonlyMap<ReplicaId, CounterEntry>;
}

export type CounterOperation =
  | { readonly type: 'counter'; readonly action: 'add'; readonly amount: bigint }
  | { readonly type: 'counter'; readonly action: 'reset'; readonly observed: ReadonlyMap<ReplicaId, IncrementSet> };

export type CounterRequest =
  | { readonly type: 'counter'; readonly action: 'add'; readonly amount: number }
  | { readonly type: 'counter'; readonly action: 'reset' };

const noPrefix: CounterPrefix = { upTo: 0, plus: 0n, minus: 0n };
export const noIncrements: IncrementSet = { prefix: noPrefix, beyond: new Map() };

/**
 * The operation for `request` on `state`; null to reset what is not there.
 * @throws RangeError if the amount is not a safe integer; LimitError if too many increments are unfolded.
 */
export function prepareCounter(
  state: CounterState | null,
  request: CounterRequest,
  limits: ValueLimits,
): CounterOperation | null {
  if (request.action === 'reset') {
    return state === null ? null : { type: 'counter', action: 'reset', observed: observedIncrements(state) };
  }
  if (!Number.isSafeInteger(request.amount)) throw new RangeError(`not a safe integer: ${request.amount}`);
  if (state !== null) {
    let unfolded = 0;
    for (const { seen, reset } of state.entries.values()) unfolded += seen.beyond.size + reset.beyond.size;
    checkLimit(limits, 'unfoldedIncrementsMax', unfolded);
  }
  return { type: 'counter', action: 'add', amount: BigInt(request.amount) };
}

/** Every increment in `state`: what a reset or a delete of it takes away. */
export function observedIncrements(state: CounterState): ReadonlyMap<ReplicaId, IncrementSet> {
  return new Map([...state.entries].map(([replica, { seen }]) => [replica, seen] as const));
}

export function counterDelta(op: CounterOperation, dot: Dot, stamp: Stamp): CounterState {
  if (op.action === 'reset') return { type: 'counter', ...written(stamp), entries: resetEntries(op.observed) };
  const beyond = new Map([[dot.sequence, op.amount]]);
  const entry = { seen: foldContiguous({ prefix: noPrefix, beyond }), reset: noIncrements };
  return { type: 'counter', ...written(stamp), entries: new Map([[dot.replica, entry]]) };
}

/** A reset of `observed`: seen and reset at once, so that it may even arrive before the increments it took away. */
export function resetEntries(observed: ReadonlyMap<ReplicaId, IncrementSet>): ReadonlyMap<ReplicaId, CounterEntry> {
  return new Map([...observed].map(([replica, set]) => [replica, { seen: set, reset: set }] as const));
}

/** The same increments, one of them under another dot: its copy, which counts in its stead (see `DotAlias`). */
export function renameIncrement(
  observed: ReadonlyMap<ReplicaId, IncrementSet>,
  { from, to, amount }: { from: Dot; to: Dot; amount: bigint },
): ReadonlyMap<ReplicaId, IncrementSet> {
  const source = observed.get(from.replica);
  if (source === undefined || !holds(source, from.sequence)) return observed;
  const renamed = new Map(observed);
  renamed.set(from.replica, without(source, from.sequence, amount));
  const target = renamed.get(to.replica) ?? noIncrements;
  if (!holds(target, to.sequence)) {
    renamed.set(
      to.replica,
      foldContiguous({ prefix: target.prefix, beyond: new Map([...target.beyond, [to.sequence, amount]]) }),
    );
  }
  return renamed;
}

function holds({ prefix, beyond }: IncrementSet, sequence: number): boolean {
  return sequence <= prefix.upTo || beyond.has(sequence);
}

/** The dot stays known, and counts nothing. */
function without({ prefix, beyond }: IncrementSet, sequence: number, amount: bigint): IncrementSet {
  if (sequence <= prefix.upTo) {
    const counted =
      amount >= 0n ? { ...prefix, plus: prefix.plus - amount } : { ...prefix, minus: prefix.minus + amount };
    return { prefix: counted, beyond };
  }
  return { prefix, beyond: new Map([...beyond].filter(([other]) => other !== sequence)) };
}

export function mergeCounters(a: CounterState, b: CounterState): CounterState {
  const entries = new Map(a.entries);
  for (const [replica, theirs] of b.entries) {
    const mine = entries.get(replica);
    const merged =
      mine === undefined ? theirs : { seen: union(mine.seen, theirs.seen), reset: union(mine.reset, theirs.reset) };
    entries.set(replica, merged);
  }
  return { type: 'counter', ...mergeLifetimes(a, b), entries };
}

export function counterSum(state: CounterState): bigint {
  let sum = 0n;
  for (const { seen, reset } of state.entries.values()) sum += total(seen) - total(reset);
  return sum;
}

/**
 * Folds increments into prefixes. `seen` holds only dots whose effect, if it concerns this key, is already in the
 * state. Dots count all writes of a replica, so without this the increments of one key among many never form a prefix.
 */
export function compactCounter(state: CounterState, seen: CausalContext): CounterState {
  const entries = new Map<ReplicaId, CounterEntry>();
  for (const [replica, entry] of state.entries) entries.set(replica, foldUpTo(entry, seen.maxOf(replica)));
  return { ...state, entries };
}

function total({ prefix, beyond }: IncrementSet): bigint {
  let sum = prefix.plus - prefix.minus;
  for (const amount of beyond.values()) sum += amount;
  return sum;
}

function union(a: IncrementSet, b: IncrementSet): IncrementSet {
  const prefix = longerPrefix(a.prefix, b.prefix);
  const beyond = new Map<number, bigint>();
  for (const [sequence, amount] of [...a.beyond, ...b.beyond]) {
    if (sequence <= prefix.upTo) continue;
    const known = beyond.get(sequence);
    // Two amounts under one dot: a replica id was used twice. The larger is taken everywhere, as in DotStore.
    beyond.set(sequence, known === undefined || amount > known ? amount : known);
  }
  return foldContiguous({ prefix, beyond });
}

/** Equal lengths mean equal sums, unless a replica id was used twice; the larger sums are taken everywhere then. */
function longerPrefix(a: CounterPrefix, b: CounterPrefix): CounterPrefix {
  if (a.upTo !== b.upTo) return a.upTo > b.upTo ? a : b;
  if (a.plus !== b.plus) return a.plus > b.plus ? a : b;
  return a.minus >= b.minus ? a : b;
}

function foldContiguous(set: IncrementSet): IncrementSet {
  if (!set.beyond.has(set.prefix.upTo + 1)) return set;
  let prefix = set.prefix;
  const beyond = new Map(set.beyond);
  for (let next = prefix.upTo + 1; beyond.has(next); next++) {
    prefix = extended(prefix, next, beyond.get(next) as bigint);
    beyond.delete(next);
  }
  return { prefix, beyond };
}

function foldUpTo({ seen, reset }: CounterEntry, upTo: number): CounterEntry {
  if (upTo <= seen.prefix.upTo) return { seen, reset };
  const below = [...seen.beyond.keys()].filter((sequence) => sequence <= upTo).sort((x, y) => x - y);
  let prefix = seen.prefix;
  // The reset prefix can follow as long as it holds everything that the seen one does.
  let resetPrefix = reset.prefix;
  let resetFollows = resetPrefix.upTo === prefix.upTo;
  const resetBeyond = new Map(reset.beyond);
  for (const sequence of below) {
    const amount = seen.beyond.get(sequence) as bigint;
    prefix = extended(prefix, sequence, amount);
    resetFollows &&= resetBeyond.delete(sequence);
    if (resetFollows) resetPrefix = extended(resetPrefix, sequence, amount);
  }
  if (resetFollows) resetPrefix = { ...resetPrefix, upTo };
  const beyond = new Map([...seen.beyond].filter(([sequence]) => sequence > upTo));
  return {
    seen: foldContiguous({ prefix: { ...prefix, upTo }, beyond }),
    reset: foldContiguous({ prefix: resetPrefix, beyond: resetBeyond }),
  };
}

function extended(prefix: CounterPrefix, upTo: number, amount: bigint): CounterPrefix {
  if (amount >= 0n) return { upTo, plus: prefix.plus + amount, minus: prefix.minus };
  return { upTo, plus: prefix.plus, minus: prefix.minus - amount };
}

export function encodeCounter(w: ByteWriter, state: CounterState): void {
  encodeLifetime(w, state);
  w.varint(state.entries.size);
  for (const [replica, entry] of [...state.entries].sort(([a], [b]) => a - b)) {
    w.u48(replica);
    encodeIncrements(w, entry.seen);
    encodeIncrements(w, entry.reset);
  }
}

export function decodeCounter(r: ByteReader): CounterState {
  const lifetime = decodeLifetime(r);
  const entries = decodeByReplica(r, (): CounterEntry => {
    const seen = decodeIncrements(r);
    const reset = decodeIncrements(r);
    if (reset.prefix.upTo > seen.prefix.upTo) throw new DecodeError('a reset exceeds what was seen');
    return { seen, reset };
  });
  return { type: 'counter', ...lifetime, entries };
}

export function encodeCounterOperation(w: ByteWriter, op: CounterOperation): void {
  w.bool(op.action === 'add');
  if (op.action === 'add') writeSigned(w, op.amount);
  else encodeObserved(w, op.observed);
}

export function decodeCounterOperation(r: ByteReader): CounterOperation {
  if (r.bool()) return { type: 'counter', action: 'add', amount: readSigned(r) };
  return { type: 'counter', action: 'reset', observed: decodeObserved(r) };
}

export function encodeObserved(w: ByteWriter, observed: ReadonlyMap<ReplicaId, IncrementSet>): void {
  w.varint(observed.size);
  for (const [replica, set] of [...observed].sort(([a], [b]) => a - b)) {
    w.u48(replica);
    encodeIncrements(w, set);
  }
}

export function decodeObserved(r: ByteReader): ReadonlyMap<ReplicaId, IncrementSet> {
  return decodeByReplica(r, () => decodeIncrements(r));
}

function decodeByReplica<T>(r: ByteReader, next: () => T): ReadonlyMap<ReplicaId, T> {
  const byReplica = new Map<ReplicaId, T>();
  const count = r.count(10);
  let previous = -1;
  for (let i = 0; i < count; i++) {
    const replica = r.u48() as ReplicaId;
    if (replica <= previous) throw new DecodeError('replicas of a counter are out of order');
    byReplica.set(replica, next());
    previous = replica;
  }
  return byReplica;
}

function encodeIncrements(w: ByteWriter, { prefix, beyond }: IncrementSet): void {
  w.varint(prefix.upTo);
  writeUnsigned(w, prefix.plus);
  writeUnsigned(w, prefix.minus);
  w.varint(beyond.size);
  for (const [sequence, amount] of [...beyond].sort(([a], [b]) => a - b)) {
    w.varint(sequence);
    writeSigned(w, amount);
  }
}

function decodeIncrements(r: ByteReader): IncrementSet {
  const prefix: CounterPrefix = { upTo: r.varint(), plus: readUnsigned(r), minus: readUnsigned(r) };
  if (prefix.upTo === 0 && (prefix.plus !== 0n || prefix.minus !== 0n)) throw new DecodeError('sums of no increments');
  const beyond = new Map<number, bigint>();
  let previous = prefix.upTo + 1; // the next in line would have been folded
  const count = r.count(2);
  for (let i = 0; i < count; i++) {
    const sequence = r.varint();
    if (sequence <= previous) throw new DecodeError('increments are out of order');
    beyond.set(sequence, readSigned(r));
    previous = sequence;
  }
  return { prefix, beyond };
}
