import { SeededRandom, randomInt } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { checkLinearizability } from './linearizability.ts';
import { keyValueModel } from './models/key-value.ts';
import { registerModel, type RegisterInput, type RegisterOutput } from './models/register.ts';
import type { Operation } from './model.ts';
import { isLinearizableByBruteForce } from './testing/brute-force.ts';
import { perturb, randomLinearizable } from './testing/random-histories.ts';

type RegisterOperation = Operation<RegisterInput, RegisterOutput>;

/** `output` null: the outcome is unknown. */
function operation(
  span: readonly [number, number],
  input: RegisterInput,
  output: RegisterOutput | null,
): RegisterOperation {
  const [callAt, at] = span;
  return {
    id: callAt,
    process: `p${callAt}`,
    input,
    callAt,
    completion: output === null ? { kind: 'unknown' } : { kind: 'returned', output, at },
  };
}

const applied = { outcome: 'applied' } as const;
const write = (value: string): RegisterInput => ({ op: 'write', value });
const cas = (oldValue: string, newValue: string): RegisterInput => ({ op: 'cas', oldValue, newValue });
const read = (span: readonly [number, number], value: string | null): RegisterOperation =>
  operation(span, { op: 'read' }, { outcome: 'read', value });

function verdict(...operations: RegisterOperation[]): string {
  return checkLinearizability(registerModel, operations).verdict;
}

describe('checkLinearizability', () => {
  it('agrees with brute force on 10,000 small histories, half of them perturbed', { timeout: 60_000 }, () => {
    const random = new SeededRandom(20_170);
    const seen = { ok: 0, violated: 0 };
    const values = ['a', 'b', 'c'];
    for (let i = 0; i < 10_000; i++) {
      const built = randomLinearizable(random, {
        operationCount: randomInt(random, 1, 7),
        keys: i % 5 === 0 ? ['k', 'l'] : ['k'],
        values,
        versions: i % 4 === 3,
        durationMax: randomInt(random, 1, 20),
      });
      const operations = i % 2 === 0 ? built : perturb(random, built, values);
      const model = keyValueModel({ initial: null });
      const { verdict: found } = checkLinearizability(model, operations);
      const wanted = isLinearizableByBruteForce(model, operations) ? 'ok' : 'violated';
      expect(found, JSON.stringify(operations)).toBe(wanted);
      seen[wanted]++;
      if (i % 2 === 0 && wanted === 'violated')
        throw new Error(`linearizable by construction: ${JSON.stringify(operations)}`);
    }
    // The comparison would prove little if one verdict hardly occurred.
    expect(seen.violated).toBeGreaterThan(1500);
    expect(seen.ok).toBeGreaterThan(5000);
  });

  it('gives a witness order that the model allows and that respects real time', { timeout: 60_000 }, () => {
    const random = new SeededRandom(7);
    for (let i = 0; i < 200; i++) {
      const operations = randomLinearizable(random, {
        operationCount: 30,
        keys: ['k'],
        values: ['a', 'b', 'c', 'd'],
        versions: false,
        durationMax: 12,
      });
      const model = keyValueModel({ initial: null });
      const result = checkLinearizability(model, operations);
      if (result.verdict !== 'ok') throw new Error(`linearizable by construction: ${JSON.stringify(operations)}`);
      let state = model.init();
      let latestCall = 0;
      const order = result.orders.get('k') ?? [];
      for (const { input, completion, callAt } of order) {
        const step = model.step(state, input, completion.kind === 'returned' ? completion.output : null);
        if (!step.ok) throw new Error('the witness has a step that the model forbids');
        state = step.state;
        latestCall = Math.max(latestCall, callAt);
        expect(completion.kind === 'returned' ? completion.at : Number.POSITIVE_INFINITY).toBeGreaterThan(latestCall);
      }
      const returned = operations.filter(({ completion }) => completion.kind === 'returned');
      expect(returned.every((each) => order.includes(each))).toBe(true);
    }
  });

  it('catches a stale read', () => {
    expect(
      verdict(operation([0, 1], write('1'), applied), operation([2, 3], write('2'), applied), read([4, 5], '1')),
    ).toBe('violated');
  });

  it('lets a read that overlaps a write see either value', () => {
    const first = operation([0, 1], write('1'), applied);
    const second = operation([2, 9], write('2'), applied);
    expect(verdict(first, second, read([3, 4], '1'))).toBe('ok');
    expect(verdict(first, second, read([3, 4], '2'))).toBe('ok');
    expect(verdict(first, second, read([3, 4], '2'), read([5, 6], '1'))).toBe('violated');
  });

  it('catches a lost write', () => {
    expect(verdict(operation([0, 1], write('1'), applied), read([2, 3], null))).toBe('violated');
  });

  it('catches a compare-and-swap that was applied twice', () => {
    const twice = operation([2, 3], cas('1', '2'), applied);
    const history = [
      operation([0, 1], write('1'), applied),
      twice,
      read([4, 5], '2'),
      operation([6, 7], write('1'), applied),
    ];
    expect(verdict(...history, read([8, 9], '1'))).toBe('ok');
    expect(verdict(...history, read([8, 9], '2'))).toBe('violated');
  });

  it('catches a swap that was answered twice for one old value', () => {
    expect(
      verdict(
        operation([0, 1], write('1'), applied),
        operation([2, 5], cas('1', '2'), applied),
        operation([3, 4], cas('1', '3'), applied),
      ),
    ).toBe('violated');
  });

  it('catches a fractured swap: another value between old and new', () => {
    expect(
      verdict(
        operation([0, 1], write('old'), applied),
        operation([2, 9], cas('old', 'new'), applied),
        read([3, 4], null),
        read([5, 6], 'new'),
      ),
    ).toBe('violated');
    expect(
      verdict(
        operation([0, 1], write('old'), applied),
        operation([2, 9], cas('old', 'new'), applied),
        read([3, 4], 'new'),
        read([5, 6], 'old'),
      ),
    ).toBe('violated');
  });

  it('catches a swap that was refused although nothing but its old value was there', () => {
    expect(
      verdict(operation([0, 1], write('1'), applied), operation([2, 3], cas('1', '2'), { outcome: 'refused' })),
    ).toBe('violated');
    expect(
      verdict(
        operation([0, 1], write('1'), applied),
        operation([2, 3], cas('9', '2'), { outcome: 'refused', current: '5' }),
      ),
    ).toBe('violated');
  });

  it('lets a write of unknown outcome take effect late, once, or never', () => {
    const unknown = operation([0, 0], write('1'), null);
    expect(verdict(unknown, read([1, 2], null))).toBe('ok');
    expect(verdict(unknown, read([1, 2], null), read([3, 4], '1'))).toBe('ok');
    expect(verdict(unknown, read([1, 2], '1'), read([3, 4], null))).toBe('violated');
    const other = operation([5, 6], write('2'), applied);
    expect(verdict(unknown, read([1, 2], '1'), other, read([7, 8], '1'))).toBe('violated');
  });

  it('names the partition, the furthest order and the operation that could not be explained', () => {
    const stale = read([4, 5], '1');
    const result = checkLinearizability(registerModel, [
      operation([0, 1], write('1'), applied),
      operation([2, 3], write('2'), applied),
      stale,
    ]);
    expect(result).toMatchObject({ verdict: 'violated', partition: 'register', blocked: stale });
    expect(result.verdict === 'violated' && result.longest.map(({ id }) => id)).toEqual([0, 2]);
  });

  it('takes the empty history and one of unknown outcomes alone', () => {
    expect(verdict()).toBe('ok');
    expect(verdict(operation([0, 0], cas('1', '2'), null))).toBe('ok');
  });
});

describe('limits', () => {
  // No two are equal: the order of equal ones is not looked for.
  const open = Array.from({ length: 14 }, (_, i) =>
    operation([i, 0], cas(`${i % 5}`, `${((i % 5) + 1 + Math.floor(i / 5)) % 5}`), null),
  );
  const hard = [operation([-1, 100], write('0'), applied), ...open, read([101, 102], '7')];

  it('end as unknown by steps, by configurations and by time, each named', () => {
    const reason = (limits: Parameters<typeof checkLinearizability>[2]): unknown => {
      const result = checkLinearizability(registerModel, hard, limits);
      return result.verdict === 'unknown' ? result.reason : result.verdict;
    };
    expect(reason({})).toBe('violated');
    expect(reason({ stepsMax: 50 })).toBe('steps');
    expect(reason({ stepsMax: 0 })).toBe('steps');
    expect(reason({ configurationsMax: 10 })).toBe('configurations');
    let elapsedMs = 0;
    expect(reason({ time: { elapsedMs: () => elapsedMs++, elapsedMsMax: 1 } })).toBe('time');
  });

  it('in one partition do not hide a violation in another', () => {
    const model = keyValueModel();
    const hardKey = hard.map((each) => ({
      ...each,
      id: each.id + 1000,
      input:
        each.input.op === 'read'
          ? ({ op: 'get', key: 'a' } as const)
          : ({ op: 'append', key: 'a', value: `${each.id}` } as const),
    }));
    const lost = {
      id: 1,
      process: 'p',
      input: { op: 'get', key: 'b' },
      callAt: 0,
      completion: { kind: 'returned', at: 1, output: { outcome: 'read', value: 'x' } },
    } as const;
    expect(checkLinearizability(model, hardKey, { stepsMax: 100 }).verdict).toBe('unknown');
    expect(checkLinearizability(model, [...hardKey, lost], { stepsMax: 100 }).verdict).toBe('violated');
  });
});

describe('the key-value model', () => {
  const model = keyValueModel();
  const judge = (...steps: [Parameters<typeof model.step>[1], Parameters<typeof model.step>[2]][]): string =>
    checkLinearizability(
      model,
      steps.map(([input, output], id) => ({
        id,
        process: 'p',
        input,
        callAt: 2 * id,
        completion:
          output === null ? { kind: 'unknown' as const } : { kind: 'returned' as const, output, at: 2 * id + 1 },
      })),
    ).verdict;

  it('wants versions that rise and that belong to their value', () => {
    const set = (
      value: string,
      version: string,
    ): [Parameters<typeof model.step>[1], Parameters<typeof model.step>[2]] => [
      { op: 'set', key: 'k', value },
      { outcome: 'applied', version },
    ];
    expect(judge(set('a', '9'), set('b', '10'))).toBe('ok');
    expect(judge(set('a', '10'), set('b', '9'))).toBe('violated');
    expect(
      judge(set('a', '9'), [
        { op: 'get', key: 'k' },
        { outcome: 'read', value: 'a', version: '8' },
      ]),
    ).toBe('violated');
    // The version of an unanswered write is between those of its neighbours.
    const unanswered = [{ op: 'delete', key: 'k' }, null] as [Parameters<typeof model.step>[1], null];
    expect(
      judge(set('a', '9'), unanswered, [
        { op: 'get', key: 'k' },
        { outcome: 'read', value: null, version: '12' },
      ]),
    ).toBe('ok');
    expect(
      judge(set('a', '9'), unanswered, [
        { op: 'get', key: 'k' },
        { outcome: 'read', value: null, version: '7' },
      ]),
    ).toBe('violated');
  });

  it('judges each key alone', () => {
    expect(
      judge(
        [{ op: 'set', key: 'k', value: '1' }, { outcome: 'applied' }],
        [
          { op: 'get', key: 'l' },
          { outcome: 'read', value: null },
        ],
      ),
    ).toBe('ok');
  });
});
