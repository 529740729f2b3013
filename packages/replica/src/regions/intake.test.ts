import { expect, test } from 'vitest';
import { set } from '../testing/world.ts';
import { RegionsWorld } from '../testing/regions-world.ts';

/** Applied without a pause, so many take a slow machine about a third of the shortest election timeout. */
const perTurnMax = 2_048;

test.each([false, true])(
  'a long log of another region is applied in steps that end well before an election timeout; link with a log: %s',
  (linkHasLog) => {
    const world = new RegionsWorld({ linkHasLog, nodes: [1, 3] });
    world.awaitLeaders();
    world.ask('r1', set('k', 'v'));
    world.until(() => world.isConverged(), 5_000, 'the regions to know each other');
    world.cut('r1', 'r2');
    const count = 4 * perTurnMax;
    const calls = Array.from({ length: count }, (_, i) => world.call('r1', set(`k${i}`, 'v')));
    for (const call of calls) expect(world.settle(call)).toMatchObject({ valid: true });
    const applied = (name: string): number => {
      const { partitions } = world.world('r2').replica(name).seen();
      return Math.max(0, ...(partitions[0]?.positions ?? []).map(({ sequence }) => sequence));
    };
    world.heal();
    const steps = new Map<string, number>();
    const names = world.world('r2').names;
    let before = names.map(applied);
    world.until(() => {
      const now = names.map(applied);
      names.forEach((name, index) =>
        steps.set(name, Math.max(steps.get(name) ?? 0, (now[index] ?? 0) - (before[index] ?? 0))),
      );
      before = now;
      return now.every((position) => position > count);
    });
    expect(Math.max(...steps.values())).toBeLessThanOrEqual(perTurnMax);
    world.until(() => world.isConverged());
  },
);
