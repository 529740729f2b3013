import type { RegionId } from '@skerry/base';
import { compareStamps } from '@skerry/crdt';
import { expect, it } from 'vitest';
import type { Partition } from './partition.ts';
import { evict, only } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { set } from './testing/world.ts';

/*
 * A partition other than the first sees that a region does not come along, and has it evicted anew. If the stamp of that were of
 * its own clock, which may be far ahead of partition 0's, no later word of partition 0 would count there any more.
 */
it('an eviction takes effect in all partitions, though one of them alone had a reason to evict the region before', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1], partitionCount: 2, timing: { tombstoneKeepMs: 100 } });
  world.awaitLeaders();
  const part = (region: string, p: number): Partition => [...world.world(region).replica('n1').partitionsForTests][p]!;
  const record = (at: string, p: number) => part(at, p).state.header.regions.get('r1' as RegionId)!;
  world.run(1_000);
  world.ask('r1', set('a', '1'));
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
  for (const key of keys) world.ask('r2', set(key, '1'));
  const second = keys.filter((key) => part('r2', 1).state.read(key) !== null);
  world.until(() => world.isConverged());
  world.run(2_000);
  // r3 evicts r1 and gives it its state; r2 is apart, and evicts r1 as well.
  only(world, 'r1r3');
  evict(world, 'r2', 'r1');
  world.run(500);
  const log2 = part('r2', 1).state.header.origin;
  // Its eviction is the later one.
  for (let i = 0; i < 10; i++) world.ask('r3', set(`later${i}`, '1'));
  evict(world, 'r3', 'r1');
  world.until(
    () => [0, 1].every((p) => part('r1', p).state.header.reseeding === null && record('r3', p).outSince === null),
    60_000,
    're-seeded by r3',
  );
  // Only the second partition is written to.
  for (const key of second) world.ask('r2', set(key, '2'));
  world.run(1_000);
  const before = record('r2', 1).changedAt;
  // r1 does not get the log of the second partition for a while.
  world.passes = (_from, to, m) => !(to === 'r1' && m.kind === 'entries' && m.origin === log2);
  only(world, 'r1r2');
  world.until(
    () => record('r2', 1).evicted && compareStamps(record('r2', 1).changedAt, before) > 0,
    60_000,
    'evicted anew for the second partition',
  );
  world.passes = () => true;
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.until(
    () => ['r2', 'r3'].every((at) => [0, 1].every((p) => record(at, p).outSince === null)),
    60_000,
    'r1 is in again',
  );
  world.run(5_000);
  // r1 burns down, and is evicted.
  world.stopRegion('r1');
  evict(world, 'r2', 'r1');
  world.run(30_000);
  evict(world, 'r2', 'r1');
  world.run(30_000);
  expect([0, 1].map((p) => record('r2', p).outSince !== null)).toEqual([true, true]);
});

it('an eviction takes effect in all partitions and regions if nothing was written since the region came back', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1], partitionCount: 2 });
  world.awaitLeaders();
  world.run(1_000);
  const isOut = (): boolean[] =>
    ['r2', 'r3'].flatMap((at) =>
      Array.from(
        world.world(at).replica('n1').partitionsForTests,
        ({ state }) => state.header.regions.get('r1' as RegionId)!.outSince !== null,
      ),
    );
  evict(world, 'r2', 'r1');
  world.run(500);
  world.until(() => isOut().every((one) => !one), 60_000, 'it is back');
  world.run(2_000);
  world.stopRegion('r1');
  evict(world, 'r2', 'r1');
  world.run(5_000);
  expect(isOut()).toEqual([true, true, true, true]);
});
