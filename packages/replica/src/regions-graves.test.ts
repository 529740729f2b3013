import { expect, it } from 'vitest';
import { gravesMax } from './state/graves.ts';
import { del, evict, hasRecord, header, only } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { get, set, valueOf, versionIn } from './testing/world.ts';

// Deletes that are forgotten while a region is out, and registers that such a region offers when it comes back.

function start(regions = 3): RegionsWorld {
  const world = new RegionsWorld({ nodes: Array.from({ length: regions }, () => 1), timing: { tombstoneKeepMs: 100 } });
  world.awaitLeaders();
  world.run(1_000);
  for (const region of world.regions) world.ask(region, set(`by-${region}`, '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  return world;
}

/** What each region shows, and the reasons that the ledgers of all give. */
function found(world: RegionsWorld): [(string | null)[], string[]] {
  const reasons = world.regions.flatMap((region) => {
    const page = world.ask(region, { kind: 'conflicts', prefix: 'k', limit: 10 });
    return page.kind === 'conflicts' ? page.entries.map((one) => one.reason) : [page.kind];
  });
  return [world.regions.map((region) => valueOf(world.ask(region, get('k')))), reasons];
}

function whole(world: RegionsWorld): void {
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
}

it('I11: a register that is offered does not come back over a later delete that is forgotten: it is in the ledger', () => {
  const world = start();
  only(world, 'r1r2');
  evict(world, 'r1', 'r3');
  world.ask('r3', set('k', 'before'));
  world.run(1_000);
  world.ask('r1', set('k', 'x'));
  world.ask('r1', del('k'));
  world.until(() => ['r1', 'r2'].every((region) => !hasRecord(world, region, 'k')), 30_000, 'collected');
  whole(world);
  expect(found(world)).toEqual([[null, null, null], ['superseded']]);
});

it('a register that is offered and was never deleted keeps the stamp that it was written with', () => {
  const world = start();
  only(world, 'r1r2');
  evict(world, 'r1', 'r3');
  const written = versionIn(world.ask('r3', set('k', 'before')));
  world.run(1_000);
  world.ask('r1', set('other', 'x'));
  world.ask('r1', del('other'));
  world.until(() => ['r1', 'r2'].every((region) => !hasRecord(world, region, 'other')), 30_000, 'collected');
  whole(world);
  expect(found(world)).toEqual([['before', 'before', 'before'], []]);
  expect(world.regions.map((region) => versionIn(world.ask(region, get('k'))))).toEqual([written, written, written]);
});

it('I11: a region that was re-seeded knows the forgotten deletes of the one that gave its state', () => {
  const world = start();
  only(world);
  evict(world, 'r1', 'r2', 'r3');
  const ended = header(world, 'r2').origin;
  world.ask('r3', set('k', 'before'));
  world.run(1_000);
  world.ask('r1', set('k', 'x'));
  world.ask('r1', del('k'));
  world.until(() => !hasRecord(world, 'r1', 'k'), 30_000, 'collected');
  only(world, 'r1r2');
  const isBack = (): boolean => header(world, 'r2').reseeding === null && header(world, 'r2').origin !== ended;
  world.until(isBack, 30_000, 'r2 is back');
  // r3 meets r2 alone.
  only(world, 'r2r3');
  world.until(() => header(world, 'r3').reseeding !== null, 30_000, 'r3 is told');
  world.until(() => header(world, 'r3').reseeding === null, 30_000, 'r3 is back');
  expect(valueOf(world.ask('r2', get('k')))).toBeNull();
  whole(world);
  expect(found(world)).toEqual([[null, null, null], ['superseded']]);
});

it('nothing is left of forgotten deletes once no region is out', () => {
  const world = start();
  only(world, 'r1r2');
  evict(world, 'r1', 'r3');
  world.ask('r1', set('k', 'x'));
  world.ask('r1', del('k'));
  const counts = (): number[] => world.regions.map((region) => header(world, region).graves.count);
  world.until(() => counts().join() === '1,1,0', 30_000, 'collected');
  whole(world);
  world.until(() => counts().every((count) => count === 0), 30_000, 'forgotten');
});

it('I11: a grave counts under a tombstone that an offer made, too', () => {
  const world = start(4);
  only(world, 'r3r4', 'r1r2');
  evict(world, 'r1', 'r3', 'r4');
  world.ask('r4', set('k', 'a'));
  world.until(() => valueOf(world.ask('r3', get('k'))) === 'a', 10_000, 'r3 has it');
  world.ask('r3', del('k'));
  world.ask('r3', set('k', 'b'));
  world.run(1_000);
  world.ask('r1', set('k', 'x'));
  world.ask('r1', del('k'));
  world.until(() => ['r1', 'r2'].every((region) => !hasRecord(world, region, 'k')), 30_000, 'collected');
  expect(header(world, 'r1').graves.count).toBe(1);
  // r3 meets r1 first: r1 does not know 'a', so the delete of it is news there, and leaves a tombstone that is older than the grave.
  const l3 = header(world, 'r3').origin;
  only(world, 'r1r3', 'r1r2');
  world.until(() => header(world, 'r3').reseeding === null && header(world, 'r3').origin !== l3, 30_000, 'r3 is back');
  whole(world);
  expect(found(world)).toEqual([[null, null, null, null], expect.arrayContaining(['superseded'])]);
});

it('I11: a region that is re-seeded learns of the deletes that were forgotten without a grave while it copied', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1], timing: { tombstoneKeepMs: 3_000 } });
  world.awaitLeaders();
  world.run(1_000);
  for (const region of world.regions) world.ask(region, set(`by-${region}`, '1'));
  world.until(() => world.isConverged());
  only(world);
  evict(world, 'r1', 'r2', 'r3');
  world.ask('r3', set('k', 'before'));
  world.run(1_000);
  // As if there were as many graves as there may be.
  header(world, 'r1').graves.count = gravesMax;
  expect(header(world, 'r1').graves.floor.wallMs).toBe(0);
  world.ask('r1', set('k', 'x'));
  world.ask('r1', del('k'));
  // r2 copies, and is at it when r1 forgets that delete, which has nothing to wait for.
  const ended = header(world, 'r2').origin;
  let pages = 0;
  world.passes = (_from, to, m) => !(to === 'r2' && m.kind === 'keys' && ++pages > 0 && hasRecord(world, 'r1', 'k'));
  only(world, 'r1r2');
  world.until(() => pages > 0, 2_500, 'r2 began');
  expect(hasRecord(world, 'r1', 'k')).toBe(true);
  const isBack = (): boolean => header(world, 'r2').reseeding === null && header(world, 'r2').origin !== ended;
  world.until(isBack, 60_000, 'r2 is back');
  expect(header(world, 'r1').graves.floor.wallMs).toBeGreaterThan(0);
  only(world, 'r2r3');
  world.until(() => header(world, 'r3').reseeding !== null, 30_000, 'r3 is told');
  world.until(() => header(world, 'r3').reseeding === null, 60_000, 'r3 is back');
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  expect(world.regions.map((region) => valueOf(world.ask(region, get('k'))))).toEqual([null, null, null]);
});
