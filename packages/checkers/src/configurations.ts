import { SeededRandom } from '@skerry/base';

/** How states are told apart; the part of a model that the cache needs. */
export interface StateIdentity<State> {
  equal(a: State, b: State): boolean;
  hash(state: State): number;
}

/** Which operations of a partition are linearized, with a hash that follows each change in constant time (Zobrist). */
export class LinearizedSet {
  readonly #words: Uint32Array;
  readonly #keys: Uint32Array;
  #hash = 0;

  constructor(operationCount: number) {
    const random = new SeededRandom(operationCount);
    this.#words = new Uint32Array(Math.ceil(operationCount / 32));
    this.#keys = Uint32Array.from({ length: operationCount }, () => random.uint32());
  }

  get hash(): number {
    return this.#hash;
  }

  /** Puts operation `index` in if it is out, and out if it is in. */
  toggle(index: number): void {
    const word = index >>> 5;
    this.#words[word] = (this.#words[word] as number) ^ (1 << (index & 31));
    this.#hash ^= this.#keys[index] as number;
  }

  has(index: number): boolean {
    return (((this.#words[index >>> 5] as number) >>> (index & 31)) & 1) === 1;
  }

  copy(): Uint32Array {
    return this.#words.slice();
  }

  equals(words: Uint32Array): boolean {
    for (let i = 0; i < words.length; i++) if (words[i] !== this.#words[i]) return false;
    return true;
  }
}

/**
 * The configurations (set of linearized operations, state) that the search has been in (Lowe 2017, section 4: with it
 * the search never explores one twice, since what can follow depends on nothing else).
 */
export class ConfigurationCache<State> {
  readonly #identity: StateIdentity<State>;
  readonly #buckets = new Map<number, { readonly words: Uint32Array; readonly state: State }[]>();
  #size = 0;

  constructor(identity: StateIdentity<State>) {
    this.#identity = identity;
  }

  get size(): number {
    return this.#size;
  }

  /** Remembers the configuration; false if it was known. */
  add(linearized: LinearizedSet, state: State): boolean {
    const hash = linearized.hash ^ Math.imul(this.#identity.hash(state), 0x9e3779b1);
    const bucket = this.#buckets.get(hash);
    if (bucket === undefined) {
      this.#buckets.set(hash, [{ words: linearized.copy(), state }]);
    } else {
      for (const known of bucket) {
        if (linearized.equals(known.words) && this.#identity.equal(known.state, state)) return false;
      }
      bucket.push({ words: linearized.copy(), state });
    }
    this.#size++;
    return true;
  }
}
