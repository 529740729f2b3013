import { follow, viewOf, type TypedCalls } from './typed.ts';
import type { Followed, FollowOptions, ReadOptions, Response, UpdateOptions } from './types.ts';
import { responseOf, type KeyResult } from './values.ts';

/** A flag (enable-wins, DESIGN section 5): enabled if any enabling was not seen by a disabling. */
export class Flag {
  readonly key: string;
  readonly #calls: TypedCalls;

  constructor(calls: TypedCalls, key: string) {
    this.key = key;
    this.#calls = calls;
  }

  async get(options: ReadOptions = {}): Promise<Response<boolean>> {
    return enabledOf(await this.#calls.read(this.key, 'flag', options));
  }

  async enable(options: UpdateOptions = {}): Promise<Response<boolean>> {
    return enabledOf(await this.#calls.update(this.key, { type: 'flag', action: 'enable' }, options));
  }

  async disable(options: UpdateOptions = {}): Promise<Response<boolean>> {
    return enabledOf(await this.#calls.update(this.key, { type: 'flag', action: 'disable' }, options));
  }

  /** As it is now, and after each change. */
  watch(options: FollowOptions = {}): AsyncGenerator<Followed<boolean>, void, undefined> {
    return follow({ calls: this.#calls, key: this.key, type: 'flag' }, options, ({ enabled }) => enabled);
  }
}

function enabledOf(answer: KeyResult): Response<boolean> {
  return responseOf(answer, viewOf(answer, 'flag')?.enabled ?? null);
}
