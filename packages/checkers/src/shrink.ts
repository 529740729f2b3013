import { checkLinearizability, type Linearizability } from './linearizability.ts';
import { stepsMaxDefault, type Limits } from './limits.ts';
import { outputOf, partitionOperations, returnAt, type Model, type Operation } from './model.ts';

export interface Shrunk<Input, Output> {
  /** Not linearizable; of one partition, in order of their calls. */
  readonly operations: readonly Operation<Input, Output>[];
  /** The one whose return could not be explained. */
  readonly blocked: Operation<Input, Output>;
  /** False if a limit ended the work, so that more might go. */
  readonly minimal: boolean;
}

/** A history and the violation that was found in it. */
export interface Found<Input, Output> {
  readonly operations: readonly Operation<Input, Output>[];
  readonly violation: Extract<Linearizability<Input, Output>, { verdict: 'violated' }>;
}

/**
 * Makes a small counterexample of a history that is not linearizable. What is left is evidence against the whole,
 * because each cut keeps every linearization: were the whole linearizable, the rest would be.
 *
 * - Other partitions go: a history is linearizable exactly when each object's part is (Herlihy & Wing 1990).
 * - A suffix goes: linearizability is prefix-closed, with calls that are open at the cut becoming unknown outcomes.
 *   So the shortest violating prefix is found by bisection.
 * - Reads and refused writes go, and writes whose value nobody left can have observed: `isDroppable` in
 *   models/effects.ts has the reason. A write that somebody may have observed stays: without it we would make a
 *   violation of our own.
 *
 * The result is minimal: no single one of these cuts leaves a violation. Limits can only make it larger.
 */
export function shrinkViolation<State, Input, Output>(
  model: Model<State, Input, Output>,
  found: Found<Input, Output>,
  limits: Limits = {},
): Shrunk<Input, Output> {
  const judge = new Judge(model, found, limits);
  let current: readonly Operation<Input, Output>[] =
    partitionOperations(model, found.operations).get(found.violation.partition) ?? [];
  for (;;) {
    // Only the last round, which finds nothing more to cut, says whether the result is minimal.
    judge.gaveUp = false;
    const cut = dropOperations(model, shortestPrefix(current, judge), judge);
    if (cut.length === current.length && lastReturn(cut) === lastReturn(current)) break;
    current = cut;
  }
  return { operations: current, blocked: judge.blocked, minimal: !judge.gaveUp };
}

/** What a history looked like at an instant: later calls gone, open ones of unknown outcome. */
export function cutAt<Input, Output>(
  operations: readonly Operation<Input, Output>[],
  at: number,
): Operation<Input, Output>[] {
  return operations
    .filter((operation) => operation.callAt <= at)
    .map((operation) => (returnAt(operation) <= at ? operation : { ...operation, completion: { kind: 'unknown' } }));
}

const candidateStepsMin = 50_000;
const candidateStepsFactor = 2;

/** Checks candidates within limits that all of them share, and keeps what was blocked in the last violation. */
class Judge<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  readonly #limits: Limits;
  /** A candidate that takes far longer to judge than the whole did is not worth the wait. */
  readonly #stepsPerCandidate: number;
  #stepsLeft: number;
  blocked: Operation<Input, Output>;
  /** True if a candidate could not be judged; it was then kept out. */
  gaveUp = false;

  constructor(model: Model<State, Input, Output>, found: Found<Input, Output>, limits: Limits) {
    this.#model = model;
    this.#limits = limits;
    this.#stepsLeft = limits.stepsMax ?? stepsMaxDefault;
    this.#stepsPerCandidate = candidateStepsMin + found.violation.steps * candidateStepsFactor;
    this.blocked = found.violation.blocked;
  }

  isViolation(operations: readonly Operation<Input, Output>[]): boolean {
    const stepsMax = Math.min(this.#stepsLeft, this.#stepsPerCandidate);
    const result = checkLinearizability(this.#model, operations, { ...this.#limits, stepsMax });
    this.#stepsLeft -= result.steps;
    if (result.verdict === 'unknown') this.gaveUp = true;
    if (result.verdict !== 'violated') return false;
    this.blocked = result.blocked;
    return true;
  }
}

interface Violates<Input, Output> {
  isViolation(operations: readonly Operation<Input, Output>[]): boolean;
}

function shortestPrefix<Input, Output>(
  operations: readonly Operation<Input, Output>[],
  judge: Violates<Input, Output>,
): Operation<Input, Output>[] {
  // A violation appears with a return; between two returns nothing is added that must be explained.
  const returns = operations
    .map(returnAt)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  let shortest = cutAt(operations, returns.at(-1) ?? 0);
  let lowest = 0;
  let highest = returns.length - 1;
  while (lowest < highest) {
    const middle = (lowest + highest) >>> 1;
    const candidate = cutAt(operations, returns[middle] as number);
    if (!judge.isViolation(candidate)) lowest = middle + 1;
    else {
      shortest = candidate;
      highest = middle;
    }
  }
  return shortest;
}

/** Drops what may be dropped, first in large pieces, then singly until nothing single goes. */
function dropOperations<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  judge: Violates<Input, Output>,
): readonly Operation<Input, Output>[] {
  let current = operations;
  let pieceSize = Math.ceil(operations.length / 2);
  for (;;) {
    const before = current.length;
    // From the start: of several writes that could explain a read, the last one is the one to keep.
    for (const piece of pieces(current, pieceSize)) {
      const candidate = withoutDroppable(model, current, piece);
      if (candidate.length < current.length && judge.isViolation(candidate)) current = candidate;
    }
    if (pieceSize > 1) pieceSize = Math.ceil(pieceSize / 2);
    else if (current.length === before) return current;
  }
}

function pieces<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}

/** `operations` without those of `piece` that may go, each judged against what is left when its turn comes. */
function withoutDroppable<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  piece: readonly Operation<Input, Output>[],
): readonly Operation<Input, Output>[] {
  let left = operations;
  // Reads first: without its readers a write is easier to spare.
  for (const operation of [...piece].sort((a, b) => Number(isRead(model, b)) - Number(isRead(model, a)))) {
    const rest = left.filter((other) => other !== operation);
    if (model.droppable(operation, rest)) left = rest;
  }
  return left;
}

function isRead<State, Input, Output>(
  model: Model<State, Input, Output>,
  operation: Operation<Input, Output>,
): boolean {
  const output = outputOf(operation);
  return output !== null && model.readOnly(operation.input, output);
}

function lastReturn(operations: readonly Operation<unknown, unknown>[]): number {
  return Math.max(...operations.map(returnAt).filter(Number.isFinite));
}
