import { utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import type { Operation } from './requests.ts';
import { get, set, valueOf, World } from './testing/world.ts';

/** FAULTS section 3, as far as a region of replicas shows it; docs/faults-of-others.md has all. */
describe('bugs of others', () => {
  it('jetcd 0.8.2: a swap whose answer was lost and that is sent again takes effect once, whatever others wrote meanwhile', () => {
    const world = new World();
    const leader = world.awaitLeader();
    const others = world.names.filter((name) => name !== leader);
    world.settle(world.call(leader, set('k', 'free')));
    const take: Operation = { kind: 'swap', key: 'k', oldValue: utf8Encode('free'), newValue: utf8Encode('mine') };
    const first = world.call(leader, take, { client: 'a', sequence: 1 });
    world.settle(first);
    // Its answer never arrived. Somebody else gives it back before the retry: a second swap would succeed.
    world.settle(world.call(others[0] as string, set('k', 'free'), { client: 'b' }));
    for (const name of world.names) {
      expect(world.settle(world.call(name, take, { client: 'a', sequence: 1, retry: true }))).toMatchObject({
        outcome: 'applied',
      });
      expect(valueOf(world.settle(world.call(name, get('k'))))).toBe('free');
    }
  });

  it('Riak, Cassandra: an increment that is sent again counts once, whenever its leader is killed, and after a restart of all', () => {
    const add: Operation = {
      kind: 'update',
      key: 'n',
      change: { type: 'counter', action: 'add', amount: 5 },
      consistent: true,
    };
    const totals = Array.from({ length: 12 }, (_, killedAfterMs) => {
      const world = new World({ seed: killedAfterMs + 1 });
      const leader = world.awaitLeader();
      const calls = world.names
        .filter((name) => name !== leader)
        .map((name) => world.call(name, add, { client: 'a', sequence: 1, retry: true }));
      world.run(killedAfterMs);
      world.crash(leader);
      for (const call of calls) world.settle(call);
      for (const name of world.names) if (world.isUp(name)) world.crash(name);
      for (const name of world.names) world.start(name);
      for (const name of world.names) world.settle(world.call(name, add, { client: 'a', sequence: 1, retry: true }));
      const answer = world.settle(world.call(leader, { kind: 'read', key: 'n', type: 'counter', consistent: true }));
      return answer.kind === 'key' && answer.view?.type === 'counter' ? answer.view.total : 'nothing';
    });
    expect(totals).toEqual(totals.map(() => '5'));
  });
});
