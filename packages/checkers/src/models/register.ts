import { hashText } from '@skerry/base';
import { illegal, outputOf, type Model, type Operation, type Step } from '../model.ts';

/** Null is the empty register. */
export type RegisterInput =
  | { readonly op: 'read' }
  | { readonly op: 'write'; readonly value: string | null }
  | { readonly op: 'cas'; readonly oldValue: string | null; readonly newValue: string | null };

export type RegisterOutput =
  | { readonly outcome: 'read'; readonly value: string | null }
  | { readonly outcome: 'applied' }
  /** The old value did not match. `current`, where the answer named it, is what was there instead. */
  | { readonly outcome: 'refused'; readonly current?: string | null | undefined };

/** One register with compare-and-swap, empty at first: what Jepsen's etcd histories use. */
export const registerModel: Model<string | null, RegisterInput, RegisterOutput> = {
  name: 'register',
  init: () => null,
  step: registerStep,
  partition: () => 'register',
  equal: (a, b) => a === b,
  hash: (state) => (state === null ? 0 : hashText(state)),
  describe(input, output) {
    switch (input.op) {
      case 'read':
        return `read${output?.outcome === 'read' ? ` -> ${show(output.value)}` : ' -> ?'}`;
      case 'write':
        return `write(${show(input.value)})${output === null ? ' -> ?' : ''}`;
      case 'cas':
        return `cas(${show(input.oldValue)}, ${show(input.newValue)}) -> ${output?.outcome ?? '?'}`;
    }
  },
  droppable: (operation, rest) => isBlind(effectOf(operation), rest.map(effectOf)),
};

/** The step of a register; the key-value model is this per key. */
export function registerStep(
  state: string | null, input: RegisterInput, output: RegisterOutput | null,
): Step<string | null> {
  switch (input.op) {
    case 'read':
      return output === null || (output.outcome === 'read' && output.value === state) ? { ok: true, state } : illegal;
    case 'write':
      return output === null || output.outcome === 'applied' ? { ok: true, state: input.value } : illegal;
    case 'cas': {
      const matches = state === input.oldValue;
      const next = { ok: true, state: matches ? input.newValue : state } as const;
      if (output === null) return next;
      if (output.outcome === 'applied') return matches ? next : illegal;
      if (output.outcome === 'refused') {
        return !matches && (output.current === undefined || output.current === state) ? next : illegal;
      }
      return illegal;
    }
  }
}

/** What an operation needs of the state and does to it: all that {@link isBlind} has to know. */
export interface Effect {
  /** The value it must find; undefined if it does not matter, `any` if it depends on it in a way that no value names. */
  readonly observes: { readonly value: string | null } | 'any' | 'nothing';
  /** The value it leaves; undefined if it leaves what it finds. */
  readonly leaves: string | null | undefined;
}

/**
 * True if an operation of `effect` can leave any linearization without harm to the `rest`.
 *
 * One that leaves no value changes nothing, so the others go on as before. One that leaves a value v is blind if none
 * of the rest observes v: in a linearization, between it and the next operation that leaves a value there is then
 * nothing that needs v, so nothing there misses it; after that the state is as before. Optional operations that
 * would now find their old value are left out of the linearization, as they may be. What observes `any` (an append, a
 * refusal that does not say what it found) could stand in between and is never safe.
 */
export function isBlind(effect: Effect, rest: readonly Effect[]): boolean {
  if (effect.leaves === undefined) return true;
  // An append leaves what it finds and more; which value that is depends on all that came before.
  if (effect.observes === 'any') return false;
  return rest.every(({ observes }) => observes === 'nothing' || (observes !== 'any' && observes.value !== effect.leaves));
}

function effectOf(operation: Operation<RegisterInput, RegisterOutput>): Effect {
  return registerEffect(operation.input, outputOf(operation));
}

/** The {@link Effect} of a read, write or compare-and-swap with this output. */
export function registerEffect(input: RegisterInput, output: RegisterOutput | null): Effect {
  switch (input.op) {
    case 'read':
      return { observes: output?.outcome === 'read' ? { value: output.value } : 'nothing', leaves: undefined };
    case 'write':
      return { observes: 'nothing', leaves: input.value };
    case 'cas':
      if (output?.outcome !== 'refused') return { observes: { value: input.oldValue }, leaves: input.newValue };
      return { observes: output.current === undefined ? 'any' : { value: output.current }, leaves: undefined };
  }
}

/** A value as people read it. */
export function show(value: string | null): string {
  return value === null ? 'null' : JSON.stringify(value);
}
