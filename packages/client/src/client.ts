import { randomHex } from '@skerry/base';
import { stampFromText } from '@skerry/crdt';
import {
  parseTicket,
  type ControlOperation,
  type Member,
  type MemberSpec,
  type NodeStatus,
  type Operation,
  type RegionStatus,
} from '@skerry/protocol';
import { answerOf, expect, mustBeApplied, signalOf } from './answers.ts';
import { Counter } from './counter.ts';
import { DocumentEditor, DocumentOf } from './document.ts';
import { SkerryError } from './errors.ts';
import { Flag } from './flag.ts';
import type { Host } from './host.ts';
import { itself, KeyCalls, type ReadOfKey } from './key-calls.ts';
import { Lease, type LeaseOptions } from './lease.ts';
import { Multi } from './multi.ts';
import type { CallResult } from './pending.ts';
import { parseReceipt, Receipt } from './receipt.ts';
import type { Regions } from './regions.ts';
import { SetOf } from './set-of.ts';
import { toTxnResponse, TxnBuilder, txnOperation, type Txn, type TxnResponse } from './txn.ts';
import type { TypedCalls } from './typed.ts';
import type {
  CallOptions,
  CatchUpOptions,
  Conflict,
  ConflictPage,
  ConflictsOptions,
  DeleteOptions,
  Entry,
  Form,
  GetOptions,
  ListOptions,
  Page,
  ReceiptStatus,
  Response,
  SetOptions,
  SwapOptions,
  ValueOf,
  WatchBatch,
  WatchOptions,
} from './types.ts';
import { checkKey, formOf, toBytes, toEntry, toResponse, toView } from './values.ts';
import { watchBatches } from './watch.ts';

const listLimitDefault = 256;
/** Documents whose editor is remembered. */
const editorsMax = 1_000;

type FormOf<V extends string | Uint8Array | null> = Extract<V, Uint8Array> extends never ? 'text' : 'bytes';
type NodeId = NodeStatus['node'];
type RegionId = RegionStatus['region'];

/** A connected client; made by `connect`. Its calls may be made at once from anywhere; they travel together per turn. */
export class Client {
  readonly #host: Host;
  readonly #regions: Regions;
  readonly #calls: KeyCalls;
  readonly #leases = new Set<Lease>();
  readonly #editors = new Map<string, DocumentEditor>();
  readonly #typed: TypedCalls;

  constructor(host: Host, regions: Regions, seenKeysMax: number) {
    this.#host = host;
    this.#regions = regions;
    this.#calls = new KeyCalls(regions, seenKeysMax);
    this.#typed = {
      host,
      read: (key, type, options) => {
        const { consistent = true, r } = options;
        return this.#calls.read(
          { kind: 'read', key, type, consistent, ...(r === undefined ? {} : { r }) },
          options,
          itself,
        );
      },
      update: (key, change, options) => {
        const { consistent = true, w } = options;
        const operation = { kind: 'update' as const, key, change, consistent, ...(w === undefined ? {} : { w }) };
        return this.#calls.call(operation, options, itself);
      },
      watch: (key, options) => watchBatches({ regions, host }, key, options, (event) => event),
    };
  }

  /** The value of a key. A missing key is a valid answer. Not consistent: never older than what this client saw, or `behind`. */
  get<F extends Form = 'text'>(key: string, options: GetOptions<F> = {}): Promise<Response<ValueOf<F>>> {
    const { consistent = true, r, as: form = 'text' as F } = options;
    return promised(() => {
      checkKey(key);
      const operation: ReadOfKey =
        r === undefined ? { kind: 'get', key, consistent } : { kind: 'get', key, consistent, r };
      return this.#calls.read(operation, options, (answer) => toResponse(answer, form));
    });
  }

  /**
   * Sets a key. Not consistent: durable on one node at least, with a receipt. A quorum-less write that times out without
   * an answer is `undecided` and has no ticket: `resolve` could fence what a node has promised. Make the same call again;
   * it is a write of its own then, and of the two the later one wins.
   */
  set<V extends string | Uint8Array>(
    key: string,
    value: V,
    options: SetOptions = {},
  ): Promise<Response<ValueOf<FormOf<V>>>> {
    const { consistent = true, w, lease } = options;
    return promised(() => {
      const plain = { kind: 'set' as const, key: checkKey(key), value: toBytes(value), consistent };
      const operation =
        w === undefined && lease === undefined
          ? plain
          : { ...plain, ...(w === undefined ? {} : { w }), ...(lease === undefined ? {} : { lease }) };
      const form = formOf(value) as FormOf<V>;
      return this.#calls.call(operation, options, (answer) => toResponse(answer, form));
    });
  }

  /** Linearizable compare-and-swap; null is "no such key" on either side. On a mismatch the answer has the current value. */
  swap<V extends string | Uint8Array | null, W extends string | Uint8Array | null>(
    key: string,
    newValue: V,
    oldValue: W,
    options: SwapOptions = {},
  ): Promise<Response<ValueOf<FormOf<V | W>>>> {
    const { lease } = options;
    return promised(() => {
      const bytes = {
        newValue: newValue === null ? null : toBytes(newValue),
        oldValue: oldValue === null ? null : toBytes(oldValue),
      };
      const form = formOf(newValue, oldValue) as FormOf<V | W>;
      return this.#calls.call(
        { kind: 'swap', key: checkKey(key), ...bytes, ...(lease === undefined ? {} : { lease }) },
        options,
        (answer) => toResponse(answer, form),
      );
    });
  }

  /** Deletes a key. Not consistent: as {@link set}. */
  delete(key: string, options: DeleteOptions = {}): Promise<Response> {
    const { consistent = true, w } = options;
    return promised(() =>
      this.#calls.call(
        { kind: 'delete', key: checkKey(key), consistent, ...(w === undefined ? {} : { w }) },
        options,
        (answer) => toResponse(answer, 'text'),
      ),
    );
  }

  /** A counter: concurrent additions add up. */
  counter(key: string): Counter {
    return new Counter(this.#typed, checkKey(key));
  }

  /** A set of texts, or of bytes: concurrent additions all stay. (`set` writes a register.) */
  setOf<F extends Form = 'text'>(key: string, { as = 'text' as F }: { readonly as?: F } = {}): SetOf<F> {
    return new SetOf(this.#typed, checkKey(key), as);
  }

  /** A flag: enabling wins over a concurrent disabling. */
  flag(key: string): Flag {
    return new Flag(this.#typed, checkKey(key));
  }

  /** A register that keeps concurrent values side by side. */
  multi<F extends Form = 'text'>(key: string, { as = 'text' as F }: { readonly as?: F } = {}): Multi<F> {
    return new Multi(this.#typed, checkKey(key), as);
  }

  /** An Automerge document. */
  document<T extends object = Record<string, unknown>>(key: string): DocumentOf<T> {
    return new DocumentOf<T>(this.#typed, checkKey(key), this.#editorOf(key));
  }

  /** One page of the keys that begin with `prefix`, in order of their UTF-8 bytes. */
  async list<F extends Form = 'text'>(prefix: string, options: ListOptions<F> = {}): Promise<Page<ValueOf<F>>> {
    const form = options.as ?? ('text' as F);
    const { consistent = true, after = '', keysOnly = false, limit = listLimitDefault } = options;
    const limitMax = this.#regions.welcome?.limits.listLimitMax ?? limit;
    const result = await this.#ask(
      {
        kind: 'list',
        prefix: checkKey(prefix),
        after: checkKey(after),
        limit: Math.min(limit, limitMax),
        consistent,
        keysOnly,
      },
      options,
    );
    if (result.settlement.kind === 'expired') return { entries: [], next: null, timeout: true };
    const { entries, next, timeout } = expect(result.settlement.answer, 'list');
    return {
      entries: entries.map((entry) => toEntry(entry, form)),
      next,
      timeout,
      ...(result.behind && !timeout ? { behind: true } : {}),
    };
  }

  /** All entries under `prefix`, page after page. Each page is consistent in itself. Rejects with TIMEOUT where a page times out. */
  async *entries<F extends Form = 'text'>(
    prefix: string,
    options: ListOptions<F> = {},
  ): AsyncGenerator<Entry<ValueOf<F>>, void, undefined> {
    let after: string | null = options.after ?? '';
    while (after !== null) {
      const page: Page<ValueOf<F>> = await this.list(prefix, { ...options, after });
      if (page.timeout) throw new SkerryError({ code: 'TIMEOUT', detail: `listing after ${after}` });
      yield* page.entries;
      after = page.next;
    }
  }

  /** Changes of a key, or of a prefix with `prefix: true`; goes on by itself across disconnects. An empty batch tells the cursor. */
  watch<F extends Form = 'text'>(
    key: string,
    options: WatchOptions<F> = {},
  ): AsyncGenerator<WatchBatch<ValueOf<F>>, void, undefined> {
    const form = options.as ?? ('text' as F);
    return watchBatches({ regions: this.#regions, host: this.#host }, checkKey(key), options, (event) =>
      toEntry(event, form),
    );
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
    // Another region knows nothing of it.
    const { region } = granted;
    const lease: Lease = new Lease(
      { id, key, ttlMs },
      {
        host: this.#host,
        grantedMs,
        calls: {
          keepAlive: async (signal) => {
            const kept = await this.#ask({ kind: 'leaseKeepAlive', lease: id, key }, { signal }, region);
            return kept.settlement.kind === 'answer' && expect(kept.settlement.answer, 'lease').outcome === 'applied';
          },
          revoke: async () => {
            this.#leases.delete(lease);
            mustBeApplied(await this.#ask({ kind: 'leaseRevoke', lease: id, key }, {}, region), 'the end of the lease');
          },
        },
      },
    );
    this.#leases.add(lease);
    lease.lost.addEventListener(
      'abort',
      () => {
        this.#leases.delete(lease);
      },
      { once: true },
    );
    return lease;
  }

  receipt(text: string): Receipt {
    return new Receipt(text, async (wait, signal): Promise<ReceiptStatus> => {
      const result = await this.#ask(
        { kind: 'receipt', receipt: text, wait },
        signal === undefined ? {} : { signal },
        parseReceipt(text)?.region ?? null,
      );
      const { state, reason, version } = answerOf(result, 'receipt');
      return { state, reason: reason ?? null, version };
    });
  }

  /** Waits until the outcome of an undecided write is known. */
  async resolve(ticket: string, options: { readonly signal?: AbortSignal } = {}): Promise<Response<Uint8Array>> {
    const parsed = parseTicket(ticket);
    const result = await this.#ask({ kind: 'resolve', ticket }, options, parsed?.region ?? null);
    if (result.settlement.kind === 'expired') throw new SkerryError({ code: 'TIMEOUT', ticket });
    const { answer } = result.settlement;
    const outcome = 'outcome' in answer ? answer.outcome : undefined;
    if (parsed !== null && outcome !== undefined && outcome !== 'undecided') this.#regions.resolved(parsed);
    if (answer.kind === 'key') return toResponse(answer, 'bytes');
    const timeout = 'timeout' in answer && answer.timeout;
    return {
      valid: outcome === 'applied',
      timeout,
      value: null,
      version: null,
      stamp: null,
      ...(outcome === undefined ? {} : { outcome }),
    };
  }

  /** The newest entries of the conflict ledger under `prefix`, as many as fit into a page; a `before` of a malformed kind is BAD_REQUEST. */
  async conflicts<F extends Form = 'text'>(
    prefix: string,
    options: ConflictsOptions<F> = {},
  ): Promise<ConflictPage<ValueOf<F>>> {
    const form = options.as ?? ('text' as F);
    const { limit = listLimitDefault, before, ...call } = options;
    const result = await this.#ask(
      { kind: 'conflicts', prefix: checkKey(prefix), limit, ...(before === undefined ? {} : { before }) },
      call,
    );
    const { entries, next } = answerOf(result, 'conflicts');
    const shown = (view: (typeof entries)[number]['loser']): Conflict<ValueOf<F>>['loser'] =>
      view === null ? null : toView(view, form);
    const all = entries.map((entry) => ({
      ...entry,
      loser: shown(entry.loser),
      loserStamp: stampFromText(entry.loserVersion),
      winner: shown(entry.winner),
      winnerStamp: stampFromText(entry.winnerVersion),
    }));
    return { entries: all, next };
  }

  /** What the connected node knows of itself. Rejects with TIMEOUT when no node answers in time. */
  async status(options: Pick<CallOptions, 'timeoutMs' | 'signal'> = {}): Promise<NodeStatus> {
    return answerOf(await this.#ask({ kind: 'status' }, { blocking: false, ...options }), 'status').status;
  }

  /** Hands leadership of one partition, or of all, to a node, or to any. Not repeated by itself: CONNECTION_LOST is indefinite. */
  async transferLeadership({
    partition = null,
    to = null,
    ...options
  }: { readonly partition?: number | null; readonly to?: string | null } & CallOptions = {}): Promise<void> {
    answerOf(await this.#ask({ kind: 'transferLeadership', partition, to: to as NodeId | null }, options), 'done');
  }

  /** Adds and removes nodes of the region. Not repeated by itself: CONNECTION_LOST is indefinite. */
  async changeMembers({
    add = [],
    remove = [],
    ...options
  }: { readonly add?: readonly MemberSpec[]; readonly remove?: readonly string[] } & CallOptions): Promise<void> {
    answerOf(await this.#ask({ kind: 'changeMembers', add, remove: remove as readonly NodeId[] }, options), 'done');
  }

  /** All regions of the cluster, as the connected node sees them: their state, and how far each is behind the others. */
  async regions(options: Pick<CallOptions, 'timeoutMs' | 'signal'> = {}): Promise<readonly RegionStatus[]> {
    return answerOf(await this.#ask({ kind: 'regions' }, { blocking: false, ...options }), 'regions').regions;
  }

  /** Joins a region, with addresses of nodes of it for links. Not repeated by itself: CONNECTION_LOST is indefinite. */
  async addRegion(region: string, urls: readonly string[], options: CallOptions = {}): Promise<void> {
    answerOf(await this.#ask({ kind: 'addRegion', region: region as RegionId, urls }, options), 'done');
  }

  /** Drops a region: what it has not sent is merged when it comes back. Not repeated by itself: CONNECTION_LOST is indefinite. */
  async evictRegion(region: string, options: CallOptions = {}): Promise<void> {
    answerOf(await this.#ask({ kind: 'evictRegion', region: region as RegionId }, options), 'done');
  }

  /** The nodes of the region, as the servers last told. */
  get members(): readonly Member[] {
    return this.#regions.welcome?.members ?? [];
  }

  /** What this session has seen, as opaque text: `connect({ token })` in another process goes on where this one is. */
  token(): string {
    return this.#regions.token.text(this.#regions.welcome?.cluster ?? '');
  }

  /** The regions this client knows, best first, with the round trip to a node of each as last measured. */
  get knownRegions(): readonly {
    readonly region: string;
    readonly roundTripMs: number | null;
    readonly current: boolean;
  }[] {
    return this.#regions.known;
  }

  /** Whom this client is connected to; null while it is not. */
  get connection(): {
    readonly cluster: string;
    readonly region: string;
    readonly node: string;
    readonly url: string;
  } | null {
    const { endpoint, welcome } = this.#regions;
    return endpoint === null || welcome === null
      ? null
      : { cluster: welcome.cluster, region: welcome.region, node: welcome.node, url: endpoint };
  }

  /** Ends everything; open calls reject with CLOSED. Leases run out by themselves. */
  close(): Promise<void> {
    for (const lease of this.#leases) lease.stop();
    this.#regions.close();
    return Promise.resolve();
  }

  #editorOf(key: string): DocumentEditor {
    const editor = this.#editors.get(key) ?? new DocumentEditor(this.#host.random);
    this.#editors.delete(key);
    this.#editors.set(key, editor);
    const [oldest] = this.#editors.keys();
    if (this.#editors.size > editorsMax && oldest !== undefined) this.#editors.delete(oldest);
    return editor;
  }

  async #txn(txn: Txn, options: CallOptions): Promise<TxnResponse> {
    const result = await this.#ask(txnOperation(txn), options);
    const response = toTxnResponse(result);
    if (response.outcome === 'applied') for (const { key, version } of response.results) this.#calls.saw(key, version);
    return response;
  }

  #ask(
    operation: Operation | ControlOperation,
    options: CallOptions & CatchUpOptions,
    region: RegionId | null = null,
  ): Promise<CallResult> {
    return this.#calls.ask(operation, options, region);
  }
}

/** What a caller did wrong rejects, as everything else does. Not by an async function: the usual call makes one promise. */
function promised<T>(make: () => Promise<T>): Promise<T> {
  try {
    return make();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}
