import { DecodeError, unreachable, type ByteReader, type ByteWriter } from '@skerry/base';
import type { CausalContext } from './context.ts';
import {
  arrivingDelta,
  confirmEnded,
  counterDelta,
  decodeCounterOperation,
  encodeCounterOperation,
  generationHolding,
  type CounterOperation,
  type CounterState,
} from './counter.ts';
import { decodeDelete, deleteDelta, encodeDelete, type DeleteOperation } from './delete.ts';
import {
  arrivingDocument,
  decodeDocumentOperation,
  documentDelta,
  encodeDocumentOperation,
  loneChunk,
  type DocumentOperation,
  type DocumentState,
} from './document.ts';
import { decodeDot, encodeDot, type Dot } from './dot.ts';
import { decodeFlagOperation, encodeFlagOperation, flagDelta, type FlagOperation } from './flag.ts';
import {
  decodeMultiRegisterOperation,
  encodeMultiRegisterOperation,
  evictedSiblings,
  loneSibling,
  multiRegisterDelta,
  type MultiRegisterOperation,
} from './multi-register.ts';
import { decodeRegisterOperation, encodeRegisterOperation, registerDelta, type RegisterOperation } from './register.ts';
import { decodeSetOperation, encodeSetOperation, setDelta, type SetOperation } from './set.ts';
import { decodeStamp, encodeStamp, type Stamp } from './stamp.ts';
import { mergeValues, partStamp, type Discarded, type MergeResult, type Value } from './value.ts';

export type OperationBody =
  | RegisterOperation
  | MultiRegisterOperation
  | CounterOperation
  | SetOperation
  | FlagOperation
  | DocumentOperation
  | DeleteOperation;

/** The operation form of a write: what is replicated. `prepareOperation` makes it from the state that the writer saw. */
export interface Operation {
  readonly dot: Dot;
  /** Only here and never inside the body, so that a leader can fix another one: `{ ...operation, stamp }`. */
  readonly stamp: Stamp;
  readonly body: OperationBody;
}

/**
 * Applies an operation by merging its delta (Almeida, Shoker and Baquero 2018), so that operations and states mix
 * freely and a duplicate changes nothing. Operations of a key should arrive in causal order; one that comes early is
 * not lost and not counted twice, but until the rest is there the state may show what no replica ever showed.
 * `applied`: the dots whose writes, of any key, have been here already. Where tombstones are dropped, a counter needs them to tell
 * what it does not know yet from what it has forgotten.
 */
export function applyOperation(state: Value | null, op: Operation, applied: CausalContext | null = null): MergeResult {
  const { delta, discarded } =
    applied === null ? { delta: operationDelta(op), discarded: [] } : arriving(operationDelta(op), { state, applied });
  if (state === null) return { state: delta, discarded };
  const merged = mergeValues(state, delta);
  const evicted =
    op.body.type === 'multiRegister' && op.body.evicts.length > 0 ? evictions(state, merged.state, op.body) : [];
  if (discarded.length + evicted.length === 0) return merged;
  return { state: merged.state, discarded: [...discarded, ...merged.discarded, ...evicted] };
}

/** The smallest state that holds the operation's effect. */
export function operationDelta({ body, dot, stamp }: Operation): Value {
  switch (body.type) {
    case 'register':
      return { parts: [registerDelta(body, dot, stamp)] };
    case 'multiRegister':
      return { parts: [multiRegisterDelta(body, dot, stamp)] };
    case 'counter':
      return { parts: [counterDelta(body, dot, stamp)] };
    case 'set':
      return { parts: [setDelta(body, dot, stamp)] };
    case 'flag':
      return { parts: [flagDelta(body, dot, stamp)] };
    case 'document':
      return { parts: [documentDelta(body, dot, stamp)] };
    case 'delete':
      return deleteDelta(body, dot, stamp);
    default:
      return unreachable(body);
  }
}

/** What is left of the delta where these dots have been, and chunks of documents that were deleted. */
function arriving(
  delta: Value,
  { state, applied }: { state: Value | null; applied: CausalContext },
): { delta: Value; discarded: readonly Discarded[] } {
  if (!delta.parts.some(({ type }) => type === 'counter' || type === 'document')) return { delta, discarded: [] };
  const discarded: Discarded[] = [];
  const parts = delta.parts.map((part) => {
    if (part.type === 'counter') return arrivingDelta(part, { state: counterOf(state), applied });
    if (part.type !== 'document') return part;
    const { part: left, gone } = arrivingDocument(part, { state: documentOf(state), applied });
    const stamp = partStamp(part);
    for (const entry of gone)
      discarded.push({ reason: 'documentDeleted', loser: loneChunk(entry, stamp), stamp, winnerStamp: stamp });
    return left;
  });
  return { delta: { parts }, discarded };
}

/** The operation as it is promoted where the committed value is `state`, which its writer may have seen more than. */
export function confirmOperation(op: Operation, state: Value | null): Operation {
  const { body } = op;
  if (body.type !== 'counter' || body.action !== 'add') return op;
  const confirmed = confirmEnded(body, counterOf(state), op.dot.replica);
  return confirmed === body ? op : { ...op, body: confirmed };
}

/** The generation of a counter's increment in `value`; null: it is not known any more. */
export function generationOf(value: Value | null, increment: Dot): number | null {
  return generationHolding(counterOf(value), increment);
}

function counterOf(value: Value | null): CounterState | null {
  return value?.parts.find((part): part is CounterState => part.type === 'counter') ?? null;
}

function documentOf(value: Value | null): DocumentState | null {
  return value?.parts.find((part): part is DocumentState => part.type === 'document') ?? null;
}

function evictions(before: Value, after: Value, body: MultiRegisterOperation): readonly Discarded[] {
  const then = before.parts.find((part) => part.type === 'multiRegister');
  const now = after.parts.find((part) => part.type === 'multiRegister');
  if (then === undefined || now === undefined) return [];
  return evictedSiblings(then, now, body).map((entry) => ({
    reason: 'siblingLimit',
    loser: loneSibling(entry),
    stamp: entry.payload.stamp,
    winnerStamp: partStamp(now),
  }));
}

/** Tags on the wire; append only. */
const bodyTypes: readonly OperationBody['type'][] = [
  'register',
  'multiRegister',
  'counter',
  'set',
  'flag',
  'document',
  'delete',
];

export function encodeOperation(w: ByteWriter, { dot, stamp, body }: Operation): void {
  encodeDot(w, dot);
  encodeStamp(w, stamp);
  w.u8(bodyTypes.indexOf(body.type));
  switch (body.type) {
    case 'register':
      return encodeRegisterOperation(w, body);
    case 'multiRegister':
      return encodeMultiRegisterOperation(w, body);
    case 'counter':
      return encodeCounterOperation(w, body);
    case 'set':
      return encodeSetOperation(w, body);
    case 'flag':
      return encodeFlagOperation(w, body);
    case 'document':
      return encodeDocumentOperation(w, body);
    case 'delete':
      return encodeDelete(w, body);
    default:
      return unreachable(body);
  }
}

/** Bytes inside the result are views of the input: copy the input first if it is reused. */
export function decodeOperation(r: ByteReader): Operation {
  const dot = decodeDot(r);
  const stamp = decodeStamp(r);
  return { dot, stamp, body: decodeBody(r, r.u8()) };
}

function decodeBody(r: ByteReader, tag: number): OperationBody {
  switch (bodyTypes[tag]) {
    case 'register':
      return decodeRegisterOperation(r);
    case 'multiRegister':
      return decodeMultiRegisterOperation(r);
    case 'counter':
      return decodeCounterOperation(r);
    case 'set':
      return decodeSetOperation(r);
    case 'flag':
      return decodeFlagOperation(r);
    case 'document':
      return decodeDocumentOperation(r);
    case 'delete':
      return decodeDelete(r);
    default:
      throw new DecodeError(`unknown operation ${tag}`);
  }
}
