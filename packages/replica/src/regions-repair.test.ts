import { utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import type { Operation, ValueChange } from './requests.ts';
import type { Partition } from './partition.ts';
import { defaultLimits } from './replica-api.ts';
import { get, set, valueOf } from './testing/world.ts';
import { RegionsWorld } from './testing/regions-world.ts';

const add = (key: string, amount: number, consistent = true): Operation => ({
  kind: 'update',
  key,
  change: { type: 'counter', action: 'add', amount } satisfies ValueChange,
  consistent,
});
const del = (key: string, consistent = true): Operation => ({ kind: 'delete', key, consistent });
const metric = (world: RegionsWorld, region: string, name: string): number =>
  world
    .world(region)
    .names.reduce(
      (sum, node) =>
        sum + (world.world(region).isUp(node) ? (world.world(region).replica(node).metrics()[name] ?? 0) : 0),
      0,
    );

describe('a region beyond the retention of the logs', () => {
  it('catches up by state exchange, and only with the keys that differ', () => {
    const limits = { ...defaultLimits, regionLogBytesMax: 2_000 };
    const world = new RegionsWorld({ nodes: [1, 1, 1], limits });
    world.awaitLeaders();
    for (let i = 0; i < 200; i++) world.call('r1', set(`old${i}`, 'same'));
    world.run(2_000);
    world.until(() => world.isConverged());
    const before = metric(world, 'r3', 'region_exchanged_values_total');
    world.cut('r1', 'r3');
    world.cut('r2', 'r3');
    for (let i = 0; i < 150; i++) world.ask('r1', set(`new${i}`, 'x'.repeat(50)));
    world.call('r2', add('n', 4));
    world.call('r3', add('n', 3));
    world.ask('r1', del('old7'));
    world.run(4_000);
    world.heal();
    world.until(() => world.isConverged(), 30_000, 'convergence');
    expect(valueOf(world.ask('r3', get('new149')))).toBe('x'.repeat(50));
    expect(valueOf(world.ask('r3', get('old7')))).toBeNull();
    const exchanged = metric(world, 'r3', 'region_exchanged_values_total') - before;
    expect(exchanged).toBeGreaterThan(100);
    expect(exchanged).toBeLessThan(160);
  });

  it('catches up over links on which an answer takes longer than the patience for it', () => {
    const limits = { ...defaultLimits, regionLogBytesMax: 2_000 };
    const world = new RegionsWorld({
      nodes: [1, 1, 1],
      limits,
      delayMsMax: 5,
      timing: { linkRetryMs: 100 },
      frameDelayMs: 70,
    });
    world.awaitLeaders();
    world.run(2_000);
    world.cut('r1', 'r3');
    world.cut('r2', 'r3');
    for (let i = 0; i < 150; i++) world.ask('r1', set(`new${i}`, 'x'.repeat(50)));
    world.run(4_000);
    world.heal();
    world.until(() => world.isConverged(), 30_000, 'convergence');
    expect(valueOf(world.ask('r3', get('new0')))).toBe('x'.repeat(50));
  });

  it('that joins later gets the state by exchange, and the others learn of it', () => {
    const world = new RegionsWorld({ nodes: [1, 1, 1], joined: 2 });
    world.awaitLeaders();
    for (let i = 0; i < 50; i++) world.call('r1', set(`k${i}`, 'v'));
    world.call('r2', set('theirs', '1'));
    world.run(3_000);
    expect(world.ask('r1', { kind: 'addRegion', region: world.regions[2]!, urls: ['ws://r3'] })).toMatchObject({
      kind: 'done',
    });
    expect(world.ask('r3', { kind: 'addRegion', region: world.regions[0]!, urls: ['ws://r1'] })).toMatchObject({
      kind: 'done',
    });
    world.until(() => world.isConverged(), 30_000, 'convergence');
    world.ask('r3', set('from-r3', '1'));
    world.cut('r1', 'r3');
    world.cut('r1', 'r2');
    world.until(() => valueOf(world.ask('r2', get('from-r3'))) === '1', 30_000, 'r2 knows r3 through r1');
  });
});

describe('digests', () => {
  it('show that states differ at equal positions, and the exchange repairs them', () => {
    const world = new RegionsWorld({ nodes: [1, 1] });
    world.awaitLeaders();
    world.ask('r1', set('a', '1'));
    world.ask('r1', set('b', '1'));
    world.until(() => world.isConverged());
    const before = metric(world, 'r2', 'region_exchanged_values_total');
    // As if a bug had lost it: one region's state goes without the region log knowing.
    const { state } = [...partitionsOf(world, 'r2')][0]!;
    const record = state.read('a')!;
    state.values.digests.replace('a', record.value, null);
    state.values.records.delete('a');
    expect(valueOf(world.ask('r2', get('a')))).toBeNull();
    world.until(() => world.isConverged(), 30_000, 'repair');
    expect(valueOf(world.ask('r2', get('a')))).toBe('1');
    expect(metric(world, 'r2', 'region_digest_mismatches_total')).toBeGreaterThan(0);
    expect(metric(world, 'r2', 'region_exchanged_values_total') - before).toBe(1);
  });
});

describe('I11: what was deleted stays deleted', () => {
  const timing = { tombstoneKeepMs: 100 };
  const hasRecord = (world: RegionsWorld, region: string, key: string): boolean =>
    [...partitionsOf(world, region)][0]!.state.read(key) !== null;

  it('tombstones go once every region has applied the delete, and not before (Cassandra, Riak)', () => {
    const world = new RegionsWorld({ nodes: [1, 1, 1], timing });
    world.awaitLeaders();
    world.ask('r1', set('k', '1'));
    world.until(() => world.isConverged());
    world.cut('r1', 'r3');
    world.cut('r2', 'r3');
    world.ask('r1', del('k'));
    world.run(10_000);
    expect(hasRecord(world, 'r1', 'k')).toBe(true);
    expect(hasRecord(world, 'r2', 'k')).toBe(true);
    world.heal();
    world.until(() => world.regions.every((region) => !hasRecord(world, region, 'k')), 30_000, 'collection');
    for (const region of world.regions) expect(valueOf(world.ask(region, get('k')))).toBeNull();
  });

  it('a concurrent write with an older stamp does not come back after the tombstone is gone', () => {
    const world = new RegionsWorld({ nodes: [1, 1, 1], timing });
    world.awaitLeaders();
    world.ask('r2', set('k', '1'));
    world.until(() => world.isConverged());
    world.cut('r1', 'r2');
    world.cut('r2', 'r3');
    // r2 writes, r1 deletes later: the delete wins wherever they meet.
    world.ask('r2', set('k', '2'));
    world.run(50);
    world.ask('r1', del('k'));
    world.run(10_000);
    expect(hasRecord(world, 'r3', 'k')).toBe(true);
    world.heal();
    world.until(() => world.regions.every((region) => !hasRecord(world, region, 'k')), 30_000, 'collection');
    world.run(5_000);
    for (const region of world.regions) expect(valueOf(world.ask(region, get('k', false)))).toBeNull();
    expect(world.isConverged()).toBe(true);
  });

  it('a tombstone waits for what a region had written before it saw the delete', () => {
    const world = new RegionsWorld({ nodes: [1, 1, 1], timing });
    world.awaitLeaders();
    world.run(1_000);
    world.ask('r1', set('k', '1'));
    world.until(() => world.isConverged());
    // Heartbeats and deletes reach everybody, but what r2 wrote before is stuck on its way.
    world.passes = (from, _, { kind }) => from !== 'r2' || kind !== 'entries';
    world.cut('r1', 'r2');
    world.ask('r2', set('k', 'older'));
    world.run(50);
    world.ask('r1', del('k'));
    world.heal();
    world.run(10_000);
    expect(valueOf(world.ask('r2', get('k')))).toBeNull();
    expect(hasRecord(world, 'r1', 'k')).toBe(true);
    expect(hasRecord(world, 'r3', 'k')).toBe(true);
    world.passes = () => true;
    world.until(() => world.regions.every((region) => !hasRecord(world, region, 'k')), 30_000, 'collection');
    expect(world.isConverged()).toBe(true);
  });

  it('a tombstone comes with the state where both sides look the same: what it buried may still be on its way', () => {
    const world = new RegionsWorld({
      nodes: [1, 1, 1],
      timing,
      limits: { ...defaultLimits, regionLogBytesMax: 2_000 },
    });
    world.awaitLeaders();
    world.run(1_000);
    // What r2 writes reaches nobody; r3 hears nothing of r1, until that keeps the entries no more.
    world.passes = (from, _, { kind }) => from !== 'r2' || kind !== 'entries';
    world.cut('r1', 'r2');
    world.cut('r1', 'r3');
    world.ask('r2', set('k', 'older'));
    world.run(50);
    world.ask('r1', set('k', 'newer'));
    world.ask('r1', del('k'));
    for (let i = 0; i < 100; i++) world.ask('r1', set(`fill${i}`, 'x'.repeat(50)));
    world.run(2_000);
    world.heal();
    world.until(() => valueOf(world.ask('r3', get('fill99'))) !== null, 30_000, 'state exchange');
    world.run(2_000);
    world.passes = () => true;
    world.until(() => world.isConverged(), 30_000, 'convergence');
    for (const region of world.regions) expect(valueOf(world.ask(region, get('k')))).toBeNull();
  });

  it('a node that was cut off for longer than tombstones live does not bring back what it overwrote', () => {
    const world = new RegionsWorld({ nodes: [3], timing });
    world.awaitLeaders();
    world.ask('r1', set('k', '1'));
    world.run(200);
    const region = world.world('r1');
    region.isolate('n1');
    world.until(() => region.leader() !== null && region.leader() !== 'n1');
    expect(world.ask('r1', set('k', 'stale', false), { node: 'n1' })).toMatchObject({ valid: true });
    expect(world.ask('r1', set('fresh', 'kept', false), { node: 'n1' })).toMatchObject({ valid: true });
    world.run(20);
    world.ask('r1', del('k'), { node: 'n2' });
    world.run(10_000);
    world.ask('r1', set('other', '1'), { node: 'n2' });
    region.heal();
    world.until(() => region.replica('n1').status().partitions[0]?.pending === 0, 10_000, 'promotion');
    expect(valueOf(world.ask('r1', get('k'), { node: 'n2' }))).toBeNull();
    expect(valueOf(world.ask('r1', get('fresh'), { node: 'n2' }))).toBe('kept');
    const ledger = world.ask('r1', { kind: 'conflicts', prefix: 'k', limit: 10 }, { node: 'n2' });
    expect(ledger.kind === 'conflicts' && ledger.entries.map(({ loser }) => loser)).toEqual([
      { type: 'register', value: utf8Encode('stale') },
    ]);
  });
});

describe('the region log', () => {
  it('is kept until every region has applied it, and then goes', () => {
    const world = new RegionsWorld({ nodes: [1, 1, 1] });
    world.awaitLeaders();
    world.cut('r1', 'r3');
    world.cut('r2', 'r3');
    for (let i = 0; i < 20; i++) world.ask('r1', set(`k${i}`, 'v'));
    world.run(3_000);
    expect(metric(world, 'r1', 'region_log_bytes')).toBeGreaterThan(500);
    world.heal();
    world.until(
      () => world.regions.every((region) => metric(world, region, 'region_log_bytes') === 0),
      30_000,
      'trimming',
    );
    expect(world.isConverged()).toBe(true);
  });
});

describe('sessions across regions (I13)', () => {
  it('wait until the node has applied what they saw elsewhere, or say that it is behind', () => {
    const world = new RegionsWorld({ nodes: [1, 1] });
    world.awaitLeaders();
    world.ask('r1', set('k', 'old'));
    world.until(() => world.isConverged());
    world.cut('r1', 'r2');
    world.ask('r1', set('k', 'new'));
    const seen = world.world('r1').replica('n1').seen().partitions[0]!;
    const after = { positions: seen.positions, dots: [] };
    const late = world.world('r2').callAfter('n1', get('k', false), { after, timeoutMs: 300 });
    expect(world.settle(late)).toMatchObject({ valid: true, behind: true, value: utf8Encode('old') });
    const waiting = world.world('r2').callAfter('n1', get('k', false), { after, timeoutMs: null });
    const consistent = world.world('r2').callAfter('n1', get('k', true), { after, timeoutMs: null });
    world.run(500);
    expect(waiting.answer).toBeUndefined();
    world.heal();
    expect(world.settle(waiting)).toMatchObject({ valid: true, value: utf8Encode('new') });
    expect(world.settle(consistent)).toMatchObject({ valid: true, value: utf8Encode('new') });
    expect(world.settle(waiting)).not.toHaveProperty('behind');
  });
});

/** Reaches into a replica: there is no operation that breaks a state. */
function* partitionsOf(world: RegionsWorld, region: string): Generator<Partition> {
  yield* world.world(region).replica('n1').partitionsForTests;
}

describe('an evicted region', () => {
  const timing = { tombstoneKeepMs: 100 };

  it.each([1, 2])(
    'that comes back offers what it had not sent, and brings nothing deleted back (%i partitions)',
    (partitionCount) => {
      const world = new RegionsWorld({ nodes: [1, 1, 3], timing, partitionCount });
      world.awaitLeaders();
      world.run(1_000);
      for (const key of ['deleted', 'kept', 'overwritten']) world.ask('r1', set(key, 'before'));
      world.ask('r1', add('n', 1));
      world.until(() => world.isConverged());
      world.cut('r1', 'r3');
      world.cut('r2', 'r3');
      // What r3 writes now has not left it when it is evicted.
      world.ask('r3', set('own', 'unsent'));
      world.ask('r3', add('n', 10));
      world.ask('r3', set('overwritten', 'unsent'));
      world.run(100);
      world.ask('r1', del('deleted'));
      world.ask('r1', del('overwritten'));
      expect(world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! })).toMatchObject({ kind: 'done' });
      const records = (region: string, key: string): boolean =>
        [...partitionsOf(world, region)].some(({ state }) => state.read(key) !== null);
      world.until(
        () => ['r1', 'r2'].every((region) => !records(region, 'deleted') && !records(region, 'overwritten')),
        30_000,
        'collection without r3',
      );
      world.run(2_000);
      world.heal();
      world.until(() => world.isConverged(), 60_000, 'convergence');
      world.run(5_000);
      expect(world.isConverged()).toBe(true);
      for (const region of world.regions) {
        expect(valueOf(world.ask(region, get('deleted')))).toBeNull();
        expect(valueOf(world.ask(region, get('kept')))).toBe('before');
        expect(valueOf(world.ask(region, get('own')))).toBe('unsent');
        expect(world.ask(region, { kind: 'read', key: 'n', type: 'counter', consistent: true })).toMatchObject({
          view: { total: '11' },
        });
        // Its writer had seen what was deleted since; whoever deleted it had not seen this.
        expect(valueOf(world.ask(region, get('overwritten')))).toBeNull();
      }
      // In the ledger of whichever region took the offer.
      const ledgers = ['r1', 'r2'].map((region) =>
        world.ask(region, { kind: 'conflicts', prefix: 'overwritten', limit: 10 }),
      );
      expect(
        ledgers.flatMap((ledger) =>
          ledger.kind === 'conflicts' ? ledger.entries.map(({ loser, loserRegion }) => [loser, loserRegion]) : [],
        ),
      ).toEqual([[{ type: 'register', value: utf8Encode('unsent') }, 'r3']]);
      // It is a region like any other again.
      world.ask('r3', set('again', '1'));
      world.until(() => valueOf(world.ask('r1', get('again'))) === '1', 10_000, 'what it writes arrives');
      world.ask('r1', set('and back', '1'));
      world.until(() => valueOf(world.ask('r3', get('and back'))) === '1', 10_000, 'and the other way');
    },
  );
});

describe('an evicted region whose log was cut for its size', () => {
  it('comes back, and what it could offer no more stands in its ledger', () => {
    const world = new RegionsWorld({ nodes: [1, 1, 1], limits: { ...defaultLimits, regionLogBytesMax: 2_000 } });
    world.awaitLeaders();
    world.run(1_000);
    world.ask('r1', set('both', 'before'));
    world.until(() => world.isConverged());
    world.cut('r1', 'r3');
    world.cut('r2', 'r3');
    world.ask('r3', set('both', 'unsent'));
    world.ask('r3', set('own', 'unsent'));
    for (let i = 0; i < 100; i++) world.ask('r3', set(`fill${i}`, 'x'.repeat(50)));
    world.run(2_000);
    expect(world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! })).toMatchObject({ kind: 'done' });
    world.heal();
    world.until(() => world.isConverged(), 60_000, 'convergence');
    // The end of the log was offered as ever.
    for (const region of world.regions) expect(valueOf(world.ask(region, get('fill99')))).toBe('x'.repeat(50));
    expect(valueOf(world.ask('r3', get('both')))).toBe('before');
    for (const key of ['both', 'own']) {
      const ledger = world.ask('r3', { kind: 'conflicts', prefix: key, limit: 10 });
      expect(
        ledger.kind === 'conflicts' && ledger.entries.map(({ loser, loserRegion }) => [loser, loserRegion]),
      ).toEqual([[{ type: 'register', value: utf8Encode('unsent') }, 'r3']]);
    }
  });
});

describe('re-seeding', () => {
  it('goes on with another region when the one that began it is gone', () => {
    const world = new RegionsWorld({ nodes: [1, 1, 1] });
    world.awaitLeaders();
    world.run(1_000);
    world.ask('r1', set('k', '1'));
    world.until(() => world.isConverged());
    world.cut('r1', 'r3');
    world.cut('r2', 'r3');
    world.ask('r3', set('own', 'unsent'));
    world.ask('r1', { kind: 'evictRegion', region: world.regions[2]! });
    world.run(2_000);
    // The first region that takes an offer is cut off before it has given its state.
    let begunBy: string | null = null;
    world.passes = (from, to, { kind }) => {
      if (to === 'r3' && kind === 'evicted' && begunBy === null) begunBy = from;
      return to !== begunBy || kind === 'heartbeat' || kind === 'pull';
    };
    world.heal();
    world.until(() => begunBy !== null && reseedingFrom(world) === begunBy, 10_000, 're-seeding begins');
    const first = begunBy as unknown as string;
    world.cut(first, 'r3');
    world.until(
      () => reseedingFrom(world) === null && valueOf(world.ask('r3', get('k', false))) === '1',
      30_000,
      're-seeding ends',
    );
    world.passes = () => true;
    world.heal();
    world.until(() => world.isConverged(), 30_000, 'convergence');
    for (const region of world.regions) expect(valueOf(world.ask(region, get('own')))).toBe('unsent');
  });
});

function reseedingFrom(world: RegionsWorld): string | null {
  return [...partitionsOf(world, 'r3')][0]!.state.header.reseeding?.from ?? null;
}
