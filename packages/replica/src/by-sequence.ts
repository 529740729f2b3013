import { NumberTable, type ClientId } from '@skerry/base';

interface Id {
  readonly client: ClientId;
  readonly sequence: number;
}

/** A map by (client, sequence): two look-ups, of which neither makes a key of both. */
export class BySequence<T extends object | number | true> {
  readonly #clients: Map<ClientId, NumberTable<T>> = new Map();
  /** The table of a client that was forgotten, kept as large as it was for the next one. */
  #spare: NumberTable<T> | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get({ client, sequence }: Id): T | undefined {
    return this.#clients.get(client)?.get(sequence);
  }

  set({ client, sequence }: Id, value: T): void {
    let sequences = this.#clients.get(client);
    if (sequences === undefined) {
      this.#clients.set(client, (sequences = this.#spare ?? new NumberTable()));
      this.#spare = null;
    }
    if (!sequences.has(sequence)) this.#size++;
    sequences.set(sequence, value);
  }

  delete({ client, sequence }: Id): void {
    const sequences = this.#clients.get(client);
    if (sequences === undefined || !sequences.delete(sequence)) return;
    this.#size--;
    if (sequences.size > 0) return;
    this.#clients.delete(client);
    this.#spare = sequences;
  }

  clear(): void {
    this.#clients.clear();
    this.#size = 0;
  }

  /** By client, in order of sequence. */
  *values(): Generator<T, void, undefined> {
    for (const sequences of this.#clients.values()) {
      for (const [, value] of sequences.entries().sort(([a], [b]) => a - b)) yield value;
    }
  }
}
