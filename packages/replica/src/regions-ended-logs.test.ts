import { expect, it } from 'vitest';
import { del, evict, hasRecord, header, only } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { set, valueOf, get } from './testing/world.ts';

// Tombstones that came with positions of a log which ends before this region has applied as much of it.

/**
 * r3 takes the state of r2, in which `k` was deleted, while r2 writes on: the tombstone comes with a position that r3 does not get
 * to apply. `k` stands in no log any more that `others` could learn the delete from, but in that of r2.
 */
function reseededByOneThatWritesOn(): { readonly world: RegionsWorld; readonly ended: number } {
  const world = new RegionsWorld({ nodes: [1, 1, 1], timing: { tombstoneKeepMs: 100 } });
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r2', set('k', '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  only(world);
  world.ask('r2', del('k'));
  evict(world, 'r2', 'r3');
  const ended = header(world, 'r2').origin;
  let isTold = false;
  let isHeld = true;
  world.passes = (from, to, m) => {
    isTold ||= from === 'r2' && to === 'r3' && m.kind === 'digests';
    if (isHeld && from === 'r3' && m.kind === 'keysAsk') return false;
    // Entries do not come to r3 before it evicts r2 in its turn.
    return !(to === 'r3' && m.kind === 'entries' && m.origin === ended);
  };
  world.heal();
  world.cut('r1', 'r2');
  world.cut('r1', 'r3');
  world.until(() => isTold, 20_000, 'the exchange begins');
  world.run(20);
  world.ask('r2', set('more', '1'));
  isHeld = false;
  world.until(() => header(world, 'r3').reseeding === null && hasRecord(world, 'r3', 'k'), 20_000, 're-seeded');
  return { world, ended };
}

/** All are together again: nobody keeps the tombstone, and nobody has the value. */
function expectForgotten(world: RegionsWorld): void {
  world.passes = () => true;
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(120_000);
  expect(world.regions.filter((region) => hasRecord(world, region, 'k'))).toEqual([]);
}

it('a tombstone that came with later positions of a log that ended then, and was offered, is dropped at last', () => {
  const { world, ended } = reseededByOneThatWritesOn();
  evict(world, 'r3', 'r2');
  world.until(
    () => header(world, 'r2').origin !== ended && header(world, 'r2').reseeding === null,
    20_000,
    'r2 likewise',
  );
  expectForgotten(world);
  expect(valueOf(world.ask('r1', get('more')))).toBe('1');
});

it('so it is if another region took the offer', () => {
  const { world, ended } = reseededByOneThatWritesOn();
  only(world, 'r1r3');
  evict(world, 'r3', 'r2');
  world.until(() => header(world, 'r1').regions.get(world.regions[1]!)!.outSince !== null, 20_000, 'r1 hears of it');
  only(world, 'r1r2');
  world.until(
    () => header(world, 'r2').origin !== ended && header(world, 'r2').reseeding === null,
    20_000,
    'r1 gives its state',
  );
  expect(header(world, 'r1').origins.get(ended as never)?.offered).toBeGreaterThan(
    header(world, 'r3').origins.get(ended as never)?.applied ?? 0,
  );
  expectForgotten(world);
  expect(valueOf(world.ask('r3', get('more')))).toBe('1');
});

it('so it is if nothing was offered, as the region burnt down and started empty', () => {
  const { world, ended } = reseededByOneThatWritesOn();
  only(world);
  evict(world, 'r3', 'r2');
  world.world('r2').wipe('n1');
  world.world('r2').start('n1');
  only(world, 'r2r3');
  world.until(() => header(world, 'r2').reseeding === null && header(world, 'r2').origin !== ended, 20_000, 'empty');
  expectForgotten(world);
});

it('it stays as long as that region is out: it may have what comes before the delete', () => {
  const { world } = reseededByOneThatWritesOn();
  only(world, 'r1r3');
  evict(world, 'r3', 'r2');
  world.run(60_000);
  expect(hasRecord(world, 'r3', 'k')).toBe(true);
});
