import { assertPresent } from '@skerry/base';
import type { KeyValueInput, KeyValueOutput } from '../models/key-value.ts';
import type { Operation } from '../model.ts';
import type { Version } from '../version.ts';
import type { History, HistoryEvent, InvokeEvent } from './events.ts';

/** An invocation joined with what became of it. Times are positions in the history. */
export interface Call {
  readonly invoke: InvokeEvent;
  readonly invokedAt: number;
  /** Of a quorum-less write: when its node acknowledged it. */
  readonly accepted: { readonly at: number; readonly version: Version | undefined } | null;
  readonly end: CallEnd;
}

export type CallEnd =
  | { readonly kind: 'ok'; readonly at: number; readonly output: KeyValueOutput }
  | { readonly kind: 'fail'; readonly at: number }
  /** Never answered, or answered `undecided`. */
  | { readonly kind: 'open' };

/** All calls of a history, in order of invocation. */
export function callsOf(history: History): Call[] {
  const calls = new Map<number, Call>();
  for (const [at, event] of history.events.entries()) {
    if (event.kind === 'invoke') {
      calls.set(event.call, { invoke: event, invokedAt: at, accepted: null, end: { kind: 'open' } });
    } else {
      const call = assertPresent(calls.get(event.call), 'a completion follows its invocation', {
        call: event.call,
        at,
      });
      calls.set(event.call, completed(call, event, at));
    }
  }
  return [...calls.values()];
}

function completed(call: Call, event: Exclude<HistoryEvent, { kind: 'invoke' }>, at: number): Call {
  switch (event.kind) {
    case 'accepted':
      return { ...call, accepted: { at, version: event.version } };
    case 'ok':
      return { ...call, end: { kind: 'ok', at, output: event.output } };
    case 'fail':
      return { ...call, end: { kind: 'fail', at } };
    case 'info':
      return call;
  }
}

/** True if the call may write. */
export function isWrite(input: KeyValueInput): boolean {
  return input.op !== 'get';
}

export type KeyValueOperation = Operation<KeyValueInput, KeyValueOutput>;

/**
 * The operations that the consistent view of one region must explain (I3), ids being call numbers:
 *
 * - consistent calls, and quorum-less writes as writes that end at their promotion;
 * - not: calls that had no effect (I8 looks after them), reads without an answer, reads of a local view;
 * - for each write sent to another region, one of unknown outcome: it may be merged in here at any time after it
 *   was sent, or lose. A swap that was not refused there arrives as a plain write of its new value.
 *
 * `region` undefined takes all calls as sent to one region.
 */
export function linearizableOperations(history: History, region?: string): KeyValueOperation[] {
  const operations: KeyValueOperation[] = [];
  for (const call of callsOf(history)) {
    const operation = isHome(call, region) ? homeOperation(call) : arrivingOperation(call);
    if (operation !== null) operations.push(operation);
  }
  return operations;
}

/** Every region that a call was sent to; [undefined] if the history names none. */
export function regionsOf(history: History): (string | undefined)[] {
  const regions = new Set<string>();
  for (const event of history.events) {
    if (event.kind === 'invoke' && event.region !== undefined) regions.add(event.region);
  }
  return regions.size === 0 ? [undefined] : [...regions].sort();
}

function isHome(call: Call, region: string | undefined): boolean {
  return region === undefined || call.invoke.region === undefined || call.invoke.region === region;
}

function homeOperation(call: Call): KeyValueOperation | null {
  const { invoke, invokedAt, end } = call;
  const base = { id: invoke.call, process: invoke.process, input: invoke.input, callAt: invokedAt };
  const isLocalRead = invoke.consistent === false && !isWrite(invoke.input);
  if (isLocalRead) return null;
  switch (end.kind) {
    case 'ok':
      return { ...base, completion: { kind: 'returned', output: end.output, at: end.at } };
    case 'fail':
      return null;
    case 'open':
      return isWrite(invoke.input) ? { ...base, completion: { kind: 'unknown' } } : null;
  }
}

function arrivingOperation(call: Call): KeyValueOperation | null {
  const { invoke, end, invokedAt } = call;
  const hadEffect = end.kind === 'open' || (end.kind === 'ok' && end.output.outcome === 'applied');
  const input = hadEffect ? arrivingInput(invoke.input) : null;
  if (input === null) return null;
  return { id: invoke.call, process: invoke.process, input, callAt: invokedAt, completion: { kind: 'unknown' } };
}

function arrivingInput(input: KeyValueInput): KeyValueInput | null {
  switch (input.op) {
    case 'get':
      return null;
    case 'set':
    case 'delete':
    case 'append':
      return input;
    case 'swap':
      if (input.newValue === null) return { op: 'delete', key: input.key };
      return { op: 'set', key: input.key, value: input.newValue };
  }
}
