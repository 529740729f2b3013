import { partitionId, type RegionId } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { encodeLinkFrame, type LinkMessage } from './regions/link-message.ts';
import type { StateHeader } from './state/header.ts';
import { addElement, del, elements, evict, hasRecord, header, only } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { get, set, valueOf } from './testing/world.ts';

describe('a region whose nodes were all put back to an old backup', () => {
  it.each([
    [2, 1, 'as soon as it is back'],
    [2, 3, 'as soon as it is back'],
    [3, 1, 'while it is alone'],
  ])(
    '%i regions, %i nodes: loses nothing that it acknowledges %s, and brings nothing back (I9, I11, I12)',
    (regionCount, nodeCount, when) => {
      const world = new RegionsWorld({
        nodes: Array.from({ length: regionCount }, (_, index) => (index === 0 ? nodeCount : 1)),
        timing: { tombstoneKeepMs: 100 },
      });
      const old = world.world('r1');
      world.awaitLeaders();
      world.run(1_000);
      for (const key of ['deleted', 'kept', 'changed']) world.ask('r1', set(key, '1'));
      world.until(() => world.isConverged());
      world.run(1_000);
      const backups = old.names.map((name) => [name, old.backup(name)] as const);
      for (let i = 0; i < 5; i++) world.ask('r1', set(`later${i}`, '1'));
      world.ask('r2', set('changed', '2'));
      world.ask('r2', { kind: 'delete', key: 'deleted', consistent: true });
      const isGone = (): boolean =>
        ['r1', 'r2'].every((region) =>
          [...world.world(region).replica('n1').partitionsForTests].every(
            ({ state }) => state.read('deleted') === null,
          ),
        );
      world.until(() => isGone() && world.isConverged(), 30_000, 'collection');
      world.stopRegion('r1');
      if (when === 'while it is alone') for (const other of world.regions.slice(1)) world.cut('r1', other);
      for (const [name, records] of backups) old.restore(name, records);
      world.startRegion('r1');
      // An answer of `notApplied` is definite: nothing was acknowledged.
      const write = (): boolean => {
        const answer = world.ask('r1', set('new', 'mine'));
        return answer.kind === 'key' && answer.valid;
      };
      world.until(write, 20_000, 'a write is taken');
      world.run(1_000);
      world.heal();
      world.until(() => valueOf(world.ask('r2', get('new'))) === 'mine', 30_000, 'what it wrote arrives');
      world.until(() => world.isConverged(), 60_000, 'convergence');
      world.run(5_000);
      for (const region of world.regions) {
        expect(valueOf(world.ask(region, get('deleted')))).toBeNull();
        expect(valueOf(world.ask(region, get('kept')))).toBe('1');
        expect(valueOf(world.ask(region, get('changed')))).toBe('2');
        expect(valueOf(world.ask(region, get('later4')))).toBe('1');
        expect(valueOf(world.ask(region, get('new')))).toBe('mine');
      }
      const setBacks = old.names.reduce(
        (sum, name) => sum + (old.replica(name).metrics()['region_set_back_total'] ?? 0),
        0,
      );
      expect(setBacks).toBeGreaterThan(0);
      // It is a region like any other again.
      world.ask('r1', set('again', '1'));
      world.until(() => valueOf(world.ask('r2', get('again'))) === '1', 10_000, 'what it writes arrives');
      world.until(() => world.isConverged(), 10_000, 'convergence');
    },
  );
});

describe('a region whose nodes were all put back to a backup from before it was re-seeded', () => {
  const headers = (world: RegionsWorld, region: string): readonly StateHeader[] =>
    Array.from(world.world(region).replica('n1').partitionsForTests, ({ state }) => state.header);
  const origins = (world: RegionsWorld): readonly number[] => headers(world, 'r1').map(({ origin }) => origin);
  const isIn = (world: RegionsWorld, at: string): boolean =>
    headers(world, at).every(({ regions }) => regions.get('r1' as RegionId)!.outSince === null);
  /** r1 writes none of these logs, and counts everywhere. */
  const isBackWithout = (world: RegionsWorld, logs: readonly number[]): boolean =>
    headers(world, 'r1').every(({ reseeding, origin }) => reseeding === null && !logs.includes(origin)) &&
    ['r2', 'r3'].every((region) => isIn(world, region));

  /** r1 has all of its first log in the backup, is evicted and re-seeded, and writes on under another log. */
  function reseeded(
    nodeCount = 1,
    partitionCount = 1,
  ): { world: RegionsWorld; first: readonly number[]; restore: () => void } {
    const world = new RegionsWorld({ nodes: [nodeCount, 1, 1], partitionCount, timing: { tombstoneKeepMs: 100 } });
    const old = world.world('r1');
    world.awaitLeaders();
    world.run(1_000);
    for (const key of ['deleted', 'kept', 'changed']) world.ask('r1', set(key, '1'));
    world.until(() => world.isConverged());
    world.run(1_000);
    const first = origins(world);
    const backups = old.names.map((name) => [name, old.backup(name)] as const);
    only(world, 'r2r3');
    evict(world, 'r2', 'r1');
    world.ask('r2', del('deleted'));
    world.run(1_000);
    world.heal();
    world.until(() => isBackWithout(world, first) && world.isConverged(), 30_000, 're-seeded');
    world.ask('r1', set('later', '1'));
    world.ask('r3', set('changed', '2'));
    world.until(() => world.isConverged() && !hasRecord(world, 'r2', 'deleted'), 30_000, 'collection');
    world.run(3_000);
    const restore = (): void => {
      world.stopRegion('r1');
      for (const [name, records] of backups) old.restore(name, records);
      world.startRegion('r1');
    };
    return { world, first, restore };
  }

  it.each([
    [1, 1, 'among the others'],
    [3, 1, 'among the others'],
    [1, 2, 'among the others'],
    [1, 1, 'while it is alone'],
  ])(
    '%i nodes, %i partitions: is re-seeded again by itself, put back %s (I9, I11, I12)',
    (nodes, partitions, where) => {
      const { world, first, restore } = reseeded(nodes, partitions);
      const second = origins(world);
      if (where === 'while it is alone') only(world, 'r2r3');
      restore();
      const isTaken = (key: string): boolean => {
        const answer = world.ask('r1', set(key, 'mine'), { timeoutMs: 1_000 });
        return answer.kind === 'key' && answer.outcome === 'applied';
      };
      world.until(() => isTaken('new'), 30_000, 'a write is taken');
      world.ask('r1', addElement('set', 'x'));
      world.heal();
      world.until(() => isBackWithout(world, [...first, ...second]), 60_000, 'another log');
      world.until(() => world.isConverged(), 60_000, 'convergence');
      world.run(5_000);
      for (const region of world.regions) {
        expect([region, valueOf(world.ask(region, get('deleted')))]).toEqual([region, null]);
        expect([region, valueOf(world.ask(region, get('kept')))]).toEqual([region, '1']);
        expect([region, valueOf(world.ask(region, get('changed')))]).toEqual([region, '2']);
        expect([region, valueOf(world.ask(region, get('later')))]).toEqual([region, '1']);
        expect([region, valueOf(world.ask(region, get('new')))]).toEqual([region, 'mine']);
        expect([region, elements(world, region, 'set')]).toEqual([region, ['x']]);
      }
      // It is a region like any other again: it is heard, and what it reports counts.
      world.ask('r1', set('again', '1'));
      world.until(() => valueOf(world.ask('r2', get('again'))) === '1', 10_000, 'what it writes arrives');
      world.ask('r2', del('kept'));
      world.until(() => world.regions.every((region) => !hasRecord(world, region, 'kept')), 60_000, 'collection');
    },
  );

  it('sees that it was put back from what others took as an offer, and loses nothing that it writes then (I12)', () => {
    const world = new RegionsWorld({ nodes: [1, 1, 1], timing: { tombstoneKeepMs: 100 } });
    world.awaitLeaders();
    world.run(1_000);
    world.ask('r1', set('kept', '1'));
    world.until(() => world.isConverged());
    world.run(1_000);
    const first = origins(world);
    const backup = world.world('r1').backup('n1');
    // What it writes now is sent to nobody, and is offered when it comes back.
    only(world, 'r2r3');
    for (let i = 0; i < 5; i++) world.ask('r1', set(`unsent${i}`, '1'));
    evict(world, 'r2', 'r1');
    world.run(1_000);
    world.heal();
    world.until(() => isBackWithout(world, first) && world.isConverged(), 30_000, 're-seeded');
    world.run(3_000);
    world.world('r1').crash('n1');
    world.world('r1').restore('n1', backup);
    only(world, 'r2r3');
    world.world('r1').start('n1');
    world.until(() => {
      const answer = world.ask('r1', set('new', 'mine'), { timeoutMs: 1_000 });
      return answer.kind === 'key' && answer.outcome === 'applied';
    });
    world.heal();
    world.until(() => isBackWithout(world, first) && world.isConverged(), 60_000, 'another log');
    world.run(5_000);
    for (const region of world.regions) {
      expect([region, valueOf(world.ask(region, get('new')))]).toEqual([region, 'mine']);
      for (let i = 0; i < 5; i++)
        expect([region, valueOf(world.ask(region, get(`unsent${i}`)))]).toEqual([region, '1']);
    }
  });

  it('is not taken for one that is long on another log and of which old frames come, one by one or in a row', () => {
    const { world, first } = reseeded();
    const before = origins(world);
    expect(before).not.toEqual(first);
    const old: LinkMessage = {
      kind: 'heartbeat',
      origin: first[0] as never,
      positions: [],
      digest: { high: 0, low: 0 },
      wallMs: 0,
      reseededFor: { wallMs: 0, counter: 0, replica: 0 as never },
      reseedingFor: null,
      waits: [],
      nodes: [],
      regions: [],
    };
    const late = [old, { ...old, reseedingFor: header(world, 'r1').reseededFor }].map((m) =>
      encodeLinkFrame(partitionId(0), m),
    );
    const deliver = (): void => {
      for (const frame of late)
        world
          .world('r2')
          .linkEvent('n1' as never, (replica, now) => replica.receiveFrame('r1' as RegionId, frame, now));
    };
    let evictions = 0;
    const watch = (): void => {
      deliver();
      world.run(50);
      if (!isIn(world, 'r2')) evictions++;
    };
    for (let i = 0; i < 100; i++) watch();
    // Nothing else comes from it for a while.
    only(world, 'r2r3');
    for (let i = 0; i < 200; i++) watch();
    world.heal();
    for (let i = 0; i < 100; i++) watch();
    expect(evictions).toBe(0);
    expect(origins(world)).toEqual(before);
    world.until(() => world.isConverged(), 10_000, 'convergence');
    world.ask('r2', del('kept'));
    world.until(() => world.regions.every((region) => !hasRecord(world, region, 'kept')), 60_000, 'collection');
  });
});
