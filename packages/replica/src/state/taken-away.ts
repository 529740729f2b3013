import type { Dot, OperationBody } from '@skerry/crdt';

/**
 * The dots whose effects `body` takes away or takes the place of. Of increments that a counter's reset sums up only those that
 * it names one by one: which of a replica's dots a sum is made of is not known any more.
 */
export function takenAway(body: OperationBody): readonly Dot[] {
  switch (body.type) {
    case 'register':
      return body.replaces === null ? [] : [body.replaces];
    case 'multiRegister':
      return [...body.replaces, ...body.evicts];
    case 'set':
    case 'flag':
      return body.observed;
    case 'counter':
      return body.action === 'add' ? [] : dotsOf(body.observed);
    case 'document':
      return body.replaces;
    case 'delete':
      return body.parts.flatMap((part) => {
        if (part.type === 'register') return part.replaces === null ? [] : [part.replaces];
        return part.type === 'counter' ? dotsOf(part.observed) : part.observed;
      });
  }
}

function dotsOf(increments: Extract<OperationBody, { type: 'counter'; action: 'reset' }>['observed']): Dot[] {
  return Array.from(increments).flatMap(([replica, { beyond }]) =>
    Array.from(beyond.keys(), (sequence) => ({ replica, sequence })),
  );
}
