/** A queue: what leaves it at the front costs nothing. */
export class Fifo<T> {
  #items: T[] = [];
  #at = 0;

  get size(): number {
    return this.#items.length - this.#at;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The first; undefined: there is none. */
  peek(): T | undefined {
    return this.#items[this.#at];
  }

  shift(): void {
    if (this.size === 0) return;
    this.#at++;
    if (this.#at < 1_024 || this.#at * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#at);
    this.#at = 0;
  }

  clear(): void {
    this.#items = [];
    this.#at = 0;
  }
}
