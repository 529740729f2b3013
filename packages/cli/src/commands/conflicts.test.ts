import { SkerryError } from '@skerry/client';
import { describe, expect, test } from 'vitest';
import type { ConflictRecord } from '../database.ts';
import { runCli } from '../program.ts';
import { MemoryDatabase } from '../testing/memory-database.ts';
import { testTerminal, type TestTerminal } from '../testing/test-terminal.ts';

async function skerry(db: MemoryDatabase, ...args: readonly string[]): Promise<TestTerminal & { code: number }> {
  const terminal = testTerminal();
  const code = await runCli(['conflicts', ...args], terminal, db.connect);
  return Object.assign(terminal, { code });
}

const register = (text: string): ConflictRecord['loser'] => ({ type: 'register', value: Buffer.from(text) });
const stamp = (wallMs: number): ConflictRecord['loserStamp'] => ({ wallMs, counter: 0, replica: 1 as never });
const region = (name: string): ConflictRecord['loserRegion'] => name as never;

const overwrote: Partial<ConflictRecord> = {
  key: 'a',
  reason: 'overwrote',
  timeMs: 3_000,
  loser: register('old'),
  loserStamp: stamp(1_000),
  loserRegion: region('region-1'),
  winner: register('new'),
  winnerStamp: stamp(2_500),
  winnerRegion: region('region-2'),
};

describe('conflicts ls', () => {
  test('shows loser and winner with their regions, the newest first, across pages and up to a limit', async () => {
    const db = new MemoryDatabase();
    db.ledger.pageMax = 1;
    db.ledger.add(overwrote);
    db.ledger.add({ key: 'b', timeMs: 4_000, loser: { type: 'counter', total: 5n }, reason: 'otherType' });
    db.ledger.add({ key: 'c', timeMs: 5_000 });
    const lines = (await skerry(db, 'ls'))
      .printed()
      .split('\n')
      .slice(1, -1)
      .map((line) => line.split(/ {2,}/));
    expect(lines).toEqual([
      ['0:2', '1970-01-01T00:00:05.000Z', 'c', 'superseded', '(no key)', '-', '(no key)', '-'],
      ['0:1', '1970-01-01T00:00:04.000Z', 'b', 'otherType', '5', '-', '(no key)', '-'],
      ['0:0', '1970-01-01T00:00:03.000Z', 'a', 'overwrote', 'old', 'region-1', 'new', 'region-2'],
    ]);
    expect((await skerry(db, 'ls', '--limit', '2')).printed().split('\n')).toHaveLength(4);
    expect(JSON.parse((await skerry(db, 'ls', '--prefix', 'a', '-o', 'json')).printed())).toMatchObject([
      { id: '0:0', loser: { type: 'register', value: 'old' }, winner: { value: 'new' }, winnerRegion: 'region-2' },
    ]);
  });
});

describe('conflicts explain', () => {
  test('tells what lost, to what, where and when both were written, and why, the oldest first', async () => {
    const db = new MemoryDatabase();
    db.values.set('a', Buffer.from('new'));
    db.ledger.add(overwrote);
    db.ledger.add({ key: 'ab' });
    db.ledger.add({ ...overwrote, reason: 'superseded', loser: null, loserStamp: stamp(2_500) });
    const run = await skerry(db, 'explain', 'a');
    expect(run.printed()).toBe(`0:0, recorded 1970-01-01T00:00:03.000Z:
  lost: the value "old", written 1970-01-01T00:00:01.000Z in region-1 (version 1)
  to:   the value "new", written 1970-01-01T00:00:02.500Z in region-2 (version 2)
  why:  it stood there when a write was merged that had not seen it; of two such writes the later stamp wins, here by 1500 ms
0:2, recorded 1970-01-01T00:00:03.000Z:
  lost: a delete, written 1970-01-01T00:00:02.500Z in region-1 (version 1)
  to:   the value "new", written 1970-01-01T00:00:02.500Z in region-2 (version 2)
  why:  when it came to be merged, a write stood there that had not seen it; both are of one millisecond, and of two such writes the later stamp wins, by its counter and then its replica
Now: new
`);
    expect(run.code).toBe(0);
    expect(JSON.parse((await skerry(db, 'explain', 'a', '-o', 'json')).printed())).toMatchObject({
      key: 'a',
      losers: [{ id: '0:0', story: { lost: expect.stringContaining('"old"') as string } }, { id: '0:2' }],
      now: { type: 'register', value: 'new' },
    });
  });

  test.each<[Partial<ConflictRecord>, string]>([
    [
      {
        reason: 'documentDeleted',
        loser: { type: 'document', chunks: [], operations: 2, read: () => Promise.resolve({}) },
      },
      'the delete of the document\n',
    ],
    [{ reason: 'otherType', loser: register('x') }, 'what the key held then'],
    [{ reason: 'rejected', loser: register('x') }, 'what the key held then'],
    [{ reason: 'overwrote', loser: register('x'), winnerRegion: region('region-2') }, 'a delete, written'],
  ])('%j lost to %s', async (record, to) => {
    const db = new MemoryDatabase();
    db.ledger.add(record);
    expect((await skerry(db, 'explain', 'k')).printed()).toContain(`  to:   ${to}`);
  });

  test('calls a change of a document that, and shows a document that is there as another type', async () => {
    const db = new MemoryDatabase();
    const loser = { type: 'document' as const, chunks: [], operations: 2, read: () => Promise.resolve({ n: 1 }) };
    db.ledger.add({ loser, reason: 'documentDeleted' });
    db.ledger.add({ loser, reason: 'otherType' });
    const { printed } = await skerry(db, 'explain', 'k');
    expect(
      printed()
        .split('\n')
        .filter((line) => line.startsWith('  lost')),
    ).toEqual([
      expect.stringMatching(/^ {2}lost: a change of a document \(2 operations\), written/) as string,
      expect.stringMatching(/^ {2}lost: the document {"n":1}, written/) as string,
    ]);
    expect((await skerry(db, 'ls')).printed()).toContain('documentDeleted  a change of a document (2 operations)');
  });

  test('ends with 2 where nothing of the key was discarded', async () => {
    const db = new MemoryDatabase();
    db.ledger.add({ key: 'ab' });
    const run = await skerry(db, 'explain', 'a');
    expect([run.code, run.printed()]).toEqual([2, '']);
    expect(run.errors()).toBe('no write of a was discarded, as far as the ledger goes back\n');
  });
});

describe('conflicts restore', () => {
  test.each<[ConflictRecord['loser'], unknown[]]>([
    [register('old'), ['set', 'k', { consistent: true, blocking: true }]],
    [null, ['delete', 'k', { consistent: true, blocking: true }]],
    [
      { type: 'multiRegister', values: [Buffer.from('v')], context: 'c' },
      ['update', 'k', { type: 'multiRegister', value: Buffer.from('v'), context: null }],
    ],
    [{ type: 'counter', total: -2n }, ['update', 'k', { type: 'counter', action: 'add', amount: -2n }]],
    [{ type: 'flag', enabled: false }, ['update', 'k', { type: 'flag', action: 'disable' }]],
    [
      { type: 'document', chunks: [Buffer.of(1)], operations: 1, read: () => Promise.resolve({ a: 1 }) },
      ['update', 'k', { type: 'document', changes: Buffer.of(1) }],
    ],
  ])('what lost is written again by a write of its type (%#)', async (loser, call) => {
    const db = new MemoryDatabase();
    db.ledger.add();
    db.ledger.add({ loser });
    db.ledger.add();
    expect(await skerry(db, 'restore', '0:1')).toMatchObject({ code: 0 });
    expect(db.calls.at(-1)?.slice(0, call.length)).toEqual(call);
  });

  test('elements are added one by one, without a majority if asked to, and to another key', async () => {
    const db = new MemoryDatabase();
    db.ledger.add({ loser: { type: 'set', elements: [Buffer.from('a'), Buffer.from('b')] } });
    const run = await skerry(db, 'restore', '0:0', '--as', 'other', '--local');
    expect(run.printed()).toBe('restored\tother\t{"a", "b"}\n');
    expect(db.views.get('other')).toEqual({ type: 'set', elements: [Buffer.from('a'), Buffer.from('b')] });
    expect(db.calls.at(-1)?.at(-1)).toEqual({ consistent: false, blocking: true });
  });

  test.each<[Partial<ConflictRecord>, readonly string[], number, string]>([
    [{ loser: { type: 'set', elements: [] } }, ['0:0'], 2, 'cannot be restored: it took elements out'],
    [{ loser: { type: 'counter', total: 0n } }, ['0:0'], 2, 'cannot be restored: it took back additions'],
    [{ loser: null }, ['0:0', '--as', 'x'], 2, 'it is a delete'],
    [{ loser: { type: 'flag', enabled: true }, key: 'typed' }, ['0:0'], 2, 'holds another type than flag now'],
    [{}, ['0:1'], 2, 'there is no record 0:1, or no more, in the ledger of region-1'],
    [{}, ['17'], 1, '17 is no id of a record'],
  ])('what cannot be says why (%#)', async (record, args, code, why) => {
    const db = new MemoryDatabase();
    db.views.set('typed', { type: 'counter', total: 1n });
    db.ledger.add(record);
    const run = await skerry(db, 'restore', ...args);
    expect([run.code, run.printed()]).toEqual([code, '']);
    expect(run.errors()).toContain(why);
  });

  test('a change of a document whose base is gone is not', async () => {
    const db = new MemoryDatabase();
    db.ledger.add({
      loser: { type: 'document', chunks: [Buffer.of(1)], operations: 1, read: () => Promise.resolve({}) },
    });
    db.update = () => Promise.reject(new SkerryError({ code: 'BAD_REQUEST' }));
    const run = await skerry(db, 'restore', '0:0');
    expect([run.code, run.errors()]).toEqual([
      2,
      expect.stringContaining('builds on changes that went with the deleted document') as string,
    ]);
  });

  test('a timeout ends with 3', async () => {
    const db = new MemoryDatabase({
      write: { valid: false, timeout: true, value: null, version: null, outcome: 'notApplied' },
    });
    db.ledger.add({ loser: register('x') });
    expect(await skerry(db, 'restore', '0:0', '--no-wait')).toMatchObject({ code: 3 });
  });
});

describe('conflicts watch', () => {
  test('prints those that come, and with --from-start first those that are there', async () => {
    const db = new MemoryDatabase();
    db.ledger.add(overwrote);
    let pages = 0;
    db.ledger.afterPage = () => {
      if (++pages === 3) db.ledger.add({ key: 'b' });
    };
    const line = '0:0\ta\toverwrote\told (region-1)\tto new (region-2)\n';
    const other = '0:1\tb\tsuperseded\t(no key) (-)\tto (no key) (-)\n';
    expect((await skerry(db, 'watch', '--count', '1', '--interval', '1')).printed()).toBe(other);
    expect((await skerry(db, 'watch', '--count', '2', '--from-start')).printed()).toBe(line + other);
    expect(
      JSON.parse((await skerry(db, 'watch', 'a', '--count', '1', '--from-start', '-o', 'json')).printed()),
    ).toMatchObject({ id: '0:0' });
  });
});
