import { utf8Decode, utf8Encode, type RegionId } from '@skerry/base';
import { expect, it } from 'vitest';
import type { ValueChange } from './requests.ts';
import { addElement, del, elements, evict, hasRecord, header, only, update } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { get, set, valueOf } from './testing/world.ts';

// Executions that somebody found who had not seen the code.

it('I11: a late entry of an ended log does not bring back what was deleted, if its key was written again since', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1], timing: { tombstoneKeepMs: 100 } });
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r1', update('first', { type: 'flag', action: 'enable' }));
  world.until(() => world.isConverged());
  world.cut('r1', 'r3');
  const l3 = header(world, 'r3').origin;
  // As in the other test of a delete that comes without what it deletes.
  world.passes = (from, to, m) => !(from === 'r2' && to === 'r1' && m.kind === 'entries' && m.origin === l3);
  world.ask('r3', addElement('k', 'x'));
  world.until(() => hasRecord(world, 'r2', 'k'), 10_000, 'r2 has it');
  world.ask('r2', del('k'));
  world.until(() => hasRecord(world, 'r1', 'k'), 10_000, 'tombstone at r1');
  evict(world, 'r1', 'r3');
  world.cut('r2', 'r3');
  world.until(() => !hasRecord(world, 'r1', 'k'), 30_000, 'collected');
  world.ask('r1', addElement('k', 'y'));
  world.run(500);
  world.passes = () => true;
  world.run(5_000);
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  for (const region of world.regions) expect([region, elements(world, region)]).toEqual([region, ['y']]);
});

it.each([
  ['a delete', true],
  ['a quorum-less delete', false],
] as const)(
  'I11: an offer does not bring back what the region that takes it has deleted by %s of its own, of a value that came by state exchange before its entry',
  (_, consistent) => {
    const world = new RegionsWorld({ nodes: [1, 1, 1], timing: { tombstoneKeepMs: 100 } });
    world.awaitLeaders();
    world.run(1_000);
    world.ask('r1', set('j', '1'));
    world.until(() => world.isConverged());
    world.run(1_000);
    const l3 = header(world, 'r3').origin;
    world.cut('r1', 'r3');
    world.cut('r1', 'r2');
    world.ask('r2', addElement('k', 'x'));
    world.until(() => hasRecord(world, 'r3', 'k'));
    // r1 takes the state of r2. It hears of positions and context first, and of values after r2 has taken k from r3.
    let isTold = false;
    let isHeld = true;
    world.passes = (from, to, m) => {
      isTold ||= from === 'r2' && to === 'r1' && m.kind === 'digests';
      if (isHeld && from === 'r1' && m.kind === 'keysAsk') return false;
      return !(from === 'r2' && to === 'r1' && m.kind === 'entries' && m.origin === l3);
    };
    evict(world, 'r2', 'r1');
    world.heal();
    world.cut('r1', 'r3');
    world.until(() => isTold, 20_000, 'the exchange begins');
    world.run(20);
    world.ask('r3', addElement('k', 'y'));
    world.until(() => elements(world, 'r2')?.length === 2, 5_000, 'r2 has it');
    isHeld = false;
    world.until(() => header(world, 'r1').reseeding === null, 20_000, 'r1 is re-seeded');
    expect(elements(world, 'r1')).toEqual(['x', 'y']);
    world.ask('r1', del('k', consistent));
    world.until(() => elements(world, 'r2') === null, 20_000, 'the delete comes to r2');
    world.run(1_000);
    world.cut('r2', 'r3');
    evict(world, 'r1', 'r3');
    world.until(() => !hasRecord(world, 'r1', 'k'), 30_000, 'collected');
    // r3 comes back to r1 alone.
    world.heal();
    world.cut('r2', 'r3');
    world.cut('r1', 'r2');
    world.run(5_000);
    world.passes = () => true;
    world.heal();
    world.until(() => world.isConverged(), 60_000, 'convergence');
    world.run(5_000);
    for (const region of world.regions) expect([region, elements(world, region)]).toEqual([region, null]);
  },
);

it('I11: of a delete that was offered and is older than what was collected, other regions hear what it took away', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1, 1], timing: { tombstoneKeepMs: 100 } });
  world.awaitLeaders();
  world.run(1_000);
  for (const region of world.regions) world.ask(region, set(`by-${region}`, '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  only(world, 'r3r4', 'r1r2');
  evict(world, 'r3', 'r1', 'r2');
  evict(world, 'r1', 'r3', 'r4');
  world.run(1_000);
  world.ask('r4', addElement('k', 'x'));
  world.until(() => hasRecord(world, 'r3', 'k'), 10_000, 'r3 has it');
  only(world, 'r1r2');
  world.ask('r3', del('k'));
  world.run(1_000);
  world.ask('r1', set('other', '1'));
  world.ask('r1', del('other'));
  world.run(1_000);
  world.until(() => !hasRecord(world, 'r1', 'other'), 20_000, 'collected');
  // r3 comes back to r1, r4 to r2.
  only(world, 'r1r3');
  world.run(15_000);
  only(world, 'r2r4');
  world.run(15_000);
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  for (const region of world.regions) expect([region, elements(world, region) ?? []]).toEqual([region, []]);
});

it('I11: a yielding region takes no offer of one that is not in its ring: those that it waits for may have deleted and forgotten that', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1, 1], timing: { tombstoneKeepMs: 100 } });
  world.awaitLeaders();
  world.run(1_000);
  for (const region of world.regions) world.ask(region, set(`by-${region}`, '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  only(world, 'r2r4');
  world.ask('r4', addElement('k', 'x'));
  world.until(() => hasRecord(world, 'r2', 'k'), 10_000, 'r2 has it');
  only(world);
  world.ask('r2', del('k'));
  evict(world, 'r1', 'r3', 'r4');
  evict(world, 'r3', 'r2', 'r1', 'r4');
  evict(world, 'r2', 'r1', 'r4');
  only(world, 'r1r2');
  world.until(() => header(world, 'r1').reseeding?.from === 'r2', 20_000, 'r1 waits for r2');
  only(world, 'r1r2', 'r2r3');
  world.until(() => header(world, 'r2').reseeding?.from === 'r3', 20_000, 'r2 waits for r3');
  only(world, 'r1r2', 'r2r3', 'r1r3');
  const l3 = header(world, 'r3').origin;
  world.until(() => header(world, 'r1').reseeding?.stage === 'yields', 20_000, 'r1 yields');
  world.until(
    () => header(world, 'r3').reseeding === null && header(world, 'r3').origin !== l3,
    20_000,
    'r3 has its state',
  );
  expect(header(world, 'r1').reseeding?.stage).toBe('yields');
  only(world, 'r2r3');
  world.until(() => header(world, 'r2').reseeding === null, 20_000, 'r2 has its state');
  world.run(1_000);
  world.until(() => !hasRecord(world, 'r2', 'k') && !hasRecord(world, 'r3', 'k'), 30_000, 'collected');
  only(world, 'r1r4');
  world.until(() => header(world, 'r4').reseeding !== null, 20_000, 'r4 begins');
  world.run(5_000);
  expect([header(world, 'r4').reseeding?.stage, hasRecord(world, 'r1', 'k')]).toEqual(['waits', false]);
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  for (const region of world.regions) expect([region, elements(world, region)]).toEqual([region, null]);
});

const before: Record<'set' | 'counter' | 'multiRegister' | 'document', ValueChange> = {
  set: { type: 'set', action: 'add', element: utf8Encode('x') },
  counter: { type: 'counter', action: 'add', amount: 5 },
  multiRegister: { type: 'multiRegister', value: utf8Encode('x'), context: null },
  document: { type: 'document', action: 'change', bytes: utf8Encode('x'), operations: 1 },
};
const after: Record<'set' | 'counter' | 'multiRegister' | 'document', ValueChange> = {
  set: { type: 'set', action: 'add', element: utf8Encode('y') },
  counter: { type: 'counter', action: 'add', amount: 1 },
  multiRegister: { type: 'multiRegister', value: utf8Encode('y'), context: null },
  document: { type: 'document', action: 'change', bytes: utf8Encode('y'), operations: 1 },
};

it.each(['set', 'counter', 'multiRegister', 'document'] as const)(
  'I7, I11: a write that was taken as an offer does not take effect once more as an entry of the ended log: %s',
  (type) => {
    const world = new RegionsWorld({ nodes: [1, 1, 1], timing: { tombstoneKeepMs: 100 } });
    const view = (region: string): unknown => {
      const answer = world.ask(region, { kind: 'read', key: 'k', type, consistent: true });
      const shown = answer.kind === 'key' ? (answer.view ?? null) : answer;
      return JSON.stringify(shown, (name, value) =>
        name === 'context' ? undefined : value instanceof Uint8Array ? utf8Decode(value) : value,
      );
    };
    world.awaitLeaders();
    world.run(1_000);
    world.ask('r1', set('j', '1'));
    world.until(() => world.isConverged());
    world.run(1_000);
    only(world, 'r2r3');
    world.ask('r3', update('k', before[type]));
    world.until(() => hasRecord(world, 'r2', 'k'), 10_000, 'r2 has it');
    only(world);
    evict(world, 'r1', 'r2', 'r3');
    // r3 comes back first, offers what it has written, and counts again.
    only(world, 'r1r3');
    world.until(() => hasRecord(world, 'r1', 'k'), 20_000, 'r1 has it as an offer');
    world.until(() => header(world, 'r1').regions.get('r3' as RegionId)!.outSince === null, 20_000, 'r3 counts');
    world.ask('r1', del('k'));
    world.until(() => ['r1', 'r3'].every((region) => !hasRecord(world, region, 'k')), 60_000, 'collected');
    world.ask('r1', update('k', after[type]));
    const wanted = view('r1');
    // r2 comes back as well, and offers what it has of the log that r3 wrote before.
    world.heal();
    world.until(() => world.isConverged(), 60_000, 'convergence');
    world.run(3_000);
    for (const region of world.regions) expect([region, view(region)]).toEqual([region, wanted]);
  },
);

it('an offer of the log that a region writes now does not end that log: it is trimmed, and tombstones are dropped', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1, 1], timing: { tombstoneKeepMs: 100 } });
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r1', set('j', '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  only(world, 'r2r3', 'r2r4', 'r3r4');
  evict(world, 'r1', 'r3', 'r4');
  world.run(100);
  // Stamps of evictions come after the latest write's: this one is later than that at r1.
  world.ask('r2', set('later', '1'));
  const before = header(world, 'r4').origin;
  evict(world, 'r2', 'r4');
  world.until(
    () => header(world, 'r4').origin !== before && header(world, 'r4').reseeding === null,
    20_000,
    're-seeded',
  );
  world.until(() => header(world, 'r2').regions.get('r4' as RegionId)!.outSince === null, 20_000, 'r4 counts at r2');
  world.run(2_000);
  world.ask('r4', set('k', '5'));
  world.until(() => valueOf(world.ask('r3', get('k'))) === '5', 10_000, 'r3 has it');
  only(world, 'r1r3');
  world.until(() => valueOf(world.ask('r1', get('k'))) === '5', 20_000, 'r3 offers it');
  const live = header(world, 'r4').origin;
  world.run(5_000);
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.until(
    () =>
      world.regions.every((region) =>
        [...header(world, region).regions.values()].every((one) => one.outSince === null),
      ),
    60_000,
    'all in force',
  );
  expect(header(world, 'r4').origin).toBe(live);
  world.ask('r2', del('j'));
  for (let i = 0; i < 20; i++) world.ask(world.regions[i % 4]!, set(`more${i}`, '1'));
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(60_000);
  const kept = world.regions.flatMap((region) => [
    ...(hasRecord(world, region, 'j') ? [`${region} keeps the tombstone of j`] : []),
    ...[...header(world, region).origins.values()].flatMap(({ region: of, first, applied }) =>
      first <= applied ? [`${region} keeps ${first}-${applied} of a log of ${of}`] : [],
    ),
  ]);
  expect(kept).toEqual([]);
});

it.each([0, 8_000])('an offer of a third log that was lost with its link is made again after %i ms', (awayMs) => {
  const world = new RegionsWorld({ nodes: [1, 1, 1], timing: { tombstoneKeepMs: 100 } });
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r1', set('j', '1'));
  world.until(() => world.isConverged());
  only(world, 'r2r3');
  world.ask('r3', set('k', '5'));
  world.until(() => valueOf(world.ask('r2', get('k'))) === '5', 10_000, 'r2 has it');
  world.stopRegion('r3');
  only(world);
  evict(world, 'r1', 'r2', 'r3');
  let isOffered = false;
  world.passes = (from, to, m) => {
    if (isOffered || m.kind !== 'offer') return true;
    isOffered = true;
    return false;
  };
  only(world, 'r1r2');
  world.until(() => isOffered, 20_000, 'an offer that is lost');
  if (awayMs > 0) {
    only(world);
    world.run(awayMs);
    only(world, 'r1r2');
  }
  world.until(() => header(world, 'r2').reseeding === null, 60_000, 're-seeded');
  world.run(5_000);
  expect([valueOf(world.ask('r1', get('k'))), valueOf(world.ask('r2', get('k')))]).toEqual(['5', '5']);
});

it('I9: a region does not wait for ever for one that evicted it and was put back to a state from before that', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1] });
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r1', set('j', '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  const backup = world.world('r1').backup('n1');
  world.cut('r1', 'r3');
  world.cut('r2', 'r3');
  // r2 hears that it is out, and no more than that.
  world.passes = (_from, _to, { kind }) => kind !== 'digestsAsk';
  evict(world, 'r1', 'r2');
  world.until(() => header(world, 'r2').reseeding !== null, 20_000, 'r2 begins');
  world.world('r1').crash('n1');
  world.world('r1').restore('n1', backup);
  world.world('r1').start('n1');
  world.passes = () => true;
  world.run(2_000);
  world.heal();
  world.run(120_000);
  expect(header(world, 'r2').reseeding).toBeNull();
  world.ask('r2', set('k', '5'), { timeoutMs: 2_000 });
  world.until(() => world.isConverged(), 60_000, 'convergence');
  for (const region of world.regions) expect([region, valueOf(world.ask(region, get('k')))]).toEqual([region, '5']);
});

/**
 * r3 and r4 are out. r4 writes to `k`; r3 sees that, deletes `k`, and offers its delete to r1; r4 knows nothing of the delete and
 * offers what it wrote to r2. Then all meet.
 */
function meetsItsDelete(
  writes: readonly ValueChange[],
  { before = [] }: { readonly before?: readonly ValueChange[] } = {},
): RegionsWorld {
  const world = new RegionsWorld({ nodes: [1, 1, 1, 1], timing: { tombstoneKeepMs: 100 } });
  world.awaitLeaders();
  world.run(1_000);
  for (const region of world.regions) world.ask(region, set(`by-${region}`, '1'));
  for (const change of before) world.ask('r1', update('k', change));
  world.until(() => world.isConverged());
  world.run(1_000);
  only(world, 'r3r4', 'r1r2');
  evict(world, 'r1', 'r3', 'r4');
  world.until(() => world.regions.slice(2).every((out) => header(world, 'r2').regions.get(out)!.outSince !== null));
  const l3 = header(world, 'r3').origin;
  world.passes = (_from, to, m) => !(to === 'r4' && m.kind === 'entries' && m.origin === l3);
  for (const change of writes) world.ask('r4', update('k', change));
  const l4 = header(world, 'r4').origin;
  const end = header(world, 'r4').origins.get(l4)!.applied;
  world.until(() => header(world, 'r3').origins.get(l4)!.applied === end, 10_000, 'r3 has it');
  world.ask('r3', del('k'));
  // What is collected over here is later than all of that.
  if (before.length > 0) world.ask('r1', del('k'));
  world.ask('r1', set('other', '1'));
  world.ask('r1', del('other'));
  world.until(
    () => ['r1', 'r2'].every((region) => ['k', 'other'].every((key) => !hasRecord(world, region, key))),
    30_000,
    'collected',
  );
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

it.each<[string, readonly ValueChange[]]>([
  ['a set', [before.set]],
  ['a flag', [{ type: 'flag', action: 'enable' }]],
  ['a counter', [before.counter, after.counter]],
  ['a document', [before.document]],
  ['a multi-value register', [before.multiRegister]],
])(
  'I11: what is offered in one region is gone, not left empty, where its delete was offered in another: %s',
  (_, writes) => {
    const world = meetsItsDelete(writes);
    const [{ type }] = writes as readonly [ValueChange];
    const view = (region: string): unknown => {
      const answer = world.ask(region, { kind: 'read', key: 'k', type, consistent: true });
      return answer.kind === 'key' ? (answer.view ?? null) : answer;
    };
    for (const region of world.regions) expect([region, view(region)]).toEqual([region, null]);
  },
);

it.each<[string, readonly ValueChange[], readonly ValueChange[]]>([
  ['a set', [before.set], [{ type: 'set', action: 'remove', element: utf8Encode('x') }]],
  ['a flag', [{ type: 'flag', action: 'enable' }], [{ type: 'flag', action: 'disable' }]],
  ['a counter', [before.counter], [{ type: 'counter', action: 'reset' }]],
])(
  'I11: so is what is offered, and only takes away, where its key was deleted and forgotten: %s',
  (_, first, writes) => {
    const world = meetsItsDelete(writes, { before: first });
    const [{ type }] = writes as readonly [ValueChange];
    const view = (region: string): unknown => {
      const answer = world.ask(region, { kind: 'read', key: 'k', type, consistent: true });
      return answer.kind === 'key' ? (answer.view ?? null) : answer;
    };
    for (const region of world.regions) expect([region, view(region)]).toEqual([region, null]);
  },
);
