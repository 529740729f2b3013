import { replicaId } from '@skerry/base';
import { expect, it } from 'vitest';
import { CausalContext } from './context.ts';
import { counterSum } from './counter.ts';
import type { Dot } from './dot.ts';
import { applyOperation, operationDelta, type Operation, type OperationBody } from './operation.ts';
import { stampZero, type Stamp } from './stamp.ts';
import { mergeValues, visiblePart, type Value } from './value.ts';
import { withoutSeen } from './without-seen.ts';

const replica = replicaId(7);
const dot = (sequence: number): Dot => ({ replica, sequence });
const stamp = (wallMs: number): Stamp => ({ wallMs, counter: 0, replica });
const seen = (...sequences: number[]): CausalContext => CausalContext.of(sequences.map(dot));

function valueOf(...bodies: readonly (readonly [number, OperationBody])[]): Value {
  return bodies
    .map(([sequence, body]) => operationDelta({ dot: dot(sequence), stamp: stamp(sequence), body }))
    .reduce((a, b) => mergeValues(a, b).state);
}

const add = (sequence: number): readonly [number, OperationBody] => [
  sequence,
  { type: 'set', action: 'add', element: new Uint8Array([sequence]), observed: [] },
];
const count = (sequence: number, generation: number): readonly [number, OperationBody] => [
  sequence,
  { type: 'counter', action: 'add', amount: BigInt(sequence), generation, endedBelow: 0 },
];

function elements(value: Value): number[] {
  const part = value.parts.find(({ type }) => type === 'set');
  return part?.type === 'set' ? [...part.adds.entries.values()].map(({ payload }) => payload[0] as number) : [];
}

function total(value: Value): bigint | null {
  const part = value.parts.find(({ type }) => type === 'counter');
  return part?.type === 'counter' ? counterSum(part) : null;
}

it('leaves out what was here and is gone, and says so to whoever merges the result', () => {
  const theirs = valueOf(add(1), add(2), add(3));
  const left = withoutSeen(theirs, { mine: valueOf(add(2)), seen: seen(1, 2), collected: stampZero });
  expect(elements(left)).toEqual([2, 3]);
  expect(elements(mergeValues(theirs, left).state)).toEqual([2, 3]);
});

it('is the value itself where nothing of it is gone', () => {
  const theirs = valueOf(add(1), count(2, 2));
  expect(withoutSeen(theirs, { mine: null, seen: seen(3), collected: stamp(9) })).toBe(theirs);
  expect(withoutSeen(theirs, { mine: theirs, seen: seen(1, 2), collected: stamp(9) })).toBe(theirs);
});

it.each([
  ['a tombstone where a delete of then may be forgotten', 9, null],
  ['empty where no delete as late was forgotten', 0, 'set'],
])('leaves %s', (_, collected, shown) => {
  const left = withoutSeen(valueOf(add(1)), { mine: null, seen: seen(1), collected: stamp(collected) });
  expect(visiblePart(left)?.type ?? null).toBe(shown);
  expect(elements(left)).toEqual([]);
});

it('resets increments that were here, be they summed up, and keeps those that were not', () => {
  const theirs = valueOf(count(1, 1), count(2, 1), count(4, 4), count(6, 6));
  expect(total(theirs)).toBe(13n);
  const left = withoutSeen(theirs, { mine: null, seen: seen(1, 2, 4), collected: stampZero });
  expect(total(left)).toBe(6n);
  expect(total(mergeValues(theirs, left).state)).toBe(6n);
});

it('ends generations of a document of which the first chunk was here and none is left', () => {
  const chunk = (sequence: number, generation: number): readonly [number, OperationBody] => [
    sequence,
    {
      type: 'document',
      chunk: { bytes: new Uint8Array(1), operations: 1, generations: [dot(generation)] },
      replaces: [],
    },
  ];
  const [, body] = chunk(3, 1);
  const late = { dot: dot(3), stamp: stamp(3), body };
  const alive = applyOperation(valueOf(chunk(1, 1)), late, seen(1));
  expect([visiblePart(alive.state)?.type, alive.discarded]).toEqual(['document', []]);
  for (const state of [null, valueOf(chunk(2, 2))]) {
    const { state: left, discarded } = applyOperation(state, late, seen(1, 2));
    expect(discarded.map(({ reason }) => reason)).toEqual(['documentDeleted']);
    expect(visiblePart(left)?.type ?? null).toBe(state === null ? null : 'document');
  }
  const given = withoutSeen(valueOf(chunk(1, 1), chunk(3, 1)), { mine: null, seen: seen(1), collected: stampZero });
  expect(visiblePart(given)).toBeNull();
});

it('does not end a generation of which the chunk went with a compaction that held a deleted one', () => {
  const at = (sequence: number, body: OperationBody): Operation => ({
    dot: dot(sequence),
    stamp: stamp(sequence),
    body,
  });
  const chunk = (generations: readonly number[], replaces: readonly number[] = []): OperationBody => ({
    type: 'document',
    chunk: { bytes: new Uint8Array(1), operations: 1, generations: generations.map(dot) },
    replaces: replaces.map(dot),
  });
  const ended: OperationBody = {
    type: 'delete',
    parts: [{ type: 'document', observed: [dot(1)], generations: [dot(1)] }],
  };
  let state: Value | null = null;
  const all = [at(1, chunk([1])), at(2, chunk([2])), at(3, chunk([1, 2], [1, 2])), at(4, ended)];
  all.forEach((op, index) => {
    ({ state } = applyOperation(state, op, seen(...all.slice(0, index).map((one) => one.dot.sequence))));
  });
  expect(state && visiblePart(state)).toBeNull();
  const after = applyOperation(state, at(5, chunk([2])), seen(1, 2, 3, 4));
  expect([visiblePart(after.state)?.type, after.discarded]).toEqual(['document', []]);
});
