import { DecodeError, type ByteReader, type ByteWriter, type ReplicaId } from '@skerry/base';
import type { CausalContext } from './context.ts';
import type { Dot } from './dot.ts';
import {
  beginning,
  decodeIncrements,
  encodeIncrements,
  foldUpTo,
  holds,
  isReset,
  mergeGenerations,
  noIncrements,
  loneIncrement,
  total,
  union,
  without,
  type Generation,
  type IncrementSet,
} from './increments.ts';
import { decodeLifetime, encodeLifetime, mergeLifetimes, written, type Lifetime } from './lifetime.ts';
import { checkLimit, type ValueLimits } from './limits.ts';
import type { Stamp } from './stamp.ts';
import { readSigned, writeSigned } from './wide-integers.ts';

/**
 * One replica's increments, by generation. A generation is named after the sequence of the increment that begins it, and its
 * writer begins a new one where all that it has seen of the last one is reset, or its beginning is not there. So what a delete
 * takes away, and whoever has collected the tombstone has forgotten, is of other generations than what is counted afterwards
 * (as in Baquero, Almeida and Lerche 2016, "The problem with embedded CRDT counters and a solution").
 */
export interface CounterEntry {
  /** Generations below this one are over: all of their increments are reset, and they are not kept. */
  readonly endedBelow: number;
  /** Not empty; by name. */
  readonly generations: ReadonlyMap<number, Generation>;
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

/** By replica and generation. */
export type ObservedIncrements = ReadonlyMap<ReplicaId, ReadonlyMap<number, IncrementSet>>;

export interface CounterIncrement {
  readonly type: 'counter';
  readonly action: 'add';
  readonly amount: bigint;
  /** Its own sequence, if it begins one. */
  readonly generation: number;
  /** See {@link CounterEntry}; no higher than `generation`. */
  readonly endedBelow: number;
}

export type CounterOperation =
  | CounterIncrement
  | { readonly type: 'counter'; readonly action: 'reset'; readonly observed: ObservedIncrements };

export type CounterRequest =
  | { readonly type: 'counter'; readonly action: 'add'; readonly amount: number }
  | { readonly type: 'counter'; readonly action: 'reset' };

/**
 * The operation for `request` under `dot`, by a writer whose `state` holds all that it has counted itself; null to reset what is
 * not there.
 * @throws RangeError if the amount is not a safe integer; LimitError if too many increments are unfolded.
 */
export function prepareCounter(
  state: CounterState | null,
  request: CounterRequest,
  { dot, limits }: { dot: Dot; limits: ValueLimits },
): CounterOperation | null {
  if (request.action === 'reset') {
    return state === null ? null : { type: 'counter', action: 'reset', observed: observedIncrements(state) };
  }
  if (!Number.isSafeInteger(request.amount)) throw new RangeError(`not a safe integer: ${request.amount}`);
  if (state !== null) {
    let unfolded = 0;
    for (const { generations } of state.entries.values())
      for (const { seen, reset } of generations.values()) unfolded += seen.beyond.size + reset.beyond.size;
    checkLimit(limits, 'unfoldedIncrementsMax', unfolded);
  }
  const entry = state?.entries.get(dot.replica);
  const generation = generationFor(entry, dot.sequence);
  const endedBelow = endedIn(entry, generation);
  return { type: 'counter', action: 'add', amount: BigInt(request.amount), generation, endedBelow };
}

/** The generation that the replica's next increment belongs to. */
function generationFor(entry: CounterEntry | undefined, sequence: number): number {
  if (entry === undefined) return sequence;
  const last = Math.max(...entry.generations.keys());
  const generation = entry.generations.get(last);
  const goesOn = generation !== undefined && generation.seen.prefix.upTo > 0 && !isReset(generation);
  return goesOn ? last : sequence;
}

/** Below which generation all of the replica's increments are reset, as far as they are known; no higher than `generation`. */
function endedIn(entry: CounterEntry | undefined, generation: number): number {
  if (entry === undefined) return 0;
  let lowest = generation;
  for (const [name, increments] of entry.generations) if (name < lowest && !isReset(increments)) lowest = name;
  return lowest;
}

/**
 * The increment, as it takes effect on `state`: generations are over only where that shows them reset, too. Its writer may have
 * gone by a reset that is rejected.
 */
export function confirmEnded(op: CounterIncrement, state: CounterState | null, replica: ReplicaId): CounterIncrement {
  const confirmed = Math.min(op.endedBelow, endedIn(state?.entries.get(replica), op.generation));
  return confirmed === op.endedBelow ? op : { ...op, endedBelow: confirmed };
}

/** The generation that an increment in `state` belongs to; null: it is not known any more. */
export function generationHolding(state: CounterState | null, { replica, sequence }: Dot): number | null {
  let found: number | null = null;
  for (const [name, { seen }] of state?.entries.get(replica)?.generations ?? [])
    if (name <= sequence && holds(seen, sequence) && name > (found ?? 0)) found = name;
  return found;
}

/** Every increment in `state`: what a reset or a delete of it takes away. */
export function observedIncrements(state: CounterState): ObservedIncrements {
  return new Map(
    Array.from(state.entries, ([replica, { generations }]) => [
      replica,
      new Map(Array.from(generations, ([name, { seen }]) => [name, seen] as const)),
    ]),
  );
}

export function counterDelta(op: CounterOperation, dot: Dot, stamp: Stamp): CounterState {
  if (op.action === 'reset') return { type: 'counter', ...written(stamp), entries: resetEntries(op.observed) };
  const { generation, endedBelow, amount } = op;
  const seen = generation === dot.sequence ? beginning(generation, amount) : loneIncrement(dot.sequence, amount);
  const generations = new Map([[generation, { seen, reset: noIncrements }]]);
  return { type: 'counter', ...written(stamp), entries: new Map([[dot.replica, { endedBelow, generations }]]) };
}

/** A reset of `observed`: seen and reset at once, so that it may even arrive before the increments it took away. */
export function resetEntries(observed: ObservedIncrements): ReadonlyMap<ReplicaId, CounterEntry> {
  return new Map(
    Array.from(observed, ([replica, sets]) => [
      replica,
      { endedBelow: 0, generations: new Map(Array.from(sets, ([name, set]) => [name, { seen: set, reset: set }])) },
    ]),
  );
}

/**
 * The delta of one write, as it takes effect on `state` where the dots in `applied` have been: what is not there of those was
 * reset and is forgotten. A sum that comes late must not begin a prefix that would claim to hold what is forgotten.
 */
export function arrivingDelta(
  delta: CounterState,
  { state, applied }: { state: CounterState | null; applied: CausalContext },
): CounterState {
  const entries = new Map<ReplicaId, CounterEntry>();
  for (const [replica, { endedBelow, generations }] of delta.entries) {
    const known = state?.entries.get(replica)?.generations;
    const arriving = new Map<number, Generation>();
    for (const [name, generation] of generations) {
      if (generation.reset === noIncrements) arriving.set(name, arrivingIncrement(generation, { replica, applied }));
      else if (known?.has(name) === true || !wasHere(name, generation.seen, { replica, applied }))
        arriving.set(name, generation);
    }
    if (arriving.size > 0) entries.set(replica, { endedBelow, generations: arriving });
  }
  return { ...delta, entries };
}

/** The first one of a generation comes after a later one, which may have been reset and forgotten. */
function arrivingIncrement(
  generation: Generation,
  { replica, applied }: { replica: ReplicaId; applied: CausalContext },
): Generation {
  const { upTo } = generation.seen.prefix;
  if (upTo === 0 || (applied.maxOf(replica) < upTo && applied.beyondOf(replica).every(([, to]) => to < upTo)))
    return generation;
  return { seen: loneIncrement(upTo, total(generation.seen)), reset: noIncrements };
}

function wasHere(
  name: number,
  { prefix, beyond }: IncrementSet,
  { replica, applied }: { replica: ReplicaId; applied: CausalContext },
): boolean {
  if (prefix.upTo > 0 && !applied.hasRange(replica, name, prefix.upTo)) return false;
  for (const sequence of beyond.keys()) if (!applied.has({ replica, sequence })) return false;
  return true;
}

/** The same increments, one of them under another dot: its copy, which counts in its stead (see `DotAlias`). */
export function renameIncrement(
  observed: ObservedIncrements,
  {
    from,
    to,
    amount,
    generations,
  }: { from: Dot; to: Dot; amount: bigint; generations: { readonly from: number; readonly to: number | null } },
): ObservedIncrements {
  const sets = observed.get(from.replica);
  const source = sets?.get(generations.from);
  if (sets === undefined || source === undefined || !holds(source, from.sequence)) return observed;
  const renamed = new Map(observed);
  renamed.set(from.replica, new Map(sets).set(generations.from, without(source, from.sequence, amount)));
  // Otherwise it was reset, and is forgotten.
  if (generations.to === null) return renamed;
  const others = renamed.get(to.replica);
  const target = others?.get(generations.to) ?? noIncrements;
  if (!holds(target, to.sequence)) {
    const set = union(target, loneIncrement(to.sequence, amount));
    renamed.set(to.replica, new Map(others).set(generations.to, set));
  }
  return renamed;
}

export function mergeCounters(a: CounterState, b: CounterState): CounterState {
  const entries = new Map(a.entries);
  for (const [replica, theirs] of b.entries) {
    const mine = entries.get(replica);
    entries.set(replica, mine === undefined ? theirs : mergeEntries(mine, theirs));
  }
  return { type: 'counter', ...mergeLifetimes(a, b), entries };
}

function mergeEntries(a: CounterEntry, b: CounterEntry): CounterEntry {
  const endedBelow = Math.max(a.endedBelow, b.endedBelow);
  const generations = new Map<number, Generation>();
  for (const [name, generation] of [...a.generations, ...b.generations]) {
    if (name < endedBelow) continue;
    const known = generations.get(name);
    generations.set(name, known === undefined ? generation : mergeGenerations(known, generation));
  }
  return { endedBelow, generations };
}

export function counterSum(state: CounterState): bigint {
  let sum = 0n;
  for (const { generations } of state.entries.values())
    for (const { seen, reset } of generations.values()) sum += total(seen) - total(reset);
  return sum;
}

/**
 * Folds increments into prefixes. `seen` holds only dots whose effect, if it concerns this key, is already in the
 * state. Dots count all writes of a replica, so without this the increments of one key among many never form a prefix.
 */
export function compactCounter(state: CounterState, seen: CausalContext): CounterState {
  const entries = new Map<ReplicaId, CounterEntry>();
  for (const [replica, { endedBelow, generations }] of state.entries) {
    const upTo = seen.maxOf(replica);
    const folded = Array.from(generations, ([name, generation]) => [name, foldUpTo(generation, upTo)] as const);
    entries.set(replica, { endedBelow, generations: new Map(folded) });
  }
  return { ...state, entries };
}

export function encodeCounter(w: ByteWriter, state: CounterState): void {
  encodeLifetime(w, state);
  w.varint(state.entries.size);
  for (const [replica, { endedBelow, generations }] of inOrder(state.entries)) {
    w.u48(replica).varint(endedBelow).varint(generations.size);
    for (const [name, { seen, reset }] of inOrder(generations)) {
      w.varint(name);
      encodeIncrements(w, seen);
      encodeIncrements(w, reset);
    }
  }
}

export function decodeCounter(r: ByteReader): CounterState {
  const lifetime = decodeLifetime(r);
  const entries = decodeByReplica(r, (): CounterEntry => {
    const endedBelow = r.varint();
    const generations = decodeGenerations(r, (): Generation => {
      const seen = decodeIncrements(r);
      const reset = decodeIncrements(r);
      if (reset.prefix.upTo > seen.prefix.upTo) throw new DecodeError('a reset exceeds what was seen');
      return { seen, reset };
    });
    for (const name of generations.keys())
      if (name < endedBelow) throw new DecodeError('a generation of a counter is over');
    return { endedBelow, generations };
  });
  return { type: 'counter', ...lifetime, entries };
}

export function encodeCounterOperation(w: ByteWriter, op: CounterOperation): void {
  w.bool(op.action === 'add');
  if (op.action === 'reset') return encodeObserved(w, op.observed);
  writeSigned(w, op.amount);
  w.varint(op.generation).varint(op.endedBelow);
}

export function decodeCounterOperation(r: ByteReader): CounterOperation {
  if (!r.bool()) return { type: 'counter', action: 'reset', observed: decodeObserved(r) };
  const amount = readSigned(r);
  const generation = r.varint();
  const endedBelow = r.varint();
  if (endedBelow > generation) throw new DecodeError('a generation of a counter is over');
  return { type: 'counter', action: 'add', amount, generation, endedBelow };
}

export function encodeObserved(w: ByteWriter, observed: ObservedIncrements): void {
  w.varint(observed.size);
  for (const [replica, sets] of inOrder(observed)) {
    w.u48(replica).varint(sets.size);
    for (const [name, set] of inOrder(sets)) {
      w.varint(name);
      encodeIncrements(w, set);
    }
  }
}

export function decodeObserved(r: ByteReader): ObservedIncrements {
  return decodeByReplica(r, () => decodeGenerations(r, () => decodeIncrements(r)));
}

function inOrder<K extends number, T>(map: ReadonlyMap<K, T>): readonly (readonly [K, T])[] {
  return map.size < 2 ? [...map] : [...map].sort(([a], [b]) => a - b);
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

function decodeGenerations<T>(r: ByteReader, next: () => T): ReadonlyMap<number, T> {
  const generations = new Map<number, T>();
  const count = r.count(5);
  let previous = 0;
  for (let i = 0; i < count; i++) {
    const name = r.varint();
    if (name <= previous) throw new DecodeError('generations of a counter are out of order');
    generations.set(name, next());
    previous = name;
  }
  if (count === 0) throw new DecodeError('a counter of no increments');
  return generations;
}
