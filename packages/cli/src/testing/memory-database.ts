import { once } from 'node:events';
import { compareText } from '@skerry/base';
import { SkerryError } from '@skerry/client';
import type { Member, RegionStatus } from '@skerry/protocol';
import type { Hold } from '@skerry/recipes';
import type { CliContext } from '../command.ts';
import type {
  CallOptions,
  Change,
  Database,
  DeleteResult,
  KeyResult,
  ListPage,
  LockOptions,
  ReceiptResult,
  TypedValueType,
  ViewResult,
  WatchBatch,
} from '../database.ts';
import type { Shown } from '../shown.ts';
import { MemoryLedger } from './memory-ledger.ts';
import { changed } from './memory-values.ts';

/** What the memory database shall answer in place of the truth. */
export interface Script {
  readonly write?: KeyResult;
  readonly receipt?: ReceiptResult;
  readonly watch?: readonly WatchBatch[];
  readonly members?: readonly Member[];
  readonly regions?: readonly RegionStatus[];
}

/** A `Map` with the face of a cluster; remembers each call with its options. */
export class MemoryDatabase implements Database {
  readonly values = new Map<string, Uint8Array>();
  /** In listings; '1' for the others. */
  readonly versions = new Map<string, string>();
  /** Of every type but the register. */
  readonly views = new Map<string, Shown>();
  readonly calls: unknown[][] = [];
  /** Those that are held; aborted: lost. */
  readonly locks = new Map<string, AbortController>();
  /** Quorum-less writes that are not promoted. */
  pendingCount = 0;
  /** Entries of a page at most, whatever is asked for. */
  pageMax = Number.POSITIVE_INFINITY;
  /** Called before each page is made. */
  onList: () => void = () => {};
  readonly ledger = new MemoryLedger();
  inRegion: string | null = 'region-1';
  closed = false;
  /** Calls of `set` under way, now and at most. */
  open = 0;
  openMax = 0;
  readonly #positions = new Map<string, number>();
  readonly #script: Script;

  constructor(script: Script = {}) {
    this.#script = script;
  }

  /** For `runCli`. */
  connect: CliContext['connect'] = (endpoints) => {
    this.calls.push(['connect', endpoints]);
    return Promise.resolve(this);
  };

  get(key: string, options: CallOptions): Promise<KeyResult> {
    this.#record('get', key, options);
    const value = this.values.get(key) ?? null;
    return Promise.resolve({ valid: true, timeout: false, value, version: value === null ? null : '7' });
  }

  async set(key: string, value: Uint8Array, options: CallOptions): Promise<KeyResult> {
    this.#record('set', key, options);
    this.openMax = Math.max(this.openMax, ++this.open);
    await new Promise((resolve) => setImmediate(resolve));
    this.open--;
    if (this.#script.write !== undefined) return this.#script.write;
    this.values.set(key, value);
    return { valid: true, timeout: false, value, version: '8', outcome: 'applied' };
  }

  delete(key: string, options: CallOptions): Promise<DeleteResult> {
    this.#record('delete', key, options);
    const existed = this.values.delete(key);
    return Promise.resolve(
      this.#script.write ?? { valid: true, timeout: false, value: null, version: null, outcome: 'applied', existed },
    );
  }

  swap(
    key: string,
    change: { newValue: Uint8Array | null; oldValue: Uint8Array | null },
    options: CallOptions,
  ): Promise<KeyResult> {
    this.#record('swap', key, options);
    const value = this.values.get(key) ?? null;
    const same =
      Buffer.compare(value ?? Buffer.of(), change.oldValue ?? Buffer.of()) === 0 &&
      (value === null) === (change.oldValue === null);
    if (!same) return Promise.resolve({ valid: false, timeout: false, value, version: '7', outcome: 'refused' });
    if (change.newValue === null) this.values.delete(key);
    else this.values.set(key, change.newValue);
    return Promise.resolve({ valid: true, timeout: false, value: change.newValue, version: '8', outcome: 'applied' });
  }

  read(key: string, type: TypedValueType, options: CallOptions): Promise<ViewResult> {
    this.#record('read', key, type, options);
    const view = this.views.get(key) ?? null;
    if (view !== null && view.type !== type) return Promise.reject(new SkerryError({ code: 'WRONG_TYPE' }));
    return Promise.resolve({ valid: true, timeout: false, view, version: view === null ? null : '7' });
  }

  async update(key: string, change: Change, options: CallOptions): Promise<ViewResult> {
    this.#record('update', key, 'edit' in change ? { type: change.type } : change, options);
    const { value: _, ...scripted } = this.#script.write ?? { value: null };
    if ('valid' in scripted) return { ...scripted, view: null };
    const present = this.views.get(key)?.type ?? (this.values.has(key) ? 'register' : change.type);
    if (present !== change.type) throw new SkerryError({ code: 'WRONG_TYPE' });
    const view = changed(this.views.get(key), change);
    this.views.set(key, view);
    const isTold = change.type !== 'set';
    return { valid: true, timeout: false, view: isTold ? view : null, version: '8', outcome: 'applied' };
  }

  list(
    prefix: string,
    { after, limit, keysOnly }: { after: string; limit: number; keysOnly: boolean },
  ): Promise<ListPage> {
    this.onList();
    const known = [...this.values.keys(), ...this.views.keys()];
    const keys = known.filter((key) => key.startsWith(prefix) && compareText(key, after) > 0).toSorted(compareText);
    const page = keys.slice(0, Math.min(limit, this.pageMax));
    return Promise.resolve({
      entries: page.map((key) => {
        const view = keysOnly ? undefined : (this.views.get(key) as ListPage['entries'][number]['view']);
        const value = keysOnly ? null : (this.values.get(key) ?? null);
        return { key, value, ...(view === undefined ? {} : { view }), version: this.versions.get(key) ?? '1' };
      }),
      next: keys.length > page.length ? (page.at(-1) ?? null) : null,
      timeout: false,
    });
  }

  async *watch(target: object): AsyncGenerator<WatchBatch> {
    this.#record('watch', target);
    yield* this.#script.watch ?? [];
  }

  receipt(receipt: string, options: CallOptions): Promise<ReceiptResult> {
    this.#record('receipt', receipt, options);
    return Promise.resolve(this.#script.receipt ?? { state: 'unknown', version: null, timeout: false });
  }

  resolve(ticket: string, options: CallOptions): Promise<KeyResult> {
    return this.set(ticket, Buffer.of(), options);
  }

  conflicts(prefix: string, options: Parameters<Database['conflicts']>[1]): ReturnType<Database['conflicts']> {
    return Promise.resolve(this.ledger.page(prefix, options));
  }

  status(): ReturnType<Database['status']> {
    const partition = {
      partition: 0,
      role: 'leader',
      term: 1,
      leader: null,
      commit: 1,
      applied: 1,
      firstIndex: 1,
      lastIndex: 1,
    };
    const partitions = [{ ...partition, pending: this.pendingCount, voters: [], learners: [], quorum: true }];
    return Promise.resolve({ node: 'n' as never, partitions, storageFull: false, peers: [] });
  }

  region(): string | null {
    return this.inRegion;
  }

  regions(): Promise<readonly RegionStatus[]> {
    return Promise.resolve(this.#script.regions ?? []);
  }

  addRegion(region: string, urls: readonly string[]): Promise<void> {
    this.#record('addRegion', region, urls);
    return Promise.resolve();
  }

  evictRegion(region: string): Promise<void> {
    this.#record('evictRegion', region);
    return Promise.resolve();
  }

  members(): Promise<readonly Member[]> {
    return Promise.resolve(this.#script.members ?? []);
  }

  changeMembers(change: object): Promise<void> {
    this.#record('changeMembers', change);
    return Promise.resolve();
  }

  transferLeadership(target: object): Promise<void> {
    this.#record('transferLeadership', target);
    return Promise.resolve();
  }

  /** Waits for whoever has it only until it is told to stop. */
  async lock(name: string, options: LockOptions): Promise<Hold | null> {
    this.#record('lock', name, options);
    if (this.locks.has(name) && !options.wait) return null;
    if (this.locks.has(name)) {
      await once(options.signal, 'abort');
      throw new SkerryError({ code: 'ABORTED', definite: true });
    }
    const lost = new AbortController();
    this.locks.set(name, lost);
    const isHeld = (): boolean => !lost.signal.aborted;
    return {
      token: '17',
      lost: lost.signal,
      get held() {
        return isHeld();
      },
      release: () => Promise.resolve(this.locks.delete(name) && isHeld()),
    };
  }

  /** Counts lines, which is enough for a log that only grows. */
  getLastLog(server: string, rawLogs: string): Promise<string> {
    const lines = rawLogs.split(/(?<=\n)/).filter((line) => line.endsWith('\n'));
    const from = this.#positions.get(server) ?? 0;
    this.#positions.set(server, lines.length);
    return Promise.resolve(lines.slice(from).join(''));
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** Without the signal, which says nothing. */
  #record(...call: unknown[]): void {
    const options = call.at(-1);
    if (typeof options === 'object' && options !== null && 'signal' in options) {
      const { signal: _, ...rest } = options;
      this.calls.push([...call.slice(0, -1), rest]);
    } else this.calls.push(call);
  }
}

/** A batch of changes as a watch brings it. */
export function batch(cursor: string, ...events: readonly [key: string, value: string | null][]): WatchBatch {
  return {
    cursor,
    reset: false,
    events: events.map(([key, value]) => ({
      key,
      value: value === null ? null : Buffer.from(value),
      version: '1',
    })),
  };
}
