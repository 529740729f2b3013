import {
  compareDots,
  dotToText,
  equalDots,
  type Dot,
  type Operation,
  type OperationBody,
  type Part,
  type Value,
} from '@skerry/crdt';

/** Somebody observed the copy `op`, which is not applied itself, and `first`, the other copy of its write, is still there. */
export function copyWasReplaced(value: Value, op: Operation, first: Dot): boolean {
  return value.parts.some((part) => {
    const store = part.type === op.body.type ? storeOf(part) : null;
    return store !== null && store.context.has(op.dot) && store.entries.has(dotToText(first));
  });
}

/** The same write, in place of `first` too; null: of a type whose writes replace none, or replace by stamp. */
export function observing(body: OperationBody, first: Dot): OperationBody | null {
  switch (body.type) {
    case 'multiRegister':
      return { ...body, replaces: including(body.replaces, first) };
    case 'set':
    case 'flag':
      return { ...body, observed: including(body.observed, first) };
    case 'register':
    case 'counter':
    case 'document':
    case 'delete':
      return null;
  }
}

/** In order and each once. */
function including(dots: readonly Dot[], one: Dot): readonly Dot[] {
  return dots.some((dot) => equalDots(dot, one)) ? dots : [...dots, one].sort(compareDots);
}

/** Of types whose writes stay until one that observed them takes their place. */
function storeOf(part: Part):
  | (Pick<Extract<Part, { type: 'flag' }>['enables'], 'context'> & {
      readonly entries: ReadonlyMap<string, unknown>;
    })
  | null {
  switch (part.type) {
    case 'multiRegister':
      return part.siblings;
    case 'set':
      return part.adds;
    case 'flag':
      return part.enables;
    case 'register':
    case 'counter':
    case 'document':
      return null;
  }
}
