import { assert } from '@skerry/base';
import { Choices } from './choices.ts';
import { ConfigurationCache, LinearizedSet } from './configurations.ts';
import { entryList, lift, unlift, type Entry } from './entry-list.ts';
import { Budget, type LimitReason, type Limits } from './limits.ts';
import { outputOf, partitionOperations, type Model, type Operation } from './model.ts';
import { VersionOrder, versionsOf } from './version-order.ts';

/**
 * `ok` carries a witness, `violated` the furthest that any order got. `partition` names the object at fault.
 * Operations are listed in the order in which they took, or would have taken, effect.
 */
export type Linearizability<Input, Output> =
  | {
      readonly verdict: 'ok';
      readonly steps: number;
      readonly orders: ReadonlyMap<string, readonly Operation<Input, Output>[]>;
    }
  | {
      readonly verdict: 'violated';
      readonly steps: number;
      readonly partition: string;
      readonly longest: readonly Operation<Input, Output>[];
      /** The operation whose return no order of the longest attempt could explain. */
      readonly blocked: Operation<Input, Output>;
    }
  | { readonly verdict: 'unknown'; readonly steps: number; readonly partition: string; readonly reason: LimitReason };

/**
 * Judges whether each operation can have taken effect at one instant between its call and its return, in an order
 * that the model allows (Herlihy & Wing 1990). The search is that of Wing & Gong 1993 with the undo stack and the
 * cache of configurations of Lowe 2017, on each partition apart (Horn & Kroening 2015).
 */
export function checkLinearizability<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  limits: Limits = {},
): Linearizability<Input, Output> {
  const budget = new Budget(limits);
  const orders = new Map<string, readonly Operation<Input, Output>[]>();
  let gaveUp: { partition: string; reason: LimitReason } | null = null;
  for (const [partition, part] of partitionOperations(model, operations)) {
    const result = new Search(model, part, budget).run();
    switch (result.kind) {
      case 'ok':
        orders.set(partition, result.order);
        break;
      case 'violated':
        return {
          verdict: 'violated',
          steps: budget.steps,
          partition,
          longest: result.longest,
          blocked: result.blocked,
        };
      case 'unknown':
        // Another partition may still hold a violation that is cheaper to find.
        gaveUp ??= { partition, reason: result.reason };
        break;
    }
  }
  if (gaveUp !== null) return { verdict: 'unknown', steps: budget.steps, ...gaveUp };
  return { verdict: 'ok', steps: budget.steps, orders };
}

type SearchResult<Input, Output> =
  | { kind: 'ok'; order: Operation<Input, Output>[] }
  | { kind: 'violated'; longest: Operation<Input, Output>[]; blocked: Operation<Input, Output> }
  | { kind: 'unknown'; reason: LimitReason };

interface Placed<State> {
  readonly entry: Entry;
  readonly stateBefore: State;
  /** True if nothing is gained by placing another operation here instead. */
  readonly forced: boolean;
}

class Search<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  readonly #operations: readonly Operation<Input, Output>[];
  readonly #budget: Budget;
  readonly #end: Entry;
  readonly #linearized: LinearizedSet;
  readonly #versionOrder: VersionOrder;
  readonly #choices: Choices;
  readonly #cache: ConfigurationCache<State>;
  readonly #placed: Placed<State>[] = [];
  #state: State;
  /** Returned operations that are not placed yet. The others may stay out for ever. */
  #required: number;
  #longest: { readonly indexes: readonly number[]; readonly blocked: number } | null = null;

  constructor(model: Model<State, Input, Output>, operations: readonly Operation<Input, Output>[], budget: Budget) {
    this.#model = model;
    this.#operations = operations;
    this.#budget = budget;
    this.#end = entryList(operations);
    this.#linearized = new LinearizedSet(operations.length);
    this.#versionOrder = new VersionOrder(versionsOf(model, operations), this.#linearized);
    this.#choices = new Choices(model, operations);
    this.#cache = new ConfigurationCache(model);
    this.#state = model.init();
    this.#required = operations.filter((operation) => operation.completion.kind === 'returned').length;
  }

  run(): SearchResult<Input, Output> {
    let entry = this.#first();
    while (this.#required > 0) {
      const spent = this.#budget.spend();
      if (spent !== null) return { kind: 'unknown', reason: spent };
      if (this.#cache.size > this.#budget.configurationsMax) return { kind: 'unknown', reason: 'configurations' };
      assert(entry.kind !== 'end', 'a returned operation has its return in the list', { required: this.#required });

      const tried = entry.kind === 'call' ? this.#place(entry) : this.#block(entry);
      if (tried === 'placed') entry = this.#first();
      else if (tried === 'next') entry = entry.next;
      else {
        const undone = this.#undo();
        if (undone === null) return this.#violated();
        entry = undone.next;
      }
    }
    return { kind: 'ok', order: this.#placed.map(({ entry: { index } }) => this.#operation(index)) };
  }

  /**
   * Where to go on after a change of state: at a read that fits what is there now, if one may come next. It has no second choice
   * (see below), and behind the writes that are open beside it, all their orders would be tried before it.
   */
  #first(): Entry {
    for (let entry = this.#end.next; entry.kind === 'call'; entry = entry.next) {
      const operation = this.#operation(entry.index);
      const { completion, input } = operation;
      if (completion.kind !== 'returned' || !this.#model.readOnly(input, completion.output)) continue;
      const step = this.#model.step(this.#state, input, outputOf(operation));
      if (step.ok && this.#model.equal(step.state, this.#state)) return entry;
    }
    return this.#end.next;
  }

  /** Lets the operation of a call entry take effect now, if the model allows it and the outcome is not known to fail. */
  #place(entry: Entry): 'placed' | 'next' | 'undo' {
    const operation = this.#operation(entry.index);
    const { completion, input } = operation;
    const step = this.#model.step(this.#state, input, outputOf(operation));
    if (!step.ok) return 'next';
    const idle = this.#model.equal(step.state, this.#state);
    if (this.#choices.isNeedless(entry.index, this.#end.next)) return 'next';
    const skipped = this.#versionOrder.skippedBy(entry.index);
    if (skipped !== null) {
      this.#note(skipped, entry.index);
      return 'next';
    }
    // Where it has no effect, an operation that need not have happened would only lose its chance to have one later.
    if (idle && completion.kind === 'unknown') return 'next';
    // A legal operation that has no effect, here or anywhere, may as well come first: in any order that goes on from
    // here it can be moved to the front, where it changes nothing for the others. So there is no second choice. That it
    // has none here is not enough: a write of the value that is there may be needed later.
    const forced = idle && completion.kind === 'returned' && this.#model.readOnly(input, completion.output);
    this.#linearized.toggle(entry.index);
    if (!this.#cache.add(this.#linearized, step.state)) {
      this.#linearized.toggle(entry.index);
      return forced ? 'undo' : 'next';
    }
    this.#placed.push({ entry, stateBefore: this.#state, forced });
    this.#state = step.state;
    lift(entry);
    this.#versionOrder.placed(entry.index);
    if (completion.kind === 'returned') this.#required--;
    return 'placed';
  }

  /** A return whose call is not placed: whatever comes after it is too late. */
  #block(entry: Entry): 'undo' {
    this.#note(entry.index);
    return 'undo';
  }

  /** Remembers how far this order got, `last` included, before nothing could explain `blocked`. */
  #note(blocked: number, last?: number): void {
    const length = this.#placed.length + (last === undefined ? 0 : 1);
    if (this.#longest !== null && length <= this.#longest.indexes.length) return;
    const indexes = this.#placed.map((placed) => placed.entry.index);
    this.#longest = { indexes: last === undefined ? indexes : [...indexes, last], blocked };
  }

  /** Takes back the last choice; null if there was none left. */
  #undo(): Entry | null {
    for (;;) {
      const last = this.#placed.pop();
      if (last === undefined) return null;
      this.#linearized.toggle(last.entry.index);
      this.#versionOrder.takenBack(last.entry.index);
      this.#state = last.stateBefore;
      unlift(last.entry);
      if (this.#operation(last.entry.index).completion.kind === 'returned') this.#required++;
      if (!last.forced) return last.entry;
    }
  }

  #violated(): SearchResult<Input, Output> {
    const longest = this.#longest;
    assert(longest !== null, 'a search that fails was blocked at least once');
    return {
      kind: 'violated',
      longest: longest.indexes.map((index) => this.#operation(index)),
      blocked: this.#operation(longest.blocked),
    };
  }

  #operation(index: number): Operation<Input, Output> {
    return this.#operations[index] as Operation<Input, Output>;
  }
}
