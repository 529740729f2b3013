import {
  compareStamps,
  equalStamps,
  isTombstone,
  stampAfter,
  valueStamp,
  type Operation,
  type OperationBody,
  type Stamp,
  type Value,
} from '@skerry/crdt';
import type { StateHeader } from './header.ts';
import type { KeyRecord } from './key-record.ts';
import type { Promotion } from './promotion.ts';
import { concernsRegister, isRegister, replacesRegister } from './same.ts';
import { leftOf, takesUnseen } from './taken-away.ts';

/** The facts of the state that decide on writes which come late. */
type Known = Pick<StateHeader, 'collected' | 'context'>;

/**
 * The stamp under which a promotion takes effect. null: a delete that is forgotten by now took away what it was made on.
 */
export function finalStamp(
  { op, base, baseDeleted }: Promotion,
  clamped: Stamp,
  { current, known }: { readonly current: KeyRecord | null; readonly known: Known },
): Stamp | null {
  if (current === null) {
    if (compareStamps(clamped, known.collected) > 0) return clamped;
    // What it takes away has not been here yet, and may come to others, who have to hear of it.
    if (op.body.type === 'delete' && takesUnseen(op.body, known.context)) return clamped;
    // A document that it changes was there, too: without it there is nothing to change.
    const overwrote = (isRegister(op) || op.body.type === 'document') && base !== null && baseDeleted !== true;
    if (op.body.type === 'delete' || overwrote) return null;
    return stampAfter(known.collected, 0, clamped.replica);
  }
  const currentStamp = valueStamp(current.value);
  if (compareStamps(clamped, currentStamp) > 0) return clamped;
  // A write that saw the current value comes after it, even if a leader has put their stamps the other way round.
  const sawCurrent =
    base !== null && (equalStamps(base, currentStamp) || (current.given !== null && equalStamps(base, current.given)));
  return sawCurrent || replacesRegister(op, current.value) ? stampAfter(currentStamp, 0, clamped.replica) : clamped;
}

/**
 * The stamp under which an offer takes effect: that which it was written with, as what others wrote over it has a later one,
 * and may come by another way. `buried`: a delete of the register up to this one is forgotten here. null: it takes no effect.
 */
export function offeredStamp(
  op: Operation,
  { current, known, buried }: { readonly current: KeyRecord | null; readonly known: Known; readonly buried: Stamp },
): Stamp | null {
  if (isBuried(op, current, buried)) return null;
  if (current !== null || op.body.type !== 'delete') return op.stamp;
  // What it takes away has not been here yet, and may come to others, who have to hear of it.
  if (takesUnseen(op.body, known.context)) return op.stamp;
  return compareStamps(op.stamp, concernsRegister(op) ? buried : known.collected) > 0 ? op.stamp : null;
}

/** It sets a register that a later delete took away which is forgotten here, be there a tombstone of an earlier one again. */
export function isBuried(op: Operation, current: KeyRecord | null, buried: Stamp): boolean {
  const register = current?.value.parts.find(({ type }) => type === 'register');
  const isLiving = register?.type === 'register' && register.value !== null;
  return op.body.type === 'register' && op.body.value !== null && !isLiving && compareStamps(op.stamp, buried) <= 0;
}

/**
 * Of a write that was taken away before it came: what it takes away itself, where somebody has that or may be given it. null:
 * nothing.
 */
export function leftHere(
  op: Operation,
  { current, known }: { readonly current: KeyRecord | null; readonly known: Known },
): Operation | null {
  const left = leftOf(op);
  if (left === null) return null;
  const isUnseen = takesUnseen(left.body, known.context);
  if (current === null) return isUnseen ? left : null;
  if (!isRegister(left) || replacesRegister(left, current.value)) return left;
  // A register that came after it is no conflict: it replaced this one, or what did.
  const register = current.value.parts.find(({ type }) => type === 'register');
  const isLater = register?.type !== 'register' || compareStamps(left.stamp, register.stamp) > 0;
  return isUnseen && isLater ? left : null;
}

/**
 * What other regions have to hear of a late write that took effect here. Where it met no value, and left none, only what it takes
 * away, of others still unseen: they may have forgotten the delete that beat it. null: nothing.
 */
export function effectOf(
  op: Operation,
  { current, value, known }: { readonly current: KeyRecord | null; readonly value: Value; readonly known: Known },
): Operation | null {
  const isDead = (current === null || isTombstone(current.value)) && isTombstone(value);
  if (!isDead || op.body.type === 'delete') return op;
  return takesUnseen(op.body, known.context) ? { ...op, body: withoutKey(op.body) } : null;
}

/**
 * Of a write that comes where its key was deleted and forgotten. One that only takes away makes no key there, as it would
 * not if the tombstone were still in place.
 */
export function withoutKey(body: OperationBody): OperationBody {
  switch (body.type) {
    case 'set':
      return body.action === 'add' ? body : { type: 'delete', parts: [{ type: 'set', observed: body.observed }] };
    case 'flag':
      return body.action === 'enable' ? body : { type: 'delete', parts: [{ type: 'flag', observed: body.observed }] };
    case 'counter':
      return body.action === 'add' ? body : { type: 'delete', parts: [{ type: 'counter', observed: body.observed }] };
    case 'multiRegister':
    case 'document':
    case 'register':
    case 'delete':
      return body;
  }
}
