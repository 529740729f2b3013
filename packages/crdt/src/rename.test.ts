import { replicaId } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import {
  applyOperation,
  CausalContext,
  counterTotal,
  DotAliases,
  prepareOperation,
  stampZero,
  type Dot,
  type Operation,
  type Value,
  type WriteRequest,
} from './index.ts';

const first: Dot = { replica: replicaId(7), sequence: 3 };
const stamp = (wallMs: number) => ({ ...stampZero, wallMs });
const add = (amount: number) => ({ type: 'counter', action: 'add', amount }) as const;

function made(
  state: Value | null,
  request: WriteRequest,
  { replica, sequence }: { replica: number; sequence: number },
): Operation {
  const op = prepareOperation(state, request, {
    dot: { replica: replicaId(replica), sequence },
    stamp: stamp(sequence),
  });
  if (op === null) throw new Error('nothing to do');
  return op;
}

function applied(state: Value | null, ...ops: readonly Operation[]): Value | null {
  return ops.reduce<Value | null>((value, op) => applyOperation(value, op).state, state);
}

describe('a dot that stands for another one', () => {
  // The copy at replica 8 is folded into a prefix, or is not.
  it.each([{ sequence: 1 }, { sequence: 5 }])(
    'a reset that saw copy $sequence takes away the first one, and nothing else',
    ({ sequence }) => {
      for (const amount of [5, -5]) {
        const copy = made(null, add(amount), { replica: 8, sequence });
        const other = made(null, add(2), { replica: 8, sequence: sequence + 1 });
        const reset = made(
          applied(null, copy, other),
          { type: 'counter', action: 'reset' },
          { replica: 8, sequence: sequence + 2 },
        );
        const aliases = new DotAliases();
        aliases.add({
          from: copy.dot,
          to: first,
          amount: BigInt(amount),
          generations: { from: sequence, to: first.sequence },
        });
        const promoted = applied(
          null,
          made(null, add(amount), first),
          other,
          made(null, add(11), { replica: 9, sequence: 1 }),
        );
        const after = applied(promoted, aliases.rename(reset));
        expect(counterTotal(after)).toBe(11n);
        // Late copies of what was reset change nothing.
        expect(counterTotal(applied(after, other, made(null, add(amount), first)))).toBe(11n);
        aliases.delete(copy.dot);
        expect(counterTotal(applied(promoted, aliases.rename(reset)))).toBe(11n + BigInt(amount));
      }
    },
  );

  it('a write that saw both copies names the first one once', () => {
    const aliases = new DotAliases();
    const second: Dot = { replica: replicaId(8), sequence: 1 };
    aliases.add({ from: second, to: first, amount: 0n, generations: { from: 0, to: null } });
    const op: Operation = {
      dot: { replica: replicaId(8), sequence: 2 },
      stamp: stamp(2),
      body: { type: 'set', action: 'remove', observed: [first, second] },
    };
    expect(aliases.rename(op).body).toEqual({ type: 'set', action: 'remove', observed: [first] });
  });

  it('a context with a copy in it gets the first one too, one without does not', () => {
    const aliases = new DotAliases();
    const second: Dot = { replica: replicaId(8), sequence: 1 };
    aliases.add({ from: second, to: first, amount: 0n, generations: { from: 0, to: null } });
    expect(aliases.renameContext(CausalContext.of([second])).has(first)).toBe(true);
    expect(aliases.renameContext(CausalContext.of([{ replica: replicaId(8), sequence: 2 }])).has(first)).toBe(false);
  });
});
