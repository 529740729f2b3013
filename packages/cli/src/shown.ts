import type { View } from '@skerry/client';
import { jsonValue, visible } from './output.ts';

/** A value of any type as commands print it. */
export type Shown =
  | Exclude<View<Uint8Array>, { readonly type: 'document' }>
  /** `read` loads Automerge. */
  | { readonly type: 'document'; readonly read: () => Promise<unknown> };

/** What an entry of a listing or a change holds: a register stands in `value`, every other type in `view`. */
export function shownOf({ value, view }: { readonly value: Uint8Array | null; readonly view?: Shown }): Shown | null {
  return view ?? (value === null ? null : { type: 'register', value });
}

/** The shapes of the HTTP face, but for bytes that are not text (see `jsonValue`) and documents, which stand as what they say. */
export async function shownJson(shown: Shown): Promise<object> {
  switch (shown.type) {
    case 'register':
      return { type: shown.type, ...jsonValue(shown.value) };
    case 'multiRegister':
      return { type: shown.type, ...jsonValues('values', shown.values), context: shown.context };
    case 'counter':
      return { type: shown.type, total: shown.total.toString() };
    case 'set':
      return { type: shown.type, ...jsonValues('elements', shown.elements) };
    case 'flag':
      return { type: shown.type, enabled: shown.enabled };
    case 'document':
      return { type: shown.type, document: await shown.read() };
  }
}

/** In one line, for people: not for the terminal as it is, see `visible`. */
export async function shownText(shown: Shown): Promise<string> {
  switch (shown.type) {
    case 'register': {
      const json = jsonValue(shown.value);
      return 'value' in json ? (json.value ?? '') : `(${shown.value.length} bytes, not text)`;
    }
    case 'multiRegister':
      return shown.values.map(quoted).join(' | ');
    case 'counter':
      return shown.total.toString();
    case 'set':
      return `{${shown.elements.map(quoted).join(', ')}}`;
    case 'flag':
      return shown.enabled ? 'enabled' : 'disabled';
    case 'document':
      return JSON.stringify(await shown.read());
  }
}

/** {@link shownText} with control characters made visible. A document that cannot be loaded says why: part of one is none. */
export async function textOrWhyNot(shown: Shown): Promise<string> {
  try {
    return visible(await shownText(shown));
  } catch (error) {
    return `(${visible((error as Error).message)})`;
  }
}

/** {@link shownJson}, or why a document cannot be loaded. */
export async function jsonOrWhyNot(shown: Shown | null): Promise<object | null> {
  if (shown === null) return null;
  try {
    return await shownJson(shown);
  } catch (error) {
    return { type: shown.type, problem: (error as Error).message };
  }
}

/** Elements and values one per line, control characters made visible. */
export function lines(values: readonly Uint8Array[]): string {
  return values.map((value) => `${visible(bareText(value))}\n`).join('');
}

function jsonValues(name: string, values: readonly Uint8Array[]): object {
  const texts = values.map((value) => jsonValue(value));
  const isText = texts.every((json) => 'value' in json);
  return isText
    ? { [name]: texts.map((json) => ('value' in json ? json.value : '')) }
    : { [`${name}Base64`]: values.map((value) => Buffer.from(value).toString('base64')) };
}

function quoted(value: Uint8Array): string {
  const json = jsonValue(value);
  return 'value' in json ? JSON.stringify(json.value) : bareText(value);
}

function bareText(value: Uint8Array): string {
  const json = jsonValue(value);
  return 'value' in json ? (json.value ?? '') : `(${value.length} bytes, not text)`;
}
