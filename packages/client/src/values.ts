import { isWellFormed, utf8Decode, utf8Encode } from '@skerry/base';
import { stampFromText } from '@skerry/crdt';
import type { KeyAnswer } from '@skerry/protocol';
import { SkerryError } from './errors.ts';
import type { Form, Response, ValueOf } from './types.ts';

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

export function toResponse<F extends Form>(answer: Omit<KeyAnswer, 'kind'>, form: F): Response<ValueOf<F>> {
  const { valid, timeout, version, outcome, receipt, ticket } = answer;
  return {
    valid, timeout, version,
    value: fromBytes(answer.value, form),
    stamp: version === null ? null : stampFromText(version),
    ...(outcome === undefined ? {} : { outcome }),
    ...(receipt === undefined ? {} : { receipt }),
    ...(ticket === undefined ? {} : { ticket }),
  };
}
