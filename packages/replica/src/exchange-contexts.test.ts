import { utf8Encode } from '@skerry/base';
import { expect, it } from 'vitest';
import { addElement, del, elements, hasRecord, header, only, update } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { set } from './testing/world.ts';

/*
 * No region is evicted. A digest tells of a set's living dots and its last stamp, and not of its context. Two regions whose sets are
 * equal so far skip the key in a state exchange, and the one that asked takes positions and context over: it has applied the removal
 * of b then, and b's key has not heard of it. With the state of a third region, b comes (back), and no log brings its removal again.
 */

const removeElement = (key: string, element: string): ReturnType<typeof update> =>
  update(key, { type: 'set', action: 'remove', element: utf8Encode(element) });

function applied(world: RegionsWorld, at: string, of: string): number {
  return header(world, at).origins.get(header(world, of).origin)?.applied ?? 0;
}

/** So much that its log is cut. */
function writeMuch(world: RegionsWorld, region: string): void {
  for (let count = 0; count < 40; count++) world.ask(region, set(`much-${region}-${count}`, 'x'.repeat(200)));
  world.run(3_000);
}

function skipped(): RegionsWorld {
  const world = new RegionsWorld({
    nodes: [1, 1, 1],
    timing: { tombstoneKeepMs: 100 },
    limits: { regionLogBytesMax: 4_000 },
  });
  world.awaitLeaders();
  world.run(1_000);
  for (const region of world.regions) world.ask(region, set(`by-${region}`, '1'));
  world.ask('r1', addElement('k', 'a'));
  world.until(() => world.isConverged());
  world.run(1_000);
  // b comes to r3 alone.
  world.passes = (_from, to, m) => !(m.kind === 'entries' && m.region === 'r1' && to === 'r2');
  world.ask('r1', addElement('k', 'b'));
  world.until(() => elements(world, 'r3')?.join() === 'a,b');
  // Its removal comes to nobody. r2 adds c, so that the last stamp is the same with all.
  world.passes = (_from, _to, m) => m.kind !== 'trimmed' && !(m.kind === 'entries' && m.region === 'r1');
  world.ask('r1', removeElement('k', 'b'));
  world.ask('r2', addElement('k', 'c'));
  world.until(() => elements(world, 'r1')?.join() === 'a,c' && elements(world, 'r3')?.join() === 'a,b,c');
  // r1's log is cut, so r2 takes its state; of k both hold a and c.
  writeMuch(world, 'r1');
  only(world, 'r1r2');
  world.passes = (_from, _to, m) => !(m.kind === 'entries' && m.region === 'r1');
  world.until(() => applied(world, 'r2', 'r1') === applied(world, 'r1', 'r1'), 30_000, 'r2 has the state of r1');
  expect(elements(world, 'r2')).toEqual(['a', 'c']);
  // r3's log is cut, so r2 takes its state.
  only(world);
  writeMuch(world, 'r3');
  only(world, 'r2r3');
  world.until(() => applied(world, 'r2', 'r3') === applied(world, 'r3', 'r3'), 30_000, 'r2 has the state of r3');
  return world;
}

it('I11, I13: what a region has applied the removal of does not show there with the state of a third one', () => {
  expect(elements(skipped(), 'r2')).toEqual(['a', 'c']);
});

it('I11: nor does it come back everywhere', () => {
  const world = skipped();
  // r1, which has removed b, deletes the rest: nothing of k was ever written again.
  world.ask('r1', del('k'));
  world.passes = () => true;
  world.heal();
  world.until(() => world.isConverged(), 30_000, 'converged');
  world.run(10_000);
  expect([world.isConverged(), ...world.regions.map((region) => elements(world, region))]).toEqual([
    true,
    null,
    null,
    null,
  ]);
  expect(world.regions.filter((region) => hasRecord(world, region, 'k'))).toEqual([]);
});
