/**
 * The appends sent to a follower and not yet acknowledged, oldest first: for each the index of its last entry and
 * its bytes. Both limits bound what a slow follower can pile up (thesis 10.2.1).
 */
export class Inflights {
  readonly #countMax: number;
  readonly #bytesMax: number;
  /** Rings of one size, which doubles up to `countMax`; a group of idle followers stays small. */
  #lastIndexes: number[] = [];
  #sizes: number[] = [];
  #head = 0;
  #count = 0;
  #bytes = 0;

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get full(): boolean {
    return this.#count >= this.#countMax || this.#bytes >= this.#bytesMax;
  }

  add(lastIndex: number, bytes: number): void {
    if (this.#count === this.#sizes.length) this.#grow();
    const at = (this.#head + this.#count) % this.#sizes.length;
    this.#lastIndexes[at] = lastIndex;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Everything up to `index` was acknowledged. */
  freeTo(index: number): void {
    while (this.#count > 0 && (this.#lastIndexes[this.#head] as number) <= index) {
      this.#bytes -= this.#sizes[this.#head] as number;
      this.#head = (this.#head + 1) % this.#sizes.length;
      this.#count--;
    }
  }

  clear(): void {
    this.#head = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const lastIndexes: number[] = [];
    const sizes: number[] = [];
    const old = this.#sizes.length;
    for (let i = 0; i < Math.max(8, old * 2); i++) {
      lastIndexes.push(i < old ? (this.#lastIndexes[(this.#head + i) % old] as number) : 0);
      sizes.push(i < old ? (this.#sizes[(this.#head + i) % old] as number) : 0);
    }
    this.#lastIndexes = lastIndexes;
    this.#sizes = sizes;
    this.#head = 0;
  }
}
