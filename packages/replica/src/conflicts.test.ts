import { utf8Encode } from '@skerry/base';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from './requests.ts';
import { RegionsWorld } from './testing/regions-world.ts';
import { set } from './testing/world.ts';

type Page = Extract<Answer, { kind: 'conflicts' }>;

const keyCount = 16;
let world: RegionsWorld;

function page(options: { limit: number; before?: string; prefix?: string }): Page {
  const answer = world.ask('r1', { kind: 'conflicts', prefix: '', ...options });
  if (answer.kind !== 'conflicts') throw new Error(`not a page: ${JSON.stringify(answer)}`);
  return answer;
}

function numberOf({ id }: Page['entries'][number]): [partition: number, number: number] {
  const [partition = -1, number = -1] = id.split(':').map(Number);
  return [partition, number];
}

/** Both regions write the same keys while they are apart: one of two writes of each key goes to the ledger. */
beforeAll(() => {
  world = new RegionsWorld({ nodes: [1, 1], partitionCount: 4 });
  world.awaitLeaders();
  world.cut('r1', 'r2');
  const writes = world.regions.flatMap((region) =>
    Array.from({ length: keyCount }, (_, i) => {
      return world.call(region, set(`k${i}`, `${region} ${'x'.repeat(100_000)}`), { client: `${region}-${i}` });
    }),
  );
  for (const write of writes) world.settle(write);
  world.heal();
  // The ledger tells when all have come, and sooner than a comparison of large values.
  world.until(
    () =>
      world
        .world('r1')
        .replica('n1')
        .conflictCounts()
        .reduce((sum, { count }) => sum + count, 0) === keyCount,
    60_000,
    'the conflicts',
  );
});

describe('pages of the ledger', () => {
  it('bring each record once, of each partition the newest first, within a limit and within a mebibyte', () => {
    for (const limit of [1, 7, 1_000]) {
      const found: [number, number][] = [];
      let pageCount = 0;
      for (let before: string | null = ''; before !== null; pageCount++) {
        const { entries, next }: Page = page({ limit, ...(before === '' ? {} : { before }) });
        expect(entries.length).toBeLessThanOrEqual(limit);
        expect(
          entries.reduce((bytes, { loser }) => bytes + (loser?.type === 'register' ? loser.value.length : 0), 0),
        ).toBeLessThan(1_150_000);
        found.push(...entries.map(numberOf));
        before = next;
      }
      expect(pageCount).toBeGreaterThan(2);
      expect(found).toHaveLength(keyCount);
      for (const partition of [0, 1, 2, 3]) {
        const numbers = found.filter(([of]) => of === partition).map(([, number]) => number);
        expect(numbers).toEqual(Array.from(numbers, (_, i) => numbers.length - 1 - i));
        expect(numbers.length).toBeGreaterThan(1);
      }
    }
  });

  it('go on below the numbers given, in the partitions named only', () => {
    const { entries, next } = page({ limit: 10, before: '2:1' });
    expect(entries.map(({ id }) => id)).toEqual(['2:0']);
    expect(next).toBeNull();
    expect(page({ limit: 1, before: '2:2,9:5' })).toMatchObject({ entries: [{ id: '2:1' }], next: '2:1' });
  });

  it('hold the prefix asked for, and tell nothing of what is left of others', () => {
    const { entries, next } = page({ limit: 100, prefix: 'k15' });
    expect(entries.map(({ key, loser }) => [key, loser?.type === 'register' && loser.value.slice(0, 3)])).toEqual([
      ['k15', utf8Encode('r1 ')],
    ]);
    expect(next).toBeNull();
  });

  it('name the regions of both sides where one key was written as two types', () => {
    world.cut('r1', 'r2');
    world.ask('r1', set('typed', 'text'));
    world.run(5);
    world.ask('r2', {
      kind: 'update',
      key: 'typed',
      change: { type: 'counter', action: 'add', amount: 4 },
      consistent: true,
    });
    world.heal();
    world.until(() => page({ limit: 1, prefix: 'typed' }).entries.length === 1, 20_000, 'the conflict');
    expect(page({ limit: 1, prefix: 'typed' }).entries).toMatchObject([
      {
        reason: 'otherType',
        loser: { type: 'register' },
        loserRegion: 'r1',
        winner: { type: 'counter', total: '4' },
        winnerRegion: 'r2',
      },
    ]);
  });

  it.each(['', 'x', '1', '1:', '1:2,', '1:-2'])('%j is no place to go on from', (before) => {
    expect(world.ask('r1', { kind: 'conflicts', prefix: '', limit: 1, before })).toMatchObject({
      kind: 'error',
      code: 'BAD_REQUEST',
    });
  });
});
