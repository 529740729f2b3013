import { equalBytes, utf8Decode, utf8Encode } from '@skerry/base';
import { SkerryError, type Client } from '@skerry/client';

type Value = string | Uint8Array | null;

/** As much of a client as recipes use, over one map; every call takes a turn, so that calls race. */
export class MemoryDb {
  readonly #entries = new Map<string, { value: Uint8Array; version: number; lease: string | null }>();
  readonly #leases = new Map<string, AbortController>();
  readonly #watchers = new Set<() => void>();
  #version = 0;
  #leaseCount = 0;

  /** The part of a client that a recipe takes. */
  get client(): Pick<Client, 'get' | 'swap' | 'watch' | 'lease'> {
    return this as unknown as Pick<Client, 'get' | 'swap' | 'watch' | 'lease'>;
  }

  async get(key: string, options: { as?: 'text' | 'bytes' } = {}): Promise<object> {
    await Promise.resolve();
    return this.#answer(key, options.as ?? 'text', { valid: true });
  }

  async swap(
    key: string,
    newValue: Value,
    oldValue: Value,
    { lease = null }: { lease?: string | null } = {},
  ): Promise<object> {
    await Promise.resolve();
    const form = newValue instanceof Uint8Array || oldValue instanceof Uint8Array ? 'bytes' : 'text';
    if (lease !== null && !this.#leases.has(lease)) throw new SkerryError({ code: 'LEASE_NOT_FOUND' });
    const current = this.#entries.get(key)?.value ?? null;
    const expected = oldValue === null ? null : toBytes(oldValue);
    const equal = current === null || expected === null ? current === expected : equalBytes(current, expected);
    if (!equal) return this.#answer(key, form, { valid: false, outcome: 'refused' });
    this.#write(key, newValue === null ? null : toBytes(newValue), lease);
    return this.#answer(key, form, { valid: true, outcome: 'applied' });
  }

  async *watch(key: string, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<object> {
    let seen = -1;
    for (let first = true; ; first = false) {
      const entry = this.#entries.get(key);
      const version = entry?.version ?? 0;
      const events =
        entry === undefined && first
          ? []
          : [
              {
                key,
                value: entry === undefined ? null : utf8Decode(entry.value),
                version: text(entry?.version ?? this.#version),
              },
            ];
      if (version !== seen) yield { events, cursor: text(this.#version), ...(first ? { reset: 'last' } : {}) };
      seen = version;
      if ((this.#entries.get(key)?.version ?? 0) !== seen) continue;
      await new Promise<void>((resolve, reject) => {
        this.#watchers.add(resolve);
        signal?.addEventListener('abort', () => {
          reject(new SkerryError({ code: 'ABORTED' }));
        });
      });
    }
  }

  async lease(ttlMs: number, { key }: { key: string }): Promise<object> {
    await Promise.resolve();
    const id = `lease-${++this.#leaseCount}`;
    const lost = new AbortController();
    this.#leases.set(id, lost);
    return {
      id,
      key,
      ttlMs,
      lost: lost.signal,
      stop: () => {},
      revoke: async () => {
        await Promise.resolve();
        this.expire(id);
      },
      isHeld: () => this.#leases.has(id),
      held: true,
    };
  }

  /** The lease ends, with the keys that hang on it; its holder does not know yet. */
  expire(id: string): void {
    this.#leases.delete(id);
    for (const [key, entry] of this.#entries) if (entry.lease === id) this.#write(key, null, null);
  }

  get leaseIds(): string[] {
    return [...this.#leases.keys()];
  }

  #write(key: string, value: Uint8Array | null, lease: string | null): void {
    const version = ++this.#version;
    if (value === null) this.#entries.delete(key);
    else this.#entries.set(key, { value, version, lease });
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const wake of watchers) wake();
  }

  #answer(key: string, form: 'text' | 'bytes', rest: object): object {
    const entry = this.#entries.get(key);
    const value = entry === undefined ? null : form === 'bytes' ? entry.value : utf8Decode(entry.value);
    return { timeout: false, value, version: entry === undefined ? null : text(entry.version), ...rest };
  }
}

function toBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? utf8Encode(value) : value;
}

function text(version: number): string {
  return version.toString(16).padStart(28, '0');
}
