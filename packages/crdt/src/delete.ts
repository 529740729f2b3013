import { DecodeError, unreachable, type ByteReader, type ByteWriter } from '@skerry/base';
import { CausalContext } from './context.ts';
import {
  decodeObserved,
  encodeObserved,
  observedIncrements,
  resetEntries,
  type ObservedIncrements,
} from './counter.ts';
import { observedGenerations } from './document.ts';
import { decodeDot, encodeDot, type Dot } from './dot.ts';
import { decodeDots, encodeDots, sortedDots, removeDelta } from './dot-store.ts';
import { deleted } from './lifetime.ts';
import { registerDelta } from './register.ts';
import type { Stamp } from './stamp.ts';
import { isLiving, valueTypes, type Part, type Value } from './value.ts';

/** What a delete saw of one part, and therefore takes away. */
export type DeletedPart =
  | { readonly type: 'register'; readonly replaces: Dot | null }
  | { readonly type: 'multiRegister' | 'set' | 'flag'; readonly observed: readonly Dot[] }
  | { readonly type: 'counter'; readonly observed: ObservedIncrements }
  | { readonly type: 'document'; readonly observed: readonly Dot[]; readonly generations: readonly Dot[] };

/**
 * Deletes a key of any type. A register is deleted by stamp, like a write of null: a later write wins, an earlier one
 * loses. The other types are deleted by observation: what the deleter saw goes, what was written concurrently stays
 * (for documents see `DocumentState`). Either way a tombstone remains, so that what was deleted does not come back
 * with a late message or an old state (I11).
 */
export interface DeleteOperation {
  readonly type: 'delete';
  /** In the order of `valueTypes`, not empty. */
  readonly parts: readonly DeletedPart[];
}

/**
 * The delete of what `state` holds, hidden parts included. Where nothing of another type is alive it also deletes the
 * register blindly: a node that does not hold the key yet can delete it, and the stamps decide.
 */
export function prepareDelete(state: Value | null): DeleteOperation {
  // A counter too that seems dead: increments that cancel out may have survived the delete before.
  const isDeleted = (part: Part): boolean => part.type === 'register' || part.type === 'counter' || isLiving(part);
  const parts = (state?.parts ?? []).filter(isDeleted).map(deletedPart);
  const isAlive = state !== null && state.parts.some(isLiving);
  if (!isAlive && parts[0]?.type !== 'register') parts.unshift({ type: 'register', replaces: null });
  return { type: 'delete', parts };
}

function deletedPart(part: Part): DeletedPart {
  switch (part.type) {
    case 'register':
      return { type: 'register', replaces: part.dot };
    case 'multiRegister':
      return { type: 'multiRegister', observed: sortedDots(part.siblings) };
    case 'set':
      return { type: 'set', observed: sortedDots(part.adds) };
    case 'flag':
      return { type: 'flag', observed: sortedDots(part.enables) };
    case 'counter':
      return { type: 'counter', observed: observedIncrements(part) };
    case 'document':
      return { type: 'document', observed: sortedDots(part.chunks), generations: observedGenerations(part) };
    default:
      return unreachable(part);
  }
}

export function deleteDelta(op: DeleteOperation, dot: Dot, stamp: Stamp): Value {
  return { parts: op.parts.map((part) => partDelta(part, dot, stamp)) };
}

function partDelta(part: DeletedPart, dot: Dot, stamp: Stamp): Part {
  const lifetime = deleted(stamp);
  switch (part.type) {
    case 'register':
      return registerDelta({ type: 'register', value: null, replaces: part.replaces }, dot, stamp);
    case 'multiRegister':
      return { type: 'multiRegister', ...lifetime, siblings: removeDelta(dot, part.observed) };
    case 'set':
      return { type: 'set', ...lifetime, adds: removeDelta(dot, part.observed) };
    case 'flag':
      return { type: 'flag', ...lifetime, enables: removeDelta(dot, part.observed) };
    case 'counter':
      return { type: 'counter', ...lifetime, entries: resetEntries(part.observed) };
    case 'document': {
      const endedGenerations = CausalContext.of(part.generations);
      return { type: 'document', ...lifetime, chunks: removeDelta(dot, part.observed), endedGenerations };
    }
    default:
      return unreachable(part);
  }
}

export function encodeDelete(w: ByteWriter, op: DeleteOperation): void {
  w.u8(op.parts.length);
  for (const part of op.parts) {
    w.u8(valueTypes.indexOf(part.type));
    switch (part.type) {
      case 'register':
        w.bool(part.replaces !== null);
        if (part.replaces !== null) encodeDot(w, part.replaces);
        break;
      case 'counter':
        encodeObserved(w, part.observed);
        break;
      case 'document':
        encodeDots(w, part.observed);
        encodeDots(w, part.generations);
        break;
      case 'multiRegister':
      case 'set':
      case 'flag':
        encodeDots(w, part.observed);
        break;
      default:
        unreachable(part);
    }
  }
}

export function decodeDelete(r: ByteReader): DeleteOperation {
  const count = r.u8();
  if (count === 0 || count > valueTypes.length) throw new DecodeError(`a delete of ${count} parts`);
  const parts: DeletedPart[] = [];
  let previous = -1;
  for (let i = 0; i < count; i++) {
    const tag = r.u8();
    if (tag <= previous) throw new DecodeError('parts of a delete are out of order');
    parts.push(decodeDeletedPart(r, tag));
    previous = tag;
  }
  return { type: 'delete', parts };
}

function decodeDeletedPart(r: ByteReader, tag: number): DeletedPart {
  const type = valueTypes[tag];
  switch (type) {
    case 'register':
      return { type, replaces: r.bool() ? decodeDot(r) : null };
    case 'counter':
      return { type, observed: decodeObserved(r) };
    case 'document': {
      const observed = decodeDots(r);
      return { type, observed, generations: decodeDots(r) };
    }
    case 'multiRegister':
    case 'set':
    case 'flag':
      return { type, observed: decodeDots(r) };
    case undefined:
      throw new DecodeError(`unknown value type ${tag}`);
    default:
      return unreachable(type);
  }
}
