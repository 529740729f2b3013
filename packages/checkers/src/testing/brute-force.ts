import { outputOf, returnAt, type Model, type Operation } from '../model.ts';

/**
 * The dumb second opinion: tries every order that real time allows, and for operations of unknown outcome every choice
 * of whether they happened. No cache, no list, no undo. For a handful of operations.
 */
export function isLinearizableByBruteForce<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): boolean {
  const names = [...new Set(operations.map((operation) => model.partition(operation.input)))];
  return names.every((name) =>
    canOrder(
      model,
      model.init(),
      operations.filter((operation) => model.partition(operation.input) === name),
    ),
  );
}

function canOrder<State, Input, Output>(
  model: Model<State, Input, Output>,
  state: State,
  left: readonly Operation<Input, Output>[],
): boolean {
  if (left.every((operation) => operation.completion.kind === 'unknown')) return true;
  return left.some((operation) => {
    const rest = left.filter((other) => other !== operation);
    if (rest.some((other) => returnAt(other) < operation.callAt)) return false;
    const step = model.step(state, operation.input, outputOf(operation));
    return step.ok && canOrder(model, step.state, rest);
  });
}
