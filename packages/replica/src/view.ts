import { ByteReader, ByteWriter, fromHex, toHex } from '@skerry/base';
import {
  CausalContext,
  counterTotal,
  documentValue,
  flagValue,
  multiRegisterValues,
  setValues,
  visiblePart,
  type Part,
  type Value,
} from '@skerry/crdt';
import type { ValueView } from './requests.ts';

/** A value as its type shows it; null if there is no such key. */
export function viewOf(value: Value | null): ValueView | null {
  const part = value === null ? null : visiblePart(value);
  return part === null ? null : viewOfPart(part);
}

/** A part by itself, whether or not it is what users see of the key; null if it is what a delete left. */
export function viewOfPart(part: Part): ValueView | null {
  const alone: Value = { parts: [part] };
  switch (part.type) {
    case 'register':
      return part.value === null ? null : { type: 'register', value: part.value };
    case 'multiRegister': {
      const view = multiRegisterValues(alone);
      return view === null
        ? null
        : {
            type: 'multiRegister',
            values: view.siblings.map(({ value }) => value),
            context: contextToText(view.context),
          };
    }
    case 'counter': {
      const total = counterTotal(alone);
      return total === null ? null : { type: 'counter', total: total.toString() };
    }
    case 'set': {
      const elements = setValues(alone);
      return elements === null ? null : { type: 'set', elements };
    }
    case 'flag': {
      const enabled = flagValue(alone);
      return enabled === null ? null : { type: 'flag', enabled };
    }
    case 'document': {
      const view = documentValue(alone);
      return view === null
        ? null
        : { type: 'document', chunks: view.chunks, operations: view.operations, context: contextToText(view.context) };
    }
  }
}

/** Bytes that a view takes up, about: for limits of pages. */
export function viewBytes(view: ValueView | null): number {
  if (view === null) return 0;
  const sum = (list: readonly Uint8Array[]): number => list.reduce((total, bytes) => total + bytes.length + 8, 0);
  switch (view.type) {
    case 'register':
      return view.value.length;
    case 'multiRegister':
      return sum(view.values) + view.context.length;
    case 'set':
      return sum(view.elements);
    case 'document':
      return sum(view.chunks) + view.context.length;
    default:
      return 16;
  }
}

/** Contexts are opaque to clients. */
export function contextToText(context: CausalContext): string {
  const writer = new ByteWriter(64);
  context.encode(writer);
  return toHex(writer.finish());
}

/** null: not a context. */
export function contextFromText(text: string): CausalContext | null {
  const bytes = fromHex(text);
  if (bytes === null) return null;
  try {
    const reader = new ByteReader(bytes);
    const context = CausalContext.decode(reader);
    reader.end();
    return context;
  } catch {
    return null;
  }
}

/** Registers are told by their bytes, everything else by its view: how lists and watches carry values. */
export function split(view: ValueView): { readonly value: Uint8Array | null; readonly view?: ValueView } {
  return view.type === 'register' ? { value: view.value } : { value: null, view };
}
