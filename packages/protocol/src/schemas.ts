import {
  isClientId,
  isWellFormed,
  replicaIdMax,
  type ClientId,
  type NodeId,
  type RegionId,
  type ReplicaId,
} from '@skerry/base';
import { z } from 'zod';
import { isRead, isWrite } from './codec.ts';
import { errorCodes, isErrorCode, type ErrorCode } from './errors.ts';
import type { ClientMessage, ServerMessage } from './messages.ts';
import type { Answer, ControlOperation, Operation } from './operations.ts';

/**
 * Every message once more as zod 4 schemas: for JSON (the HTTP face), for the OpenAPI document, for the tripwire that
 * demands a new protocol version, and as the second opinion that the codec is tested against. Unknown fields are refused.
 * The compiler holds them and the types of `operations.ts` and `messages.ts` equal, at the end of this file.
 */

const namePattern = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;

/** Unicode text: what UTF-8 can carry without loss. */
const text = z.string().refine(isWellFormed, { error: 'not well-formed Unicode', params: { code: 'BAD_REQUEST' } });
const key = z
  .string()
  .refine(isWellFormed, { error: 'the key is not well-formed Unicode', params: { code: 'KEY_NOT_UTF8' } });
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'not bytes').meta({ title: 'bytes' });
const bytesOrNull = bytes.nullable();
const node = z
  .string()
  .regex(namePattern)
  .transform((value) => value as NodeId);
const region = z
  .string()
  .regex(namePattern)
  .transform((value) => value as RegionId);
const client = z
  .string()
  .regex(/^[0-9a-f]{32}$/)
  .refine(isClientId)
  .transform((value) => value as ClientId);
const code = z.enum(errorCodes as [ErrorCode, ...ErrorCode[]]).refine(isErrorCode);
const lease = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/);
const uint = z.int().min(0);
const positive = z.int().min(1);
const replica = z
  .int()
  .min(0)
  .max(replicaIdMax)
  .transform((value) => value as ReplicaId);
const decimal = z.string().regex(/^(?:0|-?[1-9][0-9]*)$/);
const requestId = z.int().min(0).max(0xffff_ffff);
const outcome = z.enum(['applied', 'refused', 'notApplied', 'undecided']);

const compare = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('value'), key, equals: bytesOrNull }),
  z.strictObject({ kind: z.literal('version'), key, relation: z.enum(['<', '=', '>']), version: text.nullable() }),
]);
const txnOperation = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('get'), key }),
  z.strictObject({ kind: z.literal('set'), key, value: bytes, lease: lease.exactOptional() }),
  z.strictObject({ kind: z.literal('delete'), key }),
]);
const valueType = z.enum(['register', 'multiRegister', 'counter', 'set', 'flag', 'document']);
const valueChange = z.union([
  z.strictObject({ type: z.literal('multiRegister'), value: bytes, context: text.nullable() }),
  z.strictObject({ type: z.literal('counter'), action: z.literal('add'), amount: z.int() }),
  z.strictObject({ type: z.literal('counter'), action: z.literal('reset') }),
  z.strictObject({ type: z.literal('set'), action: z.enum(['add', 'remove']), element: bytes }),
  z.strictObject({ type: z.literal('flag'), action: z.enum(['enable', 'disable']) }),
  z.strictObject({ type: z.literal('document'), action: z.literal('change'), bytes, operations: uint }),
  z.strictObject({ type: z.literal('document'), action: z.literal('compact'), bytes, operations: uint, context: text }),
]);
const valueView = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('register'), value: bytes }),
  z.strictObject({ type: z.literal('multiRegister'), values: z.array(bytes), context: text }),
  z.strictObject({ type: z.literal('counter'), total: decimal }),
  z.strictObject({ type: z.literal('set'), elements: z.array(bytes) }),
  z.strictObject({ type: z.literal('flag'), enabled: z.boolean() }),
  z.strictObject({ type: z.literal('document'), chunks: z.array(bytes), operations: uint, context: text }),
]);
const view = valueView.exactOptional();
const memberSpec = z.strictObject({
  node,
  peerUrl: text,
  clientUrl: text,
  adminUrl: text,
  learner: z.boolean(),
  replica: replica.nullable(),
});

const operation = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('get'), key, consistent: z.boolean(), r: positive.exactOptional() }),
  z.strictObject({
    kind: z.literal('set'),
    key,
    value: bytes,
    consistent: z.boolean(),
    w: positive.exactOptional(),
    lease: lease.exactOptional(),
  }),
  z.strictObject({
    kind: z.literal('swap'),
    key,
    newValue: bytesOrNull,
    oldValue: bytesOrNull,
    lease: lease.exactOptional(),
  }),
  z.strictObject({ kind: z.literal('delete'), key, consistent: z.boolean(), w: positive.exactOptional() }),
  z.strictObject({
    kind: z.literal('list'),
    prefix: key,
    after: key,
    limit: positive,
    consistent: z.boolean(),
    keysOnly: z.boolean(),
  }),
  z.strictObject({
    kind: z.literal('txn'),
    compares: z.array(compare),
    then: z.array(txnOperation),
    otherwise: z.array(txnOperation),
  }),
  z.strictObject({ kind: z.literal('watch'), key, prefix: z.boolean(), cursor: text.nullable() }),
  z.strictObject({ kind: z.literal('receipt'), receipt: text, wait: z.boolean() }),
  z.strictObject({ kind: z.literal('resolve'), ticket: text }),
  z.strictObject({ kind: z.literal('leaseGrant'), lease, ttlMs: positive, key }),
  z.strictObject({ kind: z.literal('leaseKeepAlive'), lease, key }),
  z.strictObject({ kind: z.literal('leaseRevoke'), lease, key }),
  z.strictObject({ kind: z.literal('conflicts'), prefix: key, limit: positive, before: text.exactOptional() }),
  z.strictObject({ kind: z.literal('status') }),
  z.strictObject({
    kind: z.literal('transferLeadership'),
    partition: uint.max(65_535).nullable(),
    to: node.nullable(),
  }),
  z.strictObject({ kind: z.literal('changeMembers'), add: z.array(memberSpec), remove: z.array(node) }),
  z.strictObject({
    kind: z.literal('read'),
    key,
    type: valueType,
    consistent: z.boolean(),
    r: positive.exactOptional(),
  }),
  z.strictObject({
    kind: z.literal('update'),
    key,
    change: valueChange,
    consistent: z.boolean(),
    w: positive.exactOptional(),
  }),
  z.strictObject({ kind: z.literal('regions') }),
  z.strictObject({ kind: z.literal('addRegion'), region, urls: z.array(text) }),
  z.strictObject({ kind: z.literal('evictRegion'), region }),
]);
const writeId = z.strictObject({ client, sequence: positive, answeredBelow: positive, retry: z.boolean() });

const position = z.strictObject({ origin: replica, sequence: uint });
const dot = z.strictObject({ replica, sequence: uint });
const causality = z.strictObject({ positions: z.array(position), dots: z.array(dot) });

const entry = z.strictObject({ key: text, value: bytesOrNull, version: text, view });
const txnResult = z.strictObject({ key: text, value: bytesOrNull, version: text.nullable() });
const conflict = z.strictObject({
  id: text,
  key: text,
  reason: z.enum(['superseded', 'overwrote', 'otherType', 'siblingLimit', 'documentDeleted', 'rejected']),
  loser: valueView.nullable(),
  loserVersion: text,
  loserRegion: region.nullable(),
  winner: valueView.nullable(),
  winnerVersion: text,
  winnerRegion: region.nullable(),
  timeMs: uint,
});
const regionStatus = z.strictObject({
  region,
  state: z.enum(['self', 'up', 'down', 'evicted']),
  nodes: z.array(z.strictObject({ node, clientUrl: text, peerUrl: text, adminUrl: text })),
  partitions: z.array(
    z.strictObject({ partition: uint, head: uint, applied: uint, lagMs: z.number(), unacknowledged: uint }),
  ),
  clockOffsetMs: z.number().nullable(),
});
const partitionStatus = z.strictObject({
  partition: uint,
  role: text,
  term: uint,
  leader: node.nullable(),
  commit: uint,
  applied: uint,
  firstIndex: uint,
  lastIndex: uint,
  pending: uint,
  voters: z.array(node),
  learners: z.array(node),
  quorum: z.boolean(),
});
const status = z.strictObject({
  node,
  partitions: z.array(partitionStatus),
  storageFull: z.boolean(),
  peers: z.array(node),
});
const ticket = text.exactOptional();

const answer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('key'),
    valid: z.boolean(),
    timeout: z.boolean(),
    value: bytesOrNull,
    version: text.nullable(),
    outcome: outcome.exactOptional(),
    receipt: text.exactOptional(),
    ticket,
    view,
    behind: z.literal(true).exactOptional(),
  }),
  z.strictObject({ kind: z.literal('list'), entries: z.array(entry), next: text.nullable(), timeout: z.boolean() }),
  z.strictObject({
    kind: z.literal('txn'),
    timeout: z.boolean(),
    outcome,
    succeeded: z.boolean(),
    results: z.array(txnResult),
    ticket,
  }),
  z.strictObject({ kind: z.literal('lease'), timeout: z.boolean(), outcome, ttlMs: uint, ticket }),
  z.strictObject({
    kind: z.literal('receipt'),
    state: z.enum(['accepted', 'promoted', 'merged', 'superseded', 'rejected', 'unknown']),
    reason: text.exactOptional(),
    version: text.nullable(),
    timeout: z.boolean(),
  }),
  z.strictObject({ kind: z.literal('conflicts'), entries: z.array(conflict), next: text.nullable() }),
  z.strictObject({ kind: z.literal('status'), status }),
  z.strictObject({ kind: z.literal('done') }),
  z.strictObject({ kind: z.literal('error'), code, detail: text, ticket }),
  z.strictObject({
    kind: z.literal('watch'),
    events: z.array(entry),
    cursor: text,
    reset: z.enum(['more', 'last']).exactOptional(),
  }),
  z.strictObject({ kind: z.literal('regions'), regions: z.array(regionStatus) }),
]);

const member = z.strictObject({ node, role: z.enum(['voter', 'learner']), clientUrl: text, adminUrl: text });
const members = z.array(member);
const leaders = z.array(node.nullable());
const regions = z.array(z.strictObject({ region, clientUrls: z.array(text) }));
const limits = z.strictObject({
  keyBytesMax: positive,
  valueBytesMax: positive,
  txnOperationsMax: positive,
  frameBytesMax: positive,
  requestsOpenMax: positive,
  listLimitMax: positive,
});

const clientMessage = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('hello'), protocolVersion: uint, cluster: text.nullable() }),
  z
    .strictObject({
      kind: z.literal('request'),
      requestId,
      operation,
      id: writeId.exactOptional(),
      timeoutMs: uint.nullable(),
      after: causality.exactOptional(),
    })
    .refine(
      (request) => isWrite(request.operation) === (request.id !== undefined),
      'an id stands on writes and only there',
    )
    .refine((request) => request.after === undefined || isRead(request.operation), 'an after stands on reads only'),
  z.strictObject({ kind: z.literal('cancel'), requestId }),
  z.strictObject({ kind: z.literal('ping'), nonce: requestId }),
]);
const serverMessage = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('welcome'),
    protocolVersion: uint,
    cluster: text,
    region,
    node,
    partitionCount: z.int().min(1).max(65_536),
    nowMs: uint,
    limits,
    members,
    leaders,
    regions,
  }),
  z.strictObject({ kind: z.literal('answer'), requestId, answer }),
  z.strictObject({ kind: z.literal('members'), members, leaders, regions }),
  z.strictObject({
    kind: z.literal('seen'),
    partitions: z.array(z.strictObject({ partition: uint, positions: z.array(position), promoted: dot })),
  }),
  z.strictObject({ kind: z.literal('goodbye'), code, detail: text }),
  z.strictObject({ kind: z.literal('pong'), nonce: requestId }),
]);

type DeepReadonly<T> = T extends Uint8Array | string | number | boolean | null
  ? T
  : T extends readonly (infer Element)[]
    ? readonly DeepReadonly<Element>[]
    : { readonly [K in keyof T]: DeepReadonly<T[K]> };
type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
/** A schema of exactly `T`: does not compile when a schema and its hand-written type differ. */
type Matching<T, Schema extends z.ZodType> =
  Equal<T, DeepReadonly<z.infer<Schema>>> extends true ? z.ZodType<T> : never;

export const clientMessageSchema: z.ZodType<ClientMessage> = clientMessage satisfies Matching<
  ClientMessage,
  typeof clientMessage
>;
export const serverMessageSchema: z.ZodType<ServerMessage> = serverMessage satisfies Matching<
  ServerMessage,
  typeof serverMessage
>;
export const operationSchema: z.ZodType<Operation | ControlOperation> = operation satisfies Matching<
  Operation | ControlOperation,
  typeof operation
>;
export const answerSchema: z.ZodType<Answer> = answer satisfies Matching<Answer, typeof answer>;

/** JSON Schema of `schema` as it stands on a wire that carries JSON; bytes are described as base64. */
export function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      if (jsonSchema.title === 'bytes') Object.assign(jsonSchema, { type: 'string', contentEncoding: 'base64' });
    },
  }) as Record<string, unknown>;
}
