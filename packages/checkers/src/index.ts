export type { Completion, Model, Operation, Step } from './model.ts';
export { checkLinearizability, type Linearizability } from './linearizability.ts';
export { configurationsMaxDefault, stepsMaxDefault, type LimitReason, type Limits } from './limits.ts';
export { registerModel, type RegisterInput, type RegisterOutput } from './models/register.ts';
export {
  describeKeyValue,
  keyValueModel,
  type KeyValueInput,
  type KeyValueModel,
  type KeyValueOutput,
  type KeyValueState,
} from './models/key-value.ts';
export { compareVersions, type Version } from './version.ts';

export { HistoryError, type History, type HistoryEvent, type InvokeEvent } from './history/events.ts';
export { HistoryRecorder, type CallOptions, type OpenCall } from './history/recorder.ts';
export { decodeHistory, encodeHistory } from './history/json-lines.ts';
export { detectFormat, parseHistory, type HistoryFormat } from './history/parse.ts';
export { linearizableOperations, regionsOf, type KeyValueOperation } from './history/calls.ts';

export { checkHistory, judgeHistory, type Counterexample, type HistoryVerdict } from './check-history.ts';
export { shrinkViolation, type Found, type Shrunk } from './shrink.ts';
export { drawSvg, drawText, type Drawing } from './draw.ts';

export {
  factsOf,
  type Dump,
  type DumpEntry,
  type Facts,
  type ReadFact,
  type Seen,
  type Violation,
  type WriteFact,
} from './invariants/facts.ts';
export { checkLinearizable } from './invariants/i3-linearizable.ts';
export { checkAcknowledgedWrites } from './invariants/i4-i5-acknowledged.ts';
export { checkOwnWrites } from './invariants/i6-own-writes.ts';
export { checkAppliedOnce, checkCounterTotals, type Addition, type VersionRecord } from './invariants/i7-once.ts';
export { checkOutcomes, type Sighting } from './invariants/i8-outcomes.ts';
export { checkConvergence } from './invariants/i9-convergence.ts';
export { checkDeletedStaysDeleted } from './invariants/i11-deleted.ts';
export { checkSessions } from './invariants/i13-sessions.ts';

export {
  judgeKey,
  type Action as PlainAction,
  type Isolation,
  type KeyHistory,
  type Shown,
  type Write as PlainWrite,
} from './plain-model.ts';
