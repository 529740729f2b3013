import { SeededRandom, randomInt } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import type { KeyValueOperation } from './history/calls.ts';
import { checkLinearizability } from './linearizability.ts';
import { keyValueModel, type KeyValueInput, type KeyValueOutput } from './models/key-value.ts';
import { isLinearizableByBruteForce } from './testing/brute-force.ts';
import { perturb, randomLinearizable } from './testing/random-histories.ts';

const model = keyValueModel();
const applied = { outcome: 'applied' } as const;

/** `output` null: the outcome is unknown. */
function operation(
  span: readonly [number, number],
  input: KeyValueInput,
  output: KeyValueOutput | null = applied,
): KeyValueOperation {
  const [callAt, at] = span;
  return {
    id: callAt,
    process: `p${callAt}`,
    input,
    callAt,
    completion: output === null ? { kind: 'unknown' } : { kind: 'returned', output, at },
  };
}

const set = (value: string): KeyValueInput => ({ op: 'set', key: 'k', value });
const remove: KeyValueInput = { op: 'delete', key: 'k' };
const read = (span: readonly [number, number], value: string | null): KeyValueOperation =>
  operation(span, { op: 'get', key: 'k' }, { outcome: 'read', value });

function verdict(...operations: readonly KeyValueOperation[]): string {
  return checkLinearizability(model, operations, { stepsMax: 10_000 }).verdict;
}

describe('the choices that are left out', () => {
  it.each([
    { values: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], versions: false },
    { values: ['a', 'b'], versions: false },
    { values: ['a', 'b', 'c', 'd', 'e'], versions: true },
  ])(
    'change no verdict: 10,000 small histories, half of them perturbed (values $values, versions $versions)',
    ({ values, versions }) => {
      const random = new SeededRandom(361_943_849 + values.length);
      const seen = { ok: 0, violated: 0 };
      for (let i = 0; i < 10_000; i++) {
        const built = randomLinearizable(random, {
          operationCount: randomInt(random, 1, 7),
          keys: ['k'],
          values,
          versions,
          durationMax: randomInt(random, 1, 20),
        });
        const operations = i % 2 === 0 ? built : perturb(random, built, values);
        const wanted = isLinearizableByBruteForce(model, operations) ? 'ok' : 'violated';
        expect(checkLinearizability(model, operations).verdict, JSON.stringify(operations)).toBe(wanted);
        seen[wanted]++;
      }
      expect(seen.violated).toBeGreaterThan(1000);
      expect(seen.ok).toBeGreaterThan(5000);
    },
    60_000,
  );

  const open = Array.from({ length: 32 }, (_, i) => i);

  it('are the orders of 32 open writes that nobody saw, before a delete', () => {
    const unseen = open.map((i) => operation([10 + i, 100 + i], set(`v${i}`)));
    expect(verdict(operation([1, 60], remove), ...unseen, read([200, 201], null))).toBe('ok');
    expect(verdict(operation([1, 60], remove), ...unseen, read([200, 201], 'w'))).toBe('violated');
  });

  it('are the orders of 32 equal deletes', () => {
    const deletes = open.map((i) => operation([10 + i, 100 + i], remove));
    expect(verdict(operation([1, 160], set('w')), ...deletes, read([200, 201], 'w'))).toBe('ok');
    expect(verdict(operation([1, 60], set('w')), ...deletes, read([200, 201], 'x'))).toBe('violated');
  });

  it('are writes of unknown outcome that nobody saw', () => {
    const unknown = open.map((i) => operation([10 + i, 0], set(`v${i}`), null));
    expect(verdict(...unknown, operation([100, 103], set('w')), read([101, 102], 'x'))).toBe('violated');
  });
});
