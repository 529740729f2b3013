import { hashText } from '@skerry/base';
import { illegal, outputOf, type Effect, type Model, type Operation, type Step } from '../model.ts';
import { isDroppable, timed, type TimedEffect } from './effects.ts';

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
  readOnly: (_input, output) => output.outcome !== 'applied',
  versionOf: () => undefined,
  effect: registerEffect,
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
  droppable: (operation, rest) => isDroppable(effectOf(operation), rest.map(effectOf)),
};

/** The step of a register; the key-value model is this per key. */
export function registerStep(
  state: string | null,
  input: RegisterInput,
  output: RegisterOutput | null,
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

function effectOf(operation: Operation<RegisterInput, RegisterOutput>): TimedEffect {
  return timed(operation, registerEffect(operation.input, outputOf(operation)));
}

/** The {@link Effect} of a read, write or compare-and-swap with this output. */
export function registerEffect(input: RegisterInput, output: RegisterOutput | null): Effect {
  switch (input.op) {
    case 'read':
      return { observes: output?.outcome === 'read' ? { value: output.value } : 'nothing', leaves: 'nothing' };
    case 'write':
      return { observes: 'nothing', leaves: { value: input.value } };
    case 'cas':
      if (output?.outcome !== 'refused')
        return { observes: { value: input.oldValue }, leaves: { value: input.newValue } };
      return { observes: output.current === undefined ? 'any' : { value: output.current }, leaves: 'nothing' };
  }
}

/** A value as people read it. */
export function show(value: string | null): string {
  return value === null ? 'null' : JSON.stringify(value);
}
