import { expect, test } from 'vitest';
import { RegionsWorld } from './testing/regions-world.ts';
import { set, type Call } from './testing/world.ts';

/** Log entries of the first region for four writes in each of 300 ms. `sizes`: nodes of each region. */
function entriesFor(sizes: readonly number[]): number {
  const world = new RegionsWorld({ nodes: [...sizes] });
  world.awaitLeaders();
  world.ask('r1', set('k', 'v'));
  if (sizes.length > 1) world.until(() => world.isConverged(), 5_000, 'the regions to know each other');
  const applied = (): number => world.world('r1').replica('n1').status().partitions[0]?.applied ?? 0;
  const before = applied();
  const calls: Call[] = [];
  for (let ms = 0; ms < 300; ms++) {
    for (let i = 0; i < 4; i++) calls.push(world.call('r1', set(`k${ms}/${i}`, 'v')));
    world.step();
  }
  const entries = applied() - before;
  for (const call of calls) expect(world.settle(call)).toMatchObject({ valid: true });
  return entries;
}

test.each([[[3]], [[3, 1]]])('many writes gather before they enter the log, with regions of %j nodes', (sizes) => {
  // Without that nearly every one of the 300 turns has an entry of its own.
  expect(entriesFor(sizes)).toBeLessThan(150);
});
