import type { Held } from './pending.ts';

/** Runs something once given pending writes are settled: a consistent call waits for those that its node held before it. */
export class Gates {
  readonly #byWrite: Map<Held, Set<Gate>> = new Map();

  get isEmpty(): boolean {
    return this.#byWrite.size === 0;
  }

  /** At once when `held` is empty. `isOpen` tells whether anybody still wants it. */
  wait(held: readonly Held[], run: () => void, isOpen: () => boolean): void {
    if (held.length === 0) {
      run();
      return;
    }
    const gate: Gate = { left: new Set(held), run, isOpen };
    for (const one of held) {
      const gates = this.#byWrite.get(one);
      if (gates === undefined) this.#byWrite.set(one, new Set([gate]));
      else gates.add(gate);
    }
  }

  /** Forgets those that nobody wants any more: without a quorum nothing else would. */
  prune(): void {
    for (const [held, gates] of this.#byWrite) {
      for (const gate of gates) if (!gate.isOpen()) gates.delete(gate);
      if (gates.size === 0) this.#byWrite.delete(held);
    }
  }

  /** What something waits for: it should be promoted whoever accepted it. */
  wanted(): Iterable<Held> {
    return this.#byWrite.keys();
  }

  settled(held: Held): void {
    const gates = this.#byWrite.get(held);
    if (gates === undefined) return;
    this.#byWrite.delete(held);
    for (const gate of gates) {
      gate.left.delete(held);
      if (gate.left.size === 0) gate.run();
    }
  }
}

interface Gate {
  readonly left: Set<Held>;
  readonly run: () => void;
  readonly isOpen: () => boolean;
}
