import { replicaId, utf8Encode } from '@skerry/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyOperation,
  counterTotal,
  isTombstone,
  prepareOperation,
  registerValue,
  setValues,
  stampToText,
  valueStamp,
  valueType,
  visiblePart,
  WrongTypeError,
  type Operation,
  type Value,
} from './index.ts';
import { anyRequests, replicaCount, steps } from './testing/arbitraries.ts';
import { Cluster, stateText, type PlannedRequest } from './testing/cluster.ts';
import { testLaws } from './testing/laws.ts';

/** The visible part alone, which for a mixed key is all that users see. */
function view(state: Value | null): string {
  const part = state === null ? null : visiblePart(state);
  if (state === null || part === null) return 'missing';
  switch (part.type) {
    case 'counter':
      return `counter ${counterTotal(state)}`;
    case 'set':
      return `set ${setValues(state)?.join()}`;
    default:
      return part.type;
  }
}

function applyAll(operations: readonly Operation[]): Value | null {
  return operations.reduce<Value | null>((state, operation) => applyOperation(state, operation).state, null);
}

const element = (name: string) => ({ type: 'set', action: 'add', element: utf8Encode(name) }) as const;
const text = (value: string) => ({ type: 'register', value: utf8Encode(value) }) as const;
const add = (amount: number) => ({ type: 'counter', action: 'add', amount }) as const;

describe('value of a key written as any type', () => {
  testLaws({ requests: anyRequests, view, model: null });

  it('two types at once: the later stamp is visible everywhere, the other one is reported', () => {
    const cluster = new Cluster(2);
    cluster.write(0, add(5));
    cluster.write(1, text('later'), { skewMs: 10 });
    cluster.settle();
    expect(cluster.members.map(({ state }) => valueType(state))).toEqual(['register', 'register']);
    expect(counterTotal(cluster.member(0).state)).toBeNull();
    const reported = cluster.discarded.map(({ reason, loser }) => [
      reason,
      loser.type,
      counterTotal({ parts: [loser] }),
    ]);
    expect(reported).toEqual([
      ['otherType', 'counter', 5n],
      ['otherType', 'counter', 5n],
    ]);
  });

  it('I12: what the visible type hides was reported as discarded', () => {
    fc.assert(
      fc.property(steps(anyRequests), (run) => {
        const cluster = new Cluster(replicaCount).run(run);
        cluster.settle();
        const state = cluster.member(0).state;
        const hidden = (state?.parts ?? []).filter(
          (part) => part !== visiblePart(state!) && !isTombstone({ parts: [part] }),
        );
        for (const { type } of hidden) {
          expect(cluster.discarded.some(({ reason, loser }) => reason === 'otherType' && loser.type === type)).toBe(
            true,
          );
        }
      }),
    );
  });

  it('a third write of the first type counts what the conflict hid: dropping it would not be associative', () => {
    const cluster = new Cluster(3);
    cluster.write(0, add(5));
    cluster.write(1, text('between'), { skewMs: 10 });
    cluster.write(2, add(4), { skewMs: 20 });
    cluster.settle();
    expect(cluster.members.map(({ state }) => counterTotal(state))).toEqual([9n, 9n, 9n]);
  });

  it('a call of another type is refused, until the key is deleted', () => {
    const cluster = new Cluster(1);
    cluster.write(0, add(5));
    const { state, replica, clock } = cluster.member(0);
    const identity = { dot: { replica, sequence: 2 }, stamp: clock.next(0) };
    expect(() => prepareOperation(state, text('x'), identity)).toThrow(WrongTypeError);
    cluster.write(0, { type: 'delete' });
    cluster.write(0, text('x'));
    expect(valueType(cluster.member(0).state)).toBe('register');
  });

  it('a delete takes away the hidden type too', () => {
    const cluster = new Cluster(2);
    cluster.write(0, add(5));
    cluster.write(1, text('later'), { skewMs: 10 });
    cluster.settle();
    cluster.write(0, { type: 'delete' });
    cluster.settle();
    for (const { state } of cluster.members) expect(isTombstone(state!)).toBe(true);
  });

  it('a delete by a node that does not hold the key kills an earlier write and spares a later one', () => {
    for (const [skewMs, expected] of [
      [-50, null],
      [50, 'v'],
    ] as const) {
      const cluster = new Cluster(2);
      cluster.write(0, { type: 'delete' });
      cluster.write(1, text('v'), { skewMs });
      cluster.settle();
      expect(registerValue(cluster.member(0).state)).toEqual(expected === null ? null : utf8Encode(expected));
    }
  });

  it('Cassandra, Riak: a tombstone holds against a replica that missed the delete; collected too early it would not', () => {
    for (const request of [text('v'), element('v')]) {
      const cluster = new Cluster(2);
      const born = cluster.write(0, request)!;
      cluster.settle();
      cluster.write(0, { type: 'delete' });
      const tombstone = cluster.member(0).state!;
      expect(isTombstone(tombstone)).toBe(true);
      cluster.step({ do: 'merge', at: 0, from: 1 });
      expect(isTombstone(cluster.member(0).state!)).toBe(true);
      expect(isTombstone(applyOperation(tombstone, born).state)).toBe(true);
      // What the owner must prevent: without the tombstone the late message is a new write.
      expect(isTombstone(applyOperation(null, born).state)).toBe(false);
    }
  });

  it('a replica id reused after its disk was lost costs one write and not convergence', () => {
    const pairs = [
      [element('x'), element('y')],
      [add(5), add(7)],
      [text('x'), text('y')],
    ] as const;
    for (const [first, second] of pairs) {
      const a = new Cluster(1).write(0, first)!;
      const b = new Cluster(1).write(0, second)!;
      expect(b.dot).toEqual(a.dot);
      expect(stateText(applyAll([a, b]))).toBe(stateText(applyAll([b, a])));
    }
  });

  it('a fresh replica id after a lost disk costs nothing', () => {
    const afterLoss = (request: PlannedRequest): Operation => {
      const operation = new Cluster(1).write(0, request)!;
      return { ...operation, dot: { ...operation.dot, replica: replicaId(99) } };
    };
    expect(counterTotal(applyAll([new Cluster(1).write(0, add(5))!, afterLoss(add(7))]))).toBe(12n);
    expect(setValues(applyAll([new Cluster(1).write(0, element('x'))!, afterLoss(element('y'))]))).toHaveLength(2);
  });

  it('the version never falls, whatever is merged', () => {
    const cluster = new Cluster(2);
    let version = '';
    for (const request of [add(1), add(2), { type: 'delete' }, text('x'), { type: 'delete' }, add(3)] as const) {
      cluster.write(0, request);
      const next = stampToText(valueStamp(cluster.member(0).state!));
      expect(next > version).toBe(true);
      version = next;
    }
  });
});
