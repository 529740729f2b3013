import { SeededRandom, randomInt, type Random } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import type { KeyValueOperation } from './history/calls.ts';
import { checkLinearizability } from './linearizability.ts';
import { keyValueModel } from './models/key-value.ts';
import { isLinearizableByBruteForce } from './testing/brute-force.ts';
import { randomLinearizable } from './testing/random-histories.ts';

const model = keyValueModel();

function write(id: number, span: readonly [number, number], value: string, version?: string): KeyValueOperation {
  return {
    id,
    process: `p${id}`,
    input: { op: 'set', key: 'k', value },
    callAt: span[0],
    completion: { kind: 'returned', at: span[1], output: { outcome: 'applied', version } },
  };
}

function read(id: number, span: readonly [number, number], value: string | null): KeyValueOperation {
  return {
    id,
    process: `p${id}`,
    input: { op: 'get', key: 'k' },
    callAt: span[0],
    completion: { kind: 'returned', at: span[1], output: { outcome: 'read', value } },
  };
}

/** The same operations, the version of one answer being another one's, or one that nobody got. */
function withAnotherVersion(random: Random, operations: readonly KeyValueOperation[]): KeyValueOperation[] {
  const victim = randomInt(random, 0, operations.length - 1);
  return operations.map((operation, index): KeyValueOperation => {
    const { completion } = operation;
    if (index !== victim || completion.kind === 'unknown') return operation;
    const version = `${randomInt(random, 7, 8 + operations.length)}`;
    return { ...operation, completion: { ...completion, output: { ...completion.output, version } } };
  });
}

describe('the order of versions', () => {
  it('changes no verdict: 10,000 small histories, the versions of half of them wrong', { timeout: 60_000 }, () => {
    const random = new SeededRandom(361_943_849);
    const seen = { ok: 0, violated: 0 };
    for (let i = 0; i < 10_000; i++) {
      const built = randomLinearizable(random, {
        operationCount: randomInt(random, 1, 7),
        keys: ['k'],
        values: ['a', 'b', 'c'],
        versions: true,
        durationMax: randomInt(random, 1, 20),
      });
      const operations = i % 2 === 0 ? built : withAnotherVersion(random, built);
      const wanted = isLinearizableByBruteForce(model, operations) ? 'ok' : 'violated';
      expect(checkLinearizability(model, operations).verdict, JSON.stringify(operations)).toBe(wanted);
      seen[wanted]++;
    }
    expect(seen.violated).toBeGreaterThan(1500);
    expect(seen.ok).toBeGreaterThan(5000);
  });

  // Seed 361943849: another region's writes arrive together while a delete is open whose answer has no version.
  const countOf = 32;
  const arrivals = Array.from({ length: countOf }, (_, i) => write(i, [10 + i, 100 + i], `v${i}`, `${200 + i}`));
  const unversioned: KeyValueOperation = { ...write(900, [1, 60], ''), input: { op: 'delete', key: 'k' } };

  it('tells at once which of 32 open writes came before one whose answer has no version', () => {
    const history = [unversioned, ...arrivals, read(901, [200, 201], null)];
    const result = checkLinearizability(model, history, { stepsMax: 5_000 });
    expect(result.verdict).toBe('ok');
    const order = result.verdict === 'ok' ? (result.orders.get('k') ?? []) : [];
    expect(order.slice(0, countOf)).toEqual(arrivals);
    expect(order[countOf]).toEqual(unversioned);
  });

  it('tells as soon that none of their orders will do', () => {
    const history = [unversioned, ...arrivals, read(901, [200, 201], 'v7')];
    expect(checkLinearizability(model, history, { stepsMax: 5_000 }).verdict).toBe('violated');
  });

  it('names the operation that was skipped, and what came before it', () => {
    const late = write(2, [4, 5], 'b', '8');
    const history = [write(1, [0, 1], 'a', '7'), write(3, [2, 3], 'c', '9'), late];
    const result = checkLinearizability(model, history);
    expect(result).toMatchObject({ verdict: 'violated', blocked: late });
    expect(result.verdict === 'violated' && result.longest.map(({ id }) => id)).toEqual([1, 3]);
  });
});
