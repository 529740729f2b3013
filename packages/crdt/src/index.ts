/*
 * Stamps, dots, causal contexts and the value types that merge. Values and operations are immutable.
 *
 * A write's way: `prepareOperation` ties a request to what its writer sees; the operation is made durable and sent;
 * `applyOperation` merges its delta wherever it arrives; `mergeValues` joins whole states. Both answer what they took
 * from sight, for the conflict ledger. The same loss is reported wherever it happens, and again if an operation that
 * lost is delivered again: the ledger tells them apart by the loser's dot and stamp.
 *
 * The caller's duties:
 * 1. A dot is used for one write, a replica id for one life of one data folder.
 * 2. A foreign stamp is clamped (`clampStamp`) before it is applied for good or observed by a clock. To fix another
 *    stamp is `{ ...operation, stamp }`: nothing else in an operation depends on it.
 * 3. The stamp of a new operation lies above every stamp in the state it was prepared from.
 * 4. `compactValue` is told of dots only that the state holds. Without it, contexts and counters grow with every hole.
 *    It may leave equal states in different bytes; one state exchange levels them.
 * 5. A tombstone is dropped only when every region has applied the delete (I11). From then on `applyOperation` is told which dots
 *    have been applied, and a writer sees all that it has written itself.
 * 6. Decoded values are views of the bytes they were decoded from.
 */
export {
  clampStamp,
  compareStamps,
  decodeStamp,
  encodeStamp,
  equalStamps,
  stampAfter,
  stampBytes,
  stampCounterMax,
  stampFromText,
  stampMax,
  stampToText,
  stampWallMsMax,
  stampZero,
  type Stamp,
} from './stamp.ts';
export { HybridClock } from './clock.ts';
export { compareDots, decodeDot, dotFromText, dotToText, encodeDot, equalDots, type Dot } from './dot.ts';
export { CausalContext, type ContextEntry } from './context.ts';
export { IntervalSet } from './intervals.ts';
export { defaultLimits, LimitError, type ValueLimits } from './limits.ts';
export {
  compactValue,
  decodeValue,
  encodeValue,
  isTombstone,
  mergeValues,
  valueStamp,
  valueType,
  valueTypes,
  visiblePart,
  type Discarded,
  type DiscardReason,
  type MergeResult,
  type Part,
  type Value,
  type ValueType,
} from './value.ts';
export {
  applyOperation,
  confirmOperation,
  decodeOperation,
  encodeOperation,
  generationOf,
  operationDelta,
  type Operation,
  type OperationBody,
} from './operation.ts';
export { DotAliases, type DotAlias } from './rename.ts';
export { prepareOperation, WrongTypeError, type WriteIdentity, type WriteRequest } from './prepare.ts';
export {
  counterTotal,
  documentValue,
  flagValue,
  multiRegisterValues,
  registerValue,
  setHas,
  setValues,
} from './views.ts';
export type { RegisterState } from './register.ts';
export type { MultiRegisterState, Sibling } from './multi-register.ts';
export type { CounterState, ObservedIncrements } from './counter.ts';
export { loneIncrement } from './increments.ts';
export type { SetState } from './set.ts';
export type { FlagState } from './flag.ts';
export type { DocumentState } from './document.ts';
export { loadDocumentEngine, type DocumentEdit, type DocumentEngine, type TextEdits } from './document-engine.ts';
export { valueDigest, type Digest } from './digest.ts';
export { withoutSeen } from './without-seen.ts';
