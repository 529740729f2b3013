import type { ByteReader, ByteWriter } from '@skerry/base';
import type { Dot } from './dot.ts';
import {
  decodeDots,
  decodeStore,
  encodeDots,
  encodeStore,
  mergeStores,
  removeDelta,
  sortedDots,
  writeDelta,
  type DotStore,
  type PayloadCodec,
} from './dot-store.ts';
import { decodeLifetime, encodeLifetime, mergeLifetimes, written, type Lifetime } from './lifetime.ts';
import { checkLimit, type ValueLimits } from './limits.ts';
import type { Stamp } from './stamp.ts';

/**
 * Enable-wins flag: an add-wins set of one possible element. A disable takes only the enables that it observed, so a
 * concurrent enable wins.
 */
export interface FlagState extends Lifetime {
  readonly type: 'flag';
  /** Living enables. */
  readonly enables: DotStore<true>;
}

/** `observed`: the living enables that the writer saw; an enable takes their place, a disable takes them out. */
export interface FlagOperation {
  readonly type: 'flag';
  readonly action: 'enable' | 'disable';
  readonly observed: readonly Dot[];
}

export interface FlagRequest {
  readonly type: 'flag';
  readonly action: 'enable' | 'disable';
}

const enableCodec: PayloadCodec<true> = { encode: () => undefined, decode: () => true };

/** A disable is an operation even where nothing is enabled: it makes the flag exist. */
export function prepareFlag(state: FlagState | null, request: FlagRequest, limits: ValueLimits): FlagOperation {
  if (state !== null && request.action === 'enable')
    checkLimit(limits, 'contextRangesMax', state.enables.context.rangeCount);
  return { type: 'flag', action: request.action, observed: state === null ? [] : sortedDots(state.enables) };
}

export function flagDelta(op: FlagOperation, dot: Dot, stamp: Stamp): FlagState {
  const enables =
    op.action === 'enable' ? writeDelta(dot, true as const, op.observed) : removeDelta<true>(dot, op.observed);
  return { type: 'flag', ...written(stamp), enables };
}

export function mergeFlags(a: FlagState, b: FlagState): FlagState {
  return { type: 'flag', ...mergeLifetimes(a, b), enables: mergeStores(a.enables, b.enables, enableCodec) };
}

export function flagEnabled(state: FlagState): boolean {
  return state.enables.entries.size > 0;
}

export function encodeFlag(w: ByteWriter, state: FlagState): void {
  encodeLifetime(w, state);
  encodeStore(w, state.enables, enableCodec);
}

export function decodeFlag(r: ByteReader): FlagState {
  const lifetime = decodeLifetime(r);
  return { type: 'flag', ...lifetime, enables: decodeStore(r, enableCodec) };
}

export function encodeFlagOperation(w: ByteWriter, op: FlagOperation): void {
  w.bool(op.action === 'enable');
  encodeDots(w, op.observed);
}

export function decodeFlagOperation(r: ByteReader): FlagOperation {
  const action = r.bool() ? 'enable' : 'disable';
  return { type: 'flag', action, observed: decodeDots(r) };
}
