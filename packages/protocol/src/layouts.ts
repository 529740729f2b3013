import { isClientId, replicaIdMax, type ClientId, type NodeId, type RegionId, type ReplicaId } from '@skerry/base';
import { isErrorCode, type ErrorCode } from './errors.ts';
import {
  binary,
  bool,
  checkedText,
  finite,
  integer,
  keyText,
  list,
  name,
  nullable,
  oneOf,
  optional,
  record,
  text,
  typeUnion,
  union,
  yes,
  type Field,
  type RecordField,
  type UnionField,
} from './layout.ts';
import type {
  CancelMessage,
  ClientLimits,
  GoodbyeMessage,
  HelloMessage,
  Member,
  MembersMessage,
  PingMessage,
  PongMessage,
  RegionClients,
  SeenMessage,
  WelcomeMessage,
} from './messages.ts';
import type {
  Answer,
  Causality,
  Compare,
  ConflictEntry,
  ConflictReason,
  ControlOperation,
  ListEntry,
  MemberSpec,
  NodeStatus,
  Operation,
  Outcome,
  ReceiptState,
  RegionStatus,
  TxnOperation,
  ValueChange,
  ValueType,
  ValueView,
  WatchEvent,
  WriteId,
} from './operations.ts';

const leasePattern = /^[A-Za-z0-9._-]{1,64}$/;
const decimalPattern = /^(?:0|-?[1-9][0-9]*)$/;

const nodeName: Field<NodeId> = name('node');
const regionName: Field<RegionId> = name('region');
const uint = integer(0);
const positive = integer(1);
const replica = integer(0, replicaIdMax) as Field<number> as unknown as Field<ReplicaId>;
const lease: Field<string> = checkedText('lease id', (value) => leasePattern.test(value));
const errorCode: Field<ErrorCode> = checkedText('error code', isErrorCode);
const bytesOrNil = nullable(binary);
const textOrNil = nullable(text);
const outcome: Field<Outcome> = oneOf('applied', 'refused', 'notApplied', 'undecided');

export const compareLayout: UnionField<Compare> = union<Compare>('compare', {
  value: [0, { key: keyText, equals: bytesOrNil }],
  version: [1, { key: keyText, relation: oneOf('<', '=', '>'), version: textOrNil }],
});

export const txnOperationLayout: UnionField<TxnOperation> = union<TxnOperation>('transaction operation', {
  get: [0, { key: keyText }],
  set: [1, { key: keyText, value: binary, lease: optional(lease) }],
  delete: [2, { key: keyText }],
});

const valueType: Field<ValueType> = oneOf('register', 'multiRegister', 'counter', 'set', 'flag', 'document');

export const valueChangeLayout: UnionField<ValueChange> = typeUnion<ValueChange>('change', {
  multiRegister: [0, { value: binary, context: textOrNil }],
  'counter.add': [1, { amount: integer() }],
  'counter.reset': [2, {}],
  'set.add': [3, { element: binary }],
  'set.remove': [4, { element: binary }],
  'flag.enable': [5, {}],
  'flag.disable': [6, {}],
  'document.change': [7, { bytes: binary, operations: uint }],
  'document.compact': [8, { bytes: binary, operations: uint, context: text }],
});

export const valueViewLayout: UnionField<ValueView> = typeUnion<ValueView>('view', {
  register: [0, { value: binary }],
  multiRegister: [1, { values: list(binary), context: text }],
  counter: [2, { total: checkedText('decimal', (value) => decimalPattern.test(value)) }],
  set: [3, { elements: list(binary) }],
  flag: [4, { enabled: bool }],
  document: [5, { chunks: list(binary), operations: uint, context: text }],
});
const view = optional(valueViewLayout);

const memberSpec: RecordField<MemberSpec> = record<MemberSpec>('new member', {
  node: nodeName,
  peerUrl: text,
  clientUrl: text,
  adminUrl: text,
  learner: bool,
  replica: nullable(replica),
});

export const operationLayout: UnionField<Operation | ControlOperation> = union<Operation | ControlOperation>(
  'operation',
  {
    get: [0, { key: keyText, consistent: bool, r: optional(positive) }],
    set: [1, { key: keyText, value: binary, consistent: bool, w: optional(positive), lease: optional(lease) }],
    swap: [2, { key: keyText, newValue: bytesOrNil, oldValue: bytesOrNil, lease: optional(lease) }],
    delete: [3, { key: keyText, consistent: bool, w: optional(positive) }],
    list: [4, { prefix: keyText, after: keyText, limit: positive, consistent: bool, keysOnly: bool }],
    txn: [5, { compares: list(compareLayout), then: list(txnOperationLayout), otherwise: list(txnOperationLayout) }],
    watch: [6, { key: keyText, prefix: bool, cursor: textOrNil }],
    receipt: [7, { receipt: text, wait: bool }],
    resolve: [8, { ticket: text }],
    leaseGrant: [9, { lease, ttlMs: positive, key: keyText }],
    leaseKeepAlive: [10, { lease, key: keyText }],
    leaseRevoke: [11, { lease, key: keyText }],
    conflicts: [12, { prefix: keyText, limit: positive, before: optional(text) }],
    status: [13, {}],
    transferLeadership: [14, { partition: nullable(integer(0, 65_535)), to: nullable(nodeName) }],
    changeMembers: [15, { add: list(memberSpec), remove: list(nodeName) }],
    read: [16, { key: keyText, type: valueType, consistent: bool, r: optional(positive) }],
    update: [17, { key: keyText, change: valueChangeLayout, consistent: bool, w: optional(positive) }],
    regions: [18, {}],
    addRegion: [19, { region: regionName, urls: list(text) }],
    evictRegion: [20, { region: regionName }],
  },
  'UNKNOWN_OPERATION',
);

export const writeIdLayout: RecordField<WriteId> = record<WriteId>('write id', {
  client: checkedText<ClientId>('client id', isClientId),
  sequence: positive,
  answeredBelow: positive,
  retry: bool,
});

const position = record<Causality['positions'][number]>('position', { origin: replica, sequence: uint });
const dot = record<Causality['dots'][number]>('dot', { replica, sequence: uint });
export const causalityLayout: RecordField<Causality> = record<Causality>('causality', {
  positions: list(position),
  dots: list(dot),
});

const listEntry: RecordField<ListEntry> = record<ListEntry>('entry', {
  key: text,
  value: bytesOrNil,
  version: text,
  view,
});
const watchEvent: RecordField<WatchEvent> = record<WatchEvent>('event', {
  key: text,
  value: bytesOrNil,
  version: text,
  view,
});
const txnResult = record<{ key: string; value: Uint8Array | null; version: string | null }>('result', {
  key: text,
  value: bytesOrNil,
  version: textOrNil,
});
const conflictEntry: RecordField<ConflictEntry> = record<ConflictEntry>('conflict', {
  id: text,
  key: text,
  reason: oneOf<ConflictReason>('superseded', 'overwrote', 'otherType', 'siblingLimit', 'documentDeleted', 'rejected'),
  loser: nullable(valueViewLayout),
  loserVersion: text,
  loserRegion: nullable(regionName),
  winner: nullable(valueViewLayout),
  winnerVersion: text,
  winnerRegion: nullable(regionName),
  timeMs: uint,
});
const regionNode = record<RegionStatus['nodes'][number]>('region node', {
  node: nodeName,
  clientUrl: text,
  peerUrl: text,
  adminUrl: text,
});
const regionPartition = record<RegionStatus['partitions'][number]>('region partition', {
  partition: uint,
  head: uint,
  applied: uint,
  lagMs: finite,
  unacknowledged: uint,
});
const regionStatus: RecordField<RegionStatus> = record<RegionStatus>('region status', {
  region: regionName,
  state: oneOf('self', 'up', 'down', 'evicted'),
  nodes: list(regionNode),
  partitions: list(regionPartition),
  clockOffsetMs: nullable(finite),
});
const partitionStatus = record<NodeStatus['partitions'][number]>('partition status', {
  partition: uint,
  role: text,
  term: uint,
  leader: nullable(nodeName),
  commit: uint,
  applied: uint,
  firstIndex: uint,
  lastIndex: uint,
  pending: uint,
  voters: list(nodeName),
  learners: list(nodeName),
  quorum: bool,
});
const nodeStatus: RecordField<NodeStatus> = record<NodeStatus>('status', {
  node: nodeName,
  partitions: list(partitionStatus),
  storageFull: bool,
  peers: list(nodeName),
});

export const answerLayout: UnionField<Answer> = union<Answer>('answer', {
  key: [
    0,
    {
      valid: bool,
      timeout: bool,
      value: bytesOrNil,
      version: textOrNil,
      outcome: optional(outcome),
      receipt: optional(text),
      ticket: optional(text),
      view,
      behind: optional(yes),
    },
  ],
  list: [1, { entries: list(listEntry), next: textOrNil, timeout: bool }],
  txn: [2, { timeout: bool, outcome, succeeded: bool, results: list(txnResult), ticket: optional(text) }],
  lease: [3, { timeout: bool, outcome, ttlMs: uint, ticket: optional(text) }],
  receipt: [
    4,
    {
      state: oneOf<ReceiptState>('accepted', 'promoted', 'merged', 'superseded', 'rejected', 'unknown'),
      reason: optional(text),
      version: textOrNil,
      timeout: bool,
    },
  ],
  conflicts: [5, { entries: list(conflictEntry), next: textOrNil }],
  status: [6, { status: nodeStatus }],
  done: [7, {}],
  error: [8, { code: errorCode, detail: text, ticket: optional(text) }],
  watch: [9, { events: list(watchEvent), cursor: text, reset: optional(oneOf('more', 'last')) }],
  regions: [10, { regions: list(regionStatus) }],
});

const requestId = integer(0, 0xffff_ffff);
const member: RecordField<Member> = record<Member>('member', {
  node: nodeName,
  role: oneOf('voter', 'learner'),
  clientUrl: text,
  adminUrl: text,
});
const members = list(member);
const leaders = list(nullable(nodeName));
const limits: RecordField<ClientLimits> = record<ClientLimits>('limits', {
  keyBytesMax: positive,
  valueBytesMax: positive,
  txnOperationsMax: positive,
  frameBytesMax: positive,
  requestsOpenMax: positive,
  listLimitMax: positive,
});

/** What a client sends, except for requests: those are taken apart field by field, so that one bad one can be refused. */
export const clientControlLayout: UnionField<HelloMessage | CancelMessage | PingMessage> = union<
  HelloMessage | CancelMessage | PingMessage
>('message', {
  hello: [0, { protocolVersion: uint, cluster: textOrNil }],
  cancel: [2, { requestId }],
  ping: [3, { nonce: requestId }],
});
export const requestTag = 1;
export const requestIdLayout: Field<number> = requestId;
export const timeoutLayout: Field<number | null> = nullable(uint);

const regionClients = record<RegionClients>('region', { region: regionName, clientUrls: list(text) });
const regions = list(regionClients);
const seenPartition = record<SeenMessage['partitions'][number]>('seen partition', {
  partition: uint,
  positions: list(position),
  promoted: dot,
});

/** For docs/protocol.md: everything that stands in messages as an array of its fields. */
export const recordLayouts: readonly Pick<RecordField<never>, 'name' | 'fields'>[] = [
  writeIdLayout,
  causalityLayout,
  position,
  dot,
  memberSpec,
  limits,
  member,
  regionClients,
  seenPartition,
  listEntry,
  watchEvent,
  txnResult,
  conflictEntry,
  regionStatus,
  regionNode,
  regionPartition,
  nodeStatus,
  partitionStatus,
];

export type ServerControlMessage = WelcomeMessage | MembersMessage | SeenMessage | GoodbyeMessage | PongMessage;

export const serverControlLayout: UnionField<ServerControlMessage> = union<ServerControlMessage>('message', {
  welcome: [
    0,
    {
      protocolVersion: uint,
      cluster: text,
      region: regionName,
      node: nodeName,
      partitionCount: integer(1, 65_536),
      nowMs: uint,
      limits,
      members,
      leaders,
      regions,
    },
  ],
  members: [2, { members, leaders, regions }],
  goodbye: [3, { code: errorCode, detail: text }],
  pong: [4, { nonce: requestId }],
  seen: [5, { partitions: list(seenPartition) }],
});
export const answerTag = 1;
