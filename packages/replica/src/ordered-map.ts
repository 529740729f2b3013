import { compareText } from '@skerry/base';

/** Keys of one kind in order. */
interface Index {
  /** As of the last range; those that were deleted since are still in it. */
  ordered: string[];
  /** Set since, in no order. */
  added: string[];
}

/** Keys of one kind of record of the state share these characters (`s/PPPP/G/k`), see `keys.ts`; of others the first one. */
const stateKindLength = 10;
/** An index that nobody asked for while so many keys came is forgotten. */
const addedMax = 4_096;

/**
 * A map by storage key that also gives ranges in key order. Order is kept for the kinds of records of which ranges are asked
 * for; that of many keys (values, say) hardly ever is.
 */
export class OrderedMap<V> {
  readonly #values: Map<string, V> = new Map();
  readonly #indices: Map<string, Index> = new Map();

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    const before = this.#values.size;
    this.#values.set(key, value);
    if (this.#indices.size > 0 && this.#values.size > before) this.#added(key);
  }

  delete(key: string): void {
    this.#values.delete(key);
  }

  /** Keys with from <= key < to, in order. */
  range(from: string, to: string): string[] {
    if (this.#values.size === 0) return [];
    const kind = kindOf(from);
    if (kind === '' || kindOf(to) !== kind)
      return [...this.#values.keys()]
        .filter((key) => compareText(key, from) >= 0 && compareText(key, to) < 0)
        .sort(compareText);
    const ordered = this.#orderOf(kind);
    const end = lowerBound(ordered, to);
    const found: string[] = [];
    for (let i = lowerBound(ordered, from); i < end; i++) {
      const key = ordered[i] as string;
      if (this.#values.has(key)) found.push(key);
    }
    return found;
  }

  #added(key: string): void {
    const kind = kindOf(key);
    const index = this.#indices.get(kind);
    if (index === undefined) return;
    index.added.push(key);
    if (index.added.length > addedMax + index.ordered.length / 4) this.#indices.delete(kind);
  }

  #orderOf(kind: string): readonly string[] {
    const index = this.#indices.get(kind);
    if (index === undefined) {
      const ordered: string[] = [];
      for (const key of this.#values.keys()) if (kindOf(key) === kind) ordered.push(key);
      ordered.sort(compareText);
      this.#indices.set(kind, { ordered, added: [] });
      return ordered;
    }
    if (index.added.length === 0) return index.ordered;
    index.ordered = joined(index.ordered, index.added.sort(compareText), this.#values);
    index.added = [];
    return index.ordered;
  }
}

function kindOf(key: string): string {
  return key.charCodeAt(0) === 0x73 ? key.slice(0, stateKindLength) : key.charAt(0);
}

/** Of both lists in order, what is still there, each key once. */
function joined(ordered: readonly string[], added: readonly string[], values: ReadonlyMap<string, unknown>): string[] {
  const all: string[] = [];
  let [i, j] = [0, 0];
  while (i < ordered.length || j < added.length) {
    const fromOrdered =
      j >= added.length || (i < ordered.length && compareText(ordered[i] as string, added[j] as string) <= 0);
    const key = (fromOrdered ? ordered[i++] : added[j++]) as string;
    if (values.has(key) && all.at(-1) !== key) all.push(key);
  }
  return all;
}

/** Index of the first key that is not below `key`. */
export function lowerBound(ordered: readonly string[], key: string): number {
  let low = 0;
  let high = ordered.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareText(ordered[middle] as string, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
