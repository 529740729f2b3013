import { mergeValues, type CausalContext, type Dot, type Part, type Value } from '@skerry/crdt';
import { sameDigest } from './same.ts';

/** What takes the place of a value, null: nothing, and the dots that whoever gave it has applied. */
export interface Given {
  readonly value: Value | null;
  readonly context: CausalContext;
}

/** True if `value` holds a write or a removal that whoever gave `given` has never had. */
export function holdsUnseen(key: string, value: Value, given: Given): boolean {
  // A removal has no trace of its own, and counters fold their increments: it shows in what both come to.
  if (given.value !== null) {
    if (!sameDigest(key, mergeValues(given.value, value).state, given.value)) return true;
    const others = value.parts.filter(({ type }) => type !== 'counter');
    return others.some((part) => dotsOf(part).some((dot) => !given.context.has(dot)));
  }
  return value.parts.some((part) => dotsOf(part).some((dot) => !given.context.has(dot)));
}

function dotsOf(part: Part): readonly Dot[] {
  switch (part.type) {
    case 'register':
      return [part.dot];
    case 'multiRegister':
      return dotsIn(part.siblings.entries.values());
    case 'set':
      return dotsIn(part.adds.entries.values());
    case 'flag':
      return dotsIn(part.enables.entries.values());
    case 'document':
      return dotsIn(part.chunks.entries.values());
    case 'counter':
      // Which ones a prefix sums up is not known any more: the last one it may hold stands for them.
      return Array.from(part.entries).flatMap(([replica, { generations }]) =>
        Array.from(generations.values()).flatMap(({ seen }) =>
          [...(seen.prefix.upTo > 0 ? [seen.prefix.upTo] : []), ...seen.beyond.keys()].map((sequence) => ({
            replica,
            sequence,
          })),
        ),
      );
  }
}

function dotsIn(entries: Iterable<{ readonly dot: Dot }>): Dot[] {
  return Array.from(entries, ({ dot }) => dot);
}
