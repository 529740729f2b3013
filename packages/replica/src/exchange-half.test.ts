import { expect, it } from 'vitest';
import { addElement, del, elements, hasRecord, header, only } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { set } from './testing/world.ts';

/*
 * Found by a reader who had not seen the work. No region is evicted. While a region merges the values of another one, page by page, its state holds more than its positions tell.
 * It gives that state to others with these positions, and answers sessions with them.
 */

function applied(world: RegionsWorld, at: string, of: string): number {
  return header(world, at).origins.get(header(world, of).origin)?.applied ?? 0;
}

function writeMuch(world: RegionsWorld, region: string): void {
  for (let count = 0; count < 40; count++) world.ask(region, set(`much-${region}-${count}`, 'x'.repeat(200)));
  world.run(3_000);
}

/** r2 has merged the first page of r1's state, with the delete of k, when their link fails. */
function half(): RegionsWorld {
  const world = new RegionsWorld({
    nodes: [1, 1, 1, 1],
    timing: { tombstoneKeepMs: 100 },
    limits: { regionLogBytesMax: 4_000 },
  });
  world.awaitLeaders();
  world.run(1_000);
  for (const region of world.regions) world.ask(region, set(`by-${region}`, '1'));
  world.ask('r1', addElement('k', 'a'));
  world.until(() => world.isConverged());
  world.run(1_000);
  // r1 and r4 have all that r2 writes, r3 has to take r2's state for it. r2 writes no more.
  world.passes = (_from, to, m) =>
    !(to === 'r3' && (m.kind === 'trimmed' || (m.kind === 'entries' && m.region === 'r2')));
  writeMuch(world, 'r2');
  expect(['r1', 'r4'].map((at) => applied(world, at, 'r2'))).toEqual([41, 41]);
  // r1 deletes k, and writes more than its log may hold, and than fits into one page.
  only(world, 'r2r3', 'r2r4', 'r3r4');
  world.ask('r1', del('k'));
  for (let count = 0; count < 15; count++) world.ask('r1', set(`x${count}`, 'x'.repeat(100_000)));
  world.run(3_000);
  let pages = 0;
  world.passes = (_from, to, m) => !(to === 'r2' && m.kind === 'values' && ++pages > 1);
  only(world, 'r1r2');
  world.until(() => elements(world, 'r2') === null, 30_000, 'r2 has the first page');
  world.run(500);
  only(world);
  return world;
}

it('I11: a tombstone that comes with a state which is half merged waits for the delete', () => {
  const world = half();
  world.passes = () => true;
  only(world, 'r2r3');
  world.until(() => applied(world, 'r3', 'r2') === 41, 30_000, 'r3 has the state of r2');
  world.run(3_000);
  expect(elements(world, 'r3')).toBeNull();
  // r4 has not heard of the delete. r3 takes its state.
  only(world);
  writeMuch(world, 'r4');
  only(world, 'r3r4');
  world.until(() => applied(world, 'r3', 'r4') === applied(world, 'r4', 'r4'), 30_000, 'r3 has the state of r4');
  expect([hasRecord(world, 'r3', 'k'), elements(world, 'r3')]).toEqual([true, null]);
});

// A limit (docs/limits.md).
it.fails('I13: a session that read a state which is half merged reads no older one without being told that it is behind', () => {
  const world = half();
  const read = { kind: 'read', key: 'k', type: 'set', consistent: true } as const;
  expect(world.ask('r2', read)).toMatchObject({ valid: true });
  expect(elements(world, 'r2')).toBeNull();
  // As a client does: what its node has seen is what it has seen.
  const { positions } = world.world('r2').replica('n1').seen().partitions[0]!;
  const call = world.world('r4').callAfter('n1', read, { after: { positions, dots: [] }, timeoutMs: 300 });
  const answer = world.settle(call);
  expect([answer.kind === 'key' && answer.view !== undefined, answer]).toMatchObject([true, { behind: true }]);
});
