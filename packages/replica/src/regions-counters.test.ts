import { SeededRandom } from '@skerry/base';
import { counterTotal } from '@skerry/crdt';
import { describe, expect, it } from 'vitest';
import type { Operation } from './requests.ts';
import { del, hasRecord, header, only, update } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { set } from './testing/world.ts';

// Where a tombstone is forgotten, a sum leaves out the increments before the delete. Where it is not, it has them, and the reset takes
// them away. So what is counted afterwards is summed up by itself, as another generation.
it('a counter that is counted again where its tombstone is gone, and where it is not yet, comes to the same', () => {
  const world = new RegionsWorld({ nodes: [1, 1, 1], timing: { tombstoneKeepMs: 100 } });
  const add = update('k', { type: 'counter', action: 'add', amount: 1 });
  const total = (region: string): string | null => {
    const answer = world.ask(region, { kind: 'read', key: 'k', type: 'counter', consistent: true });
    return answer.kind === 'key' && answer.view?.type === 'counter' ? answer.view.total : null;
  };
  world.awaitLeaders();
  world.run(1_000);
  for (let i = 0; i < 2; i++) world.ask('r2', add);
  world.until(() => world.isConverged());
  // r3 does not hear how far r1 is, and keeps the tombstone.
  world.passes = (from, to, m) => !(from === 'r1' && to === 'r3' && m.kind === 'heartbeat');
  world.ask('r2', del('k'));
  world.until(() => !hasRecord(world, 'r1', 'k') && !hasRecord(world, 'r2', 'k'), 30_000, 'collected');
  const l2 = header(world, 'r2').origin;
  world.ask('r2', add);
  world.until(() => header(world, 'r3').origins.get(l2)!.applied === header(world, 'r2').origins.get(l2)!.applied);
  // r1 sums up to a later write of r2 than r3.
  world.passes = (from, to, m) =>
    !(from === 'r1' && to === 'r3' && m.kind === 'heartbeat') &&
    !(to === 'r3' && m.kind === 'entries' && m.origin === l2);
  world.ask('r2', set('other', '1'));
  world.run(1_000);
  world.ask('r1', add);
  world.run(1_000);
  expect(hasRecord(world, 'r3', 'k')).toBe(true);
  world.passes = () => true;
  world.until(() => world.isConverged(), 60_000, 'convergence');
  world.run(10_000);
  expect(world.regions.map(total)).toEqual(['2', '2', '2']);
});

/**
 * Counts, deletes and resets at random, with regions that are cut off, and that are not told how far others are, so that some
 * forget a tombstone long before the rest. Each increment has a bit of its own, so that a total tells which of them it holds.
 */
function countsThrough(seed: number): { readonly totals: readonly bigint[]; readonly expected: bigint } {
  const random = new SeededRandom(seed);
  const below = (end: number): number => random.uint32() % end;
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const world = new RegionsWorld({
    nodes: [1, 1, 1],
    seed,
    timing: { tombstoneKeepMs: 100 },
    duplicatesPerMille: pick([0, 100]),
    delayMsMax: pick([1, 20]),
  });
  const totalOf = (region: string): bigint => {
    const [partition] = world.world(region).replica('n1').partitionsForTests;
    return counterTotal(partition?.localView('k') ?? null) ?? 0n;
  };
  world.awaitLeaders();
  world.run(1_000);
  let cuts: (readonly [string, string])[] = [];
  const untold: Set<string> = new Set();
  world.passes = (from, to, { kind }) => !(untold.has(`${from}${to}`) && (kind === 'heartbeat' || kind === 'digests'));
  const join = (): void => {
    world.heal();
    for (const [a, b] of cuts) world.cut(a, b);
  };
  let [added, gone] = [0n, 0n];
  for (let step = 0; step < 40; step++) {
    const region = pick(world.regions);
    const kind = below(10);
    if (kind < 5) {
      const amount = 2 ** step;
      const answer = world.ask(region, {
        ...update('k', { type: 'counter', action: 'add', amount }),
        consistent: below(2) === 0,
      } as Operation);
      if (answer.kind !== 'key' || !answer.valid) throw new Error(`not counted: ${JSON.stringify(answer)}`);
      added |= BigInt(amount);
    } else if (kind < 8) {
      // Nothing comes between what is seen and the delete.
      only(world);
      world.run(100);
      gone |= totalOf(region);
      world.ask(region, pick([del('k'), del('k'), update('k', { type: 'counter', action: 'reset' })]));
      join();
    } else {
      cuts = [['r1', 'r2'] as const, ['r1', 'r3'] as const, ['r2', 'r3'] as const].filter(() => below(3) === 0);
      untold.clear();
      for (const from of world.regions)
        for (const to of world.regions) if (from !== to && below(3) === 0) untold.add(`${from}${to}`);
      join();
    }
    world.run(pick([0, 50, 500, 4_000]));
  }
  world.heal();
  world.passes = () => true;
  world.until(() => world.isConverged(), 90_000, 'convergence');
  world.run(10_000);
  return { totals: world.regions.map(totalOf), expected: added & ~gone };
}

// `COUNTERS=1-1000` tries these.
describe('a counter that is counted, deleted and reset again and again', () => {
  const [first = 1, last = 40] = (process.env['COUNTERS'] ?? '1-40').split('-').map(Number);
  it.each(Array.from({ length: last - first + 1 }, (_, index) => first + index))(
    'holds what was counted, and was not seen by a delete, in all regions (I9, I11, I12): seed %i',
    (seed) => {
      const { totals, expected } = countsThrough(seed);
      expect(totals).toEqual([expected, expected, expected]);
    },
  );
});
