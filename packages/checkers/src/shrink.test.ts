import { randomInt, randomPick, SeededRandom } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { checkLinearizability } from './linearizability.ts';
import { keyValueModel, type KeyValueInput, type KeyValueOutput } from './models/key-value.ts';
import type { Limits } from './limits.ts';
import { returnAt } from './model.ts';
import type { KeyValueOperation } from './history/calls.ts';
import { cutAt, shrinkViolation, type Shrunk } from './shrink.ts';
import { isLinearizableByBruteForce } from './testing/brute-force.ts';
import { perturb, randomLinearizable } from './testing/random-histories.ts';

const model = keyValueModel();
const values = ['a', 'b', 'c', 'd'];

function violates(operations: readonly KeyValueOperation[]): boolean {
  return checkLinearizability(model, operations).verdict === 'violated';
}

function shrink(operations: readonly KeyValueOperation[], limits: Limits = {}): Shrunk<KeyValueInput, KeyValueOutput> {
  const violation = checkLinearizability(model, operations);
  if (violation.verdict !== 'violated') throw new Error(`want a violation, found ${violation.verdict}`);
  return shrinkViolation(model, { operations, violation }, limits);
}

function sequence(...steps: [KeyValueInput, KeyValueOutput][]): KeyValueOperation[] {
  return steps.map(([input, output], id) => ({
    id,
    process: `p${id}`,
    input,
    callAt: 2 * id,
    completion: { kind: 'returned', output, at: 2 * id + 1 },
  }));
}

const set = (key: string, value: string): [KeyValueInput, KeyValueOutput] => [
  { op: 'set', key, value },
  { outcome: 'applied' },
];
const get = (key: string, value: string | null): [KeyValueInput, KeyValueOutput] => [
  { op: 'get', key },
  { outcome: 'read', value },
];

describe('a cut', () => {
  it(
    'never makes a violation of its own: what may be dropped leaves linearizable histories linearizable',
    { timeout: 60_000 },
    () => {
      const random = new SeededRandom(11);
      let droppedWrites = 0;
      for (let i = 0; i < 6000; i++) {
        // Few values, so that a wrong rule would meet their coincidences; perturbed ones count if they are linearizable.
        const built = randomLinearizable(random, {
          operationCount: randomInt(random, 2, 6),
          keys: ['k'],
          values: values.slice(0, 2),
          versions: i % 3 === 0,
          durationMax: randomInt(random, 1, 12),
        });
        const operations = i % 2 === 0 ? built : perturb(random, built, values);
        if (!isLinearizableByBruteForce(model, operations)) continue;
        for (const operation of operations) {
          const rest = operations.filter((other) => other !== operation);
          if (!model.droppable(operation, rest)) continue;
          if (operation.input.op !== 'get') droppedWrites++;
          expect(isLinearizableByBruteForce(model, rest), `${JSON.stringify(operations)} without ${operation.id}`).toBe(
            true,
          );
        }
        const at = returnAt(randomPick(random, operations));
        expect(isLinearizableByBruteForce(model, cutAt(operations, at))).toBe(true);
      }
      expect(droppedWrites).toBeGreaterThan(1000);
    },
  );
});

describe('shrinkViolation', () => {
  it('leaves a violation of one key from which no single operation can be dropped', { timeout: 60_000 }, () => {
    const random = new SeededRandom(12);
    let shrunkCount = 0;
    for (let i = 0; i < 400; i++) {
      const built = randomLinearizable(random, {
        operationCount: 40,
        keys: ['k', 'l'],
        values,
        versions: i % 3 === 0,
        durationMax: 8,
      });
      const operations = perturb(random, perturb(random, built, values), values);
      if (!violates(operations)) continue;
      shrunkCount++;
      const { operations: left, minimal, blocked } = shrink(operations);
      expect(minimal).toBe(true);
      expect(violates(left)).toBe(true);
      expect(left).toContain(blocked);
      expect(new Set(left.map(({ input }) => input.key)).size).toBe(1);
      for (const operation of left) {
        const rest = left.filter((other) => other !== operation);
        expect(model.droppable(operation, rest) && violates(rest)).toBe(false);
      }
      const returns = left
        .map(returnAt)
        .filter(Number.isFinite)
        .sort((a, b) => a - b);
      expect(violates(cutAt(left, (returns.at(-1) as number) - 1e-9))).toBe(false);
    }
    expect(shrunkCount).toBeGreaterThan(150);
  });

  it('keeps of a stale read the write that it saw and the write that it missed', () => {
    const operations = sequence(
      set('k', 'a'),
      get('k', 'a'),
      set('l', 'x'),
      set('k', 'a'),
      set('k', 'b'),
      get('k', 'b'),
      get('k', 'a'),
      set('k', 'c'),
      get('l', 'x'),
    );
    expect(shrink(operations).operations.map(({ id }) => id)).toEqual([3, 4, 6]);
  });

  it('keeps a write that a read depends on', () => {
    const operations = sequence(set('k', 'a'), get('k', 'a'), set('k', 'b'), get('k', null));
    const { operations: left } = shrink(operations);
    expect(left.map(({ id }) => id)).toEqual([2, 3]);
    expect(model.droppable(operations[0] as KeyValueOperation, operations.slice(1))).toBe(false);
  });

  it('says that it is not minimal when the limit ends it', () => {
    const operations = sequence(set('k', 'a'), get('k', 'a'), set('k', 'b'), get('k', 'b'), get('k', 'a'));
    const shrunk = shrink(operations, { stepsMax: 1 });
    expect(shrunk.minimal).toBe(false);
    expect(shrunk.operations).toHaveLength(5);
    expect(violates(shrunk.operations)).toBe(true);
  });
});
