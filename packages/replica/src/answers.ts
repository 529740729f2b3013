import { registerValue, valueStamp, valueType, type Value } from '@skerry/crdt';
import { versionOf } from './names.ts';
import type { Answer, KeyAnswer, ReplicaErrorCode, ValueType, ValueView, WriteOperation } from './requests.ts';
import { viewOf } from './view.ts';
import type { WriteEnd } from './waiting-writes.ts';

export function errorAnswer(code: ReplicaErrorCode, detail: string): Answer {
  return { kind: 'error', code, detail };
}

/** The answer to a read of one key: as a register for `get`, which is told by `type` null. */
export function readAnswer(value: Value | null, type: ValueType | null): Answer {
  const actual = valueType(value);
  if (value === null || actual === null)
    return { kind: 'key', valid: true, timeout: false, value: null, version: null };
  if (actual !== (type ?? 'register')) return errorAnswer('WRONG_TYPE', `the key is a ${actual}`);
  const version = versionOf(valueStamp(value));
  if (type === null) return { kind: 'key', valid: true, timeout: false, value: registerValue(value), version };
  return { kind: 'key', valid: true, timeout: false, value: null, version, ...shown(value) };
}

function shown(value: Value | null): { view?: ValueView } {
  const view = viewOf(value);
  return view === null ? {} : { view };
}

/** The read's deadline came first: what is there, marked as possibly older than what the session saw. */
export function behindOf(answer: Answer): Answer {
  return answer.kind === 'key' ? { ...answer, behind: true } : answer;
}

export const timedOutRead: KeyAnswer = { kind: 'key', valid: false, timeout: true, value: null, version: null };

/** Forms the answer of a consistent write from how it ended. `ticket` names it for resolve. */
export function writeAnswer(
  operation: WriteOperation['kind'] | 'resolve',
  ticket: () => string,
  end: WriteEnd,
): Answer {
  switch (end.kind) {
    case 'timedOut':
    case 'notApplied':
      return withoutEffect(operation, 'notApplied', operation !== 'resolve');
    case 'undecided':
      return { ...withoutEffect(operation, 'undecided', true), ticket: ticket() } as Answer;
    case 'applied':
      return {
        kind: 'key',
        valid: true,
        timeout: false,
        value: null,
        version: versionOf(end.stamp),
        outcome: 'applied',
      };
    case 'updated':
      return {
        kind: 'key',
        valid: true,
        timeout: false,
        value: null,
        version: versionOf(end.stamp),
        outcome: 'applied',
        ...shown(end.value),
      };
    case 'promoted':
      return { kind: 'key', valid: true, timeout: false, value: null, version: versionOf(end.stamp) };
    case 'refused':
      return {
        kind: 'key',
        valid: false,
        timeout: false,
        value: end.value,
        version: versionOf(end.stamp),
        outcome: 'refused',
      };
    case 'txn':
      return {
        kind: 'txn',
        timeout: false,
        outcome: 'applied',
        succeeded: end.succeeded,
        results: end.results.map(({ key, value, stamp }) => ({ key, value, version: versionOf(stamp) })),
      };
    case 'lease':
      return { kind: 'lease', timeout: false, outcome: 'applied', ttlMs: end.ttlMs };
    case 'error':
      if (operation === 'resolve' && end.code === 'SEQUENCE_ANSWERED')
        return errorAnswer('TICKET_UNKNOWN', 'the outcome was told and is forgotten');
      if (operation === 'resolve' && end.code === 'SESSION_EXPIRED')
        return errorAnswer('TICKET_UNKNOWN', 'the session is forgotten');
      return errorAnswer(end.code, errorDetails[end.code]);
  }
}

const errorDetails = {
  LEASE_NOT_FOUND: 'there is no such lease',
  LEASE_EXISTS: 'the lease id is taken',
  WRONG_TYPE: 'the key holds a value of another type',
  LIMIT_EXCEEDED: 'the value would exceed a limit of its type',
  SESSION_EXPIRED: 'the session was idle for too long',
  SEQUENCE_ANSWERED: 'this write was answered before',
} as const;

function withoutEffect(
  operation: WriteOperation['kind'] | 'resolve',
  outcome: 'notApplied' | 'undecided',
  timeout: boolean,
): Answer {
  switch (operation) {
    case 'txn':
      return { kind: 'txn', timeout, outcome, succeeded: false, results: [] };
    case 'leaseGrant':
    case 'leaseKeepAlive':
    case 'leaseRevoke':
      return { kind: 'lease', timeout, outcome, ttlMs: 0 };
    default:
      return { kind: 'key', valid: false, timeout, value: null, version: null, outcome };
  }
}
