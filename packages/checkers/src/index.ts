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
export { LeaderChecker, type LeaderClaim } from './invariants/i1-leaders.ts';
export { LogChecker, type LoggedEntry } from './invariants/i2-logs.ts';
export { StateChecker, type StateSum } from './invariants/equal-state.ts';
export { ClampChecker } from './invariants/clamped-stamps.ts';
export { checkLinearizable } from './invariants/i3-linearizable.ts';
export { checkConsistentWrites } from './invariants/i4-consistent-writes.ts';
export { checkQuorumlessWrites } from './invariants/i5-quorumless-writes.ts';
export { checkOwnWrites } from './invariants/i6-own-writes.ts';
export {
  checkAppliedOnce,
  checkCommittedOnce,
  checkCounterTotals,
  type Addition,
  type CommittedChange,
  type PromotedWrite,
  type VersionRecord,
} from './invariants/i7-once.ts';
export { checkCommitted, checkOutcomes, type Sighting } from './invariants/i8-outcomes.ts';
export { checkConvergence } from './invariants/i9-convergence.ts';
export { RegionLogChecker, type LogPlace, type LogPosition } from './invariants/i10-region-logs.ts';
export { checkDeletedByTime, checkDeletedStaysDeleted } from './invariants/i11-deleted.ts';
export { checkDiscarded, checkLosers, type LedgerEntry, type RecordedWrite } from './invariants/i12-recorded.ts';
export { checkSessions } from './invariants/i13-sessions.ts';
export { checkRefused, checkTwins, type RefusedCall, type TwinsRead } from './invariants/i14-no-trace.ts';

export {
  judgeKey,
  type Action as PlainAction,
  type Isolation,
  type KeyHistory,
  type Shown,
  type Write as PlainWrite,
} from './plain-model.ts';
