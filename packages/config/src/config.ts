import { SkerryError, type Client, type WatchBatch } from '@skerry/client';
import { readCache, writeCache, type Cached, type Kept } from './cache.ts';
import { assemble, rawOfView, type Binding, type Format, type Raw } from './entries.ts';
import { describeIssues, issueOf, type ConfigIssue, type StandardSchema } from './schema.ts';

/** The part of a client that is used. */
export type ConfigClient = Pick<Client, 'watch' | 'close'>;
/** A client, which stays the caller's; or how to connect one, which is tried until it works, and is closed with the binding. */
export type ConfigSource = ConfigClient | (() => Promise<ConfigClient>);

export interface ConfigOptions<T> {
  /** Bind one key: the schema is given its value, undefined if it is missing. */
  readonly key?: string;
  /** Bind all keys that begin so: the schema is given an object by key, without the prefix. */
  readonly prefix?: string;
  readonly schema: StandardSchema<T>;
  /** How registers are read. Default: as JSON. */
  readonly format?: Format;
  /** Where the last good configuration is kept, so that a start without the store is possible. */
  readonly cache?: string;
  /** How long the start waits for the store. Milliseconds, default 3000. */
  readonly startTimeoutMs?: number;
  /** Ends the start. */
  readonly signal?: AbortSignal;
  /** As by {@link Config.onProblem}, from before the first problem on. */
  readonly onProblem?: (problem: ConfigProblem) => void;
}

/**
 * `invalid`: what stands in the store does not fit the schema, and the last good one stays. `unreachable`: the store is not
 * there, or was not in time at the start. `cache`: the cache cannot be read or written.
 */
export interface ConfigProblem {
  readonly kind: 'invalid' | 'unreachable' | 'cache';
  readonly message: string;
  /** Of what is invalid. */
  readonly issues: readonly ConfigIssue[];
}

/** There is no configuration to start with. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly kind: ConfigProblem['kind'];
  readonly issues: readonly ConfigIssue[];

  constructor({ kind, message, issues }: ConfigProblem) {
    super(message);
    this.kind = kind;
    this.issues = issues;
  }
}

const startTimeoutMsDefault = 3_000;
const retryMsMin = 500;
const retryMsMax = 10_000;

/**
 * Binds a key or a prefix to a schema. Resolves with the first good configuration: of the store, or, if that is not
 * reachable in time or not good, of the cache. Rejects with {@link ConfigError} where there is neither.
 */
export async function bindConfig<T>(source: ConfigSource, options: ConfigOptions<T>): Promise<Config<T>> {
  const config = new Config<T>(options);
  await config.start(source, options);
  return config;
}

/** Configuration that follows the store: always a value that fits the schema, the last one that did. */
export class Config<T> {
  readonly #binding: Binding;
  readonly #schema: StandardSchema<T>;
  readonly #format: Format;
  readonly #file: string | null;
  readonly #ended = new AbortController();
  readonly #changeListeners = new Set<(value: T) => void>();
  readonly #problemListeners = new Set<(problem: ConfigProblem) => void>();
  #good: {
    readonly value: T;
    readonly origin: 'store' | 'cache';
    readonly savedMs: number;
    readonly text: string;
  } | null = null;
  /** Why what is in the store is not what `value` has. */
  #problem: ConfigProblem | null = null;
  /** Ends with the last write of the cache. */
  #written: Promise<void> = Promise.resolve();
  #following: Promise<void> = Promise.resolve();

  /** @internal Made by {@link bindConfig}. */
  constructor({ key, prefix, schema, format = 'json', cache, onProblem }: ConfigOptions<T>) {
    if ((key === undefined) === (prefix === undefined)) throw new TypeError('bind either a key or a prefix');
    this.#binding = key === undefined ? { prefix: prefix as string } : { key };
    this.#schema = schema;
    this.#format = format;
    this.#file = cache ?? null;
    if (onProblem !== undefined) this.#problemListeners.add(onProblem);
  }

  get value(): T {
    if (this.#good === null) throw new Error('the configuration was not started');
    return this.#good.value;
  }

  /** Whether the value was read from the store by this process, or is what an earlier one left in the cache. */
  get origin(): 'store' | 'cache' {
    return this.#good?.origin ?? 'cache';
  }

  /** Wall clock when the value was found good, milliseconds since 1970. */
  get savedMs(): number {
    return this.#good?.savedMs ?? 0;
  }

  /** Why the value is not what the store has now; null: it is. */
  get problem(): ConfigProblem | null {
    return this.#problem;
  }

  /** Called with each new value. Returns what ends it. */
  onChange(listener: (value: T) => void): () => void {
    this.#changeListeners.add(listener);
    return () => {
      this.#changeListeners.delete(listener);
    };
  }

  /** Called with each problem. Returns what ends it. */
  onProblem(listener: (problem: ConfigProblem) => void): () => void {
    this.#problemListeners.add(listener);
    return () => {
      this.#problemListeners.delete(listener);
    };
  }

  /** The value now, and each new one. A reader that is slow gets the newest, not each between. Ends with `signal` or `close`. */
  async *watch({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<T, void, undefined> {
    const ends = AbortSignal.any([this.#ended.signal, ...(signal === undefined ? [] : [signal])]);
    let given: unknown = Symbol('nothing yet');
    let wake: () => void = () => {};
    const stop = this.onChange(() => wake());
    const onEnd = (): void => wake();
    ends.addEventListener('abort', onEnd);
    try {
      while (!ends.aborted) {
        if (this.#good !== null && this.#good.value !== given) {
          given = this.#good.value;
          yield this.#good.value;
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      stop();
      ends.removeEventListener('abort', onEnd);
    }
  }

  /** Ends following the store; the value stays. A client that was connected for this is closed. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#following;
    await this.#written;
  }

  /** @internal */
  async start(
    source: ConfigSource,
    { startTimeoutMs = startTimeoutMsDefault, signal }: ConfigOptions<T>,
  ): Promise<void> {
    signal?.throwIfAborted();
    const onAbort = (): void => this.#ended.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const late = new AbortController();
    const first = new Promise<void>((resolve) => {
      this.#following = this.#follow(source, resolve);
      void this.#following.then(resolve);
      void passed(startTimeoutMs, late.signal).then(resolve);
    });
    await first;
    late.abort();
    signal?.removeEventListener('abort', onAbort);
    signal?.throwIfAborted();
    if (this.#good !== null) return;
    const problem = this.#problem ?? {
      kind: 'unreachable',
      message: `the store was not reached in ${startTimeoutMs} ms`,
      issues: [],
    };
    if (this.#problem === null) this.#report(problem);
    await this.#takeCached();
    if (this.#has()) return;
    await this.close();
    throw new ConfigError(problem);
  }

  #has(): boolean {
    return this.#good !== null;
  }

  /** Reads the store until it is closed. `settled`: what is there has been looked at for the first time. */
  async #follow(source: ConfigSource, settled: () => void): Promise<void> {
    for (let failures = 0; !this.#ended.signal.aborted; failures++) {
      let client: ConfigClient | null = null;
      try {
        client = typeof source === 'function' ? await this.#connect(source) : source;
        if (client === null) return;
        await this.#read(client, () => {
          failures = 0;
          settled();
        });
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        this.#report({
          kind: 'unreachable',
          message: error instanceof Error ? error.message : String(error),
          issues: [],
        });
        // A client of the caller that is closed stays so.
        if (error instanceof SkerryError && error.code === 'CLOSED' && typeof source !== 'function') return;
      } finally {
        if (client !== null && typeof source === 'function') await client.close();
      }
      const pauseMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(failures, 10));
      await passed(pauseMs, this.#ended.signal);
    }
  }

  /** null: it was closed meanwhile. */
  async #connect(connect: () => Promise<ConfigClient>): Promise<ConfigClient | null> {
    const connecting = connect();
    let onEnd = (): void => {};
    const ended = new Promise<null>((resolve) => {
      onEnd = () => resolve(null);
      this.#ended.signal.addEventListener('abort', onEnd);
    });
    try {
      const client = await Promise.race([connecting, ended]);
      if (client === null) connecting.then((late) => late.close()).catch(() => {});
      return client;
    } finally {
      this.#ended.signal.removeEventListener('abort', onEnd);
    }
  }

  async #read(client: ConfigClient, settled: () => void): Promise<void> {
    const isPrefix = 'prefix' in this.#binding;
    const bound = 'prefix' in this.#binding ? this.#binding.prefix : this.#binding.key;
    let entries = new Map<string, Raw>();
    for await (const batch of client.watch(bound, {
      prefix: isPrefix,
      cursor: '',
      as: 'bytes',
      signal: this.#ended.signal,
    })) {
      if (batch.resetBegins === true) entries = new Map();
      await take(entries, batch);
      // A state is good or bad as a whole.
      if (batch.reset === 'more' || (batch.events.length === 0 && batch.reset === undefined)) continue;
      await this.#judge(entries);
      settled();
    }
  }

  async #judge(entries: ReadonlyMap<string, Raw>): Promise<void> {
    const result = await this.#validate(entries);
    if ('issues' in result) {
      const { issues } = result;
      this.#report({ kind: 'invalid', message: `the configuration does not fit: ${describeIssues(issues)}`, issues });
      return;
    }
    this.#problem = null;
    const kept = entries as ReadonlyMap<string, Kept>;
    const text = textOf(kept);
    const savedMs = Date.now();
    const isNew = this.#good?.text !== text;
    if (!isNew && this.#good?.origin === 'store') return;
    this.#good = { value: isNew ? result.value : (this.#good?.value ?? result.value), origin: 'store', savedMs, text };
    this.#keep({ savedMs, entries: new Map(kept) });
    const { value } = this.#good;
    // What a listener throws is its own failure, and not one of the store.
    if (isNew) for (const listener of this.#changeListeners) queueMicrotask(() => listener(value));
  }

  async #validate(
    entries: ReadonlyMap<string, Raw>,
  ): Promise<{ readonly value: T } | { readonly issues: readonly ConfigIssue[] }> {
    const { input, issues } = assemble(this.#binding, entries, this.#format);
    if (issues.length > 0) return { issues };
    try {
      const result = await this.#schema['~standard'].validate(input);
      return result.issues === undefined ? { value: result.value } : { issues: result.issues.map(issueOf) };
    } catch (error) {
      // A schema may throw where it should return; what it refuses is not good either way.
      return { issues: [{ path: [], message: error instanceof Error ? error.message : String(error) }] };
    }
  }

  async #takeCached(): Promise<void> {
    if (this.#file === null) return;
    try {
      const cached = await readCache(this.#file, this.#binding);
      // The store may have come meanwhile.
      if (cached === null || this.#good !== null) return;
      const result = await this.#validate(cached.entries);
      if ('issues' in result) throw new Error(`${this.#file} does not fit: ${describeIssues(result.issues)}`);
      this.#good ??= { value: result.value, origin: 'cache', savedMs: cached.savedMs, text: textOf(cached.entries) };
    } catch (error) {
      this.#tell({ kind: 'cache', message: error instanceof Error ? error.message : String(error), issues: [] });
    }
  }

  #keep(cached: Cached): void {
    const file = this.#file;
    if (file === null) return;
    this.#written = this.#written
      .then(() => writeCache(file, this.#binding, cached))
      .catch((error: unknown) => {
        this.#tell({ kind: 'cache', message: error instanceof Error ? error.message : String(error), issues: [] });
      });
  }

  #report(problem: ConfigProblem): void {
    this.#problem = problem;
    this.#tell(problem);
  }

  #tell(problem: ConfigProblem): void {
    for (const listener of this.#problemListeners) queueMicrotask(() => listener(problem));
  }
}

async function take(entries: Map<string, Raw>, { events }: WatchBatch<Uint8Array>): Promise<void> {
  for (const { key, value, view } of events) {
    if (value !== null) entries.set(key, { kind: 'register', bytes: value });
    else if (view !== undefined) entries.set(key, await rawOfView(view));
    else entries.delete(key);
  }
}

/** Equal for equal entries. */
function textOf(entries: ReadonlyMap<string, Kept>): string {
  const sorted = [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(
    sorted.map(([key, raw]) => [
      key,
      raw.kind,
      raw.kind === 'register' ? Buffer.from(raw.bytes).toString('base64') : raw.value,
    ]),
  );
}

/** Resolves after that time, or when `signal` is aborted. */
function passed(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
