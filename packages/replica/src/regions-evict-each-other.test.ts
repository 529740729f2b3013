import { SeededRandom } from '@skerry/base';
import { counterTotal } from '@skerry/crdt';
import { describe, expect, it } from 'vitest';
import type { Answer, Operation } from './requests.ts';
import type { StateHeader } from './state/header.ts';
import { addElement, update } from './testing/evictions.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { get, set, valueOf } from './testing/world.ts';

const del = (key: string): Operation => ({ kind: 'delete', key, consistent: true });
const timing = { tombstoneKeepMs: 100 };
const isApplied = (answer: Answer): boolean => answer.kind === 'key' && answer.outcome === 'applied';

/** What is neither as it should be nor in a ledger. */
function wrong(world: RegionsWorld, region: string, keys: ReadonlyMap<string, boolean>): string[] {
  return Array.from(keys).flatMap(([key, lives]) => {
    const isThere = isShown(world, region, key);
    if (isThere === lives || (lives && isInLedger(world, key))) return [];
    return [`${region}: ${key} ${lives ? 'is gone' : 'is back'}`];
  });
}

const types = ['register', 'counter', 'set', 'flag'] as const;
type Type = (typeof types)[number];

/** The type of a key is in its name. */
function typeOf(key: string): Type {
  return types.find((type) => new RegExp(`^${type}-\\d+$`).test(key)) ?? 'register';
}

/** There, be it empty. */
function isShown(world: RegionsWorld, region: string, key: string): boolean {
  const type = typeOf(key);
  if (type === 'register') return valueOf(world.ask(region, get(key))) !== null;
  const answer = world.ask(region, { kind: 'read', key, type, consistent: true });
  return answer.kind === 'key' && (answer.view ?? null) !== null;
}

/** What makes a key. A counter takes two, so that they are summed up. */
function creations(key: string): readonly Operation[] {
  switch (typeOf(key)) {
    case 'register':
      return [set(key, '1')];
    case 'counter':
      return [1, 2].map((amount) => update(key, { type: 'counter', action: 'add', amount }));
    case 'set':
      return [addElement(key, 'x')];
    case 'flag':
      return [update(key, { type: 'flag', action: 'enable' })];
  }
}

function isInLedger(world: RegionsWorld, key: string): boolean {
  return world.regions.some((region) => {
    const page = world.ask(region, { kind: 'conflicts', prefix: key, limit: 100 });
    return page.kind === 'conflicts' && page.entries.some((entry) => entry.key === key);
  });
}

const names = ['r1', 'r2', 'r3'];
const pairs = names.flatMap((x) => names.filter((y) => y !== x).map((y) => `${x}${y}`));
/** All that three regions can do: who evicts whom. */
const graphs = Array.from({ length: 63 }, (_, index) => pairs.filter((_pair, at) => ((index + 1) >> at) & 1).join(' '));

describe('three regions that are apart and evict each other', () => {
  it.each(graphs)('come together, each with its writes and its deletes (I9, I11): %s', (edges) => {
    const world = new RegionsWorld({ nodes: [1, 1, 1], timing });
    world.awaitLeaders();
    world.run(1_000);
    for (const region of names) world.ask(region, set(`deleted-by-${region}`, '1'));
    world.until(() => world.isConverged());
    for (const pair of ['r1r2', 'r1r3', 'r2r3']) world.cut(pair.slice(0, 2), pair.slice(2));
    for (const region of names) {
      world.ask(region, set(`set-by-${region}`, '1'));
      world.ask(region, del(`deleted-by-${region}`));
    }
    for (const edge of edges.split(' '))
      world.ask(edge.slice(0, 2), { kind: 'evictRegion', region: edge.slice(2) as never });
    world.run(1_000);
    world.heal();
    world.until(() => world.isConverged(), 60_000, 'convergence');
    world.run(2_000);
    const keys = names.flatMap((region) => [
      [`set-by-${region}`, true] as const,
      [`deleted-by-${region}`, false] as const,
    ]);
    for (const [key, lives] of keys)
      expect([key, valueOf(world.ask('r1', get(key)))]).toEqual([key, lives ? '1' : null]);
  });
});

describe('two sides that evict each other', () => {
  const header = (world: RegionsWorld, region: string): StateHeader =>
    [...world.world(region).replica('n1').partitionsForTests][0]!.state.header;

  /** Both begin a new log after the other, so that what they wrote before is in no log any more. */
  function evictInTurn(world: RegionsWorld, [x, y]: readonly [string, string]): void {
    for (const [by, region] of [
      [x, y],
      [y, x],
    ] as const) {
      const ended = header(world, region).origin;
      const isBack = (): boolean => {
        const { origin, reseeding } = header(world, region);
        return origin !== ended && reseeding === null && !isOut(world, by, region);
      };
      world.ask(by, { kind: 'evictRegion', region: region as never });
      world.until(isBack, 30_000, 'back');
      world.run(2_000);
    }
  }

  const isOut = (world: RegionsWorld, at: string, region: string): boolean =>
    header(world, at).regions.get(region as never)?.outSince !== null;

  it.each([
    ['one has what it wrote in its states only: nothing is lost', false],
    ['both have what they wrote in their states only: of one it goes to the ledgers', true],
  ])('come together, where %s (I9, I12)', (_, areBoth) => {
    const world = new RegionsWorld({ nodes: [1, 1, 1, 1], timing });
    world.awaitLeaders();
    world.run(1_000);
    const [here, there] = [['r1', 'r2'] as const, ['r3', 'r4'] as const];
    for (const x of here) for (const y of there) world.cut(x, y);
    for (const region of world.regions) world.ask(region, set(`set-by-${region}`, '1'));
    world.run(2_000);
    evictInTurn(world, here);
    if (areBoth) evictInTurn(world, there);
    const across = here.flatMap((x) => there.flatMap((y) => [[x, y] as const, [y, x] as const]));
    for (const [by, region] of across) world.ask(by, { kind: 'evictRegion', region: region as never });
    world.run(1_000);
    world.heal();
    world.until(() => world.isConverged(), 90_000, 'convergence');
    world.run(2_000);
    const keys = world.regions.map((region) => `set-by-${region}`);
    expect(wrong(world, 'r1', new Map(keys.map((key) => [key, true])))).toEqual([]);
    const gone = keys.filter((key) => valueOf(world.ask('r1', get(key))) === null);
    expect(gone).toEqual(areBoth ? here.map((region) => `set-by-${region}`) : []);
  });
});

/** Cuts, writes, deletes and evictions at random, by name, with frames lost and repeated; then all is healed. */
function livesThrough(seed: number, used: readonly Type[]): string[] {
  const random = new SeededRandom(seed);
  const below = (end: number): number => random.uint32() % end;
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const world = new RegionsWorld({
    nodes: pick([
      [1, 1, 1],
      [1, 1, 1],
      [1, 1, 1, 1],
    ]),
    seed,
    timing,
    lossPerMille: below(2) * below(150),
    duplicatesPerMille: pick([0, 0, 100]),
    delayMsMax: pick([1, 5, 60]),
  });
  world.awaitLeaders();
  world.run(1_000);
  const keys: Map<string, boolean> = new Map();
  let count = 0;
  const sees = (region: string, key: string): boolean =>
    [...world.world(region).replica('n1').partitionsForTests].some(({ state }) => {
      const value = state.read(key)?.value ?? null;
      return value !== null && (typeOf(key) !== 'counter' || counterTotal(value) === 3n);
    });
  const act = (region: string): void => {
    switch (below(6)) {
      case 0:
      case 1:
      case 2: {
        // No number is drawn where there is nothing to choose, so that seeds stay what they are.
        const key = used.length === 1 ? `key-${count++}` : `${pick(used)}-${count++}`;
        const made = creations(key).filter((creation) => isApplied(world.ask(region, creation)));
        if (made.length === creations(key).length) keys.set(key, true);
        return;
      }
      case 3: {
        const seen = Array.from(keys).flatMap(([key, lives]) => (lives && sees(region, key) ? [key] : []));
        if (seen.length === 0) return;
        const key = pick(seen);
        // Of one that was not answered, nothing is known.
        if (isApplied(world.ask(region, del(key)))) keys.set(key, false);
        else keys.delete(key);
        return;
      }
      case 4: {
        const other = pick(world.regions);
        if (other !== region) world.ask(region, { kind: 'evictRegion', region: other });
        return;
      }
    }
  };
  /** What some region wrote comes to another one from nobody for a while, so that a delete comes without what it deletes. */
  const withhold = (): void => {
    const [late, of] = [pick(world.regions), pick(world.regions)];
    world.passes = (_from, to, m) => !(m.kind === 'entries' && to === late && m.region === of);
  };
  for (let phase = 2 + below(3); phase > 0; phase--) {
    world.heal();
    for (const x of world.regions) for (const y of world.regions) if (x < y && below(3) > 0) world.cut(x, y);
    if (used.length > 1) withhold();
    for (let step = 3 + below(6); step > 0; step--) {
      act(pick(world.regions));
      world.run(pick([10, 300, 1_500, 6_000]));
    }
  }
  world.passes = () => true;
  world.heal();
  world.until(() => world.isConverged(), 90_000, 'convergence');
  world.run(3_000);
  return [...wrong(world, world.regions[0] as string, keys), ...wrong(world, world.regions.at(-1) as string, keys)];
}

describe('regions that evict each other again and again', () => {
  // EVICTIONS=first-last or EVICTIONS=seed runs others: EVICTIONS=1-2000 takes some minutes.
  const [first = 1, last = first] = (process.env['EVICTIONS'] ?? '1-40').split('-').map(Number);
  const range = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  // These broke a promise once.
  const seeds = [...new Set([...range, ...(process.env['EVICTIONS'] === undefined ? [1016, 1087] : [])])];
  it.each(seeds)('come together, and what is taken from sight is in a ledger (I9, I11, I12): seed %i', (seed) => {
    expect(livesThrough(seed, ['register'])).toEqual([]);
  });
  it.each(seeds)('so they do with values of several types: seed %i', (seed) => {
    expect(livesThrough(seed, types)).toEqual([]);
  });
});
