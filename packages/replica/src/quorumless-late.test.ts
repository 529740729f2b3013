import { utf8Decode, type NodeId } from '@skerry/base';
import { expect, it } from 'vitest';
import type { PendingWrite } from './pending.ts';
import { defaultLimits } from './replica-api.ts';
import type { Operation } from './requests.ts';
import { get, set, valueOf, World } from './testing/world.ts';

const del = (key: string, consistent: boolean): Operation => ({ kind: 'delete', key, consistent });

function partitionOf(world: World, node: string) {
  return [...world.replica(node).partitionsForTests][0]!;
}

function pendingAt(world: World, node: string): readonly PendingWrite[] {
  return [...partitionOf(world, node).pending.all()];
}

/** n3 leads, n1 and n2 hear of nobody but each other. */
function apart(world: World): void {
  const leader = world.awaitLeader();
  if (leader !== 'n3')
    world.settle(world.call(leader, { kind: 'transferLeadership', partition: null, to: 'n3' as NodeId }));
  world.until(() => world.leader() === 'n3', 10_000, 'n3 leads');
  world.run(500);
  world.cut('n1', 'n3');
  world.cut('n2', 'n3');
}

/** n1 writes twice, and the first push is lost; while n1 is away, n2 has the second write promoted. Then n1 is back. */
function withoutTheFirst(second: Operation, meanwhile: (world: World) => void): World {
  const world = new World({ timing: { tombstoneKeepMs: 100 } });
  let isLost = true;
  world.passes = (from, to, message) => !(isLost && from === 'n1' && to === 'n2' && message.kind === 'push');
  apart(world);
  world.settle(world.call('n1', set('k', 'first', false)));
  world.run(200);
  isLost = false;
  world.settle(world.call('n1', second));
  world.until(() => pendingAt(world, 'n2').length > 0, 900, 'n2 holds the second');
  expect(pendingAt(world, 'n2').length).toBe(1);
  world.crash('n1');
  world.heal();
  world.until(() => pendingAt(world, 'n2').length === 0, 10_000, 'it is promoted');
  meanwhile(world);
  world.until(() => partitionOf(world, 'n3').state.read('k') === null, 10_000, 'the tombstone is forgotten');
  world.start('n1');
  world.until(() => pendingAt(world, 'n1').length === 0, 10_000, 'all is promoted');
  world.run(1_000);
  return world;
}

function shown(world: World): string | null {
  return valueOf(world.settle(world.call('n2', get('k'), { client: 'c' })));
}

it('I11: a quorum-less write that its own node deleted does not come back where the delete was promoted first', () => {
  expect(shown(withoutTheFirst(del('k', false), () => {}))).toBeNull();
});

it('I11: a quorum-less write that its own node overwrote does not come back after that was promoted first, and deleted', () => {
  const world = withoutTheFirst(set('k', 'second', false), (before) => {
    expect(shown(before)).toBe('second');
    before.settle(before.call('n2', del('k', true), { client: 'c' }));
  });
  expect(shown(world)).toBeNull();
});

it('a node that refused a push for want of room takes nothing that its origin wrote later before it has that', () => {
  const world = new World({ limits: { ...defaultLimits, pendingCountMax: 3 } });
  // n1 has room: what n2 pushes there does not come through.
  world.passes = (from, _to, message) => !(from === 'n2' && message.kind === 'push');
  apart(world);
  for (const key of ['x', 'y', 'z']) world.settle(world.call('n2', set(key, '1', false), { client: 'b' }));
  world.settle(world.call('n1', set('k', 'first', false)));
  world.run(70);
  world.heal();
  world.cut('n1', 'n3');
  world.until(() => pendingAt(world, 'n2').length === 0, 900, 'n2 has room');
  world.settle(world.call('n1', set('k', 'second', false)));
  world.until(() => pendingAt(world, 'n2').length > 0, 5_000, 'n2 holds one');
  const [held] = pendingAt(world, 'n2').map(({ write }) => write.op.body);
  expect(held?.type === 'register' && utf8Decode(held.value as Uint8Array)).toBe('first');
  world.until(() => pendingAt(world, 'n2').length === 2, 5_000, 'n2 holds both');
});
