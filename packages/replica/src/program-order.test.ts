import { SeededRandom, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import type { Answer, Operation, ValueType } from './requests.ts';
import { get, set, valueOf, World } from './testing/world.ts';

const keys = ['a', 'b', 'c'];
const types: readonly ValueType[] = ['register', 'multiRegister', 'counter', 'set', 'flag'];
const remove = (key: string, consistent = false): Operation => ({ kind: 'delete', key, consistent });
const read = (key: string, type: ValueType, consistent: boolean): Operation =>
  type === 'register' ? get(key, consistent) : { kind: 'read', key, type, consistent };

/** What a reader is told, without stamps and contexts, which promotion may change. */
function told(answer: Answer): unknown {
  if (answer.kind !== 'key') return answer.kind === 'error' ? answer.code : answer;
  const { value, view } = answer;
  return view === undefined || !('context' in view) ? { value, view } : { value, view: { ...view, context: '' } };
}

function drawWrite(random: SeededRandom, number: number): Operation {
  const draw = (count: number): number => random.uint32() % count;
  const key = keys[draw(keys.length)] as string;
  if (draw(3) === 0) return remove(key);
  const element = utf8Encode(draw(2) === 0 ? 'x' : 'y');
  switch (types[draw(types.length)]) {
    case 'multiRegister':
      return {
        kind: 'update',
        key,
        consistent: false,
        change: { type: 'multiRegister', value: utf8Encode(`v${number}`), context: null },
      };
    case 'counter':
      return {
        kind: 'update',
        key,
        consistent: false,
        change:
          draw(3) === 0 ? { type: 'counter', action: 'reset' } : { type: 'counter', action: 'add', amount: number },
      };
    case 'set':
      return {
        kind: 'update',
        key,
        consistent: false,
        change: { type: 'set', action: draw(3) === 0 ? 'remove' : 'add', element },
      };
    case 'flag':
      return {
        kind: 'update',
        key,
        consistent: false,
        change: { type: 'flag', action: draw(2) === 0 ? 'enable' : 'disable' },
      };
    default:
      return set(key, `v${number}`, false);
  }
}

/** The majority deletes some key and forgets the tombstone, after everything that the isolated node has written. */
function collectLater(world: World, leader: string): void {
  world.run(1_000);
  world.settle(world.call(leader, set('other', 'x'), { client: 'z' }));
  world.settle(world.call(leader, remove('other', true), { client: 'z' }));
  world.run(3_000);
}

describe('what a node wrote alone, to keys that nobody else wrote, is what all read after its promotion (I6, I9, I11)', () => {
  for (const { title, clockMs, tombstoneKeepMs } of [
    { title: 'by itself', clockMs: 0, tombstoneKeepMs: 3_600_000 },
    { title: 'with a clock in the future', clockMs: 100_000_000, tombstoneKeepMs: 3_600_000 },
    { title: 'when a later tombstone has been forgotten', clockMs: 0, tombstoneKeepMs: 0 },
  ]) {
    it(title, () => {
      for (let seed = 1; seed <= 15; seed++) {
        const random = new SeededRandom(seed);
        const world = new World({ seed, timing: { tombstoneKeepMs } });
        const leader = world.awaitLeader();
        const alone = world.names.find((name) => name !== leader) as string;
        world.isolate(alone);
        world.crash(alone);
        world.setClock(alone, clockMs);
        world.start(alone);
        for (let number = 1; number <= 12; number++) world.settle(world.call(alone, drawWrite(random, number)));
        if (tombstoneKeepMs === 0) collectLater(world, leader);
        const all = (name: string, consistent: boolean): unknown =>
          keys.map((key) =>
            types.map((type) =>
              told(world.settle(world.call(name, read(key, type, consistent), { client: 'reader' }))),
            ),
          );
        const before = all(alone, false);
        world.heal();
        world.until(() => world.replica(alone).status().partitions[0]?.pending === 0);
        expect(all(leader, true), `seed ${seed}`).toEqual(before);
      }
    });
  }

  it('a set over its own delete of nothing, when a later tombstone has been forgotten', () => {
    const world = new World({ timing: { tombstoneKeepMs: 0 } });
    const leader = world.awaitLeader();
    const alone = world.names.find((name) => name !== leader) as string;
    world.isolate(alone);
    world.settle(world.call(alone, remove('k')));
    world.settle(world.call(alone, set('k', 'v', false)));
    collectLater(world, leader);
    world.heal();
    world.until(() => world.replica(alone).status().partitions[0]?.pending === 0);
    expect(valueOf(world.settle(world.call(leader, get('k'))))).toBe('v');
  });
});
