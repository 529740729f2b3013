import { describe, expect, test } from 'vitest';
import { runCli } from '../program.ts';
import { MemoryDatabase } from '../testing/memory-database.ts';
import { testTerminal, type TestTerminal } from '../testing/test-terminal.ts';

async function skerry(
  db: MemoryDatabase,
  args: readonly string[],
  input = '',
): Promise<TestTerminal & { code: number }> {
  const terminal = testTerminal({ input });
  const code = await runCli(args, terminal, db.connect);
  return Object.assign(terminal, { code });
}

async function printed(db: MemoryDatabase, ...args: readonly string[]): Promise<[number, string]> {
  const run = await skerry(db, args);
  return [run.code, run.printed()];
}

describe('counter', () => {
  test('adds one, or an amount that may be negative and larger than a number holds, and prints the total', async () => {
    const db = new MemoryDatabase();
    expect(await printed(db, 'counter', 'get', 'c')).toEqual([2, '']);
    expect(await printed(db, 'counter', 'add', 'c')).toEqual([0, 'applied\tversion 8\t1\n']);
    await skerry(db, ['counter', 'add', 'c', '9007199254740993']);
    await skerry(db, ['counter', 'add', 'c', '-4']);
    expect(await printed(db, 'counter', 'get', 'c')).toEqual([0, '9007199254740990\n']);
    expect(JSON.parse((await printed(db, 'counter', 'get', 'c', '-o', 'json'))[1])).toEqual({
      valid: true,
      timeout: false,
      view: { type: 'counter', total: '9007199254740990' },
      version: '7',
    });
    expect(await printed(db, 'counter', 'reset', 'c')).toEqual([0, 'applied\tversion 8\t0\n']);
  });

  test('without a majority it prints a receipt, and --no-consistent says the same as --local', async () => {
    const write = { valid: true, timeout: false, value: null, version: null, receipt: 'r1' };
    for (const flag of ['--local', '--no-consistent']) {
      const db = new MemoryDatabase({ write });
      expect(await printed(db, 'counter', 'add', 'c', '2', flag, '--copies', '2')).toEqual([
        0,
        'accepted\treceipt r1\n',
      ]);
      expect(db.calls.at(-1)?.at(-1)).toEqual({ consistent: false, blocking: true, w: 2 });
    }
  });

  test('a timeout ends with 3 and says what became of the write', async () => {
    const db = new MemoryDatabase({
      write: { valid: false, timeout: true, value: null, version: null, outcome: 'notApplied' },
    });
    const run = await skerry(db, ['counter', 'add', 'c', '--timeout', '50']);
    expect([run.code, run.errors()]).toEqual([3, 'timeout, not applied: it never will be\n']);
  });
});

describe('set', () => {
  test('keeps elements, prints them one per line, and tells by its exit code whether it has one', async () => {
    const db = new MemoryDatabase();
    await skerry(db, ['set', 'add', 's', 'red']);
    await skerry(db, ['set', 'add', 's', '-'], 'blue\u001b[2J');
    expect(await printed(db, 'set', 'values', 's')).toEqual([0, 'blue\\u001b[2J\nred\n']);
    expect(await printed(db, 'set', 'has', 's', 'red')).toEqual([0, 'true\n']);
    await skerry(db, ['set', 'remove', 's', 'red']);
    expect(await printed(db, 'set', 'has', 's', 'red')).toEqual([2, 'false\n']);
    expect(await printed(db, 'set', 'has', 'none', 'red')).toEqual([2, 'false\n']);
  });

  test('stands in JSON as text, or as base64 as a whole where an element is not', async () => {
    const db = new MemoryDatabase();
    db.views.set('s', { type: 'set', elements: [Buffer.from('a'), Buffer.of(0xff)] });
    expect(JSON.parse((await printed(db, 'set', 'values', 's', '-o', 'json'))[1])).toMatchObject({
      view: { type: 'set', elementsBase64: ['YQ==', '/w=='] },
    });
  });
});

test('flag is enabled and disabled', async () => {
  const db = new MemoryDatabase();
  expect(await printed(db, 'flag', 'enable', 'f')).toEqual([0, 'applied\tversion 8\tenabled\n']);
  expect(await printed(db, 'flag', 'disable', 'f')).toEqual([0, 'applied\tversion 8\tdisabled\n']);
  expect(await printed(db, 'flag', 'get', 'f')).toEqual([0, 'disabled\n']);
  expect(await printed(db, 'flag', 'get', 'none')).toEqual([2, '']);
});

test('multi shows all values with a context, which the next set names to replace them', async () => {
  const db = new MemoryDatabase();
  await skerry(db, ['multi', 'set', 'm', 'anna']);
  await skerry(db, ['multi', 'set', 'm', 'ben']);
  const both = await skerry(db, ['multi', 'get', 'm']);
  expect([both.code, both.printed(), both.errors()]).toEqual([0, 'anna\nben\n', 'context after 1\n']);
  expect(await printed(db, 'multi', 'set', 'm', 'cleo', '--context', 'after 1')).toEqual([
    0,
    'applied\tversion 8\t"cleo"\n',
  ]);
});

test('a key of another type is refused with exit code 2', async () => {
  const db = new MemoryDatabase();
  db.views.set('k', { type: 'flag', enabled: true });
  const run = await skerry(db, ['counter', 'get', 'k']);
  expect([run.code, run.errors()]).toEqual([2, expect.stringContaining('WRONG_TYPE') as string]);
});

describe('wrong usage ends with 1 and calls nothing', () => {
  test.each([
    [['counter', 'add', 'c', '1.5'], 'It must be a whole number.'],
    [['counter', 'add', 'c', '1', '--copies', '2'], '--copies is for --local'],
    [['set', 'add', 's'], "missing required argument 'element'"],
    [['flag', 'get', 'f', '--views', '2'], '--views is for --local'],
    [['doc', 'set', 'd', '[1]'], 'a document is a JSON object'],
    [['doc', 'set', 'd', '{'], 'the document is no JSON'],
    [['doc', 'set', 'd'], 'doc set needs the document'],
    [['doc', 'edit', 'd'], 'nothing to do'],
    [['doc', 'edit', 'd', 'title'], 'title is no edit'],
    [['doc', 'edit', 'd', 'n:=x'], 'n:=x: '],
  ])('%j', async (args, message) => {
    const db = new MemoryDatabase();
    const run = await skerry(db, args);
    expect([run.code, run.printed()]).toEqual([1, '']);
    expect(run.errors()).toContain(message);
    expect(db.calls.filter(([name]) => name !== 'connect')).toEqual([]);
  });
});

describe('doc', () => {
  test('is set from an argument or standard input, edited, and printed as JSON', async () => {
    const db = new MemoryDatabase();
    expect(await printed(db, 'doc', 'get', 'd')).toEqual([2, '']);
    await skerry(db, ['doc', 'set', 'd', '-'], '{"title":"a"}');
    await skerry(db, ['doc', 'edit', 'd', 'count:=2', '--delete', 'title']);
    expect(await printed(db, 'doc', 'get', 'd')).toEqual([0, '{\n  "count": 2\n}\n']);
    expect(await printed(db, 'doc', 'set', 'd', '{"count":3}')).toEqual([0, 'applied\tversion 8\t{"count":3}\n']);
    expect(await skerry(db, ['doc', 'set', 'd', '--file', '/nonexistent'])).toMatchObject({ code: 1 });
  });

  test('an edit that leads nowhere ends with 1 and says why', async () => {
    const db = new MemoryDatabase();
    const run = await skerry(db, ['doc', 'edit', 'd', 'a[0]=x']);
    expect([run.code, run.errors()]).toEqual([1, 'skerry: there is no a[0]; a[] appends\n']);
  });

  test('watch prints a line per state, and stops where the key becomes another type', async () => {
    const read = (): Promise<unknown> => Promise.resolve({ n: 1 });
    const view = { type: 'document' as const, chunks: [], operations: 1, read };
    const events = [
      { key: 'd', value: null, view, version: '1' },
      { key: 'd', value: null, version: '2' },
    ];
    const watch = [{ cursor: 'c', reset: true, events }];
    expect(await printed(new MemoryDatabase({ watch }), 'doc', 'watch', 'd')).toEqual([0, '{"n":1}\n(deleted)\n']);
    expect(await printed(new MemoryDatabase({ watch }), 'doc', 'watch', 'd', '--count', '1', '-o', 'json')).toEqual([
      0,
      '{"document":{"n":1},"version":"1"}\n',
    ]);
    const other = [{ cursor: 'c', reset: false, events: [{ key: 'd', value: Buffer.of(1), version: '3' }] }];
    const run = await skerry(new MemoryDatabase({ watch: other }), ['doc', 'watch', 'd']);
    expect([run.code, run.errors()]).toEqual([2, 'skerry: d is no document now, but a register\n']);
  });
});
