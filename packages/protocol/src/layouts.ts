import { isClientId, replicaIdMax, type ClientId, type NodeId, type RegionId, type ReplicaId } from '@skerry/base';
import { isErrorCode, type ErrorCode } from './errors.ts';
import {
  binary, bool, checkedText, integer, keyText, list, name, nullable, oneOf, optional, record, text, union,
  type Field, type UnionField,
} from './layout.ts';
import type { CancelMessage, ClientLimits, GoodbyeMessage, HelloMessage, Member, MembersMessage, PingMessage, PongMessage, WelcomeMessage } from './messages.ts';
import type {
  Answer, Compare, ConflictEntry, ControlOperation, ListEntry, MemberSpec, NodeStatus, Operation, Outcome, ReceiptState,
  TxnOperation, WatchEvent, WriteId,
} from './operations.ts';

const leasePattern = /^[A-Za-z0-9._-]{1,64}$/;

const nodeName: Field<NodeId> = name('node');
const uint = integer(0);
const positive = integer(1);
const replica = integer(0, replicaIdMax) as Field<number> as unknown as Field<ReplicaId>;
const lease: Field<string> = checkedText('lease id', (value) => leasePattern.test(value));
const errorCode: Field<ErrorCode> = checkedText('error code', isErrorCode);
const bytesOrNil = nullable(binary);
const textOrNil = nullable(text);
const outcome: Field<Outcome> = oneOf('applied', 'refused', 'notApplied', 'undecided');

const compare: Field<Compare> = union<Compare>('compare', {
  value: [0, { key: keyText, equals: bytesOrNil }],
  version: [1, { key: keyText, relation: oneOf('<', '=', '>'), version: textOrNil }],
});

const txnOperation: Field<TxnOperation> = union<TxnOperation>('transaction operation', {
  get: [0, { key: keyText }],
  set: [1, { key: keyText, value: binary, lease: optional(lease) }],
  delete: [2, { key: keyText }],
});

const memberSpec: Field<MemberSpec> = record<MemberSpec>('member', {
  node: nodeName, peerUrl: text, clientUrl: text, adminUrl: text, learner: bool, replica: nullable(replica),
});

export const operationLayout: UnionField<Operation | ControlOperation> = union<Operation | ControlOperation>(
  'operation',
  {
    get: [0, { key: keyText, consistent: bool, r: optional(positive) }],
    set: [1, { key: keyText, value: binary, consistent: bool, w: optional(positive), lease: optional(lease) }],
    swap: [2, { key: keyText, newValue: bytesOrNil, oldValue: bytesOrNil, lease: optional(lease) }],
    delete: [3, { key: keyText, consistent: bool, w: optional(positive) }],
    list: [4, { prefix: keyText, after: keyText, limit: positive, consistent: bool, keysOnly: bool }],
    txn: [5, { compares: list(compare), then: list(txnOperation), otherwise: list(txnOperation) }],
    watch: [6, { key: keyText, prefix: bool, cursor: textOrNil }],
    receipt: [7, { receipt: text, wait: bool }],
    resolve: [8, { ticket: text }],
    leaseGrant: [9, { lease, ttlMs: positive, key: keyText }],
    leaseKeepAlive: [10, { lease, key: keyText }],
    leaseRevoke: [11, { lease, key: keyText }],
    conflicts: [12, { prefix: keyText, limit: positive }],
    status: [13, {}],
    transferLeadership: [14, { partition: nullable(integer(0, 65_535)), to: nullable(nodeName) }],
    changeMembers: [15, { add: list(memberSpec), remove: list(nodeName) }],
  },
  'UNKNOWN_OPERATION',
);

export const writeIdLayout: Field<WriteId> = record<WriteId>('write id', {
  client: checkedText<ClientId>('client id', isClientId), sequence: positive, answeredBelow: positive, retry: bool,
});

const listEntry: Field<ListEntry> = record<ListEntry>('entry', { key: text, value: bytesOrNil, version: text });
const watchEvent: Field<WatchEvent> = record<WatchEvent>('event', { key: text, value: bytesOrNil, version: text });
const txnResult = record<{ key: string; value: Uint8Array | null; version: string | null }>('result', {
  key: text, value: bytesOrNil, version: textOrNil,
});
const conflictEntry: Field<ConflictEntry> = record<ConflictEntry>('conflict', {
  key: text, loser: bytesOrNil, loserVersion: text, winner: bytesOrNil, winnerVersion: text, timeMs: uint,
  reason: oneOf('superseded', 'overwrote', 'rejected'),
});
const partitionStatus = record<NodeStatus['partitions'][number]>('partition status', {
  partition: uint, role: text, term: uint, leader: nullable(nodeName), commit: uint, applied: uint, firstIndex: uint, lastIndex: uint,
  pending: uint, voters: list(nodeName), learners: list(nodeName), quorum: bool,
});
const nodeStatus: Field<NodeStatus> = record<NodeStatus>('status', {
  node: nodeName, partitions: list(partitionStatus), storageFull: bool, peers: list(nodeName),
});

export const answerLayout: UnionField<Answer> = union<Answer>('answer', {
  key: [0, {
    valid: bool, timeout: bool, value: bytesOrNil, version: textOrNil, outcome: optional(outcome), receipt: optional(text), ticket: optional(text),
  }],
  list: [1, { entries: list(listEntry), next: textOrNil, timeout: bool }],
  txn: [2, { timeout: bool, outcome, succeeded: bool, results: list(txnResult), ticket: optional(text) }],
  lease: [3, { timeout: bool, outcome, ttlMs: uint, ticket: optional(text) }],
  receipt: [4, {
    state: oneOf<ReceiptState>('accepted', 'promoted', 'merged', 'superseded', 'rejected', 'unknown'),
    reason: optional(text), version: textOrNil, timeout: bool,
  }],
  conflicts: [5, { entries: list(conflictEntry) }],
  status: [6, { status: nodeStatus }],
  done: [7, {}],
  error: [8, { code: errorCode, detail: text, ticket: optional(text) }],
  watch: [9, { events: list(watchEvent), cursor: text, reset: optional(oneOf('more', 'last')) }],
});

const requestId = integer(0, 0xffff_ffff);
const member: Field<Member> = record<Member>('member', { node: nodeName, role: oneOf('voter', 'learner'), clientUrl: text, adminUrl: text });
const members = list(member);
const leaders = list(nullable(nodeName));
const limits: Field<ClientLimits> = record<ClientLimits>('limits', {
  keyBytesMax: positive, valueBytesMax: positive, txnOperationsMax: positive, frameBytesMax: positive, requestsOpenMax: positive, listLimitMax: positive,
});

/** What a client sends, except for requests: those are taken apart field by field, so that one bad one can be refused. */
export const clientControlLayout: UnionField<HelloMessage | CancelMessage | PingMessage> = union<HelloMessage | CancelMessage | PingMessage>('message', {
  hello: [0, { protocolVersion: uint, cluster: textOrNil }],
  cancel: [2, { requestId }],
  ping: [3, { nonce: requestId }],
});
export const requestTag = 1;
export const requestIdLayout: Field<number> = requestId;
export const timeoutLayout: Field<number | null> = nullable(uint);

export type ServerControlMessage = WelcomeMessage | MembersMessage | GoodbyeMessage | PongMessage;

export const serverControlLayout: UnionField<ServerControlMessage> = union<ServerControlMessage>('message', {
  welcome: [0, {
    protocolVersion: uint, cluster: text, region: name<RegionId>('region'), node: nodeName, partitionCount: integer(1, 65_536), nowMs: uint,
    limits, members, leaders,
  }],
  members: [2, { members, leaders }],
  goodbye: [3, { code: errorCode, detail: text }],
  pong: [4, { nonce: requestId }],
});
export const answerTag = 1;
