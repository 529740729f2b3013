/** Keys side by side in one list: as many as a splice moves in less time than the search for their place takes. */
const listLengthMax = 256;

/**
 * A set of keys in order out of which slices are taken one after the other: a B+ tree of two levels. Adding a key costs two
 * binary searches. The order is that of UTF-16 units, since the engine compares whole strings by it several times as fast
 * as a script does by code point; above U+FFFF it is not quite that of storage, which is enough to find neighbours.
 */
export class KeyOrder {
  /** None is empty, and each lies wholly before the next. */
  readonly #lists: string[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False: it was there. */
  add(key: string): boolean {
    const at = this.#listOf(key);
    const list = this.#lists[at];
    if (list === undefined) {
      this.#lists.push([key]);
    } else {
      const place = placeOf(list, key);
      if (list[place] === key) return false;
      list.splice(place, 0, key);
      if (list.length > listLengthMax) this.#lists.splice(at + 1, 0, list.splice(listLengthMax / 2));
    }
    this.#size++;
    return true;
  }

  /** Takes out the next `count` keys from `from` on; fewer when there are no more. */
  take(from: string, count: number): string[] {
    const taken: string[] = [];
    let at = this.#listOf(from);
    let place = placeOf(this.#lists[at] ?? [], from);
    while (taken.length < count) {
      const list = this.#lists[at];
      if (list === undefined) break;
      for (const key of list.splice(place, count - taken.length)) taken.push(key);
      if (list.length === 0) this.#lists.splice(at, 1);
      else at++;
      place = 0;
    }
    this.#size -= taken.length;
    return taken;
  }

  /** Index of the last list that begins at or before `key`, or of the first. */
  #listOf(key: string): number {
    let low = 0;
    let high = this.#lists.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lists[middle]?.[0] as string) <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** Index of the first key that is not below `key`. */
function placeOf(list: readonly string[], key: string): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
