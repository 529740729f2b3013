import { SeededRandom, utf8Decode, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import type { Answer, Operation, ValueType, ValueView } from './requests.ts';
import { RegionsWorld } from './testing/regions-world.ts';

function viewOf(answer: Answer): ValueView | null {
  if (answer.kind !== 'key') throw new Error(`not a key answer: ${JSON.stringify(answer)}`);
  return answer.view ?? null;
}

/**
 * I9 and I11 against a plain model: random operations in three regions, with cuts, crashes and loss; then everybody holds
 * what the model computes from the acknowledged operations alone (DESIGN section 5).
 */
function run(seed: number, { linkHasLog, partitionCount }: { linkHasLog: boolean; partitionCount: number }): void {
  const random = new SeededRandom(seed);
  const draw = (below: number): number => random.uint32() % below;
  const world = new RegionsWorld({
    nodes: [3, 1, 1],
    seed,
    linkHasLog,
    partitionCount,
    lossPerMille: draw(2) * 50,
    duplicatesPerMille: draw(2) * 100,
    delayMsMax: 1 + draw(60),
    timing: { tombstoneKeepMs: 200 },
    ...(draw(3) === 0 ? { limits: { regionLogBytesMax: 3_000 } } : {}),
  });
  world.awaitLeaders();
  const counters = new Map<string, number>();
  const elements = new Map<string, Set<string>>();
  const registers = new Map<string, Map<string, string>>();
  const deleted = new Set<string>();
  let unique = 0;
  for (let i = 0; i < 150; i++) {
    world.run(1 + draw(30));
    const chance = draw(100);
    if (chance < 3) world.cut(`r${1 + draw(3)}`, `r${1 + draw(3)}`);
    else if (chance < 6) world.heal();
    else if (chance < 8) {
      const name = `n${1 + draw(3)}`;
      if (world.world('r1').isUp(name)) world.world('r1').crash(name);
      world.run(draw(300));
      for (const other of world.world('r1').names) if (!world.world('r1').isUp(other)) world.world('r1').start(other);
    }
    const region = `r${1 + draw(3)}`;
    const consistent = draw(2) === 0;
    const key = `k${draw(3)}`;
    const call = (operation: Operation): Answer => world.ask(region, operation, { client: `c${region}` });
    switch (draw(6)) {
      case 0:
      case 1: {
        const amount = draw(21) - 10;
        const answer = call({
          kind: 'update',
          key: `counter-${key}`,
          change: { type: 'counter', action: 'add', amount },
          consistent,
        });
        if (answer.kind === 'key' && answer.valid)
          counters.set(`counter-${key}`, (counters.get(`counter-${key}`) ?? 0) + amount);
        break;
      }
      case 2: {
        // Every element is added once and never removed: add-wins has nothing to decide.
        const element = `e${unique++}`;
        const answer = call({
          kind: 'update',
          key: `set-${key}`,
          change: { type: 'set', action: 'add', element: utf8Encode(element) },
          consistent,
        });
        if (answer.kind === 'key' && answer.valid)
          elements.set(`set-${key}`, (elements.get(`set-${key}`) ?? new Set()).add(element));
        break;
      }
      case 3: {
        const value = `v${unique++}`;
        const answer = call({ kind: 'set', key: `register-${key}`, value: utf8Encode(value), consistent });
        if (answer.kind === 'key' && answer.valid && answer.version !== null) {
          const versions = registers.get(`register-${key}`) ?? new Map<string, string>();
          registers.set(`register-${key}`, versions.set(answer.version, value));
        }
        break;
      }
      case 4: {
        // A key of its own, written once, seen everywhere and deleted for good.
        const own = `gone-${unique++}`;
        call({ kind: 'set', key: own, value: utf8Encode('x'), consistent: true });
        call({ kind: 'delete', key: own, consistent: true });
        deleted.add(own);
        break;
      }
      case 5:
        call({
          kind: 'update',
          key: `flag-${key}`,
          change: { type: 'flag', action: draw(2) === 0 ? 'enable' : 'disable' },
          consistent,
        });
        break;
    }
  }
  world.heal();
  for (const name of world.world('r1').names) if (!world.world('r1').isUp(name)) world.world('r1').start(name);
  const pending = (): number =>
    world.regions.reduce(
      (sum, region) =>
        sum +
        world.world(region).names.reduce(
          (all, name) =>
            all +
            world
              .world(region)
              .replica(name)
              .status()
              .partitions.reduce((n, one) => n + one.pending, 0),
          0,
        ),
      0,
    );
  world.until(() => pending() === 0 && world.isConverged(), 120_000, `convergence (seed ${seed})`);
  const read = (region: string, key: string, type: ValueType): ValueView | null =>
    viewOf(world.ask(region, { kind: 'read', key, type, consistent: true }, { client: 'reader' }));
  for (const region of world.regions) {
    for (const [key, total] of counters)
      expect(read(region, key, 'counter'), key).toEqual({ type: 'counter', total: String(total) });
    for (const [key, all] of elements) {
      const view = read(region, key, 'set');
      expect(view?.type === 'set' ? view.elements.map((one) => utf8Decode(one)).sort() : null, key).toEqual(
        [...all].sort(),
      );
    }
    for (const [key, versions] of registers) {
      const answer = world.ask(region, { kind: 'get', key, consistent: true }, { client: 'reader' });
      // The highest version that was acknowledged: a promotion keeps the stamp it was acknowledged with, or a clamp raises none.
      const highest = [...versions.keys()].sort().at(-1) as string;
      expect(answer.kind === 'key' && answer.value !== null && utf8Decode(answer.value), key).toBe(
        versions.get(highest),
      );
    }
    for (const key of deleted)
      expect(world.ask(region, { kind: 'get', key, consistent: false }, { client: 'reader' }), key).toMatchObject({
        value: null,
      });
  }
}

describe('three regions hold what a plain model computes', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'seed %i, frames only',
    (seed) => run(seed, { linkHasLog: false, partitionCount: 1 }),
    60_000,
  );
  it.each([7, 8, 9])('seed %i, with a log', (seed) => run(seed, { linkHasLog: true, partitionCount: 1 }), 60_000);
  it.each([10, 11, 12])(
    'seed %i, three partitions',
    (seed) => run(seed, { linkHasLog: seed % 2 === 0, partitionCount: 3 }),
    60_000,
  );
});
