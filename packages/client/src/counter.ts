import { SkerryError } from './errors.ts';
import { follow, viewOf, type TypedCalls } from './typed.ts';
import type { Followed, FollowOptions, ReadOptions, Response, UpdateOptions } from './types.ts';
import { responseOf, type KeyResult } from './values.ts';

/**
 * A counter (PN-counter, DESIGN section 5): concurrent additions of all regions add up. Totals are always `bigint`: a
 * type that depends on the size of a number is met unprepared.
 */
export class Counter {
  readonly key: string;
  readonly #calls: TypedCalls;

  constructor(calls: TypedCalls, key: string) {
    this.key = key;
    this.#calls = calls;
  }

  async get(options: ReadOptions = {}): Promise<Response<bigint>> {
    return totalOf(await this.#calls.read(this.key, 'counter', options));
  }

  /** Adds a whole number, negative ones included; the answer has the total after it. A retry never counts twice. */
  async add(amount: number | bigint = 1, options: UpdateOptions = {}): Promise<Response<bigint>> {
    const whole = Number(amount);
    if (!Number.isSafeInteger(whole))
      throw new SkerryError({ code: 'BAD_REQUEST', detail: `${amount} is not a whole number of up to 2^53 - 1` });
    return totalOf(await this.#calls.update(this.key, { type: 'counter', action: 'add', amount: whole }, options));
  }

  /** Takes back all additions that it sees; concurrent ones stay. */
  async reset(options: UpdateOptions = {}): Promise<Response<bigint>> {
    return totalOf(await this.#calls.update(this.key, { type: 'counter', action: 'reset' }, options));
  }

  /** The total now, and after each change. */
  watch(options: FollowOptions = {}): AsyncGenerator<Followed<bigint>, void, undefined> {
    return follow({ calls: this.#calls, key: this.key, type: 'counter' }, options, ({ total }) => BigInt(total));
  }
}

function totalOf(answer: KeyResult): Response<bigint> {
  const view = viewOf(answer, 'counter');
  return responseOf(answer, view === null ? null : BigInt(view.total));
}
