import { partitionOf, type Compare, type Operation, type Outcome, type TxnOperation } from '@skerry/protocol';
import { expect } from './answers.ts';
import type { CallResult } from './pending.ts';
import type { CallOptions } from './types.ts';
import { checkKey, fromBytes, toBytes } from './values.ts';

/** One condition: of the value (null: no such key) or of the version. */
export type TxnCompare =
  | { readonly key: string; readonly value: string | Uint8Array | null }
  | { readonly key: string; readonly version: string | null; readonly relation?: '<' | '=' | '>' };

export type TxnAction =
  | { readonly get: string }
  | { readonly set: string; readonly value: string | Uint8Array; readonly lease?: string }
  | { readonly delete: string };

/** Compare / then / else over keys of one partition. */
export interface Txn {
  readonly if?: readonly TxnCompare[];
  readonly then?: readonly TxnAction[];
  readonly else?: readonly TxnAction[];
}

export interface TxnResponse<V = string> {
  readonly valid: boolean;
  readonly timeout: boolean;
  readonly outcome: Outcome;
  /** All conditions held, so `then` was done; otherwise `else`. */
  readonly succeeded: boolean;
  /** One per operation that was done. */
  readonly results: readonly { readonly key: string; readonly value: V | null; readonly version: string | null }[];
  readonly ticket?: string;
}

/** `db.txn().if(…).then(…).else(…).commit()`. Each part may be called more than once. Not a promise: awaiting it does nothing. */
export class TxnBuilder {
  readonly #run: (txn: Txn, options: CallOptions) => Promise<TxnResponse>;
  readonly #parts = { if: [] as TxnCompare[], then: [] as TxnAction[], else: [] as TxnAction[] };

  constructor(run: (txn: Txn, options: CallOptions) => Promise<TxnResponse>) {
    this.#run = run;
  }

  if(...compares: readonly TxnCompare[]): this {
    this.#parts.if.push(...compares);
    return this;
  }

  /** Also what `await` calls on anything that has a method of this name: with functions, which are refused. */
  then(...actions: readonly TxnAction[]): this {
    if (actions.some((action) => typeof action === 'function'))
      throw new TypeError('a transaction is not a promise: call commit()');
    this.#parts.then.push(...actions);
    return this;
  }

  else(...actions: readonly TxnAction[]): this {
    this.#parts.else.push(...actions);
    return this;
  }

  commit(options: CallOptions = {}): Promise<TxnResponse> {
    return this.#run(this.#parts, options);
  }
}

/** What is sent for it. */
export function txnOperation({
  if: conditions = [],
  then = [],
  else: otherwise = [],
}: Txn): Extract<Operation, { readonly kind: 'txn' }> {
  return {
    kind: 'txn',
    compares: conditions.map(toCompare),
    then: then.map(toTxnOperation),
    otherwise: otherwise.map(toTxnOperation),
  };
}

/** What a call for it came to. */
export function toTxnResponse({ settlement, ticket }: CallResult): TxnResponse {
  if (settlement.kind === 'expired') {
    const outcome = settlement.outcome ?? 'undecided';
    return {
      valid: false,
      timeout: true,
      outcome,
      succeeded: false,
      results: [],
      ...(ticket === null ? {} : { ticket }),
    };
  }
  const answer = expect(settlement.answer, 'txn');
  const { timeout, outcome, succeeded } = answer;
  const results = answer.results.map((result) => ({ ...result, value: fromBytes(result.value, 'text') }));
  const its = answer.ticket ?? ticket;
  return {
    valid: outcome === 'applied',
    timeout,
    outcome,
    succeeded,
    results,
    ...(its === null ? {} : { ticket: its }),
  };
}

function toCompare(compare: TxnCompare): Compare {
  const key = checkKey(compare.key);
  if ('value' in compare) return { kind: 'value', key, equals: compare.value === null ? null : toBytes(compare.value) };
  return { kind: 'version', key, relation: compare.relation ?? '=', version: compare.version };
}

function toTxnOperation(action: TxnAction): TxnOperation {
  if ('get' in action) return { kind: 'get', key: checkKey(action.get) };
  if ('delete' in action) return { kind: 'delete', key: checkKey(action.delete) };
  const set = { kind: 'set' as const, key: checkKey(action.set), value: toBytes(action.value) };
  return action.lease === undefined ? set : { ...set, lease: action.lease };
}

/** A transaction belongs to the partition of its first key; the node refuses it if another key lies elsewhere. */
export function txnPartition(
  compares: readonly Compare[],
  operations: readonly TxnOperation[],
  partitionCount: number,
): number {
  const first = compares[0]?.key ?? operations[0]?.key;
  return first === undefined ? 0 : partitionOf(first, partitionCount);
}

export function txnBytes(compares: readonly Compare[], operations: readonly TxnOperation[]): number {
  let bytes = 128;
  for (const compare of compares)
    bytes += 64 + 3 * compare.key.length + (compare.kind === 'value' ? (compare.equals?.length ?? 0) : 0);
  for (const operation of operations)
    bytes += 64 + 3 * operation.key.length + (operation.kind === 'set' ? operation.value.length : 0);
  return bytes;
}
