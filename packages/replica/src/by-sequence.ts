import type { ClientId } from '@skerry/base';

interface Id {
  readonly client: ClientId;
  readonly sequence: number;
}

/** A map by (client, sequence): two look-ups, of which neither makes a key of both. */
export class BySequence<T> {
  readonly #clients: Map<ClientId, Map<number, T>> = new Map();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get({ client, sequence }: Id): T | undefined {
    return this.#clients.get(client)?.get(sequence);
  }

  set({ client, sequence }: Id, value: T): void {
    let sequences = this.#clients.get(client);
    if (sequences === undefined) this.#clients.set(client, (sequences = new Map()));
    if (!sequences.has(sequence)) this.#size++;
    sequences.set(sequence, value);
  }

  delete({ client, sequence }: Id): void {
    const sequences = this.#clients.get(client);
    if (sequences === undefined || !sequences.delete(sequence)) return;
    this.#size--;
    if (sequences.size === 0) this.#clients.delete(client);
  }

  clear(): void {
    this.#clients.clear();
    this.#size = 0;
  }

  /** By client, in the order in which each of its values was first set. */
  *values(): Generator<T, void, undefined> {
    for (const sequences of this.#clients.values()) yield* sequences.values();
  }
}
