import { expect, it } from 'vitest';
import { addElement, del, elements, hasRecord, header, only } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { set } from './testing/world.ts';

/*
 * Found by a reader who had not seen the work. No region is evicted. r2 adds a, r3 adds b, without each other; r1 and r4 have both. r2
 * deletes a, r3 deletes b, each what it knows. r1 has both deletes, r4 that of r3 alone. A tombstone at r1 that waited for the last one
 * only would be gone while r4 still shows a; then r4, cut off, writes more than regionLogBytesMax, r1 takes its state, and with it a.
 */
it('I11: a key that two deletes took away together waits for both of them', () => {
  const world = new RegionsWorld({
    nodes: [1, 1, 1, 1],
    timing: { tombstoneKeepMs: 100 },
    limits: { regionLogBytesMax: 4_000 },
  });
  world.awaitLeaders();
  world.run(1_000);
  for (const region of world.regions) world.ask(region, set(`by-${region}`, '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  // r2 and r3 make the key, without having heard of each other; r1 and r4 hear of both.
  const noneOf = (...late: string[]): void => {
    world.passes = (_from, to, m) => !(m.kind === 'entries' && late.includes(`${to}${m.region}`));
  };
  noneOf('r2r3', 'r3r2');
  world.ask('r2', addElement('k', 'a'));
  world.ask('r3', addElement('k', 'b'));
  world.until(() => ['r1', 'r4'].every((region) => elements(world, region)?.length === 2), 10_000, 'both');
  world.run(1_000);
  // Both delete what they know of it. r4 is not told what r2 deletes.
  noneOf('r2r3', 'r3r2', 'r4r2');
  world.ask('r2', del('k'));
  world.ask('r3', del('k'));
  world.until(() => elements(world, 'r1') === null, 10_000, 'deleted');
  noneOf('r4r2');
  world.run(20_000);
  expect([hasRecord(world, 'r1', 'k'), elements(world, 'r4')]).toEqual([true, ['a']]);
  // r4 is cut off and writes more than its log may hold, so r1 has to take its state.
  only(world, 'r1r2', 'r1r3', 'r2r3');
  world.run(1_000);
  for (let count = 0; count < 40; count++) world.ask('r4', set(`x${count}`, 'x'.repeat(200)));
  world.run(3_000);
  const { origin } = header(world, 'r4');
  const { applied } = header(world, 'r4').origins.get(origin)!;
  only(world, 'r1r2', 'r1r3', 'r2r3', 'r1r4');
  world.until(() => header(world, 'r1').origins.get(origin)!.applied >= applied, 30_000, 'r1 has its state');
  const then = elements(world, 'r1');
  world.passes = () => true;
  world.heal();
  world.until(() => world.regions.every((region) => !hasRecord(world, region, 'k')), 30_000, 'collected');
  expect([then, ...world.regions.map((region) => elements(world, region))]).toEqual([null, null, null, null, null]);
});
