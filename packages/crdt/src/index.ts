export {
  clampStamp, compareStamps, decodeStamp, encodeStamp, equalStamps, stampAfter, stampBytes, stampCounterMax, stampFromText,
  stampMax, stampToText, stampWallMsMax, stampZero, type Stamp,
} from './stamp.ts';
export { HybridClock } from './clock.ts';
export { compareDots, decodeDot, dotFromText, dotToText, encodeDot, equalDots, type Dot } from './dot.ts';
export { CausalContext, type ContextEntry } from './context.ts';
export { IntervalSet } from './intervals.ts';
export { defaultLimits, LimitError, type ValueLimits } from './limits.ts';
export {
  compactValue, decodeValue, encodeValue, isTombstone, mergeValues, valueStamp, valueType, valueTypes, visiblePart,
  type Discarded, type DiscardReason, type MergeResult, type Part, type Value, type ValueType,
} from './value.ts';
export {
  applyOperation, decodeOperation, encodeOperation, operationDelta, type Operation, type OperationBody,
} from './operation.ts';
export { prepareOperation, WrongTypeError, type WriteIdentity, type WriteRequest } from './prepare.ts';
export {
  counterTotal, documentValue, flagValue, multiRegisterValues, registerValue, setHas, setValues,
} from './views.ts';
export type { RegisterState } from './register.ts';
export type { MultiRegisterState, Sibling } from './multi-register.ts';
export type { CounterState } from './counter.ts';
export type { SetState } from './set.ts';
export type { FlagState } from './flag.ts';
export type { DocumentState } from './document.ts';
export { loadDocumentEngine, type DocumentEngine } from './document-engine.ts';
