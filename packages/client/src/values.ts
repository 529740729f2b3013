import { isWellFormed, utf8Decode, utf8Encode } from '@skerry/base';
import { stampFromText } from '@skerry/crdt';
import type { KeyAnswer, ValueView } from '@skerry/protocol';
import { readDocument } from './document-engine.ts';
import { SkerryError } from './errors.ts';
import type { Form, Response, ValueOf, View } from './types.ts';

export function toBytes(value: string | Uint8Array): Uint8Array {
  if (typeof value !== 'string') {
    // The caller may write into its bytes before the turn ends.
    return value.slice();
  }
  // UTF-8 would carry U+FFFD in its place: another value than was given.
  if (!isWellFormed(value)) throw new SkerryError({ code: 'BAD_REQUEST', detail: 'the value has a lone surrogate' });
  return utf8Encode(value);
}

export function checkKey(key: string): string {
  if (!isWellFormed(key)) throw new SkerryError({ code: 'KEY_NOT_UTF8', detail: 'the key has a lone surrogate' });
  return key;
}

export function formOf(...values: readonly (string | Uint8Array | null)[]): Form {
  return values.some((value) => value instanceof Uint8Array) ? 'bytes' : 'text';
}

/** `bytes` in the form asked for; a copy, so that a small value does not keep a whole frame in memory. */
export function fromBytes<F extends Form>(bytes: Uint8Array | null, form: F): ValueOf<F> | null {
  if (bytes === null) return null;
  if (form === 'bytes') return bytes.slice() as ValueOf<F>;
  const text = utf8Decode(bytes);
  if (text === null) throw new SkerryError({ code: 'VALUE_NOT_TEXT' });
  return text as ValueOf<F>;
}

/** An answer to a call on one key; `behind` is judged by this side too. */
export type KeyResult = Omit<KeyAnswer, 'kind'>;

export function toResponse<F extends Form>(answer: KeyResult, form: F): Response<ValueOf<F>> {
  return responseOf(answer, fromBytes(answer.value, form));
}

export function responseOf<V>(answer: KeyResult, value: V | null): Response<V> {
  const { valid, timeout, version, outcome, receipt, ticket, behind } = answer;
  const response: { -readonly [Name in keyof Response<V>]: Response<V>[Name] } = {
    valid,
    timeout,
    version,
    value,
    stamp: version === null ? null : stampFromText(version),
  };
  // One by one: this is made for every call, and spreading empty objects takes its time.
  if (outcome !== undefined) response.outcome = outcome;
  if (receipt !== undefined) response.receipt = receipt;
  if (ticket !== undefined) response.ticket = ticket;
  if (behind !== undefined) response.behind = behind;
  return response;
}

export function toView<F extends Form>(view: ValueView, form: F): View<ValueOf<F>> {
  const valueOf = (bytes: Uint8Array): ValueOf<F> => fromBytes(bytes, form) as ValueOf<F>;
  switch (view.type) {
    case 'register':
      return { type: 'register', value: valueOf(view.value) };
    case 'multiRegister':
      return { type: 'multiRegister', values: view.values.map(valueOf), context: view.context };
    case 'counter':
      return { type: 'counter', total: BigInt(view.total) };
    case 'set':
      return { type: 'set', elements: view.elements.map(valueOf) };
    case 'flag':
      return view;
    case 'document': {
      const chunks = view.chunks.map((chunk) => chunk.slice());
      return {
        type: 'document',
        chunks,
        operations: view.operations,
        read: () => readDocument({ chunks, operations: view.operations }),
      };
    }
  }
}

/** What a listing, a watch or a transaction says of a key, in the form asked for. */
export function toEntry<F extends Form, E extends { readonly value: Uint8Array | null; readonly view?: ValueView }>(
  { value, view, ...entry }: E,
  form: F,
): Omit<E, 'value' | 'view'> & { readonly value: ValueOf<F> | null; readonly view?: View<ValueOf<F>> } {
  return { ...entry, value: fromBytes(value, form), ...(view === undefined ? {} : { view: toView(view, form) }) };
}
