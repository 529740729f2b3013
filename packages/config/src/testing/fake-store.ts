import { utf8Encode } from '@skerry/base';
import { SkerryError, type View, type WatchBatch, type WatchedChange } from '@skerry/client';
import type { ConfigClient } from '../config.ts';

type Stored = string | View<Uint8Array>;

/** A store of one map, as far as watching goes: its present state first, then each change. */
export class FakeStore {
  readonly entries = new Map<string, Stored>();
  closed = 0;
  /** Nothing is answered. */
  silent = false;
  readonly #wakes = new Set<() => void>();
  #log: WatchedChange<Uint8Array>[] = [];
  #broken: SkerryError | null = null;
  /** All streams begin with the state again. */
  #epoch = 0;

  get client(): ConfigClient {
    return { watch: (key, options) => this.#watch(key, options as never) as never, close: () => this.#close() };
  }

  set(key: string, value: Stored | null): void {
    if (value === null) this.entries.delete(key);
    else this.entries.set(key, value);
    this.#log.push(this.#event(key, value));
    this.#wake();
  }

  /** As after a move to another region: the present state again, in several batches. */
  reset(): void {
    this.#epoch++;
    this.#wake();
  }

  /** Watches end with this error. */
  break(error: SkerryError): void {
    this.#broken = error;
    this.#wake();
  }

  mend(): void {
    this.#broken = null;
  }

  async *#watch(
    bound: string,
    { prefix, signal }: { prefix: boolean; signal: AbortSignal },
  ): AsyncGenerator<WatchBatch<Uint8Array>> {
    const isBound = (key: string): boolean => (prefix ? key.startsWith(bound) : key === bound);
    for (;;) {
      const epoch = this.#epoch;
      let at = this.#log.length;
      await this.#until(() => !this.silent, signal);
      const state = [...this.entries].filter(([key]) => isBound(key)).map(([key, value]) => this.#event(key, value));
      for (const event of state)
        yield {
          events: [event],
          cursor: '',
          reset: 'more',
          ...(event === state[0] ? { resetBegins: true as const } : {}),
        };
      yield { events: [], cursor: 'c', reset: 'last', ...(state.length === 0 ? { resetBegins: true as const } : {}) };
      while (epoch === this.#epoch) {
        await this.#until(() => this.#log.length > at || epoch !== this.#epoch, signal);
        if (epoch !== this.#epoch) break;
        const event = this.#log[at++] as WatchedChange<Uint8Array>;
        if (isBound(event.key)) yield { events: [event], cursor: 'c' };
      }
    }
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    for (;;) {
      if (signal.aborted) throw new SkerryError({ code: 'ABORTED' });
      if (this.#broken !== null) throw this.#broken;
      if (condition()) return;
      await new Promise<void>((resolve) => {
        this.#wakes.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  #wake(): void {
    for (const wake of this.#wakes) wake();
    this.#wakes.clear();
  }

  #event(key: string, value: Stored | null): WatchedChange<Uint8Array> {
    if (value === null) return { key, value: null, version: '1' };
    return typeof value === 'string'
      ? { key, value: utf8Encode(value), version: '1' }
      : { key, value: null, view: value, version: '1' };
  }

  #close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}
