import { utf8Decode } from '@skerry/base';
import type { HttpKeyResponse, HttpListResponse, HttpReceiptResponse, HttpWatchEvent } from '@skerry/protocol';
import type { Answer, KeyAnswer, WatchAnswer } from '@skerry/replica';
import { HttpError, receiptAddress, ticketAddress } from './problem.ts';

type Of<Kind extends Answer['kind']> = Extract<Answer, { kind: Kind }>;

/** The answer if it is of this kind; an error becomes its problem, a timeout 504. */
export function expectAnswer<Kind extends Exclude<Answer['kind'], 'error'>>(answer: Answer, kind: Kind): Of<Kind> {
  if (answer.kind === 'error') {
    throw new HttpError(answer.code, answer.detail, answer.ticket === undefined ? {} : { ticket: answer.ticket });
  }
  if (answer.kind !== kind) throw new Error(`asked for ${kind}, was answered ${answer.kind}`);
  return answer as Of<Kind>;
}

/** Throws if the answer says that time ran out. What is `notApplied` never will be applied, and of a read nothing can be. */
export function requireInTime(answer: {
  readonly timeout: boolean;
  readonly outcome?: string;
  readonly ticket?: string;
}): void {
  if (!answer.timeout) return;
  const outcome = answer.outcome ?? 'notApplied';
  throw new HttpError('TIMEOUT', `outcome: ${outcome}`, {
    definite: outcome === 'notApplied',
    ...(answer.ticket === undefined ? {} : { ticket: answer.ticket }),
  });
}

export function keyBody(answer: KeyAnswer): HttpKeyResponse {
  return {
    valid: answer.valid,
    timeout: answer.timeout,
    ...textOf(answer.value),
    version: answer.version,
    ...(answer.outcome === undefined ? {} : { outcome: answer.outcome }),
    ...(answer.receipt === undefined ? {} : { receipt: receiptAddress(answer.receipt) }),
    ...(answer.ticket === undefined ? {} : { ticket: ticketAddress(answer.ticket) }),
  };
}

/** A conditional write went through a transaction; its caller sees the write of one key. */
export function keyAnswerOfTxn(answer: Of<'txn'>): KeyAnswer {
  return {
    kind: 'key',
    valid: answer.succeeded && !answer.timeout,
    timeout: answer.timeout,
    value: null,
    version: answer.results[0]?.version ?? null,
    outcome: answer.outcome,
    ...(answer.ticket === undefined ? {} : { ticket: answer.ticket }),
  };
}

export function listBody(answer: Of<'list'>): HttpListResponse {
  return {
    entries: answer.entries.map(({ key, value, version }) => ({ key, ...textOf(value), version })),
    next: answer.next,
    timeout: answer.timeout,
  };
}

export function watchBody(answer: WatchAnswer): HttpWatchEvent {
  return {
    events: answer.events.map(({ key, value, version }) => ({ key, ...textOf(value), version })),
    cursor: answer.cursor,
    ...(answer.reset === undefined ? {} : { reset: answer.reset }),
  };
}

export function receiptBody(answer: Of<'receipt'>): HttpReceiptResponse {
  return {
    state: answer.state,
    ...(answer.reason === undefined ? {} : { reason: answer.reason }),
    version: answer.version,
    timeout: answer.timeout,
  };
}

/** Text as it is, other bytes as base64. */
function textOf(value: Uint8Array | null): { readonly value: string | null; readonly encoding?: 'base64' } {
  if (value === null) return { value: null };
  const text = utf8Decode(value);
  if (text !== null) return { value: text };
  return {
    value: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
    encoding: 'base64',
  };
}
