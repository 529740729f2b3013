import type { Version } from './version.ts';

/**
 * What an object does when it is used by one caller at a time: the sequential specification against which a
 * concurrent history is judged (Herlihy & Wing 1990, section 2). A model is deterministic: state and input fix the
 * next state; the output only says whether this is what was seen.
 */
export interface Model<State, Input, Output> {
  readonly name: string;
  init(): State;
  /** `output` is null when nobody saw the result: then every result is legal and only the effect counts. */
  step(state: State, input: Input, output: Output | null): Step<State>;
  /**
   * Names the independent object that `input` works on. Histories of different objects are judged apart: a history is
   * linearizable exactly when each object's part is (locality, Herlihy & Wing 1990; P-compositionality, Horn &
   * Kroening 2015).
   */
  partition(input: Input): string;
  equal(a: State, b: State): boolean;
  /** 32-bit hash; equal states have equal hashes. */
  hash(state: State): number;
  /** True if an operation with this output leaves every state as it is, wherever it takes effect. */
  readOnly(input: Input, output: Output): boolean;
  /**
   * The version that the answer carried, if the model holds operations to rising ones: after a legal step with version v,
   * no step with a lower version is legal, nor ever will be. Undefined if the answer had none.
   */
  versionOf(output: Output): Version | undefined;
  /** Holds wherever the operation takes effect; null is an answer that nobody saw. */
  effect(input: Input, output: Output | null): Effect;
  /** One line for people: `set(a, "1")`, `get(a) -> "1"`. */
  describe(input: Input, output: Output | null): string;
  /**
   * True if every linearization of `rest` plus `operation` is still one after `operation` is taken out, so that a
   * shrinker may drop it without making a violation of its own. All operations are of one partition.
   */
  droppable(operation: Operation<Input, Output>, rest: readonly Operation<Input, Output>[]): boolean;
}

export type Step<State> = { readonly ok: true; readonly state: State } | { readonly ok: false };

/** What an operation needs of the value of its object and does to it. */
export interface Effect {
  /** The value that it must find; `any` if what it finds matters in a way that no one value names. */
  readonly observes: { readonly value: string | null } | 'any' | 'nothing';
  /** The value that it leaves; `any` if that depends on what it finds (an append); `nothing` if it leaves what it finds. */
  readonly leaves: { readonly value: string | null } | 'any' | 'nothing';
}

/** A step that the specification does not allow. */
export const illegal: { readonly ok: false } = { ok: false };

/** One call of one process. Times are positions in the recorded order of events, not clock readings. */
export interface Operation<Input, Output> {
  /** Unique in its history. */
  readonly id: number;
  readonly process: string;
  readonly input: Input;
  readonly callAt: number;
  readonly completion: Completion<Output>;
}

/**
 * `returned` took effect at one instant between `callAt` and `at`. `unknown` may take effect at any instant after
 * `callAt`, or never. An operation that is known to have had no effect is no operation: leave it out.
 */
export type Completion<Output> =
  | { readonly kind: 'returned'; readonly output: Output; readonly at: number }
  | { readonly kind: 'unknown' };

/** When the operation was over; infinite for an unknown outcome. */
export function returnAt(operation: Operation<unknown, unknown>): number {
  return operation.completion.kind === 'returned' ? operation.completion.at : Number.POSITIVE_INFINITY;
}

/** What the caller saw, or null for an unknown outcome. */
export function outputOf<Output>(operation: Operation<unknown, Output>): Output | null {
  return operation.completion.kind === 'returned' ? operation.completion.output : null;
}

/** The operations of each independent object, smallest part first: a violation is found where it is cheapest. */
export function partitionOperations<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): Map<string, Operation<Input, Output>[]> {
  const parts = new Map<string, Operation<Input, Output>[]>();
  for (const operation of operations) {
    const name = model.partition(operation.input);
    const part = parts.get(name);
    if (part === undefined) parts.set(name, [operation]);
    else part.push(operation);
  }
  return new Map([...parts].sort(([, a], [, b]) => a.length - b.length));
}
