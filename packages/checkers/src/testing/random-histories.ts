import { randomChance, randomInt, randomPick, type Random } from '@skerry/base';
import type { KeyValueOperation } from '../history/calls.ts';
import type { KeyValueInput, KeyValueOutput } from '../models/key-value.ts';

export interface RandomHistoryOptions {
  readonly operationCount: number;
  readonly keys: readonly string[];
  readonly values: readonly string[];
  /** Whether answers carry versions. */
  readonly versions: boolean;
  /** How many time units a call takes at most: the longer, the more overlap. */
  readonly durationMax: number;
}

interface Planned {
  readonly input: KeyValueInput;
  readonly callAt: number;
  readonly effectAt: number;
  readonly returnAt: number;
  readonly answered: boolean;
  /** Only an operation without an answer may have no effect. */
  readonly applied: boolean;
}

/** Operations that a real store answered at a random instant of each call: linearizable by construction. */
export function randomLinearizable(random: Random, options: RandomHistoryOptions): KeyValueOperation[] {
  const planned = Array.from({ length: options.operationCount }, (): Planned => {
    // Fractions keep all instants apart.
    const callAt = randomInt(random, 0, options.operationCount * 3) + random.uint32() / 2 ** 33;
    const returnAt = callAt + 0.5 + randomInt(random, 0, options.durationMax) + random.uint32() / 2 ** 33;
    const answered = randomChance(random, 0.8);
    const effectAt = answered
      ? callAt + (returnAt - callAt) * (random.uint32() / 2 ** 32)
      : callAt + randomInt(random, 0, 30);
    return {
      input: randomInput(random, options),
      callAt,
      effectAt,
      returnAt,
      answered,
      applied: answered || randomChance(random, 0.5),
    };
  });
  const store = new Map<string, { value: string | null; version: number }>();
  const outputs = new Map<Planned, KeyValueOutput>();
  let versionNext = 8;
  for (const plan of [...planned].sort((a, b) => a.effectAt - b.effectAt)) {
    if (!plan.applied) continue;
    const held = store.get(plan.input.key) ?? { value: null, version: 0 };
    const result = serve(plan.input, held.value);
    if (result.output.outcome === 'applied') store.set(plan.input.key, { value: result.value, version: versionNext++ });
    const version = store.get(plan.input.key)?.version;
    outputs.set(
      plan,
      options.versions && version !== undefined && version > 0
        ? { ...result.output, version: `${version}` }
        : result.output,
    );
  }
  return planned
    .sort((a, b) => a.callAt - b.callAt)
    .map((plan, id): KeyValueOperation => {
      const output = outputs.get(plan);
      return {
        id,
        process: `c${id}`,
        input: plan.input,
        callAt: plan.callAt,
        completion:
          plan.answered && output !== undefined ? { kind: 'returned', output, at: plan.returnAt } : { kind: 'unknown' },
      };
    });
}

/** The same history with one answer changed, which may or may not leave it linearizable. */
export function perturb(
  random: Random,
  operations: readonly KeyValueOperation[],
  values: readonly string[],
): KeyValueOperation[] {
  const victim = randomInt(random, 0, operations.length - 1);
  return operations.map((operation, index): KeyValueOperation => {
    const { completion } = operation;
    if (index !== victim || completion.kind === 'unknown') return operation;
    return { ...operation, completion: { ...completion, output: changed(random, completion.output, values) } };
  });
}

function changed(random: Random, output: KeyValueOutput, values: readonly string[]): KeyValueOutput {
  switch (output.outcome) {
    case 'read':
      return { ...output, value: randomChance(random, 0.2) ? null : randomPick(random, values) };
    case 'applied':
      return { ...output, outcome: 'refused' };
    case 'refused':
      return { outcome: 'applied', version: output.version };
  }
}

function serve(input: KeyValueInput, held: string | null): { value: string | null; output: KeyValueOutput } {
  switch (input.op) {
    case 'get':
      return { value: held, output: { outcome: 'read', value: held } };
    case 'set':
      return { value: input.value, output: { outcome: 'applied' } };
    case 'delete':
      return { value: null, output: { outcome: 'applied' } };
    case 'append':
      return { value: (held ?? '') + input.value, output: { outcome: 'applied' } };
    case 'swap':
      if (held === input.oldValue) return { value: input.newValue, output: { outcome: 'applied' } };
      return { value: held, output: held === 'a' ? { outcome: 'refused' } : { outcome: 'refused', current: held } };
  }
}

function randomInput(random: Random, options: RandomHistoryOptions): KeyValueInput {
  const key = randomPick(random, options.keys);
  const value = randomPick(random, options.values);
  const draw = randomInt(random, 0, 19);
  if (draw < 7) return { op: 'get', key };
  if (draw < 12) return { op: 'set', key, value };
  if (draw < 17)
    return {
      op: 'swap',
      key,
      oldValue: randomChance(random, 0.2) ? null : randomPick(random, options.values),
      newValue: value,
    };
  return draw < 19 ? { op: 'delete', key } : { op: 'append', key, value };
}
