import { follow, textOrBytes, viewOf, type TypedCalls, type ViewOf } from './typed.ts';
import type { Followed, FollowOptions, Form, ReadOptions, Response, UpdateOptions, ValueOf } from './types.ts';
import { responseOf, toBytes, type KeyResult } from './values.ts';

/** Values that were written concurrently, and what a write has to name in order to replace exactly these. */
export interface Concurrent<V> {
  readonly values: readonly V[];
  readonly context: string;
}

export interface MultiSetOptions extends UpdateOptions {
  /** Of the read that this write answers: it replaces what that showed. Absent: it replaces nothing, and stands beside. */
  readonly context?: string | null;
}

/** Without values where there is no such key, and where the call is not valid. */
export type MultiResponse<V> = Omit<Response, 'value'> & {
  readonly values: readonly V[];
  readonly context: string | null;
};

/** A multi-value register (DESIGN section 5): keeps concurrent values until somebody who saw them writes another. */
export class Multi<F extends Form> {
  readonly key: string;
  readonly #calls: TypedCalls;
  readonly #form: F;

  constructor(calls: TypedCalls, key: string, form: F) {
    this.key = key;
    this.#calls = calls;
    this.#form = form;
  }

  async get(options: ReadOptions = {}): Promise<MultiResponse<ValueOf<F>>> {
    return this.#responseOf(await this.#calls.read(this.key, 'multiRegister', options));
  }

  async set(
    value: string | Uint8Array,
    { context = null, ...options }: MultiSetOptions = {},
  ): Promise<MultiResponse<ValueOf<F>>> {
    return this.#responseOf(
      await this.#calls.update(this.key, { type: 'multiRegister', value: toBytes(value), context }, options),
    );
  }

  /** The values now, and after each change. */
  watch(options: FollowOptions = {}): AsyncGenerator<Followed<Concurrent<ValueOf<F>>>, void, undefined> {
    return follow({ calls: this.#calls, key: this.key, type: 'multiRegister' }, options, (view) => this.#shown(view));
  }

  #responseOf(answer: KeyResult): MultiResponse<ValueOf<F>> {
    const view = viewOf(answer, 'multiRegister');
    const { value: _, ...response } = responseOf(answer, null);
    return { ...response, ...(view === null ? { values: [], context: null } : this.#shown(view)) };
  }

  #shown({ values, context }: ViewOf<'multiRegister'>): Concurrent<ValueOf<F>> {
    return { values: values.map(textOrBytes(this.#form)), context };
  }
}
