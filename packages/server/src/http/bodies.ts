import { utf8Decode } from '@skerry/base';
import type {
  HttpConflictsResponse,
  HttpEntry,
  HttpKeyResponse,
  HttpListResponse,
  HttpReceiptResponse,
  HttpView,
  HttpWatchEvent,
} from '@skerry/protocol';
import type { Answer, KeyAnswer, ListEntry, ValueView, WatchAnswer } from '@skerry/replica';
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
    ...(answer.view === undefined ? {} : { view: viewBody(answer.view) }),
    ...(answer.outcome === undefined ? {} : { outcome: answer.outcome }),
    ...(answer.receipt === undefined ? {} : { receipt: receiptAddress(answer.receipt) }),
    ...(answer.ticket === undefined ? {} : { ticket: ticketAddress(answer.ticket) }),
    ...(answer.behind === undefined ? {} : { behind: true }),
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
    entries: answer.entries.map(entryBody),
    next: answer.next,
    timeout: answer.timeout,
  };
}

export function watchBody(answer: WatchAnswer): HttpWatchEvent {
  return {
    events: answer.events.map(entryBody),
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

export function conflictsBody(answer: Of<'conflicts'>): HttpConflictsResponse {
  return {
    entries: answer.entries.map((entry) => ({
      ...entry,
      loser: entry.loser === null ? null : viewBody(entry.loser),
      winner: entry.winner === null ? null : viewBody(entry.winner),
    })),
    next: answer.next,
  };
}

function entryBody({ key, value, view, version }: ListEntry): HttpEntry {
  return { key, ...textOf(value), ...(view === undefined ? {} : { view: viewBody(view) }), version };
}

function viewBody(view: ValueView): HttpView {
  switch (view.type) {
    case 'register': {
      const { texts, ...encoding } = textsOf([view.value]);
      return { type: view.type, value: texts[0] ?? '', ...encoding };
    }
    case 'multiRegister': {
      const { texts, ...encoding } = textsOf(view.values);
      return { type: view.type, values: texts, ...encoding, context: view.context };
    }
    case 'set': {
      const { texts, ...encoding } = textsOf(view.elements);
      return { type: view.type, elements: texts, ...encoding };
    }
    case 'document':
      return { ...view, chunks: view.chunks.map(base64) };
    case 'counter':
    case 'flag':
      return view;
  }
}

function textOf(value: Uint8Array | null): { readonly value: string | null; readonly encoding?: 'base64' } {
  if (value === null) return { value: null };
  const { texts, ...encoding } = textsOf([value]);
  return { value: texts[0] ?? '', ...encoding };
}

/** Text as it is; all as base64 if one of them is not UTF-8. */
function textsOf(values: readonly Uint8Array[]): { readonly texts: readonly string[]; readonly encoding?: 'base64' } {
  const texts: string[] = [];
  for (const value of values) {
    const text = utf8Decode(value);
    if (text === null) return { texts: values.map(base64), encoding: 'base64' };
    texts.push(text);
  }
  return { texts };
}

function base64(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
}
