import { utf8Encode } from '@skerry/base';
import { expect, it } from 'vitest';
import type { Operation, ValueType } from './requests.ts';
import { addElement, del, elements, evict, hasRecord, header, only, update } from './testing/evictions.ts';
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
 * r3 writes to `k`; r2 sees that and deletes `k`; r1, which lacks what r3 wrote, has the delete and forgets it. Then r3 comes back
 * to r1 from an eviction. Answers what the regions show.
 */
function shownAfter(type: ValueType, write: (ask: (operation: Operation) => ReturnType<RegionsWorld['ask']>) => void) {
  const world = start([1, 1, 1]);
  world.cut('r1', 'r3');
  const l3 = header(world, 'r3').origin;
  world.passes = (from, to, m) => !(from === 'r2' && to === 'r1' && m.kind === 'entries' && m.origin === l3);
  write((operation) => world.ask('r3', operation));
  const end = header(world, 'r3').origins.get(l3)!.applied;
  world.until(() => header(world, 'r2').origins.get(l3)?.applied === end, 10_000, 'r2 has it');
  world.ask('r2', del('k'));
  world.until(() => hasRecord(world, 'r1', 'k'), 10_000, 'tombstone at r1');
  world.run(1_000);
  only(world);
  evict(world, 'r1', 'r3');
  world.until(() => !hasRecord(world, 'r1', 'k'), 30_000, 'collected');
  only(world, 'r1r3');
  world.run(5_000);
  world.passes = () => true;
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  return world.regions.map((region) => {
    if (type === 'register') return valueOf(world.ask(region, get('k')));
    const answer = world.ask(region, { kind: 'read', key: 'k', type, consistent: true });
    return answer.kind === 'key' ? (answer.view ?? null) : answer;
  });
}

const [x, y] = [utf8Encode('x'), utf8Encode('y')];

it.each<[string, ValueType, Operation, (context: string) => Operation]>([
  ['a register that was set twice', 'register', set('k', 'x'), () => set('k', 'y')],
  ['an element that was added twice', 'set', addElement('k', 'x'), () => addElement('k', 'x')],
  [
    'a flag that was enabled twice',
    'flag',
    update('k', { type: 'flag', action: 'enable' }),
    () => update('k', { type: 'flag', action: 'enable' }),
  ],
  [
    'a multi-value register of which the value was replaced',
    'multiRegister',
    update('k', { type: 'multiRegister', value: x, context: null }),
    (context) => update('k', { type: 'multiRegister', value: y, context }),
  ],
  [
    'a document that was compacted',
    'document',
    update('k', { type: 'document', action: 'change', bytes: x, operations: 1 }),
    (context) => update('k', { type: 'document', action: 'compact', bytes: x, operations: 1, context }),
  ],
])('I11: an offer brings back nothing that was replaced by what was deleted: %s', (_, type, first, second) => {
  const shown = shownAfter(type, (ask) => {
    ask(first);
    const read = type === 'register' ? null : ask({ kind: 'read', key: 'k', type, consistent: true });
    const view = read?.kind === 'key' ? read.view : undefined;
    ask(second(view !== undefined && 'context' in view ? view.context : ''));
  });
  expect(shown).toEqual([null, null, null]);
});

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

// The delete names the second add alone, which stands in the log of r3. That burns down, and every region that counts has it: r2
// keeps it for r1 all the same, which is out.
it('I11: an offer brings back nothing that was replaced by what was deleted, if the region that replaced it is gone', () => {
  const world = start([1, 1, 1]);
  only(world, 'r2r3');
  evict(world, 'r1', 'r2', 'r3');
  evict(world, 'r2', 'r1');
  evict(world, 'r3', 'r1');
  world.run(1_000);
  world.ask('r2', addElement('k', 'x'));
  world.until(() => hasRecord(world, 'r3', 'k'), 10_000, 'r3 has it');
  world.ask('r3', addElement('k', 'x'));
  const l3 = header(world, 'r3').origin;
  const end = header(world, 'r3').origins.get(l3)!.applied;
  world.until(() => header(world, 'r2').origins.get(l3)!.applied === end, 10_000, 'r2 has that');
  world.ask('r2', del('k'));
  world.until(() => ['r2', 'r3'].every((region) => elements(world, region) === null), 10_000, 'deleted');
  world.until(
    () =>
      header(world, 'r2')
        .regions.get('r3' as never)
        ?.report?.positions.get(l3) === end,
    20_000,
    'told',
  );
  world.run(20_000);
  world.stopRegion('r3');
  world.heal();
  world.run(30_000);
  for (const region of ['r1', 'r2']) expect([region, elements(world, region)]).toEqual([region, null]);
});

it('I12: an offered register is not lifted above what replaced it, where its key holds another type', () => {
  const world = start([1, 1, 1, 1]);
  // r2 hears of nothing, and makes the key as a set, later than all that follows.
  only(world, 'r1r3', 'r1r4', 'r3r4');
  world.ask('r1', set('k', 'd'));
  world.until(() => ['r3', 'r4'].every((region) => valueOf(world.ask(region, get('k'))) === 'd'), 10_000, 'd');
  only(world, 'r3r4');
  const [l3, l4] = [header(world, 'r3').origin, header(world, 'r4').origin];
  world.passes = (_from, to, m) => !(to === 'r3' && m.kind === 'entries' && m.origin === l4);
  world.ask('r3', set('k', 'x'));
  world.until(() => valueOf(world.ask('r4', get('k'))) === 'x', 10_000, 'r4 has x');
  world.ask('r4', set('k', 'y'));
  world.run(1_000);
  world.ask('r2', addElement('k', 'e'));
  only(world, 'r3r4', 'r1r2');
  world.run(2_000);
  evict(world, 'r1', 'r3', 'r4');
  world.run(2_000);
  only(world, 'r1r3');
  world.until(() => header(world, 'r3').reseeding === null && header(world, 'r3').origin !== l3, 30_000, 'r3 is back');
  only(world, 'r2r4');
  world.until(() => header(world, 'r4').reseeding === null && header(world, 'r4').origin !== l4, 30_000, 'r4 is back');
  world.passes = () => true;
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  for (const region of world.regions) {
    const [partition] = world.world(region).replica('n1').partitionsForTests;
    const register = partition?.state.read('k')?.value.parts.find(({ type }) => type === 'register');
    expect([region, register]).toMatchObject([region, { value: utf8Encode('y') }]);
  }
});
