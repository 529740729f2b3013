import { utf8Decode, utf8Encode } from '@skerry/base';
import { expect, it } from 'vitest';
import type { Answer, Operation, ValueChange } from './requests.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { World } from './testing/world.ts';

const update = (key: string, change: ValueChange): Operation => ({ kind: 'update', key, change, consistent: false });

/**
 * The client wrote at `a`, lost the answer and retried at `b`, which is cut off. What it does at `b` then is promoted once `b`
 * is back; `check` is called with the local read at `b` all the way, and with the consistent one in the end.
 */
function retriedAtSecondNode(
  write: Operation,
  then: readonly Operation[],
  { read, check }: { read: Operation; check: (answer: Answer) => void },
): void {
  const world = new World();
  const leader = world.awaitLeader();
  const [a = '', b = ''] = world.names.filter((name) => name !== leader);
  world.isolate(b);
  world.settle(world.call(a, write, { sequence: 1 }));
  world.until(() => world.replica(a).status().partitions[0]?.pending === 0);
  world.settle(world.call(b, write, { sequence: 1, retry: true }));
  then.forEach((operation, i) => world.settle(world.call(b, operation, { sequence: 2 + i })));
  world.heal();
  const look = (): Answer => world.settle(world.call(b, { ...read, consistent: false } as Operation));
  world.until(() => {
    check(look());
    return world.replica(b).status().partitions[0]?.pending === 0;
  });
  check(look());
  check(world.settle(world.call(leader, { ...read, consistent: true } as Operation)));
}

const add = update('s', { type: 'set', action: 'add', element: utf8Encode('x') });
const remove = update('s', { type: 'set', action: 'remove', element: utf8Encode('x') });

it('I7, I11: what a session removed after an add that it retried at another node stays removed', () => {
  retriedAtSecondNode(add, [remove], {
    read: { kind: 'read', key: 's', type: 'set', consistent: true },
    check: (answer) => expect(answer).toMatchObject({ view: { elements: [] } }),
  });
});

it('I7: a counter that was reset after a retried increment, and counted on, has what came after', () => {
  const count = (amount: number): Operation => update('c', { type: 'counter', action: 'add', amount });
  retriedAtSecondNode(count(5), [count(3), update('c', { type: 'counter', action: 'reset' }), count(4)], {
    read: { kind: 'read', key: 'c', type: 'counter', consistent: true },
    check: (answer) => expect(answer).toMatchObject({ view: { total: '4' } }),
  });
});

it('I11: a flag that was disabled after a retried enable stays disabled', () => {
  retriedAtSecondNode(
    update('f', { type: 'flag', action: 'enable' }),
    [update('f', { type: 'flag', action: 'disable' })],
    {
      read: { kind: 'read', key: 'f', type: 'flag', consistent: true },
      check: (answer) => expect(answer).toMatchObject({ view: { enabled: false } }),
    },
  );
});

it('I11: a delete takes away the retried add that it saw', () => {
  retriedAtSecondNode(add, [{ kind: 'delete', key: 's', consistent: false }], {
    read: { kind: 'read', key: 's', type: 'set', consistent: true },
    check: (answer) => expect(answer).toMatchObject({ valid: true, version: null }),
  });
});

it('I11: a register keeps what was written over a retried write', () => {
  const set = (value: string): Operation => ({ kind: 'set', key: 'r', value: utf8Encode(value), consistent: false });
  retriedAtSecondNode(set('first'), [set('second')], {
    read: { kind: 'get', key: 'r', consistent: true },
    check: (answer) =>
      expect(answer.kind === 'key' && answer.value !== null && utf8Decode(answer.value)).toBe('second'),
  });
});

it('I7: a context that names the retried copy replaces the sibling that was promoted in its place', () => {
  const world = new World();
  const leader = world.awaitLeader();
  const [a = '', b = ''] = world.names.filter((name) => name !== leader);
  const put = (value: string, context: string | null): Operation =>
    update('m', { type: 'multiRegister', value: utf8Encode(value), context });
  world.isolate(b);
  world.settle(world.call(a, put('one', null), { sequence: 1 }));
  world.until(() => world.replica(a).status().partitions[0]?.pending === 0);
  world.settle(world.call(b, put('one', null), { sequence: 1, retry: true }));
  const seen = world.settle(world.call(b, { kind: 'read', key: 'm', type: 'multiRegister', consistent: false }));
  const context = seen.kind === 'key' && seen.view?.type === 'multiRegister' ? seen.view.context : null;
  expect(context).not.toBeNull();
  world.heal();
  world.until(() => world.replica(b).status().partitions[0]?.pending === 0);
  world.settle(world.call(leader, { ...put('two', context), consistent: true } as Operation, { sequence: 2 }));
  const after = world.settle(world.call(leader, { kind: 'read', key: 'm', type: 'multiRegister', consistent: true }));
  expect(after.kind === 'key' && after.view?.type === 'multiRegister' ? after.view.values.length : 0).toBe(1);
});

it('I7: a context that names the retried copy replaces its sibling also before that copy is known to be one', () => {
  const world = new World();
  const leader = world.awaitLeader();
  const [a = '', b = ''] = world.names.filter((name) => name !== leader);
  const put = (value: string, context: string | null): Operation =>
    update('m', { type: 'multiRegister', value: utf8Encode(value), context });
  const read = { kind: 'read', key: 'm', type: 'multiRegister' } as const;
  world.isolate(b);
  world.settle(world.call(a, put('one', null), { sequence: 1 }));
  world.until(() => world.replica(a).status().partitions[0]?.pending === 0);
  world.settle(world.call(b, put('one', null), { sequence: 1, retry: true }));
  const seen = world.settle(world.call(b, { ...read, consistent: false }));
  const context = seen.kind === 'key' && seen.view?.type === 'multiRegister' ? seen.view.context : null;
  world.settle(world.call(leader, { ...put('two', context), consistent: true } as Operation, { sequence: 2 }));
  world.heal();
  world.until(() => world.replica(b).status().partitions[0]?.pending === 0);
  for (const name of world.names) {
    const after = world.settle(world.call(name, { ...read, consistent: true }));
    const values = after.kind === 'key' && after.view?.type === 'multiRegister' ? after.view.values : [];
    expect(
      values.map((value) => utf8Decode(value)),
      name,
    ).toEqual(['two']);
  }
});

it('I9: other regions also see the sibling replaced that a context named by its copy', () => {
  const world = new RegionsWorld({ nodes: [3, 1] });
  world.awaitLeaders();
  const home = world.world('r1');
  // The log alone has to tell them; an exchange of states would mend anything.
  world.passes = (_from, _to, { kind }) => kind !== 'digestsAsk';
  const leader = home.awaitLeader();
  const [a = '', b = ''] = home.names.filter((name) => name !== leader);
  const put = (value: string, context: string | null): Operation =>
    update('m', { type: 'multiRegister', value: utf8Encode(value), context });
  const read = { kind: 'read', key: 'm', type: 'multiRegister' } as const;
  home.isolate(b);
  world.settle(home.call(a, put('one', null), { sequence: 1 }));
  world.until(() => home.replica(a).status().partitions[0]?.pending === 0);
  world.settle(home.call(b, put('one', null), { sequence: 1, retry: true }));
  const seen = world.settle(home.call(b, { ...read, consistent: false }));
  const context = seen.kind === 'key' && seen.view?.type === 'multiRegister' ? seen.view.context : null;
  world.settle(home.call(leader, { ...put('two', context), consistent: true } as Operation, { sequence: 2 }));
  const valuesIn = (region: string): readonly (string | null)[] => {
    const answer = world.ask(region, { ...read, consistent: true });
    const values = answer.kind === 'key' && answer.view?.type === 'multiRegister' ? answer.view.values : [];
    return values.map((value) => utf8Decode(value));
  };
  world.until(() => valuesIn('r2').includes('two'), 10_000, 'what replaced it');
  home.heal();
  world.until(() => home.replica(b).status().partitions[0]?.pending === 0);
  world.until(() => world.isConverged(), 10_000, 'convergence');
  expect(['r1', 'r2'].map(valuesIn)).toEqual([['two'], ['two']]);
});

it('I7: the local view counts a retried increment once, wherever the two copies are', () => {
  const world = new World();
  const leader = world.awaitLeader();
  const [a = '', b = ''] = world.names.filter((name) => name !== leader);
  const count = update('c', { type: 'counter', action: 'add', amount: 5 });
  world.isolate(b);
  world.settle(world.call(b, count, { sequence: 1 }));
  world.settle(world.call(a, count, { sequence: 1, retry: true }));
  world.run(500);
  world.cut(leader, b);
  world.heal();
  world.cut(leader, b);
  world.pause(leader);
  for (let i = 0; i < 400; i++) {
    world.run(5);
    for (const name of [a, b]) {
      const answer = world.settle(world.call(name, { kind: 'read', key: 'c', type: 'counter', consistent: false }));
      expect(answer, `${name} ${i}`).toMatchObject({ view: { total: '5' } });
    }
  }
});
