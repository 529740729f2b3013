import { compareBytes, DecodeError, equalBytes, type ByteReader, type ByteWriter } from '@skerry/base';
import { compareDots, type Dot } from './dot.ts';
import {
  decodeDots,
  decodeStore,
  encodeDots,
  encodeStore,
  mergeStores,
  removeDelta,
  writeDelta,
  type DotStore,
  type PayloadCodec,
} from './dot-store.ts';
import { decodeLifetime, encodeLifetime, mergeLifetimes, written, type Lifetime } from './lifetime.ts';
import { checkLimit, type ValueLimits } from './limits.ts';
import type { Stamp } from './stamp.ts';

/**
 * Add-wins set: an observed-remove set without tombstones (Bieniusa et al. 2012). An element is in the set while at
 * least one of its adds is alive; a remove takes only the adds that it observed, so a concurrent add wins.
 */
export interface SetState extends Lifetime {
  readonly type: 'set';
  /** Living adds: dot to element. */
  readonly adds: DotStore<Uint8Array>;
}

/** `observed`: the living adds of the element that the writer saw; an add takes their place, a remove takes them out. */
export type SetOperation =
  | { readonly type: 'set'; readonly action: 'add'; readonly element: Uint8Array; readonly observed: readonly Dot[] }
  | { readonly type: 'set'; readonly action: 'remove'; readonly observed: readonly Dot[] };

export interface SetRequest {
  readonly type: 'set';
  readonly action: 'add' | 'remove';
  readonly element: Uint8Array;
}

const elementCodec: PayloadCodec<Uint8Array> = {
  encode: (w, element) => {
    w.bytes(element);
  },
  decode: (r) => r.bytes(),
};

/** What an element costs beside its bytes, counted into the limit so that empty elements are not free. */
const elementOverheadBytes = 16;

/** The operation for `request` on `state`; null if there is nothing to remove. */
export function prepareSet(state: SetState | null, request: SetRequest, limits: ValueLimits): SetOperation | null {
  const observed: Dot[] = [];
  let bytes = request.element.length + elementOverheadBytes;
  for (const { dot, payload } of state?.adds.entries.values() ?? []) {
    if (equalBytes(payload, request.element)) observed.push(dot);
    bytes += payload.length + elementOverheadBytes;
  }
  observed.sort(compareDots);
  if (request.action === 'remove') return observed.length === 0 ? null : { type: 'set', action: 'remove', observed };
  if (observed.length === 0) checkLimit(limits, 'valueBytesMax', bytes);
  if (state !== null) checkLimit(limits, 'contextRangesMax', state.adds.context.rangeCount);
  return { type: 'set', action: 'add', element: request.element, observed };
}

export function setDelta(op: SetOperation, dot: Dot, stamp: Stamp): SetState {
  const adds =
    op.action === 'add' ? writeDelta(dot, op.element, op.observed) : removeDelta<Uint8Array>(dot, op.observed);
  return { type: 'set', ...written(stamp), adds };
}

export function mergeSets(a: SetState, b: SetState): SetState {
  return { type: 'set', ...mergeLifetimes(a, b), adds: mergeStores(a.adds, b.adds, elementCodec) };
}

/** The elements in byte order. */
export function setElements(state: SetState): readonly Uint8Array[] {
  const sorted = [...state.adds.entries.values()].map(({ payload }) => payload).sort(compareBytes);
  return sorted.filter((element, i) => i === 0 || !equalBytes(element, sorted[i - 1] as Uint8Array));
}

export function setHasElement(state: SetState, element: Uint8Array): boolean {
  for (const { payload } of state.adds.entries.values()) if (equalBytes(payload, element)) return true;
  return false;
}

export function encodeSet(w: ByteWriter, state: SetState): void {
  encodeLifetime(w, state);
  encodeStore(w, state.adds, elementCodec);
}

export function decodeSet(r: ByteReader): SetState {
  const lifetime = decodeLifetime(r);
  return { type: 'set', ...lifetime, adds: decodeStore(r, elementCodec) };
}

export function encodeSetOperation(w: ByteWriter, op: SetOperation): void {
  w.bool(op.action === 'add');
  if (op.action === 'add') w.bytes(op.element);
  encodeDots(w, op.observed);
}

export function decodeSetOperation(r: ByteReader): SetOperation {
  if (r.bool()) {
    const element = r.bytes();
    return { type: 'set', action: 'add', element, observed: decodeDots(r) };
  }
  const observed = decodeDots(r);
  if (observed.length === 0) throw new DecodeError('a remove names no add');
  return { type: 'set', action: 'remove', observed };
}
