import {
  compareStamps,
  equalStamps,
  stampAfter,
  valueStamp,
  type Operation,
  type OperationBody,
  type Stamp,
} from '@skerry/crdt';
import type { StateHeader } from './header.ts';
import type { KeyRecord } from './key-record.ts';
import type { Promotion } from './promotion.ts';
import { isRegister, replacesRegister } from './same.ts';
import { leftOf, takesUnseen } from './taken-away.ts';

/** The facts of the state that decide on writes which come late. */
type Known = Pick<StateHeader, 'collected' | 'context'>;

/**
 * The stamp under which a promotion or an offer takes effect. null: a delete that is forgotten by now took away what it was made
 * on.
 */
export function finalStamp(
  { op, base, baseDeleted, isOffer = false }: Promotion & { readonly isOffer?: boolean },
  clamped: Stamp,
  { current, known }: { readonly current: KeyRecord | null; readonly known: Known },
): Stamp | null {
  if (current === null) {
    if (compareStamps(clamped, known.collected) > 0) return clamped;
    // What it takes away has not been here yet, and may come to others, who have to hear of it.
    if (op.body.type === 'delete' && takesUnseen(op.body, known.context)) return clamped;
    const overwrote = isRegister(op) && base !== null && baseDeleted !== true;
    if (op.body.type === 'delete' || overwrote) return null;
    return isOffer && keepsStamp(op.body) ? clamped : stampAfter(known.collected, 0, clamped.replica);
  }
  const currentStamp = valueStamp(current.value);
  if (compareStamps(clamped, currentStamp) > 0) return clamped;
  // A write that saw the current value comes after it, even if a leader has put their stamps the other way round.
  const sawCurrent =
    base !== null && (equalStamps(base, currentStamp) || (current.given !== null && equalStamps(base, current.given)));
  return sawCurrent || replacesRegister(op, current.value) ? stampAfter(currentStamp, 0, clamped.replica) : clamped;
}

/**
 * What a set, a flag or a counter adds is there whatever its stamp is, until somebody who saw it takes it away. So the stamp stays
 * below that of a delete which did, and comes by another way: under a later one the key would be there for good, empty. Of a
 * register the later stamp alone is left: below one that was deleted and forgotten it would be older than what callers saw
 * (seeds 1746763068 and 1746763327).
 */
function keepsStamp(body: OperationBody): boolean {
  switch (body.type) {
    case 'set':
    case 'counter':
      return body.action === 'add';
    case 'flag':
      return body.action === 'enable';
    case 'register':
    case 'multiRegister':
    case 'document':
    case 'delete':
      return false;
  }
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
 * Of a write that is offered where its key was deleted and forgotten. One that only takes away makes no key there, as it would
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
