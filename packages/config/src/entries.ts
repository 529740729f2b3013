import { utf8Decode } from '@skerry/base';
import type { View } from '@skerry/client';
import type { ConfigIssue } from './schema.ts';

/** A value before it is looked at. */
export type Raw =
  | { readonly kind: 'register'; readonly bytes: Uint8Array }
  /** JSON: what a value of another type shows. */
  | { readonly kind: 'plain'; readonly value: unknown }
  | { readonly kind: 'unreadable'; readonly why: string };

/** How the bytes of a register are read: as JSON, as text, or by a function, which throws on what it does not take. */
export type Format = 'json' | 'text' | ((bytes: Uint8Array) => unknown);

/** A key, or all keys under a prefix. */
export type Binding = { readonly key: string } | { readonly prefix: string };

/**
 * What a schema is given of a value that is no register: a counter is a number, or its digits where it is too large for
 * one; a set and a multi-value register are lists of texts; a flag is a boolean; a document is its JSON.
 */
export async function rawOfView(view: View<Uint8Array>): Promise<Raw> {
  try {
    return await shownOf(view);
  } catch (error) {
    return { kind: 'unreadable', why: error instanceof Error ? error.message : String(error) };
  }
}

async function shownOf(view: View<Uint8Array>): Promise<Raw> {
  switch (view.type) {
    case 'register':
      return { kind: 'register', bytes: view.value };
    case 'counter': {
      const total = Number(view.total);
      return { kind: 'plain', value: Number.isSafeInteger(total) ? total : view.total.toString() };
    }
    case 'set':
      return { kind: 'plain', value: view.elements.map(textOf) };
    case 'multiRegister':
      return { kind: 'plain', value: view.values.map(textOf) };
    case 'flag':
      return { kind: 'plain', value: view.enabled };
    case 'document':
      return { kind: 'plain', value: await view.read() };
  }
}

export interface Assembled {
  /** For the schema: the value of the key (undefined if it is missing), or an object by key without the prefix. */
  readonly input: unknown;
  /** What could not even be read. */
  readonly issues: readonly ConfigIssue[];
}

export function assemble(binding: Binding, entries: ReadonlyMap<string, Raw>, format: Format): Assembled {
  const issues: ConfigIssue[] = [];
  const valueOf = (key: string, path: readonly string[]): unknown => {
    const raw = entries.get(key);
    if (raw === undefined) return undefined;
    if (raw.kind === 'plain') return raw.value;
    try {
      if (raw.kind === 'unreadable') throw new Error(raw.why);
      return parse(raw.bytes, format);
    } catch (error) {
      issues.push({ path, message: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  };
  if ('key' in binding) return { input: valueOf(binding.key, []), issues };
  const { prefix } = binding;
  const named = [...entries.keys()].toSorted().map((key) => [key.slice(prefix.length), key] as const);
  return { input: Object.fromEntries(named.map(([name, key]) => [name, valueOf(key, [name])])), issues };
}

function parse(bytes: Uint8Array, format: Format): unknown {
  if (typeof format === 'function') return format(bytes);
  return format === 'text' ? textOf(bytes) : JSON.parse(textOf(bytes));
}

function textOf(bytes: Uint8Array): string {
  const text = utf8Decode(bytes);
  if (text === null) throw new Error('the value is not UTF-8');
  return text;
}
