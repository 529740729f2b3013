import { compareBytes, emptyBytes, type ByteReader, type ByteWriter } from '@skerry/base';
import { compareDots, decodeDot, encodeDot, equalDots, type Dot } from './dot.ts';
import { compareStamps, decodeStamp, encodeStamp, type Stamp } from './stamp.ts';

/**
 * Last-writer-wins register (Johnson and Thomas 1975): the write with the highest stamp is the value. A delete is the
 * write of null, so the tombstone takes part in the order like any other write.
 */
export interface RegisterState {
  readonly type: 'register';
  readonly stamp: Stamp;
  readonly dot: Dot;
  /** Null is a tombstone. */
  readonly value: Uint8Array | null;
  /** The write that the writer saw as the value; null if it saw none. Tells an overwrite from a conflict. */
  readonly replaces: Dot | null;
}

/** Set if `value` is bytes, delete if it is null. */
export interface RegisterOperation {
  readonly type: 'register';
  readonly value: Uint8Array | null;
  readonly replaces: Dot | null;
}

export function registerDelta(op: RegisterOperation, dot: Dot, stamp: Stamp): RegisterState {
  return { type: 'register', stamp, dot, value: op.value, replaces: op.replaces };
}

/**
 * The winner, and the loser if it was discarded by a conflict rather than replaced by a writer who saw it. After a
 * state exchange a loser that was replaced through writes in between counts as discarded too: one write remembers
 * one predecessor.
 */
export function mergeRegisters(
  a: RegisterState,
  b: RegisterState,
): { state: RegisterState; loser: RegisterState | null } {
  const order = compareRegisters(a, b);
  if (order === 0) return { state: a, loser: null };
  const [state, loser] = order > 0 ? [a, b] : [b, a];
  const knewLoser =
    equalDots(state.dot, loser.dot) || (state.replaces !== null && equalDots(state.replaces, loser.dot));
  return { state, loser: knewLoser ? null : loser };
}

/**
 * By stamp. Equal stamps mean one write, unless a replica id was used twice; the rest of the order keeps replicas
 * convergent even then.
 */
function compareRegisters(a: RegisterState, b: RegisterState): number {
  return (
    compareStamps(a.stamp, b.stamp) ||
    compareDots(a.dot, b.dot) ||
    Number(a.value !== null) - Number(b.value !== null) ||
    compareBytes(a.value ?? emptyBytes, b.value ?? emptyBytes) ||
    Number(a.replaces !== null) - Number(b.replaces !== null) ||
    (a.replaces === null || b.replaces === null ? 0 : compareDots(a.replaces, b.replaces))
  );
}

export function encodeRegister(w: ByteWriter, state: RegisterState): void {
  encodeStamp(w, state.stamp);
  encodeDot(w, state.dot);
  encodeRegisterOperation(w, state);
}

export function decodeRegister(r: ByteReader): RegisterState {
  const stamp = decodeStamp(r);
  const dot = decodeDot(r);
  return registerDelta(decodeRegisterOperation(r), dot, stamp);
}

export function encodeRegisterOperation(w: ByteWriter, op: Pick<RegisterOperation, 'value' | 'replaces'>): void {
  w.bool(op.value !== null);
  if (op.value !== null) w.bytes(op.value);
  w.bool(op.replaces !== null);
  if (op.replaces !== null) encodeDot(w, op.replaces);
}

export function decodeRegisterOperation(r: ByteReader): RegisterOperation {
  const value = r.bool() ? r.bytes() : null;
  return { type: 'register', value, replaces: r.bool() ? decodeDot(r) : null };
}
