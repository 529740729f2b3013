import { assertPresent, DecodeError, unreachable, type ByteReader, type ByteWriter } from '@skerry/base';
import type { CausalContext } from './context.ts';
import {
  compactCounter,
  decodeCounter,
  encodeCounter,
  mergeCounters,
  counterSum,
  type CounterState,
} from './counter.ts';
import { decodeDocument, encodeDocument, loneChunk, mergeDocuments, type DocumentState } from './document.ts';
import { compactStore } from './dot-store.ts';
import { decodeFlag, encodeFlag, mergeFlags, type FlagState } from './flag.ts';
import { laterOf, outlivesDelete } from './lifetime.ts';
import {
  decodeMultiRegister,
  encodeMultiRegister,
  mergeMultiRegisters,
  type MultiRegisterState,
} from './multi-register.ts';
import { decodeRegister, encodeRegister, mergeRegisters, type RegisterState } from './register.ts';
import { decodeSet, encodeSet, mergeSets, type SetState } from './set.ts';
import { compareStamps, stampZero, type Stamp } from './stamp.ts';

/** The state form of one type. */
export type Part = RegisterState | MultiRegisterState | CounterState | SetState | FlagState | DocumentState;
export type ValueType = Part['type'];

/** Their order fixes the encoding and breaks ties; append only. */
export const valueTypes: readonly ValueType[] = ['register', 'multiRegister', 'counter', 'set', 'flag', 'document'];

/**
 * The state form of a key: at most one part per type, in the order of {@link valueTypes}, and at least one. Nearly
 * always it is a single part. A second one stays behind where a deleted key was written as another type, or where
 * two regions created it with two types at once.
 *
 * Then the living part with the latest write is visible everywhere, and the other is reported as discarded. It is
 * hidden, not dropped: a merge that drops the loser is not associative. (Counter written at 5, register at 7, counter
 * at 9: merged from the left, the increments of 5 would be gone; merged from the right they would count.) A delete
 * of the key takes away the hidden part too.
 */
export interface Value {
  readonly parts: readonly Part[];
}

/** Why a merge discarded something. */
export type DiscardReason =
  /** A register write with a later stamp won, and its writer had not seen the loser. */
  | 'laterStamp'
  /** The key is visible as another type. */
  | 'otherType'
  /** A multi-value register was at its limit of siblings. */
  | 'siblingLimit'
  /** A document was deleted while this change to it was on its way. */
  | 'documentDeleted';

/** What a merge took from sight, for the conflict ledger: enough to list, explain and restore it. */
export interface Discarded {
  readonly reason: DiscardReason;
  /** The loser in state form; `{ parts: [loser] }` is a value again. A register of null is a delete that lost. */
  readonly loser: Part;
  readonly stamp: Stamp;
  /** Stamp of what is visible instead. */
  readonly winnerStamp: Stamp;
}

export interface MergeResult {
  readonly state: Value;
  readonly discarded: readonly Discarded[];
}

/** Associative, commutative and idempotent in `state`. Both arguments stay as they are. */
export function mergeValues(a: Value, b: Value): MergeResult {
  const discarded: Discarded[] = [];
  const [first, second] = [a.parts[0], b.parts[0]];
  if (a.parts.length === 1 && b.parts.length === 1 && first !== undefined && first.type === second?.type) {
    // Nearly always; one type hides no other.
    return { state: { parts: [mergeParts(first, second, discarded)] }, discarded };
  }
  const parts: Part[] = [];
  for (const type of valueTypes) {
    const mine = a.parts.find((part) => part.type === type);
    const theirs = b.parts.find((part) => part.type === type);
    if (mine !== undefined && theirs !== undefined) parts.push(mergeParts(mine, theirs, discarded));
    else if (mine !== undefined || theirs !== undefined) parts.push((mine ?? theirs) as Part);
  }
  const state = { parts };
  const shown = visiblePart(state);
  for (const before of new Set([visiblePart(a)?.type, visiblePart(b)?.type])) {
    const loser = parts.find((part) => part.type === before);
    if (shown === null || loser === undefined || loser === shown || !isLiving(loser)) continue;
    discarded.push({ reason: 'otherType', loser, stamp: partStamp(loser), winnerStamp: partStamp(shown) });
  }
  return { state, discarded };
}

function mergeParts(a: Part, b: Part, discarded: Discarded[]): Part {
  switch (a.type) {
    case 'register': {
      const { state, loser } = mergeRegisters(a, sameType(a, b));
      if (loser !== null) discarded.push({ reason: 'laterStamp', loser, stamp: loser.stamp, winnerStamp: state.stamp });
      return state;
    }
    case 'multiRegister':
      return mergeMultiRegisters(a, sameType(a, b));
    case 'counter':
      return mergeCounters(a, sameType(a, b));
    case 'set':
      return mergeSets(a, sameType(a, b));
    case 'flag':
      return mergeFlags(a, sameType(a, b));
    case 'document': {
      const { state, discarded: chunks } = mergeDocuments(a, sameType(a, b));
      const stamp = state.writtenAt ?? stampZero;
      for (const entry of chunks) {
        discarded.push({
          reason: 'documentDeleted',
          loser: loneChunk(entry, stamp),
          stamp,
          winnerStamp: partStamp(state),
        });
      }
      return state;
    }
    default:
      return unreachable(a);
  }
}

/** `b`, which the caller found by the type of `a`. */
function sameType<P extends Part>(a: P, b: Part): P {
  return assertPresent(b.type === a.type ? (b as P) : null, 'parts of two types', { a: a.type, b: b.type });
}

/** True if the part is there for users, be it empty; false if it is what a delete left behind. */
export function isLiving(part: Part): boolean {
  switch (part.type) {
    case 'register':
      return part.value !== null;
    case 'multiRegister':
      return part.siblings.entries.size > 0;
    case 'document':
      return part.chunks.entries.size > 0;
    case 'set':
      return part.adds.entries.size > 0 || outlivesDelete(part);
    case 'flag':
      return part.enables.entries.size > 0 || outlivesDelete(part);
    case 'counter':
      return counterSum(part) !== 0n || outlivesDelete(part);
    default:
      return unreachable(part);
  }
}

/** The latest write or delete of a part. */
export function partStamp(part: Part): Stamp {
  if (part.type === 'register') return part.stamp;
  return laterOf(part.writtenAt, part.deletedAt) ?? stampZero;
}

/** What users see of a key; null if it is deleted. */
export function visiblePart(value: Value): Part | null {
  let shown: Part | null = null;
  for (const part of value.parts) {
    if (isLiving(part) && (shown === null || compareStamps(writeStamp(part), writeStamp(shown)) > 0)) shown = part;
  }
  return shown;
}

function writeStamp(part: Part): Stamp {
  return (part.type === 'register' ? part.stamp : part.writtenAt) ?? stampZero;
}

/** The type of a key; null if there is no such key or only a tombstone of it. */
export function valueType(value: Value | null): ValueType | null {
  return value === null ? null : (visiblePart(value)?.type ?? null);
}

/** The highest stamp in a value, deletes included: the key's version. It never falls. */
export function valueStamp(value: Value): Stamp {
  return value.parts.map(partStamp).reduce((a, b) => (compareStamps(a, b) >= 0 ? a : b));
}

/** True if nothing is left but what deletes leave. Its owner may drop it once every region has applied the delete. */
export function isTombstone(value: Value): boolean {
  return visiblePart(value) === null;
}

/**
 * The same value in less space. `seen` holds only dots whose effect, if it concerns this key, is already in `value`:
 * the dots that a partition has applied. Dots count all writes of a replica, so those of one key are full of holes
 * until they are rounded up by this.
 */
export function compactValue(value: Value, seen: CausalContext): Value {
  return { parts: value.parts.map((part) => compactPart(part, seen)) };
}

function compactPart(part: Part, seen: CausalContext): Part {
  switch (part.type) {
    case 'register':
      return part;
    case 'multiRegister':
      return { ...part, siblings: compactStore(part.siblings, seen) };
    case 'counter':
      return compactCounter(part, seen);
    case 'set':
      return { ...part, adds: compactStore(part.adds, seen) };
    case 'flag':
      return { ...part, enables: compactStore(part.enables, seen) };
    case 'document':
      return { ...part, chunks: compactStore(part.chunks, seen) };
    default:
      return unreachable(part);
  }
}

const valueFormat = 1;

/** One encoding per state, so that equal states have equal digests. */
export function encodeValue(w: ByteWriter, value: Value): void {
  w.u8(valueFormat).u8(value.parts.length);
  for (const part of value.parts) {
    w.u8(valueTypes.indexOf(part.type));
    encodePart(w, part);
  }
}

/** Bytes inside the result are views of the input: copy the input first if it is reused. */
export function decodeValue(r: ByteReader): Value {
  const format = r.u8();
  if (format !== valueFormat) throw new DecodeError(`unknown value format ${format}`);
  const count = r.u8();
  if (count === 0 || count > valueTypes.length) throw new DecodeError(`a value of ${count} parts`);
  const parts: Part[] = [];
  let previous = -1;
  for (let i = 0; i < count; i++) {
    const tag = r.u8();
    if (tag <= previous) throw new DecodeError('parts of a value are out of order');
    parts.push(decodePart(r, tag));
    previous = tag;
  }
  return { parts };
}

function encodePart(w: ByteWriter, part: Part): void {
  switch (part.type) {
    case 'register':
      return encodeRegister(w, part);
    case 'multiRegister':
      return encodeMultiRegister(w, part);
    case 'counter':
      return encodeCounter(w, part);
    case 'set':
      return encodeSet(w, part);
    case 'flag':
      return encodeFlag(w, part);
    case 'document':
      return encodeDocument(w, part);
    default:
      return unreachable(part);
  }
}

function decodePart(r: ByteReader, tag: number): Part {
  switch (valueTypes[tag]) {
    case 'register':
      return decodeRegister(r);
    case 'multiRegister':
      return decodeMultiRegister(r);
    case 'counter':
      return decodeCounter(r);
    case 'set':
      return decodeSet(r);
    case 'flag':
      return decodeFlag(r);
    case 'document':
      return decodeDocument(r);
    default:
      throw new DecodeError(`unknown value type ${tag}`);
  }
}
