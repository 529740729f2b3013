import { expect, it } from 'vitest';
import type { PeerMessage } from './peer-message.ts';
import { encodeLinkFrame, type LinkMessage } from './regions/link-message.ts';
import { defaultLimits } from './replica-api.ts';
import type { Operation } from './requests.ts';
import { del, hasRecord, header, only, update } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { get, set, valueOf, World } from './testing/world.ts';

// Executions that somebody found who had not seen the code.

const timing = { tombstoneKeepMs: 100 };
/** r1 takes the values of r2, and does not get to ask for the last step of it until it is released. */
function holdLastStep(world: RegionsWorld): { readonly isHeld: () => boolean; readonly release: () => void } {
  let asked = 0;
  let held = true;
  world.passes = (from, to, m) => {
    if (from === 'r2' && to === 'r1' && m.kind === 'values') asked = 1;
    if (held && asked > 0 && from === 'r1' && to === 'r2' && m.kind === 'digestsAsk') {
      asked++;
      return false;
    }
    return true;
  };
  return {
    isHeld: () => asked > 1,
    release: () => {
      held = false;
    },
  };
}

/** r3, which is to take r1's state, waits until r1 has its own. */
function awaitBoth(world: RegionsWorld, lastStep: { readonly release: () => void }): void {
  world.until(() => header(world, 'r3').reseeding !== null, 20_000, 'r3 begins');
  world.run(5_000);
  expect(header(world, 'r3').reseeding).not.toBeNull();
  expect(header(world, 'r1').reseeding).not.toBeNull();
  lastStep.release();
  world.until(() => header(world, 'r1').reseeding === null, 60_000, 'r1 is re-seeded');
  world.until(() => header(world, 'r3').reseeding === null, 60_000, 'r3 is re-seeded');
}

function start(): RegionsWorld {
  const world = new RegionsWorld({ nodes: [1, 1, 1], timing });
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r1', set('j', '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  return world;
}

it('I11: an offer brings back what a third region has deleted that was offered, too', () => {
  const world = start();
  world.cut('r1', 'r2');
  world.cut('r1', 'r3');
  world.ask('r3', set('k', '5'));
  world.until(() => valueOf(world.ask('r2', get('k'))) === '5', 10_000, 'r2 has it');
  world.ask('r2', del('k'));
  world.until(() => valueOf(world.ask('r3', get('k'))) === null, 10_000, 'r3 has the delete');
  world.run(2_000);
  world.ask('r1', { kind: 'evictRegion', region: world.regions[1]! });
  world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! });
  world.ask('r1', del('j'));
  world.until(() => !hasRecord(world, 'r1', 'j'), 30_000, 'collection at r1');
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  for (const region of world.regions) expect([region, valueOf(world.ask(region, get('k')))]).toEqual([region, null]);
});

/** r1 gets r2's delete of `k` without r3's `writes`, forgets it, and is offered these. */
function offersWhatWasDeleted(writes: readonly Operation[], value: string, read: Operation): void {
  const world = start();
  const shown = (region: string): string | null => {
    const answer = world.ask(region, read);
    return answer.kind === 'key' && answer.view?.type === 'counter' ? answer.view.total : valueOf(answer);
  };
  world.cut('r1', 'r3');
  let l3 = 0;
  // what r3 wrote does not come from r2 to r1 for a while
  for (const { region, origin } of [...world.world('r3').replica('n1').partitionsForTests][0]!.state.regions.list())
    if (region === 'r3') l3 = origin;
  world.passes = (from, to, m) => !(from === 'r2' && to === 'r1' && m.kind === 'entries' && m.origin === l3);
  for (const write of writes) world.ask('r3', write);
  world.until(() => shown('r2') === value, 10_000, 'r2 has it');
  world.ask('r2', del('k'));
  world.until(() => hasRecord(world, 'r1', 'k') && shown('r3') === null, 10_000, 'tombstone at r1');
  world.run(1_000);
  world.cut('r2', 'r3');
  world.cut('r1', 'r2');
  world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! });
  world.until(() => !hasRecord(world, 'r1', 'k'), 30_000, 'collected');
  world.heal();
  world.cut('r2', 'r3');
  world.cut('r1', 'r2');
  world.run(5_000);
  world.passes = () => true;
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  for (const region of world.regions) expect([region, shown(region)]).toEqual([region, null]);
}

it('I11: an offer brings back what a region in force had deleted, whose delete came without what it deletes', () => {
  offersWhatWasDeleted([set('k', '5')], '5', get('k'));
});

// The delete names the increments as a sum, and the dots that it is made of are not known (state/taken-away.ts).
it.each([1, 2])('I11: an offer brings back a counter whose delete came without its %i increments', (count) => {
  const add = update('k', { type: 'counter', action: 'add', amount: 1 });
  offersWhatWasDeleted(
    Array.from({ length: count }, () => add),
    String(count),
    { kind: 'read', key: 'k', type: 'counter', consistent: true },
  );
});

it('I11: a re-seeded region of which no heartbeat came is answered its exchange', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1], timing });
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r1', set('k', '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  // r3 applies r2's delete and says so; r1 does not have it.
  only(world);
  only(world, 'r2r3');
  world.ask('r2', del('k'));
  world.until(() => valueOf(world.ask('r3', get('k'))) === null, 10_000, 'r3 has it');
  world.run(2_000);
  // r1 evicts r3 and takes it back in.
  only(world);
  world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! });
  world.run(1_000);
  // The delete does not come along as an offer.
  world.passes = (_from, _to, m) => m.kind !== 'offer';
  only(world, 'r1r3');
  world.until(() => valueOf(world.ask('r3', get('k'))) === '1', 30_000, 're-seeded');
  world.until(() => header(world, 'r1').regions.get(world.regions[2]!)?.outSince === null, 10_000, 'r3 in force at r1');
  world.run(2_000);
  // r1 gets the delete; r2 collects on r3's word of before.
  only(world, 'r1r2');
  world.until(() => !hasRecord(world, 'r2', 'k'), 30_000, 'collection at r2');
  world.run(1_000);
  expect(hasRecord(world, 'r1', 'k')).toBe(true);
  // r3 and r2 speak; heartbeats of r3 are lost.
  only(world, 'r2r3');
  world.passes = (from, to, m) => !(from === 'r3' && to === 'r2' && m.kind === 'heartbeat');
  world.run(10_000);
  // nor do r3 and r1 compare states for a while
  only(world, 'r1r3');
  world.passes = (from, to, m) =>
    !(from === 'r3' && to === 'r1' && m.kind === 'digestsAsk') &&
    !(from === 'r1' && to === 'r3' && m.kind === 'digests');
  world.run(10_000);
  world.passes = () => true;
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  for (const region of world.regions) expect([region, valueOf(world.ask(region, get('k')))]).toEqual([region, null]);
});

it('I11: values of an exchange that come after a report of that region are asked for again', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1], timing, limits: { ...defaultLimits, regionLogBytesMax: 400 } });
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r2', set('k', '1'));
  world.until(() => world.isConverged());
  world.run(2_000);
  only(world);
  only(world, 'r2r3');
  for (let i = 0; i < 20; i++) world.ask('r3', set(`other${i}`, 'x'.repeat(100)));
  world.run(3_000);
  only(world);
  world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! });
  world.ask('r1', del('k'));
  world.run(3_000);
  const held: LinkMessage[] = [];
  world.passes = (from, to, m) => {
    if (from === 'r2' && to === 'r1' && m.kind === 'values') {
      held.push(m);
      return false;
    }
    if (from === 'r1' && to === 'r2' && m.kind === 'valuesAsk' && held.length > 0) return false;
    if (from === 'r1' && to === 'r2' && m.kind === 'entries' && held.length === 0) return false;
    return true;
  };
  only(world, 'r1r2');
  world.until(() => held.length > 0, 20_000, 'values');
  expect(
    held.flatMap((m) => (m.kind === 'values' ? m.values.map(({ key, value }) => `${key}:${value !== null}`) : [])),
  ).toContain('k:true');
  const frames = held.map((m) => encodeLinkFrame(0 as never, m));
  const t0 = world.nowMs;
  world.until(() => !hasRecord(world, 'r1', 'k') && !hasRecord(world, 'r2', 'k'), 15_000, 'collected');
  const took = world.nowMs - t0;
  expect(took).toBeLessThan(18_000);
  for (const frame of frames)
    world.world('r1').linkEvent('n1' as never, (replica, now) => replica.receiveFrame('r2' as never, frame, now));
  world.run(500);
  world.passes = () => true;
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  for (const region of world.regions)
    expect([took, region, valueOf(world.ask(region, get('k')))]).toEqual([took, region, null]);
});
it('I11: a region gives its state while it is being re-seeded itself', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1], timing });
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r1', set('k', '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  only(world);
  only(world, 'r1r3');
  world.ask('r3', del('k'));
  world.until(() => valueOf(world.ask('r1', get('k'))) === null, 10_000, 'r1 has the delete');
  world.run(1_000);
  only(world);
  world.ask('r2', { kind: 'evictRegion', region: world.regions[0]! });
  world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! });
  world.run(1_000);
  // r1 takes r2's state, the last step waits
  const lastStep = holdLastStep(world);
  only(world, 'r1r2');
  world.until(() => lastStep.isHeld(), 20_000, 'r1 has replaced its values');
  world.heal();
  world.cut('r2', 'r3');
  awaitBoth(world, lastStep);
  world.heal();
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  for (const region of world.regions) expect([region, valueOf(world.ask(region, get('k')))]).toEqual([region, null]);
});
it('I11: a region gives its state while it is being re-seeded itself, and a fourth one is in force everywhere', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1, 1], timing });
  const onlyOf = (...pairs: string[]): void => {
    world.heal();
    for (const x of world.regions)
      for (const y of world.regions) if (x < y && !pairs.includes(`${x}${y}`)) world.cut(x, y);
  };
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r1', set('k', '1'));
  world.until(() => world.isConverged());
  world.run(1_000);
  onlyOf('r1r4');
  world.ask('r4', del('k'));
  world.until(() => valueOf(world.ask('r1', get('k'))) === null, 10_000, 'r1 has the delete');
  world.run(1_000);
  onlyOf();
  world.ask('r2', { kind: 'evictRegion', region: world.regions[0]! });
  world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! });
  world.run(1_000);
  const lastStep = holdLastStep(world);
  onlyOf('r1r2');
  world.until(() => lastStep.isHeld(), 20_000, 'r1 has replaced its values');
  onlyOf('r1r2', 'r1r3');
  awaitBoth(world, lastStep);
  world.passes = (from, to, m) => m.kind !== 'digestsAsk' || (from !== 'r3' && to !== 'r3');
  world.heal();
  world.until(() => ['r1', 'r2', 'r4'].every((r) => !hasRecord(world, r, 'k')), 30_000, 'collected');
  world.passes = () => true;
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(5_000);
  for (const region of world.regions) expect([region, valueOf(world.ask(region, get('k')))]).toEqual([region, null]);
});

for (const edges of ['r1r2 r2r3 r3r1', 'r1r2 r1r3 r2r1 r2r3'])
  it(`I9, I11: nothing is lost where all are apart and evict one another: ${edges}`, () => {
    const world = start();
    for (const z of world.regions) world.ask(z, set(`g${z}`, '1'));
    world.until(() => world.isConverged());
    only(world);
    for (const z of world.regions) {
      world.ask(z, set(`k${z}`, '1'));
      world.ask(z, del(`g${z}`));
    }
    for (const edge of edges.split(' '))
      world.ask(edge.slice(0, 2), { kind: 'evictRegion', region: edge.slice(2) as never });
    world.run(1_000);
    world.heal();
    world.until(() => world.isConverged(), 60_000, 'convergence');
    world.run(2_000);
    for (const z of world.regions) {
      expect([`k${z}`, valueOf(world.ask('r1', get(`k${z}`)))]).toEqual([`k${z}`, '1']);
      expect([`g${z}`, valueOf(world.ask('r1', get(`g${z}`)))]).toEqual([`g${z}`, null]);
    }
  });

it('a read that merges views takes no answer to a question of an earlier life, about another key (etcd #20418)', () => {
  const world = new World();
  world.awaitLeader();
  world.settle(world.call('n1', set('a', 'of a')));
  world.run(500);
  // n1 asks for views of `a`; the answers are slow.
  const late: { from: string; message: PeerMessage }[] = [];
  world.passes = (from, to, message) => {
    if (to !== 'n1' || message.kind !== 'view') return true;
    late.push({ from, message });
    return false;
  };
  world.call('n1', { kind: 'get', key: 'a', consistent: false, r: 2 }, { client: 'c' });
  world.run(50);
  expect(late.length).toBeGreaterThan(0);
  world.crash('n1');
  world.run(100);
  world.start('n1');
  world.passes = () => true;
  const call = world.call('n1', { kind: 'get', key: 'b', consistent: false, r: 2 }, { client: 'd' });
  for (const { from, message } of late)
    world.linkEvent('n1', (replica, now) => replica.receive(from as never, message, now));

  expect(valueOf(world.settle(call))).toBe(null);
});

it('I13: a session that reads where the state is being replaced is told that it is behind', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1] });
  world.awaitLeaders();
  world.run(1_000);
  world.ask('r1', set('k', 'old'));
  world.until(() => world.isConverged());
  world.cut('r1', 'r2');
  world.cut('r1', 'r3');
  world.ask('r2', set('k', 'new'));
  world.until(() => valueOf(world.ask('r3', get('k', false))) === 'new', 10_000, 'r3');
  world.run(1_000);
  world.cut('r2', 'r3');
  world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! });
  world.run(1_000);
  const seen = world.world('r3').replica('n1').seen().partitions[0]!;
  const after = { positions: seen.positions, dots: [] };
  let told = false;
  world.passes = (from, to, m) => {
    if (m.kind === 'values') told = true;
    return m.kind !== 'offer' && !(told && m.kind === 'digestsAsk');
  };
  world.heal();
  world.cut('r1', 'r2');
  world.cut('r2', 'r3');
  world.until(() => told, 20_000, 'values');
  world.run(500);
  const call = world.world('r3').callAfter('n1', get('k', false), { after, timeoutMs: 300 });
  const answer = world.settle(call);
  expect([valueOf(answer), (answer as { behind?: boolean }).behind ?? false]).not.toEqual(['old', false]);
});
