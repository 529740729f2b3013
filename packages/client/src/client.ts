import { randomHex } from '@skerry/base';
import { frameBytesMaxDefault, parseTicket, partitionOf, type Answer, type ControlOperation, type Member, type MemberSpec, type NodeStatus, type Operation, type Outcome } from '@skerry/protocol';
import type { CallResult, Dispatcher } from './dispatcher.ts';
import { SkerryError } from './errors.ts';
import type { Host } from './host.ts';
import { Lease, type LeaseOptions } from './lease.ts';
import { Receipt } from './receipt.ts';
import { SeenVersions } from './seen.ts';
import { toCompare, toTxnOperation, TxnBuilder, txnBytes, txnPartition, type Txn, type TxnResponse } from './txn.ts';
import type {
  CallOptions, Conflict, DeleteOptions, Entry, Form, GetOptions, ListOptions, Page, ReceiptStatus, Response, SetOptions, SwapOptions,
  ValueOf, WatchBatch, WatchOptions,
} from './types.ts';
import { checkKey, formOf, fromBytes, toBytes, toResponse } from './values.ts';
import { watchBatches } from './watch.ts';

const timeoutMsDefault = 1_000;
const listLimitDefault = 256;

type FormOf<V extends string | Uint8Array | null> = Extract<V, Uint8Array> extends never ? 'text' : 'bytes';
type NodeId = NodeStatus['node'];

/** A connected client; made by `connect`. Its calls may be made at once from anywhere; they travel together per turn. */
export class Client {
  readonly #host: Host;
  readonly #dispatcher: Dispatcher;
  readonly #seen: SeenVersions;
  readonly #leases = new Set<Lease>();

  constructor(host: Host, dispatcher: Dispatcher, seenKeysMax: number) {
    this.#host = host;
    this.#dispatcher = dispatcher;
    this.#seen = new SeenVersions(seenKeysMax);
  }

  /** The value of a key. A missing key is a valid answer. Not consistent: never older than what this client saw, or `behind`. */
  async get<F extends Form = 'text'>(key: string, options: GetOptions<F> = {}): Promise<Response<ValueOf<F>>> {
    const form = options.as ?? ('text' as F);
    const { consistent = true, r } = options;
    const operation = { kind: 'get' as const, key: checkKey(key), consistent, ...(r === undefined ? {} : { r }) };
    const answer = await this.#keyCall(operation, options);
    if (!consistent && answer.valid && this.#seen.isBehind(key, answer.version)) return this.#catchUp(key, answer, { ...options, as: form });
    if (answer.valid) this.#seen.note(key, answer.version, consistent);
    return toResponse(answer, form);
  }

  /**
   * Sets a key. Not consistent: durable on one node at least, with a receipt. A quorum-less write that times out without
   * an answer is `undecided` and has no ticket: `resolve` could fence what a node has promised. Make the same call again;
   * it is a write of its own then, and of the two the later one wins.
   */
  async set<V extends string | Uint8Array>(key: string, value: V, options: SetOptions = {}): Promise<Response<ValueOf<FormOf<V>>>> {
    const { consistent = true, w, lease } = options;
    const answer = await this.#keyCall(
      { kind: 'set', key: checkKey(key), value: toBytes(value), consistent, ...(w === undefined ? {} : { w }), ...(lease === undefined ? {} : { lease }) },
      options,
    );
    return toResponse(answer, formOf(value) as FormOf<V>);
  }

  /** Linearizable compare-and-swap; null is "no such key" on either side. On a mismatch the answer has the current value. */
  async swap<V extends string | Uint8Array | null, W extends string | Uint8Array | null>(
    key: string, newValue: V, oldValue: W, options: SwapOptions = {},
  ): Promise<Response<ValueOf<FormOf<V | W>>>> {
    const { lease } = options;
    const bytes = { newValue: newValue === null ? null : toBytes(newValue), oldValue: oldValue === null ? null : toBytes(oldValue) };
    const answer = await this.#keyCall({ kind: 'swap', key: checkKey(key), ...bytes, ...(lease === undefined ? {} : { lease }) }, options);
    return toResponse(answer, formOf(newValue, oldValue) as FormOf<V | W>);
  }

  /** Deletes a key. Not consistent: as {@link set}. */
  async delete(key: string, options: DeleteOptions = {}): Promise<Response> {
    const { consistent = true, w } = options;
    const answer = await this.#keyCall({ kind: 'delete', key: checkKey(key), consistent, ...(w === undefined ? {} : { w }) }, options);
    return toResponse(answer, 'text');
  }

  /** One page of the keys that begin with `prefix`, in order of their UTF-8 bytes. */
  async list<F extends Form = 'text'>(prefix: string, options: ListOptions<F> = {}): Promise<Page<ValueOf<F>>> {
    const form = options.as ?? ('text' as F);
    const { consistent = true, after = '', keysOnly = false, limit = listLimitDefault } = options;
    const limitMax = this.#dispatcher.welcome?.limits.listLimitMax ?? limit;
    const result = await this.#ask(
      { kind: 'list', prefix: checkKey(prefix), after: checkKey(after), limit: Math.min(limit, limitMax), consistent, keysOnly }, options,
    );
    if (result.settlement.kind === 'expired') return { entries: [], next: null, timeout: true };
    const { entries, next, timeout } = expect(result.settlement.answer, 'list');
    return { entries: entries.map((entry) => ({ ...entry, value: fromBytes(entry.value, form) })), next, timeout };
  }

  /** All entries under `prefix`, page after page. Each page is consistent in itself. Rejects with TIMEOUT where a page times out. */
  async *entries<F extends Form = 'text'>(prefix: string, options: ListOptions<F> = {}): AsyncGenerator<Entry<ValueOf<F>>, void, undefined> {
    let after: string | null = options.after ?? '';
    while (after !== null) {
      const page: Page<ValueOf<F>> = await this.list(prefix, { ...options, after });
      if (page.timeout) throw new SkerryError({ code: 'TIMEOUT', detail: `listing after ${after}` });
      yield* page.entries;
      after = page.next;
    }
  }

  /** Changes of a key, or of a prefix with `prefix: true`; goes on by itself across disconnects. An empty batch tells the cursor. */
  watch<F extends Form = 'text'>(key: string, options: WatchOptions<F> = {}): AsyncGenerator<WatchBatch<ValueOf<F>>, void, undefined> {
    return watchBatches({ dispatcher: this.#dispatcher, host: this.#host }, checkKey(key), options);
  }

  /** Compare / then / else in one step: give the parts, or build them with `txn().if(…).then(…).commit()`. */
  txn(): TxnBuilder;
  txn(txn: Txn, options?: CallOptions): Promise<TxnResponse>;
  txn(txn?: Txn, options: CallOptions = {}): TxnBuilder | Promise<TxnResponse> {
    return txn === undefined ? new TxnBuilder((parts, its) => this.#txn(parts, its)) : this.#txn(txn, options);
  }

  /** Grants a lease and keeps it alive. Blocks until it is granted. */
  async lease(ttlMs: number, options: LeaseOptions): Promise<Lease> {
    const id = options.id ?? randomHex(this.#host.random, 16);
    const key = checkKey(options.key);
    const grantedMs = this.#host.nowMs();
    const granted = await this.#ask({ kind: 'leaseGrant', lease: id, ttlMs, key }, signalOf(options));
    mustBeApplied(granted, 'the lease');
    const lease: Lease = new Lease({ id, key, ttlMs }, {
      host: this.#host,
      grantedMs,
      calls: {
        keepAlive: async (signal) => {
          const kept = await this.#ask({ kind: 'leaseKeepAlive', lease: id, key }, { signal });
          return kept.settlement.kind === 'answer' && expect(kept.settlement.answer, 'lease').outcome === 'applied';
        },
        revoke: async () => {
          this.#leases.delete(lease);
          mustBeApplied(await this.#ask({ kind: 'leaseRevoke', lease: id, key }, {}), 'the end of the lease');
        },
      },
    });
    this.#leases.add(lease);
    lease.lost.addEventListener('abort', () => { this.#leases.delete(lease); }, { once: true });
    return lease;
  }

  receipt(text: string): Receipt {
    return new Receipt(text, async (wait, signal): Promise<ReceiptStatus> => {
      const result = await this.#ask({ kind: 'receipt', receipt: text, wait }, signal === undefined ? {} : { signal });
      const { state, reason, version } = answerOf(result, 'receipt');
      return { state, reason: reason ?? null, version };
    });
  }

  /** Waits until the outcome of an undecided write is known. */
  async resolve(ticket: string, options: { readonly signal?: AbortSignal } = {}): Promise<Response<Uint8Array>> {
    const result = await this.#ask({ kind: 'resolve', ticket }, options);
    if (result.settlement.kind === 'expired') throw new SkerryError({ code: 'TIMEOUT', ticket });
    const { answer } = result.settlement;
    const outcome = 'outcome' in answer ? answer.outcome : undefined;
    const parsed = parseTicket(ticket);
    if (parsed !== null && outcome !== undefined && outcome !== 'undecided') this.#dispatcher.resolved(parsed);
    if (answer.kind === 'key') return toResponse(answer, 'bytes');
    const timeout = 'timeout' in answer && answer.timeout;
    return { valid: outcome === 'applied', timeout, value: null, version: null, stamp: null, ...(outcome === undefined ? {} : { outcome }) };
  }

  /** The newest entries of the conflict ledger under `prefix`. */
  async conflicts<F extends Form = 'text'>(prefix: string, options: { readonly limit?: number; readonly as?: F; readonly signal?: AbortSignal } = {}): Promise<readonly Conflict<ValueOf<F>>[]> {
    const form = options.as ?? ('text' as F);
    const result = await this.#ask({ kind: 'conflicts', prefix: checkKey(prefix), limit: options.limit ?? listLimitDefault }, signalOf(options));
    const { entries } = answerOf(result, 'conflicts');
    return entries.map((entry) => ({ ...entry, loser: fromBytes(entry.loser, form), winner: fromBytes(entry.winner, form) }));
  }

  /** What the connected node knows of itself. Rejects with TIMEOUT when no node answers in time. */
  async status(options: Pick<CallOptions, 'timeoutMs' | 'signal'> = {}): Promise<NodeStatus> {
    return answerOf(await this.#ask({ kind: 'status' }, { blocking: false, ...options }), 'status').status;
  }

  /** Hands leadership of one partition, or of all, to a node, or to any. Not repeated by itself: CONNECTION_LOST is indefinite. */
  async transferLeadership({ partition = null, to = null, ...options }: { readonly partition?: number | null; readonly to?: string | null } & CallOptions = {}): Promise<void> {
    answerOf(await this.#ask({ kind: 'transferLeadership', partition, to: to as NodeId | null }, options), 'done');
  }

  /** Adds and removes nodes of the region. Not repeated by itself: CONNECTION_LOST is indefinite. */
  async changeMembers({ add = [], remove = [], ...options }: { readonly add?: readonly MemberSpec[]; readonly remove?: readonly string[] } & CallOptions): Promise<void> {
    answerOf(await this.#ask({ kind: 'changeMembers', add, remove: remove as readonly NodeId[] }, options), 'done');
  }

  /** The nodes of the region, as the servers last told. */
  get members(): readonly Member[] {
    return this.#dispatcher.welcome?.members ?? [];
  }

  /** Whom this client is connected to; null while it is not. */
  get connection(): { readonly cluster: string; readonly region: string; readonly node: string; readonly url: string } | null {
    const { endpoint, welcome } = this.#dispatcher;
    return endpoint === null || welcome === null ? null : { cluster: welcome.cluster, region: welcome.region, node: welcome.node, url: endpoint };
  }

  /** Ends everything; open calls reject with CLOSED. Leases run out by themselves. */
  close(): Promise<void> {
    for (const lease of this.#leases) lease.stop();
    this.#dispatcher.close();
    return Promise.resolve();
  }

  /** A local read went back. The region's quorum may know better, if there is one to ask in time. */
  async #catchUp<F extends Form>(key: string, local: KeyResult, options: GetOptions<F> & { readonly as: F }): Promise<Response<ValueOf<F>>> {
    const { timeoutMs = timeoutMsDefault, signal, as } = options;
    const answer = await this.#keyCall({ kind: 'get', key, consistent: true }, { blocking: false, timeoutMs, ...(signal === undefined ? {} : { signal }) });
    if (!answer.valid) return { ...toResponse(local, as), behind: true };
    this.#seen.note(key, answer.version, true);
    const response = toResponse(answer, as);
    return this.#seen.isBehind(key, answer.version) ? { ...response, behind: true } : response;
  }

  async #txn({ if: conditions = [], then: actions = [], else: otherwiseActions = [] }: Txn, options: CallOptions): Promise<TxnResponse> {
    const compares = conditions.map(toCompare);
    const then = actions.map(toTxnOperation);
    const otherwise = otherwiseActions.map(toTxnOperation);
    const { settlement, ticket } = await this.#ask({ kind: 'txn', compares, then, otherwise }, options);
    if (settlement.kind === 'expired') {
      return { valid: false, timeout: true, outcome: settlement.outcome ?? 'undecided', succeeded: false, results: [], ...(ticket === null ? {} : { ticket }) };
    }
    const answer = expect(settlement.answer, 'txn');
    const { timeout, outcome, succeeded } = answer;
    const results = answer.results.map((result) => ({ ...result, value: fromBytes(result.value, 'text') }));
    if (outcome === 'applied') for (const { key, version } of answer.results) this.#seen.note(key, version, true);
    const its = answer.ticket ?? ticket;
    return { valid: outcome === 'applied', timeout, outcome, succeeded, results, ...(its === null ? {} : { ticket: its }) };
  }

  async #keyCall(operation: Extract<Operation, { readonly key: string }>, options: CallOptions): Promise<KeyResult> {
    const { settlement, ticket } = await this.#ask(operation, options);
    if (settlement.kind === 'expired') {
      const { outcome } = settlement;
      return { valid: false, timeout: true, value: null, version: null, ...(outcome === null ? {} : { outcome }), ...(ticket === null ? {} : { ticket }) };
    }
    const answer = expect(settlement.answer, 'key');
    if (operation.kind !== 'get' && answer.version !== null) this.#seen.note(operation.key, answer.version, answer.receipt === undefined);
    if (isQuorumless(operation)) {
      const { ticket: _, ...rest } = answer;
      return rest;
    }
    return ticket === null || answer.ticket !== undefined ? answer : { ...answer, ticket };
  }

  #ask(operation: Operation | ControlOperation, { blocking = true, timeoutMs = timeoutMsDefault, signal }: CallOptions): Promise<CallResult> {
    const partitionCount = this.#dispatcher.welcome?.partitionCount ?? 1;
    return this.#dispatcher.call({ operation, timeoutMs: blocking ? null : timeoutMs, signal, ...traitsOf(operation, partitionCount) });
  }
}

type KeyResult = Omit<Extract<Answer, { readonly kind: 'key' }>, 'kind'>;

/** What the dispatcher needs to know of an operation. */
function traitsOf(operation: Operation | ControlOperation, partitionCount: number): { partition: number; write: boolean; resolvable: boolean; repeatable: boolean; patient: boolean; bytes: number } {
  const read = { partition: 0, write: false, resolvable: false, repeatable: true, patient: false, bytes: 256 };
  switch (operation.kind) {
    case 'get':
    case 'list':
    case 'conflicts':
    case 'status':
      return read;
    case 'receipt':
      return { ...read, patient: operation.wait };
    case 'resolve':
    case 'watch':
      return { ...read, patient: true };
    case 'transferLeadership':
    case 'changeMembers':
      return { ...read, repeatable: false, patient: true };
    case 'txn': {
      const operations = [...operation.then, ...operation.otherwise];
      const partition = txnPartition(operation.compares, operations, partitionCount);
      return { ...read, partition, write: true, resolvable: true, bytes: txnBytes(operation.compares, operations) };
    }
    default: {
      const values = operation.kind === 'set' ? operation.value.length : operation.kind === 'swap' ? (operation.newValue?.length ?? 0) + (operation.oldValue?.length ?? 0) : 0;
      const bytes = Math.min(192 + 3 * operation.key.length, frameBytesMaxDefault) + values;
      return { ...read, partition: partitionOf(operation.key, partitionCount), write: true, resolvable: !isQuorumless(operation), bytes };
    }
  }
}

function isQuorumless(operation: Operation | ControlOperation): boolean {
  return (operation.kind === 'set' || operation.kind === 'delete') && !operation.consistent;
}

function signalOf({ signal }: { readonly signal?: AbortSignal }): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** A node that answers with something else than was asked for breaks the protocol. */
function expect<K extends Answer['kind']>(answer: Answer, kind: K): Extract<Answer, { readonly kind: K }> {
  if (answer.kind !== kind) throw new SkerryError({ code: 'MALFORMED_FRAME', detail: `the node answered ${answer.kind} where ${kind} was due` });
  return answer as Extract<Answer, { readonly kind: K }>;
}

function answerOf<K extends Answer['kind']>({ settlement }: CallResult, kind: K): Extract<Answer, { readonly kind: K }> {
  if (settlement.kind === 'expired') throw new SkerryError({ code: 'TIMEOUT' });
  return expect(settlement.answer, kind);
}

function mustBeApplied({ settlement, ticket }: CallResult, what: string): void {
  const outcome: Outcome | null = settlement.kind === 'expired' ? settlement.outcome : expect(settlement.answer, 'lease').outcome;
  if (outcome === 'applied') return;
  throw new SkerryError({ code: 'TIMEOUT', detail: `${what} is ${outcome}`, definite: outcome === 'notApplied', ...(ticket === null ? {} : { ticket }) });
}
