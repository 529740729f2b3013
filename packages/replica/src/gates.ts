import type { Held } from './pending.ts';

/** Runs something once given pending writes are settled: a consistent call waits for those that its node held before it. */
export class Gates {
  readonly #byDot: Map<string, Set<Gate>> = new Map();

  get isEmpty(): boolean {
    return this.#byDot.size === 0;
  }

  /** At once when `held` is empty. `isOpen` tells whether anybody still wants it. */
  wait(held: readonly Held[], run: () => void, isOpen: () => boolean): void {
    if (held.length === 0) {
      run();
      return;
    }
    const gate: Gate = { left: new Set(held.map((one) => one.dotText)), run, isOpen };
    for (const dotText of gate.left) {
      const gates = this.#byDot.get(dotText);
      if (gates === undefined) this.#byDot.set(dotText, new Set([gate]));
      else gates.add(gate);
    }
  }

  /** Forgets those that nobody wants any more: without a quorum nothing else would. */
  prune(): void {
    for (const [dotText, gates] of this.#byDot) {
      for (const gate of gates) if (!gate.isOpen()) gates.delete(gate);
      if (gates.size === 0) this.#byDot.delete(dotText);
    }
  }

  /** True if something waits for this write, so that it should be promoted whoever accepted it. */
  isWanted(dotText: string): boolean {
    return this.#byDot.has(dotText);
  }

  settled(dotText: string): void {
    const gates = this.#byDot.get(dotText);
    if (gates === undefined) return;
    this.#byDot.delete(dotText);
    for (const gate of gates) {
      gate.left.delete(dotText);
      if (gate.left.size === 0) gate.run();
    }
  }
}

interface Gate {
  readonly left: Set<string>;
  readonly run: () => void;
  readonly isOpen: () => boolean;
}
