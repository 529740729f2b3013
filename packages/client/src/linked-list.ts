import { assert } from '@skerry/base';

/** What a {@link LinkedList} keeps in its members; in one list at a time. */
export interface Linked<T extends Linked<T>> {
  list: LinkedList<T> | null;
  previous: T | null;
  next: T | null;
}

/**
 * What is open, in order. Members carry their links, and lose them when they leave: a Set for entries that come and go so
 * fast keeps garbage alive, see NumberTable in `base`.
 */
export class LinkedList<T extends Linked<T>> {
  #first: T | null = null;
  #last: T | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A member of no list. */
  add(member: T): void {
    assert(member.list === null, 'a member of one list at a time');
    member.list = this;
    member.previous = this.#last;
    if (this.#last === null) this.#first = member;
    else this.#last.next = member;
    this.#last = member;
    this.#size++;
  }

  remove(member: T): void {
    if (member.list !== this) return;
    const { previous, next } = member;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    member.list = null;
    member.previous = null;
    member.next = null;
    this.#size--;
  }

  /** As they are now, whatever leaves or comes meanwhile. */
  all(): readonly T[] {
    const all: T[] = [];
    for (let member = this.#first; member !== null; member = member.next) all.push(member);
    return all;
  }
}
