import { expect, it } from 'vitest';
import type { Operation } from './requests.ts';
import { del, evict, hasRecord, header, only } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { get, set, valueOf } from './testing/world.ts';

// Offers of writes that replaced one another. Executions that somebody found who had not seen the code.

function start(nodes: number[]): RegionsWorld {
  const world = new RegionsWorld({ nodes, timing: { tombstoneKeepMs: 100 } });
  world.awaitLeaders();
  world.run(1_000);
  for (const region of world.regions) world.ask(region, set(`by-${region}`, '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  return world;
}

/**
 * r3 and r4 are out. r4 sets `k`; r3 sees that, writes over it, and offers that to r1; r4 has not heard of it, and offers what it
 * wrote to r2. What is collected over there is later than all of that.
 */
function meetsWhatCameAfter(after: Operation): RegionsWorld {
  const world = start([1, 1, 1, 1]);
  only(world, 'r3r4', 'r1r2');
  evict(world, 'r1', 'r3', 'r4');
  world.until(() => world.regions.slice(2).every((out) => header(world, 'r2').regions.get(out)!.outSince !== null));
  const [l3, l4] = [header(world, 'r3').origin, header(world, 'r4').origin];
  world.passes = (_from, to, m) => !(to === 'r4' && m.kind === 'entries' && m.origin === l3);
  world.ask('r4', set('k', 'before'));
  world.until(() => valueOf(world.ask('r3', get('k'))) === 'before', 10_000, 'r3 has it');
  world.ask('r3', after);
  world.ask('r1', set('other', '1'));
  world.ask('r1', del('other'));
  world.until(() => ['r1', 'r2'].every((region) => !hasRecord(world, region, 'other')), 30_000, 'collected');
  only(world, 'r1r3');
  world.until(() => header(world, 'r3').reseeding === null && header(world, 'r3').origin !== l3, 30_000, 'r3 is back');
  only(world, 'r2r4');
  world.until(() => header(world, 'r4').reseeding === null && header(world, 'r4').origin !== l4, 30_000, 'r4 is back');
  world.passes = () => true;
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  return world;
}

it.each<[string, Operation, string | null]>([
  ['I11: a register that is offered in one region is gone if its delete was offered in another', del('k'), null],
  ['I12: a register that is offered in one region does not win over what replaced it in another', set('k', 'x'), 'x'],
])('%s', (_, after, value) => {
  const world = meetsWhatCameAfter(after);
  for (const region of world.regions) {
    const page = world.ask(region, { kind: 'conflicts', prefix: 'k', limit: 10 });
    const ledger = page.kind === 'conflicts' ? page.entries.map((one) => one.reason) : page;
    expect([region, valueOf(world.ask(region, get('k'))), ledger]).toEqual([region, value, []]);
  }
});
