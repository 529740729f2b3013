export { Raft } from './raft.ts';
export { type Output, type Persist } from './output.ts';
export {
  logIndex,
  term,
  type ConfigChange,
  type ConfigState,
  type Entry,
  type EntryKind,
  type HardState,
  type LogIndex,
  type LogReader,
  type MemberChange,
  type PeerStatus,
  type ProgressState,
  type ProposeRefusal,
  type ProposeResult,
  type RaftOptions,
  type RaftRestored,
  type ReadState,
  type Role,
  type SnapshotMeta,
  type SoftState,
  type Status,
  type Term,
} from './types.ts';
export type {
  AppendMessage,
  AppendResponseMessage,
  HeartbeatMessage,
  HeartbeatResponseMessage,
  Message,
  PreVoteMessage,
  PreVoteResponseMessage,
  ReadIndexMessage,
  ReadIndexResponseMessage,
  SnapshotMessage,
  TimeoutNowMessage,
  VoteMessage,
  VoteResponseMessage,
} from './messages.ts';
export { isJoint, isVoter, membersOf, simpleConfig } from './config-change.ts';
export {
  decodeConfigState,
  decodeEntry,
  decodeHardState,
  decodeSnapshotMeta,
  encodeConfigState,
  encodeEntry,
  encodeHardState,
  encodeSnapshotMeta,
} from './codec-state.ts';
export { decodeMessage, encodeMessage } from './codec-message.ts';
export { describeConfig, describeEntry, describeMessage, describeStatus } from './describe.ts';
