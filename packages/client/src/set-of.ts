import { compareBytes } from '@skerry/base';
import { follow, textOrBytes, viewOf, type TypedCalls } from './typed.ts';
import type {
  Followed,
  FollowOptions,
  Form,
  ReadOptions,
  Response,
  UpdateOptions,
  ValueOf,
  WriteResponse,
} from './types.ts';
import { responseOf, toBytes } from './values.ts';

/** A set (add-wins, DESIGN section 5): an addition that a removal has not seen stays. */
export class SetOf<F extends Form> {
  readonly key: string;
  readonly #calls: TypedCalls;
  readonly #form: F;

  constructor(calls: TypedCalls, key: string, form: F) {
    this.key = key;
    this.#calls = calls;
    this.#form = form;
  }

  async add(element: string | Uint8Array, options: UpdateOptions = {}): Promise<WriteResponse> {
    return responseOf<never>(
      await this.#calls.update(this.key, { type: 'set', action: 'add', element: toBytes(element) }, options),
      null,
    );
  }

  async remove(element: string | Uint8Array, options: UpdateOptions = {}): Promise<WriteResponse> {
    return responseOf<never>(
      await this.#calls.update(this.key, { type: 'set', action: 'remove', element: toBytes(element) }, options),
      null,
    );
  }

  /** Whether it has the element: false too where there is no such key; null only where `valid` is false. Reads the whole set. */
  async has(element: string | Uint8Array, options: ReadOptions = {}): Promise<Response<boolean>> {
    const bytes = toBytes(element);
    const answer = await this.#calls.read(this.key, 'set', options);
    const elements = viewOf(answer, 'set')?.elements ?? [];
    return responseOf(answer, answer.valid ? elements.some((each) => compareBytes(each, bytes) === 0) : null);
  }

  /** All elements, in order of their bytes. */
  async values(options: ReadOptions = {}): Promise<Response<readonly ValueOf<F>[]>> {
    const answer = await this.#calls.read(this.key, 'set', options);
    return responseOf(answer, viewOf(answer, 'set')?.elements.map(textOrBytes(this.#form)) ?? null);
  }

  /** All elements now, and after each change. */
  watch(options: FollowOptions = {}): AsyncGenerator<Followed<readonly ValueOf<F>[]>, void, undefined> {
    return follow({ calls: this.#calls, key: this.key, type: 'set' }, options, ({ elements }) =>
      elements.map(textOrBytes(this.#form)),
    );
  }
}
