import { utf8Encode } from '@skerry/base';
import { expect, it } from 'vitest';
import { RegionsWorld } from './testing/regions-world.ts';
import { get, set, valueOf, World } from './testing/world.ts';

/*
 * Found by `npm run faults -- starved`: on a machine with thirty times the load that it could carry, a client that had gone
 * to another node got a consistent get answered from that node's local view, as the node did not have in time what the
 * session had seen.
 */

it('I3: a consistent read at a node that lags behind its session is no local one, whatever the deadline', () => {
  const world = new World();
  const leader = world.awaitLeader();
  world.settle(world.call(leader, set('k', 'old')));
  world.run(500);
  const lagging = world.names.find((name) => name !== leader) as string;
  world.isolate(lagging);
  world.settle(world.call(leader, set('k', 'new')));
  const seen = world.replica(leader).seen().partitions[0]!;
  const after = { positions: seen.positions, dots: [] };
  expect(valueOf(world.settle(world.callAfter(lagging, get('k', false), { after, timeoutMs: 300 })))).toBe('old');
  const late = world.callAfter(lagging, get('k', true), { after, timeoutMs: 300 });
  expect(world.settle(late)).toMatchObject({ valid: false, timeout: true, value: null });
  const waiting = world.callAfter(lagging, get('k', true), { after, timeoutMs: null });
  world.heal();
  const answer = world.settle(waiting);
  expect(valueOf(answer)).toBe('new');
  expect(answer).not.toHaveProperty('behind');
});

it('I3: what another region never sent makes a consistent read behind, and no less linearizable in its own', () => {
  const world = new RegionsWorld({ nodes: [1, 3] });
  world.awaitLeaders();
  world.ask('r1', set('k', 'old'));
  world.until(() => world.isConverged());
  world.cut('r1', 'r2');
  world.ask('r1', set('k', 'elsewhere'));
  const seen = world.world('r1').replica('n1').seen().partitions[0]!;
  const after = { positions: seen.positions, dots: [] };
  const home = world.world('r2');
  const leader = home.awaitLeader();
  const other = home.names.find((name) => name !== leader) as string;
  home.settle(home.call(leader, set('k', 'here')));
  // In the very turn: the other node has not heard of it.
  const answer = home.settle(home.callAfter(other, get('k', true), { after, timeoutMs: 300 }));
  expect(answer).toMatchObject({ valid: true, behind: true, value: utf8Encode('here') });
  home.isolate(other);
  const cutOff = home.callAfter(other, get('k', true), { after, timeoutMs: 300 });
  expect(home.settle(cutOff)).toMatchObject({ valid: false, timeout: true });
});
