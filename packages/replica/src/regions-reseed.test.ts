import { utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import type { ControlOperation, Operation, ValueChange } from './requests.ts';
import { defaultLimits } from './replica-api.ts';
import { elements, hasRecord, only } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { get, set, valueOf, versionIn } from './testing/world.ts';

const timing = { tombstoneKeepMs: 100 };
const del = (key: string): Operation => ({ kind: 'delete', key, consistent: true });
const addElement = (key: string, element: string): Operation => ({
  kind: 'update',
  key,
  change: { type: 'set', action: 'add', element: utf8Encode(element) } satisfies ValueChange,
  consistent: true,
});

describe('a region that was evicted in one place while others still took from it', () => {
  it('brings nothing back by way of them that was deleted and collected (I11)', () => {
    const world = regionsWithKey();
    only(world);
    world.ask('r3', set('k', 'older'));
    world.run(50);
    world.ask('r1', del('k'));
    world.heal();
    world.cut('r3', 'r1');
    world.cut('r3', 'r2');
    world.until(() => valueOf(world.ask('r2', get('k'))) === null, 10_000, 'the delete arrives');
    world.run(5_000);
    // r1 is alone now and evicts r3, which is back at r2.
    world.heal();
    world.cut('r1', 'r2');
    world.cut('r1', 'r3');
    world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! });
    world.until(() => !hasRecord(world, 'r1', 'k'), 30_000, 'collection at r1');
    world.run(5_000);
    world.heal();
    world.until(() => world.isConverged(), 60_000, 'convergence');
    world.run(5_000);
    for (const region of world.regions) expect(valueOf(world.ask(region, get('k')))).toBeNull();
    expect(world.isConverged()).toBe(true);
  });

  it('has what they took of it, though it is older than what was collected elsewhere (I12)', () => {
    const world = regionsWithKey();
    only(world);
    world.ask('r3', set('theirs', 'kept'));
    world.run(50);
    world.ask('r1', del('k'));
    world.heal();
    world.cut('r3', 'r1');
    world.cut('r3', 'r2');
    world.run(5_000);
    world.heal();
    world.cut('r1', 'r2');
    world.cut('r1', 'r3');
    world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! });
    world.until(
      () => !hasRecord(world, 'r1', 'k') && valueOf(world.ask('r2', get('theirs'))) === 'kept',
      30_000,
      'collection at r1, and the way to r2',
    );
    world.heal();
    world.until(() => world.isConverged(), 60_000, 'convergence');
    for (const region of world.regions) expect(valueOf(world.ask(region, get('theirs')))).toBe('kept');
  });
});

describe('a region that was re-seeded by one that lacked something', () => {
  it('makes no removal of what it had seen of that (I12)', () => {
    const world = new RegionsWorld({ nodes: [1, 1, 1] });
    world.awaitLeaders();
    world.run(1_000);
    world.ask('r2', addElement('s', 'x1'));
    world.until(() => world.isConverged());
    world.cut('r1', 'r2');
    world.cut('r1', 'r3');
    world.ask('r2', addElement('s', 'x2'));
    world.until(() => elements(world, 'r3', 's')?.length === 2, 10_000, 'r3 has what r2 added');
    // Else it would come along with what r3 offers.
    world.passes = (_from, _to, m) => m.kind !== 'offer';
    reseedFromFirst(world);
    world.until(() => elements(world, 'r3', 's')?.length === 1, 30_000, 're-seeding');
    world.passes = () => true;
    world.run(1_000);
    world.ask('r3', addElement('s', 'y'));
    world.heal();
    world.until(() => world.isConverged(), 60_000, 'convergence');
    for (const region of world.regions) expect(elements(world, region, 's')).toEqual(['x1', 'x2', 'y']);
  });

  it('still tells what became of a write that it could not offer any more (simulator, seed 500063 with evictions)', () => {
    const world = new RegionsWorld({ nodes: [1, 1, 1], limits: { ...defaultLimits, regionLogBytesMax: 400 } });
    world.awaitLeaders();
    world.run(1_000);
    only(world);
    const accepted = world.ask('r3', { kind: 'set', key: 'k', value: utf8Encode('1'), consistent: false });
    const receipt = accepted.kind === 'key' ? (accepted.receipt ?? '') : '';
    const wait: ControlOperation = { kind: 'receipt', receipt, wait: true };
    expect(world.ask('r3', wait)).toMatchObject({ kind: 'receipt', state: 'promoted' });
    for (let i = 0; i < 30; i++) world.ask('r3', set(`more${i}`, 'v'.repeat(40)));
    reseedFromFirst(world);
    world.until(() => !hasRecord(world, 'r3', 'k'), 10_000, 're-seeding');
    expect(world.ask('r3', wait)).toMatchObject({ kind: 'receipt', state: 'promoted' });
  });

  it('keeps the tombstones it was given until every region has applied them (I11)', () => {
    const world = regionsWithKey();
    only(world);
    world.ask('r2', set('k', 'older'));
    world.run(50);
    world.ask('r1', del('k'));
    reseedFromFirst(world);
    world.until(() => valueOf(world.ask('r3', get('k'))) === null, 10_000, 're-seeding');
    world.run(10_000);
    expect(hasRecord(world, 'r3', 'k')).toBe(true);
    world.heal();
    world.until(() => world.regions.every((region) => !hasRecord(world, region, 'k')), 30_000, 'collection');
    world.run(5_000);
    for (const region of world.regions) expect(valueOf(world.ask(region, get('k')))).toBeNull();
  });

  it('keeps nothing of which it was told a tombstone that was collected before it could be fetched (I11, seed 4)', () => {
    const world = regionsWithKey();
    world.cut('r3', 'r1');
    world.cut('r3', 'r2');
    let isTold = false;
    // r1 keeps its tombstone until it has told r3 of it.
    world.passes = (from, to, { kind }) => {
      isTold ||= from === 'r1' && to === 'r3' && kind === 'keys';
      return isTold ? kind !== 'valuesAsk' : from !== 'r2' || to !== 'r1' || kind !== 'heartbeat';
    };
    world.ask('r1', del('k'));
    reseedFromFirst(world);
    world.heal();
    world.until(() => isTold && !hasRecord(world, 'r1', 'k'), 30_000, 'collection while r3 asks');
    world.passes = () => true;
    world.until(() => world.isConverged(), 60_000, 'convergence');
    world.run(5_000);
    for (const region of world.regions) expect(valueOf(world.ask(region, get('k')))).toBeNull();
  });

  it('keeps no tombstone that the other one has collected, for late writes to stand on (I9, seed 1794782569)', () => {
    const world = regionsWithKey();
    // r3 hears of no report, and so keeps the tombstone of the first delete.
    world.passes = (_, to, { kind }) => to !== 'r3' || kind !== 'heartbeat';
    world.ask('r1', del('k'));
    world.until(() => valueOf(world.ask('r3', get('k'))) === null, 10_000, 'the delete arrives');
    // Nor does it get to ask for the state, so nobody keeps anything for it.
    world.passes = (_, to, { kind }) => (to !== 'r3' || kind !== 'heartbeat') && kind !== 'digestsAsk';
    reseedFromFirst(world);
    world.heal();
    world.run(2_000);
    world.call('r3', { kind: 'set', key: 'k', value: utf8Encode('late'), consistent: false });
    world.run(1_000);
    const second = world.ask('r1', set('k', '2'));
    world.ask('r1', del('k'));
    world.until(() => !hasRecord(world, 'r1', 'k'), 30_000, 'collection');
    expect(hasRecord(world, 'r3', 'k')).toBe(true);
    world.passes = () => true;
    world.until(() => world.isConverged(), 60_000, 'convergence');
    world.run(5_000);
    // It was made on nothing, so it stands, above what was collected: by its own stamp it had lost.
    for (const region of world.regions) {
      const answer = world.ask(region, get('k'));
      expect(valueOf(answer)).toBe('late');
      expect(versionIn(answer) > versionIn(second)).toBe(true);
    }
  });

  it('is waited for while it takes the state, or it would miss what is deleted meanwhile (I11, seed 85400608)', () => {
    const world = new RegionsWorld({ nodes: [1, 1], timing, limits: { ...defaultLimits, regionLogBytesMax: 400 } });
    world.awaitLeaders();
    world.run(1_000);
    world.ask('r1', set('k', '1'));
    world.until(() => world.isConverged());
    world.cut('r1', 'r2');
    world.ask('r1', { kind: 'evictRegion', region: world.regions[1]! });
    world.run(1_000);
    // r2 has been told which keys differ: `k` does not. It gets no further for a while.
    let isTold = false;
    world.passes = (_, __, { kind }) => {
      isTold ||= kind === 'digests';
      return kind !== 'keysAsk';
    };
    world.heal();
    world.until(() => isTold, 10_000, 'the sums are told');
    world.ask('r1', set('k', '2'));
    world.ask('r1', del('k'));
    // What would tell r2 of the delete is not kept either.
    for (let i = 0; i < 20; i++) world.ask('r1', set('other', 'x'.repeat(100)));
    world.run(3_000);
    expect(hasRecord(world, 'r1', 'k')).toBe(true);
    world.passes = () => true;
    world.until(() => world.isConverged() && !hasRecord(world, 'r1', 'k'), 60_000, 'convergence and collection');
    world.run(5_000);
    for (const region of world.regions) expect(valueOf(world.ask(region, get('k')))).toBeNull();
  });

  it('counts on no report of before: what it had of the others then comes again (I11)', () => {
    const world = regionsWithKey();
    only(world);
    world.ask('r2', set('k', 'older'));
    world.run(50);
    world.ask('r1', del('k'));
    world.heal();
    // r1 hears nothing of what r2 wrote, nor of anybody having applied the delete.
    world.passes = (_, to, { kind }) => to !== 'r1' || kind === 'pull';
    world.until(() => valueOf(world.ask('r2', get('k'))) === null, 10_000, 'the delete arrives');
    world.run(3_000);
    world.passes = () => true;
    world.cut('r1', 'r2');
    reseedFromFirst(world);
    world.until(() => hasRecord(world, 'r3', 'k'), 10_000, 're-seeding');
    world.run(5_000);
    expect(hasRecord(world, 'r3', 'k')).toBe(true);
    world.heal();
    world.until(() => world.regions.every((region) => !hasRecord(world, region, 'k')), 30_000, 'collection');
    world.run(5_000);
    for (const region of world.regions) expect(valueOf(world.ask(region, get('k')))).toBeNull();
  });
});

describe('two regions that evicted each other', () => {
  it('are re-seeded by a third one, and speak to each other again', () => {
    const world = regionsWithKey();
    only(world);
    world.ask('r1', set('a', '1'));
    world.ask('r2', set('b', '1'));
    world.ask('r1', { kind: 'evictRegion', region: world.regions[1]! });
    world.ask('r2', { kind: 'evictRegion', region: world.regions[0]! });
    world.heal();
    world.until(() => world.isConverged(), 60_000, 'convergence');
    world.run(3_000);
    for (const region of world.regions) {
      expect(valueOf(world.ask(region, get('a')))).toBe('1');
      expect(valueOf(world.ask(region, get('b')))).toBe('1');
    }
    world.cut('r1', 'r3');
    world.cut('r2', 'r3');
    world.ask('r1', set('c', '1'));
    world.until(() => valueOf(world.ask('r2', get('c'))) === '1', 20_000, 'what r1 writes arrives');
  });
});

function regionsWithKey(): RegionsWorld {
  const world = new RegionsWorld({ nodes: [1, 1, 1], timing });
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r1', set('k', '1'));
  world.until(() => world.isConverged());
  return world;
}

/** r1 evicts r3 and takes it back in; nobody else hears of it. */
function reseedFromFirst(world: RegionsWorld): void {
  only(world);
  world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! });
  world.run(1_000);
  world.heal();
  world.cut('r1', 'r2');
  world.cut('r2', 'r3');
}
