import { hashText } from '@skerry/base';
import { illegal, outputOf, type Effect, type Model, type Operation, type Step } from '../model.ts';
import { compareVersions, type Version } from '../version.ts';
import { isDroppable, timed, type TimedEffect } from './effects.ts';
import { registerEffect, registerStep, show, type RegisterInput } from './register.ts';

/** The calls of section 2 of the design, and `append`, which the histories of the porcupine project use. */
export type KeyValueInput =
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'set'; readonly key: string; readonly value: string }
  | { readonly op: 'swap'; readonly key: string; readonly oldValue: string | null; readonly newValue: string | null }
  | { readonly op: 'delete'; readonly key: string }
  | { readonly op: 'append'; readonly key: string; readonly value: string };

/** `version` is what the answer carried; leave it out where the answer had none. */
export type KeyValueOutput =
  | {
      readonly outcome: 'read';
      readonly value: string | null;
      readonly version?: Version | undefined;
      /** The answer says itself that it may be older than the session has seen (I13). */
      readonly behind?: boolean | undefined;
    }
  | { readonly outcome: 'applied'; readonly version?: Version | undefined }
  | {
      readonly outcome: 'refused';
      readonly current?: string | null | undefined;
      readonly version?: Version | undefined;
    };

/** What one key holds. */
export interface KeyValueState {
  readonly value: string | null;
  /** The version of the value, once an answer has told it. */
  readonly version: Version | undefined;
  /** The last version known before: that of the value is above it. */
  readonly above: Version | undefined;
}

/** One register per key. `initial` is what a key holds before anyone writes: null, or '' in porcupine's histories. */
export function keyValueModel(options: { readonly initial: string | null } = { initial: null }): KeyValueModel {
  const { initial } = options;
  return {
    name: 'key-value',
    init: () => ({ value: initial, version: undefined, above: undefined }),
    step: keyValueStep,
    partition: (input) => input.key,
    equal: (a, b) => a.value === b.value && a.version === b.version && a.above === b.above,
    hash: (state) => hashOf(state.value) ^ Math.imul(hashOf(state.version), 31) ^ Math.imul(hashOf(state.above), 17),
    readOnly: (_input, output) => output.outcome !== 'applied',
    // Each step with a version leaves the key at that version, and what the key is at, or above, never sinks.
    versionOf: (output) => output.version,
    effect: keyValueEffect,
    describe: describeKeyValue,
    droppable: (operation, rest) => isDroppable(effectOf(operation), rest.map(effectOf)),
  };
}

export type KeyValueModel = Model<KeyValueState, KeyValueInput, KeyValueOutput>;

function keyValueStep(state: KeyValueState, input: KeyValueInput, output: KeyValueOutput | null): Step<KeyValueState> {
  if (input.op === 'append') {
    if (output !== null && output.outcome !== 'applied') return illegal;
    return written(state, (state.value ?? '') + input.value, output?.version);
  }
  const step = registerStep(state.value, registerInput(input), output);
  if (!step.ok) return illegal;
  const writes = input.op === 'set' || input.op === 'delete' || (input.op === 'swap' && state.value === input.oldValue);
  return writes ? written(state, step.state, output?.version) : seen(state, output?.version);
}

/** Each write takes a version above all before it. */
function written(state: KeyValueState, value: string | null, version: Version | undefined): Step<KeyValueState> {
  const above = state.version ?? state.above;
  return isAbove(version, above) ? { ok: true, state: { value, version, above } } : illegal;
}

/** A read of a value whose write was never answered is the first to tell its version. */
function seen(state: KeyValueState, version: Version | undefined): Step<KeyValueState> {
  if (version === undefined || version === state.version) return { ok: true, state };
  if (state.version !== undefined || !isAbove(version, state.above)) return illegal;
  return { ok: true, state: { ...state, version } };
}

/** False only if both versions are known and the first is not the later one. */
function isAbove(version: Version | undefined, above: Version | undefined): boolean {
  return version === undefined || above === undefined || compareVersions(version, above) > 0;
}

function registerInput(input: Exclude<KeyValueInput, { op: 'append' }>): RegisterInput {
  switch (input.op) {
    case 'get':
      return { op: 'read' };
    case 'set':
      return { op: 'write', value: input.value };
    case 'delete':
      return { op: 'write', value: null };
    case 'swap':
      return { op: 'cas', oldValue: input.oldValue, newValue: input.newValue };
  }
}

function effectOf(operation: Operation<KeyValueInput, KeyValueOutput>): TimedEffect {
  return timed(operation, keyValueEffect(operation.input, outputOf(operation)));
}

function keyValueEffect(input: KeyValueInput, output: KeyValueOutput | null): Effect {
  if (input.op === 'append') return { observes: 'any', leaves: 'any' };
  return registerEffect(registerInput(input), output);
}

/** One line: `get("a") -> "1" @7`. */
export function describeKeyValue(input: KeyValueInput, output: KeyValueOutput | null): string {
  const call = describeInput(input);
  if (output === null) return `${call} -> ?`;
  const version = output.version === undefined ? '' : ` @${output.version}`;
  switch (output.outcome) {
    case 'read':
      return `${call} -> ${show(output.value)}${version}${output.behind === true ? ' (behind)' : ''}`;
    case 'applied':
      return `${call} -> applied${version}`;
    case 'refused':
      return `${call} -> refused${output.current === undefined ? '' : `, was ${show(output.current)}`}${version}`;
  }
}

function describeInput(input: KeyValueInput): string {
  const key = show(input.key);
  switch (input.op) {
    case 'get':
    case 'delete':
      return `${input.op}(${key})`;
    case 'set':
    case 'append':
      return `${input.op}(${key}, ${show(input.value)})`;
    case 'swap':
      return `swap(${key}, ${show(input.oldValue)} to ${show(input.newValue)})`;
  }
}

function hashOf(text: string | null | undefined): number {
  return text === null || text === undefined ? 0 : hashText(text);
}
