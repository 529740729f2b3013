import type { ClientId, NodeId, RegionId, ReplicaId } from '@skerry/base';
import fc from 'fast-check';
import { errorCodes } from '../errors.ts';
import type { ClientMessage, ServerMessage } from '../messages.ts';
import type {
  Answer,
  Causality,
  ConflictReason,
  ControlOperation,
  Operation,
  ValueChange,
  ValueType,
  ValueView,
  WriteId,
} from '../operations.ts';
import { isRead, isWrite } from '../codec.ts';
import type { Wire } from '../wire.ts';

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 80 }));
const bytes = fc.uint8Array({ maxLength: 300 });
const uint = fc.maxSafeNat();
const positive = fc.integer({ min: 1, max: 2 ** 40 });
const nameText = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,10}[A-Za-z0-9])?$/);
const node = nameText.map((value) => value as NodeId);
const region = nameText.map((value) => value as RegionId);
const lease = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/);
const client = fc.stringMatching(/^[0-9a-f]{32}$/).map((value) => value as ClientId);
const replica = fc.integer({ min: 0, max: 2 ** 48 - 1 }).map((value) => value as ReplicaId);
const requestId = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const nullable = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(of, { nil: null });
const few = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(of, { maxLength: 4 });
const kind = <K extends string>(name: K): fc.Arbitrary<K> => fc.constant(name);
/** A record whose optional fields may be absent. */
const record = <R extends object, O extends object>(
  required: { [K in keyof R]: fc.Arbitrary<R[K]> },
  optional: { [K in keyof O]: fc.Arbitrary<O[K]> },
): fc.Arbitrary<R & Partial<O>> =>
  fc.record(
    { ...required, ...optional },
    { requiredKeys: Object.keys(required) as never[] },
  ) as unknown as fc.Arbitrary<R & Partial<O>>;

const compare = fc.oneof(
  fc.record({ kind: kind('value'), key: text, equals: nullable(bytes) }),
  fc.record({
    kind: kind('version'),
    key: text,
    relation: fc.constantFrom('<' as const, '=' as const, '>' as const),
    version: nullable(text),
  }),
);
const txnOperation = fc.oneof(
  fc.record({ kind: kind('get'), key: text }),
  record({ kind: kind('set'), key: text, value: bytes }, { lease }),
  fc.record({ kind: kind('delete'), key: text }),
);

const valueType = fc.constantFrom<ValueType>('register', 'multiRegister', 'counter', 'set', 'flag', 'document');
const type = kind;
const valueChange: fc.Arbitrary<ValueChange> = fc.oneof(
  fc.record({ type: type('multiRegister'), value: bytes, context: nullable(text) }),
  fc.record({ type: type('counter'), action: type('add'), amount: fc.maxSafeInteger() }),
  fc.record({ type: type('counter'), action: type('reset') }),
  fc.record({ type: type('set'), action: fc.constantFrom('add' as const, 'remove' as const), element: bytes }),
  fc.record({ type: type('flag'), action: fc.constantFrom('enable' as const, 'disable' as const) }),
  fc.record({ type: type('document'), action: type('change'), bytes, operations: uint }),
  fc.record({ type: type('document'), action: type('compact'), bytes, operations: uint, context: text }),
);
const view: fc.Arbitrary<ValueView> = fc.oneof(
  fc.record({ type: type('register'), value: bytes }),
  fc.record({ type: type('multiRegister'), values: few(bytes), context: text }),
  fc.record({ type: type('counter'), total: fc.bigInt().map(String) }),
  fc.record({ type: type('set'), elements: few(bytes) }),
  fc.record({ type: type('flag'), enabled: fc.boolean() }),
  fc.record({ type: type('document'), chunks: few(bytes), operations: uint, context: text }),
);
const positions = few(fc.record({ origin: replica, sequence: uint }));
const dot = fc.record({ replica, sequence: uint });
const causality: fc.Arbitrary<Causality> = fc.record({ positions, dots: few(dot) });
const milliseconds = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);

export const operations: fc.Arbitrary<Operation | ControlOperation> = fc.oneof(
  record({ kind: kind('get'), key: text, consistent: fc.boolean() }, { r: positive }),
  record({ kind: kind('set'), key: text, value: bytes, consistent: fc.boolean() }, { w: positive, lease }),
  record({ kind: kind('swap'), key: text, newValue: nullable(bytes), oldValue: nullable(bytes) }, { lease }),
  record({ kind: kind('delete'), key: text, consistent: fc.boolean() }, { w: positive }),
  fc.record({
    kind: kind('list'),
    prefix: text,
    after: text,
    limit: positive,
    consistent: fc.boolean(),
    keysOnly: fc.boolean(),
  }),
  fc.record({ kind: kind('txn'), compares: few(compare), then: few(txnOperation), otherwise: few(txnOperation) }),
  fc.record({ kind: kind('watch'), key: text, prefix: fc.boolean(), cursor: nullable(text) }),
  fc.record({ kind: kind('receipt'), receipt: text, wait: fc.boolean() }),
  fc.record({ kind: kind('resolve'), ticket: text }),
  fc.record({ kind: kind('leaseGrant'), lease, ttlMs: positive, key: text }),
  fc.record({ kind: kind('leaseKeepAlive'), lease, key: text }),
  fc.record({ kind: kind('leaseRevoke'), lease, key: text }),
  fc.record({ kind: kind('conflicts'), prefix: text, limit: positive }),
  fc.record({ kind: kind('status') }),
  fc.record({ kind: kind('transferLeadership'), partition: nullable(fc.nat({ max: 65_535 })), to: nullable(node) }),
  fc.record({
    kind: kind('changeMembers'),
    add: few(
      fc.record({
        node,
        peerUrl: text,
        clientUrl: text,
        adminUrl: text,
        learner: fc.boolean(),
        replica: nullable(replica),
      }),
    ),
    remove: few(node),
  }),
  record({ kind: kind('read'), key: text, type: valueType, consistent: fc.boolean() }, { r: positive }),
  record({ kind: kind('update'), key: text, change: valueChange, consistent: fc.boolean() }, { w: positive }),
  fc.record({ kind: kind('regions') }),
  fc.record({ kind: kind('addRegion'), region, urls: few(text) }),
  fc.record({ kind: kind('evictRegion'), region }),
);

const writeId: fc.Arbitrary<WriteId> = fc.record({
  client,
  sequence: positive,
  answeredBelow: positive,
  retry: fc.boolean(),
});

export const clientMessages: fc.Arbitrary<ClientMessage> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: kind('hello'), protocolVersion: uint, cluster: nullable(text) }) },
  {
    weight: 16,
    arbitrary: fc
      .tuple(requestId, operations, writeId, nullable(uint), nullable(causality))
      .map(([id, operation, write, timeoutMs, after]): ClientMessage => {
        const request = { kind: 'request' as const, requestId: id, operation, timeoutMs };
        if (isWrite(operation)) return { ...request, id: write };
        return after !== null && isRead(operation) ? { ...request, after } : request;
      }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('cancel'), requestId }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('ping'), nonce: requestId }) },
);

const outcome = fc.constantFrom('applied' as const, 'refused' as const, 'notApplied' as const, 'undecided' as const);
const entry = record({ key: text, value: nullable(bytes), version: text }, { view });
const partitionStatus = fc.record({
  partition: uint,
  role: text,
  term: uint,
  leader: nullable(node),
  commit: uint,
  applied: uint,
  firstIndex: uint,
  lastIndex: uint,
  pending: uint,
  voters: few(node),
  learners: few(node),
  quorum: fc.boolean(),
});

export const answers: fc.Arbitrary<Answer> = fc.oneof(
  record(
    { kind: kind('key'), valid: fc.boolean(), timeout: fc.boolean(), value: nullable(bytes), version: nullable(text) },
    { outcome, receipt: text, ticket: text, view, behind: fc.constant(true as const) },
  ),
  fc.record({ kind: kind('list'), entries: few(entry), next: nullable(text), timeout: fc.boolean() }),
  record(
    {
      kind: kind('txn'),
      timeout: fc.boolean(),
      outcome,
      succeeded: fc.boolean(),
      results: few(fc.record({ key: text, value: nullable(bytes), version: nullable(text) })),
    },
    { ticket: text },
  ),
  record({ kind: kind('lease'), timeout: fc.boolean(), outcome, ttlMs: uint }, { ticket: text }),
  record(
    {
      kind: kind('receipt'),
      version: nullable(text),
      timeout: fc.boolean(),
      state: fc.constantFrom(
        'accepted' as const,
        'promoted' as const,
        'merged' as const,
        'superseded' as const,
        'rejected' as const,
        'unknown' as const,
      ),
    },
    { reason: text },
  ),
  fc.record({
    kind: kind('conflicts'),
    next: nullable(text),
    entries: few(
      fc.record({
        id: text,
        key: text,
        loser: nullable(view),
        loserVersion: text,
        loserRegion: nullable(region),
        winner: nullable(view),
        winnerVersion: text,
        winnerRegion: nullable(region),
        timeMs: uint,
        reason: fc.constantFrom<ConflictReason>(
          'superseded',
          'overwrote',
          'otherType',
          'siblingLimit',
          'documentDeleted',
          'rejected',
        ),
      }),
    ),
  }),
  fc.record({
    kind: kind('status'),
    status: fc.record({ node, partitions: few(partitionStatus), storageFull: fc.boolean(), peers: few(node) }),
  }),
  fc.record({ kind: kind('done') }),
  record({ kind: kind('error'), code: fc.constantFrom(...errorCodes), detail: text }, { ticket: text }),
  record(
    { kind: kind('watch'), events: few(entry), cursor: text },
    { reset: fc.constantFrom('more' as const, 'last' as const) },
  ),
  fc.record({
    kind: kind('regions'),
    regions: few(
      fc.record({
        region,
        state: fc.constantFrom('self' as const, 'up' as const, 'down' as const, 'evicted' as const),
        nodes: few(fc.record({ node, clientUrl: text, peerUrl: text, adminUrl: text })),
        partitions: few(
          fc.record({ partition: uint, head: uint, applied: uint, lagMs: milliseconds, unacknowledged: uint }),
        ),
        clockOffsetMs: nullable(milliseconds),
      }),
    ),
  }),
);

const members = few(
  fc.record({ node, role: fc.constantFrom('voter' as const, 'learner' as const), clientUrl: text, adminUrl: text }),
);
const leaders = few(nullable(node));
const regions = few(fc.record({ region, clientUrls: few(text) }));

export const serverMessages: fc.Arbitrary<ServerMessage> = fc.oneof(
  fc.record({
    kind: kind('welcome'),
    protocolVersion: uint,
    cluster: text,
    region,
    node,
    partitionCount: fc.integer({ min: 1, max: 65_536 }),
    nowMs: uint,
    limits: fc.record({
      keyBytesMax: positive,
      valueBytesMax: positive,
      txnOperationsMax: positive,
      frameBytesMax: positive,
      requestsOpenMax: positive,
      listLimitMax: positive,
    }),
    members,
    leaders,
    regions,
  }),
  { weight: 10, arbitrary: fc.record({ kind: kind('answer'), requestId, answer: answers }) },
  fc.record({ kind: kind('members'), members, leaders, regions }),
  fc.record({ kind: kind('seen'), partitions: few(fc.record({ partition: uint, positions, promoted: dot })) }),
  fc.record({ kind: kind('goodbye'), code: fc.constantFrom(...errorCodes), detail: text }),
  fc.record({ kind: kind('pong'), nonce: requestId }),
);

/** Anything that a frame can hold; not -0, which MessagePack does not tell from 0. */
export const wires: fc.Arbitrary<Wire> = fc.letrec<{ wire: Wire }>((tie) => ({
  wire: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Wire>(null, true, false, 0, -1, 1, 1.5, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 40), '', 'get'),
    fc.integer(),
    fc.double({ noNaN: true }).map((value) => value + 0),
    text,
    bytes,
    fc.array(tie('wire'), { maxLength: 6 }),
  ),
})).wire;
