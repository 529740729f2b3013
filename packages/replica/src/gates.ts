import type { Held } from './pending.ts';

/** Runs something once given pending writes are settled: a consistent call waits for those that its node held before it. */
export class Gates {
  readonly #byDot: Map<string, Set<Gate>> = new Map();

  get isEmpty(): boolean {
    return this.#byDot.size === 0;
  }

  /** At once when `held` is empty. */
  wait(held: readonly Held[], run: () => void): void {
    if (held.length === 0) {
      run();
      return;
    }
    const gate: Gate = { left: new Set(held.map((one) => one.dotText)), run };
    for (const dotText of gate.left) {
      const gates = this.#byDot.get(dotText);
      if (gates === undefined) this.#byDot.set(dotText, new Set([gate]));
      else gates.add(gate);
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
}
