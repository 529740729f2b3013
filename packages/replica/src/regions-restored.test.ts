import { describe, expect, it } from 'vitest';
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
