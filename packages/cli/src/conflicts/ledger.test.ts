import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryDatabase } from '../testing/memory-database.ts';
import { LedgerFollower, ledgerOf, recordOf } from './ledger.ts';

const options = { blocking: true, signal: new AbortController().signal };

async function take(follower: LedgerFollower): Promise<string[]> {
  return (await follower.take(options)).records.map(({ id }) => id);
}

test('the whole ledger is read page by page, and one record by its id', async () => {
  const db = new MemoryDatabase();
  db.ledger.pageMax = 2;
  for (let i = 0; i < 7; i++) db.ledger.add({ timeMs: i }, i % 2);
  const ids = [];
  for await (const { id } of ledgerOf(db, '', options)) ids.push(id);
  expect(ids).toEqual(['0:3', '1:2', '0:2', '1:1', '0:1', '1:0', '0:0']);
  expect(await recordOf(db, '1:1', options)).toMatchObject({ id: '1:1' });
  expect(await recordOf(db, '1:9', options)).toBeNull();
  expect(await recordOf(db, '7:0', options)).toBeNull();
});

describe('following the ledger', () => {
  const add = fc.record({ partition: fc.nat({ max: 2 }), timeMs: fc.nat({ max: 5 }) });

  test('brings each record once, whatever clocks and page sizes, also those that come while pages are read', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          first: fc.array(add),
          rounds: fc.array(fc.array(add)),
          during: fc.array(add),
          pageMax: fc.integer({ min: 1, max: 4 }),
        }),
        async ({ first, rounds, during, pageMax }) => {
          const db = new MemoryDatabase();
          const added: string[] = [];
          const late = [...during];
          for (const { partition, timeMs } of first) db.ledger.add({ timeMs }, partition);
          db.ledger.pageMax = pageMax;
          const follower = new LedgerFollower(db, '');
          await follower.skip(options);
          db.ledger.afterPage = () => {
            const one = late.shift();
            if (one !== undefined) added.push(db.ledger.add({ timeMs: one.timeMs }, one.partition).id);
          };
          const taken: string[] = [];
          for (const round of rounds) {
            for (const { partition, timeMs } of round) added.push(db.ledger.add({ timeMs }, partition).id);
            taken.push(...(await take(follower)));
          }
          db.ledger.afterPage = () => {};
          taken.push(...(await take(follower)));
          expect(taken.toSorted()).toEqual(added.toSorted());
          expect(await take(follower)).toEqual([]);
        },
      ),
    );
  });

  test('from the start brings what is there, the oldest first, of the prefix asked for', async () => {
    const db = new MemoryDatabase();
    for (const key of ['a/1', 'b/1', 'a/2']) db.ledger.add({ key });
    expect(await take(new LedgerFollower(db, 'a/'))).toEqual(['0:0', '0:2']);
  });

  test('begins anew in another region, whose numbers are others', async () => {
    const db = new MemoryDatabase();
    db.ledger.add();
    const follower = new LedgerFollower(db, '');
    await follower.skip(options);
    db.ledger.add();
    db.inRegion = 'region-2';
    expect(await follower.take(options)).toEqual({ records: [], movedTo: 'region-2' });
    db.ledger.add();
    expect(await follower.take(options)).toMatchObject({ records: [{ id: '0:2' }], movedTo: null });
  });
});
