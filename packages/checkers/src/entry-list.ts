import { returnAt, type Operation } from './model.ts';

/**
 * The call or the return of one operation, in a doubly linked list in order of time (Wing & Gong 1993; Lowe 2017,
 * section 4). An operation of unknown outcome has a call and no return: nothing ever forces it to have happened.
 */
export class Entry {
  readonly kind: 'call' | 'return' | 'end';
  /** Index of the operation in its partition; -1 for the end of the list. */
  readonly index: number;
  /** Of a call: its return. Null if the outcome is unknown, and for returns. */
  readonly match: Entry | null;
  previous: Entry = this;
  next: Entry = this;

  constructor(kind: Entry['kind'], index: number, match: Entry | null) {
    this.kind = kind;
    this.index = index;
    this.match = match;
  }
}

/** The entries of `operations`, as a ring through the `end` entry that is returned: its `next` is the first. */
export function entryList(operations: readonly Operation<unknown, unknown>[]): Entry {
  const timed: { at: number; entry: Entry }[] = [];
  for (const [index, operation] of operations.entries()) {
    const end = returnAt(operation);
    const match = end === Number.POSITIVE_INFINITY ? null : new Entry('return', index, null);
    timed.push({ at: operation.callAt, entry: new Entry('call', index, match) });
    if (match !== null) timed.push({ at: end, entry: match });
  }
  // A call at the instant of a return counts as earlier: the two overlap, which allows more, never less.
  timed.sort((a, b) => a.at - b.at || Number(a.entry.kind === 'return') - Number(b.entry.kind === 'return'));
  const end = new Entry('end', -1, null);
  let last = end;
  for (const { entry } of timed) {
    last.next = entry;
    entry.previous = last;
    last = entry;
  }
  last.next = end;
  end.previous = last;
  return end;
}

/** Takes a call and its return out of the list. Their own links stay, so that {@link unlift} is its exact inverse. */
export function lift(call: Entry): void {
  unlink(call);
  if (call.match !== null) unlink(call.match);
}

/** Puts a call and its return back. Lifted entries must come back in the reverse of the order they went. */
export function unlift(call: Entry): void {
  if (call.match !== null) relink(call.match);
  relink(call);
}

function unlink(entry: Entry): void {
  entry.previous.next = entry.next;
  entry.next.previous = entry.previous;
}

function relink(entry: Entry): void {
  entry.previous.next = entry;
  entry.next.previous = entry;
}
