import { replicaId, utf8Encode } from '@skerry/base';
import { applyOperation, CausalContext, stampZero, type Operation, type OperationBody } from '@skerry/crdt';
import { describe, expect, it } from 'vitest';
import type { KeyRecord } from './key-record.ts';
import { leftHere } from './late-writes.ts';

const dotOf = (write: number): Operation['dot'] => ({ replica: replicaId(write), sequence: 1 });
const opOf = (write: number, body: OperationBody): Operation => ({
  dot: dotOf(write),
  stamp: { wallMs: write, counter: 0, replica: replicaId(write) },
  body,
});
const register = (write: number, replaces: number | null): Operation =>
  opOf(write, { type: 'register', value: utf8Encode('a'), replaces: replaces === null ? null : dotOf(replaces) });
const element = (write: number, ...observed: number[]): Operation =>
  opOf(write, { type: 'set', action: 'add', element: utf8Encode('a'), observed: observed.map(dotOf) });
const recordOf = (op: Operation): KeyRecord => ({ value: applyOperation(null, op).state, lease: null, given: null });
const seen = (...writes: number[]): CausalContext => CausalContext.of(writes.map(dotOf));

describe('of a write that was taken away before it came, which replaced another', () => {
  it.each<[string, Operation, KeyRecord | null, CausalContext, boolean]>([
    ['is taken away what others may have', register(2, 1), null, seen(), true],
    ['is done nothing where that has been here and is gone', register(2, 1), null, seen(1), false],
    ['is taken away the register that it replaced', register(2, 1), recordOf(register(1, null)), seen(1), true],
    ['is done nothing to a register that came after it', register(2, 1), recordOf(register(3, 2)), seen(1), false],
    ['nor if what it replaced may still come', register(2, 1), recordOf(register(3, 2)), seen(), false],
    ['nor to an earlier one that it did not see', register(3, 1), recordOf(register(2, null)), seen(1), false],
    ['is taken away an element', element(2, 1), recordOf(element(1)), seen(1), true],
    ['is done nothing where that element is gone', element(2, 1), null, seen(1), false],
  ])('%s', (_, op, current, context, isLeft) => {
    expect(leftHere(op, { current, known: { collected: stampZero, context } }) !== null).toBe(isLeft);
  });
});
