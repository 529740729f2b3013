import type { Client, MultiResponse, Response } from '@skerry/client';
import type { Change, ReadOptions, TypedValueType, ViewResult, WriteOptions } from './database.ts';
import type { Shown } from './shown.ts';

const bytes = { as: 'bytes' as const };

/** Reads a value with the client's calls of its type. */
export async function readTyped(
  client: Client,
  { key, type }: { readonly key: string; readonly type: TypedValueType },
  options: ReadOptions,
): Promise<ViewResult> {
  switch (type) {
    case 'counter':
      return viewResult(await client.counter(key).get(options), counterView);
    case 'set':
      return viewResult(await client.setOf(key, bytes).values(options), (elements) => ({ type, elements }));
    case 'flag':
      return viewResult(await client.flag(key).get(options), flagView);
    case 'multiRegister':
      return multiResult(await client.multi(key, bytes).get(options));
    case 'document':
      return viewResult(await client.document(key).get(options), documentView);
  }
}

/** Writes a value with the client's calls of its type. */
export async function updateTyped(
  client: Client,
  { key, change }: { readonly key: string; readonly change: Change },
  options: WriteOptions,
): Promise<ViewResult> {
  switch (change.type) {
    case 'counter': {
      const counter = client.counter(key);
      const { action } = change;
      return viewResult(
        await (action === 'add' ? counter.add(change.amount, options) : counter.reset(options)),
        counterView,
      );
    }
    case 'set':
      return viewResult(await client.setOf(key, bytes)[change.action](change.element, options), () => null);
    case 'flag':
      return viewResult(await client.flag(key)[change.action](options), flagView);
    case 'multiRegister': {
      const { value, context } = change;
      return multiResult(await client.multi(key, bytes).set(value, { ...options, context }));
    }
    case 'document': {
      const document = client.document(key);
      if ('changes' in change) return viewResult(await document.apply(change.changes, options), () => null);
      return viewResult(await document.change(change.edit, options), documentView);
    }
  }
}

function multiResult({ values, context, ...rest }: MultiResponse<Uint8Array>): ViewResult {
  return { ...rest, view: context === null ? null : { type: 'multiRegister', values, context } };
}

function viewResult<V>({ value, ...rest }: Response<V>, shown: (value: V) => Shown | null): ViewResult {
  return { ...rest, view: value === null ? null : shown(value) };
}

function counterView(total: bigint): Shown {
  return { type: 'counter', total };
}

function flagView(enabled: boolean): Shown {
  return { type: 'flag', enabled };
}

function documentView(document: unknown): Shown {
  return { type: 'document', read: () => Promise.resolve(document) };
}
