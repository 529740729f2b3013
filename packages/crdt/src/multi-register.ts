import type { ByteReader, ByteWriter } from '@skerry/base';
import { CausalContext } from './context.ts';
import { compareDots, type Dot } from './dot.ts';
import {
  decodeDots,
  decodeStore,
  encodeDots,
  encodeStore,
  mergeStores,
  removedEntries,
  sortedDots,
  sortedEntries,
  writeDelta,
  type DotEntry,
  type DotStore,
  type PayloadCodec,
} from './dot-store.ts';
import { decodeLifetime, encodeLifetime, mergeLifetimes, written, type Lifetime } from './lifetime.ts';
import { checkLimit, type ValueLimits } from './limits.ts';
import { compareStamps, decodeStamp, encodeStamp, type Stamp } from './stamp.ts';

export interface Sibling {
  readonly value: Uint8Array;
  readonly stamp: Stamp;
}

/** Multi-value register: concurrent values side by side, by dotted version vectors (Preguiça et al. 2012). */
export interface MultiRegisterState extends Lifetime {
  readonly type: 'multiRegister';
  readonly siblings: DotStore<Sibling>;
}

/**
 * Sets `value` in place of the siblings in `replaces` (those that the writer's context names) and of those in
 * `evicts` (over the limit). An eviction is part of the operation and not of the merge: a merge that cuts off the
 * lowest siblings by itself would not be associative, since a later remove of others would have made room for them.
 */
export interface MultiRegisterOperation {
  readonly type: 'multiRegister';
  readonly value: Uint8Array;
  readonly replaces: readonly Dot[];
  readonly evicts: readonly Dot[];
}

const siblingCodec: PayloadCodec<Sibling> = {
  encode(w, sibling) {
    encodeStamp(w, sibling.stamp);
    w.bytes(sibling.value);
  },
  decode(r) {
    const stamp = decodeStamp(r);
    return { stamp, value: r.bytes() };
  },
};

export interface MultiRegisterRequest {
  readonly type: 'multiRegister';
  readonly value: Uint8Array;
  /** The context of the read that this write answers; null for a blind write, which replaces nothing. */
  readonly context: CausalContext | null;
}

/**
 * The operation for `request` on `state`. It carries the dots of the living siblings that the context names, and those that
 * `state` has not seen: they were read elsewhere, and are replaced when they arrive here. A read names as many dots as there
 * are siblings; a context of far more was made otherwise, and suppresses nothing that is not there. With `siblingsMax` siblings already there, those with the lowest
 * stamps are evicted; regions that were apart can therefore exceed the limit together until their next write.
 */
export function prepareMultiRegister(
  state: MultiRegisterState | null,
  request: MultiRegisterRequest,
  limits: ValueLimits,
): MultiRegisterOperation {
  const living = state === null ? [] : sortedEntries(state.siblings);
  const unseen = (request.context?.dots(2 * limits.siblingsMax) ?? []).filter(
    (dot) => state?.siblings.context.has(dot) !== true,
  );
  const replaced = living.filter(({ dot }) => request.context?.has(dot) === true).map(({ dot }) => dot);
  const replaces = [...replaced, ...unseen].sort(compareDots);
  const kept = living.filter(({ dot }) => request.context?.has(dot) !== true);
  const evictCount = Math.max(0, kept.length + 1 - limits.siblingsMax);
  const byStamp = [...kept].sort(
    (a, b) => compareStamps(a.payload.stamp, b.payload.stamp) || compareDots(a.dot, b.dot),
  );
  const stays = byStamp.slice(evictCount);
  const bytes = stays.reduce((sum, { payload }) => sum + payload.value.length, request.value.length);
  checkLimit(limits, 'valueBytesMax', bytes);
  const evicts = byStamp
    .slice(0, evictCount)
    .map(({ dot }) => dot)
    .sort(compareDots);
  return { type: 'multiRegister', value: request.value, replaces, evicts };
}

export function multiRegisterDelta(op: MultiRegisterOperation, dot: Dot, stamp: Stamp): MultiRegisterState {
  const siblings = writeDelta(dot, { value: op.value, stamp }, [...op.replaces, ...op.evicts]);
  return { type: 'multiRegister', ...written(stamp), siblings };
}

export function mergeMultiRegisters(a: MultiRegisterState, b: MultiRegisterState): MultiRegisterState {
  return {
    type: 'multiRegister',
    ...mergeLifetimes(a, b),
    siblings: mergeStores(a.siblings, b.siblings, siblingCodec),
  };
}

/** The siblings that `op` evicted on the way from `before` to `after`, which the conflict ledger has to keep. */
export function evictedSiblings(
  before: MultiRegisterState,
  after: MultiRegisterState,
  op: MultiRegisterOperation,
): readonly DotEntry<Sibling>[] {
  const evicted = CausalContext.of(op.evicts);
  return removedEntries(before.siblings, after.siblings).filter(({ dot }) => evicted.has(dot));
}

/** A value that holds one sibling alone, as the conflict ledger keeps it. */
export function loneSibling({ dot, payload }: DotEntry<Sibling>): MultiRegisterState {
  return { type: 'multiRegister', ...written(payload.stamp), siblings: writeDelta(dot, payload, []) };
}

/** What a read answers: the values in order of their stamps, and the context that the next write names. */
export function multiRegisterView(state: MultiRegisterState): { siblings: readonly Sibling[]; context: CausalContext } {
  const siblings = sortedEntries(state.siblings)
    .map(({ payload }) => payload)
    .sort((a, b) => compareStamps(a.stamp, b.stamp));
  // The dots of the siblings suffice: a write replaces what was read, and the rest is gone already.
  return { siblings, context: CausalContext.of(sortedDots(state.siblings)) };
}

export function encodeMultiRegister(w: ByteWriter, state: MultiRegisterState): void {
  encodeLifetime(w, state);
  encodeStore(w, state.siblings, siblingCodec);
}

export function decodeMultiRegister(r: ByteReader): MultiRegisterState {
  const lifetime = decodeLifetime(r);
  return { type: 'multiRegister', ...lifetime, siblings: decodeStore(r, siblingCodec) };
}

export function encodeMultiRegisterOperation(w: ByteWriter, op: MultiRegisterOperation): void {
  w.bytes(op.value);
  encodeDots(w, op.replaces);
  encodeDots(w, op.evicts);
}

export function decodeMultiRegisterOperation(r: ByteReader): MultiRegisterOperation {
  const value = r.bytes();
  const replaces = decodeDots(r);
  return { type: 'multiRegister', value, replaces, evicts: decodeDots(r) };
}
