import type { Entry } from './entry-list.ts';
import { outputOf, returnAt, type Effect, type Model, type Operation } from './model.ts';
import { versionsOf } from './version-order.ts';

/**
 * Writes that need not come next, because another one does as well. A write is blind if it observes nothing, and unseen if besides
 * no operation observes the value that it leaves and its answer has no version.
 *
 * - An unseen write of unknown outcome need never happen: taken out of an order, what comes after it up to the next write does
 *   not exist, or need not have happened either.
 * - An unseen write that can come next may come right before any blind write that comes next: what that one leaves is the
 *   same, and where the unseen one was it is missed no more than above.
 * - Of two equal writes that can come next, the one that is over first may come first: they can change places.
 *
 * Each rule points to a choice that comes earlier in one order, unseen before seen and then by the return. So the earliest of all is
 * never refused, and no order is lost but for one that does as well.
 */
export class Choices {
  readonly #isBlind: readonly boolean[];
  readonly #isUnseen: readonly boolean[];
  /** Equal operations have the same text; null for those that only read. */
  readonly #texts: readonly (string | null)[];
  readonly #returns: readonly number[];

  constructor(model: Model<unknown, unknown, unknown>, operations: readonly Operation<unknown, unknown>[]) {
    const effects = operations.map((operation) => model.effect(operation.input, outputOf(operation)));
    const versions = versionsOf(model, operations);
    const observed = new Set(effects.flatMap(({ observes }) => (typeof observes === 'object' ? [observes.value] : [])));
    const isAllObserved = effects.some(({ observes }) => observes === 'any');
    this.#isBlind = effects.map(isBlind);
    this.#isUnseen = effects.map(
      (effect, index) =>
        !isAllObserved && isBlind(effect) && versions[index] === undefined && !observed.has(effect.leaves.value),
    );
    this.#texts = operations.map(({ input, completion }, index) => {
      if (effects[index]?.leaves === 'nothing') return null;
      return JSON.stringify([input, completion.kind === 'returned' ? completion.output : null]);
    });
    this.#returns = operations.map(returnAt);
  }

  /** `first` is the first entry that is left: calls before the next return may come next. */
  isNeedless(index: number, first: Entry): boolean {
    const text = this.#texts[index];
    if (text === null) return false;
    const isUnseen = this.#isUnseen[index] === true;
    if (isUnseen && this.#returns[index] === Number.POSITIVE_INFINITY) return true;
    for (let entry = first; entry.kind === 'call'; entry = entry.next) {
      const other = entry.index;
      if (other === index) continue;
      if (this.#texts[other] === text && this.#isBefore(other, index)) return true;
      if (!this.#isBlind[index] || !this.#isUnseen[other] || entry.match === null) continue;
      if (!isUnseen || this.#isBefore(other, index)) return true;
    }
    return false;
  }

  #isBefore(a: number, b: number): boolean {
    const [returnA, returnB] = [this.#returns[a] as number, this.#returns[b] as number];
    return returnA === returnB ? a < b : returnA < returnB;
  }
}

function isBlind(effect: Effect): effect is Effect & { readonly leaves: { readonly value: string | null } } {
  return effect.observes === 'nothing' && typeof effect.leaves === 'object';
}
