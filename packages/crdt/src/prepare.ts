import { unreachable } from '@skerry/base';
import { prepareCounter, type CounterRequest } from './counter.ts';
import { prepareDelete } from './delete.ts';
import { prepareDocument, type DocumentRequest } from './document.ts';
import type { Dot } from './dot.ts';
import { prepareFlag, type FlagRequest } from './flag.ts';
import { checkLimit, defaultLimits, type ValueLimits } from './limits.ts';
import { prepareMultiRegister, type MultiRegisterRequest } from './multi-register.ts';
import type { Operation, OperationBody } from './operation.ts';
import { prepareSet, type SetRequest } from './set.ts';
import type { Stamp } from './stamp.ts';
import { valueType, type Part, type Value, type ValueType } from './value.ts';

/** A user's write, before it is tied to what the writer saw. */
export type WriteRequest =
  | { readonly type: 'register'; readonly value: Uint8Array }
  | MultiRegisterRequest
  | CounterRequest
  | SetRequest
  | FlagRequest
  | DocumentRequest
  | { readonly type: 'delete' };

/** A write of a type that the key does not have. An operating failure: the write is refused and leaves no trace. */
export class WrongTypeError extends Error {
  override readonly name = 'WrongTypeError';
  readonly requested: ValueType;
  readonly actual: ValueType;

  constructor(requested: ValueType, actual: ValueType) {
    super(`the key is a ${actual}, not a ${requested}`);
    this.requested = requested;
    this.actual = actual;
  }
}

export interface WriteIdentity {
  /** Not used before. */
  readonly dot: Dot;
  /** Above every stamp in the state. */
  readonly stamp: Stamp;
  readonly limits?: ValueLimits;
}

/**
 * The operation for `request` by a writer who sees `state`: it carries what the merge will need to know of that state.
 * Null if there is nothing to do (an element to remove that is not there); its dot may then be used for another write.
 * @throws WrongTypeError, LimitError, RangeError (an amount that is not a safe integer)
 */
export function prepareOperation(
  state: Value | null,
  request: WriteRequest,
  identity: WriteIdentity,
): Operation | null {
  const body = prepareBody(state, request, { dot: identity.dot, limits: identity.limits ?? defaultLimits });
  return body === null ? null : { dot: identity.dot, stamp: identity.stamp, body };
}

function prepareBody(
  state: Value | null,
  request: WriteRequest,
  identity: { dot: Dot; limits: ValueLimits },
): OperationBody | null {
  if (request.type === 'delete') return prepareDelete(state);
  const actual = valueType(state);
  if (actual !== null && actual !== request.type) throw new WrongTypeError(request.type, actual);
  const { limits } = identity;
  switch (request.type) {
    case 'register':
      checkLimit(limits, 'valueBytesMax', request.value.length);
      return { type: 'register', value: request.value, replaces: partOf(state, 'register')?.dot ?? null };
    case 'multiRegister':
      return prepareMultiRegister(partOf(state, 'multiRegister'), request, limits);
    case 'counter':
      return prepareCounter(partOf(state, 'counter'), request, identity);
    case 'set':
      return prepareSet(partOf(state, 'set'), request, limits);
    case 'flag':
      return prepareFlag(partOf(state, 'flag'), request, limits);
    case 'document':
      return prepareDocument(partOf(state, 'document'), request, identity);
    default:
      return unreachable(request);
  }
}

/** The part of one type, hidden or deleted as it may be: what a write of that type builds on. */
function partOf<T extends ValueType>(state: Value | null, type: T): Extract<Part, { type: T }> | null {
  const part = state?.parts.find((candidate) => candidate.type === type);
  return (part as Extract<Part, { type: T }> | undefined) ?? null;
}
