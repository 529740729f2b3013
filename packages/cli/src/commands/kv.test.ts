import { describe, expect, test } from 'vitest';
import { runCli } from '../program.ts';
import { batch, MemoryDatabase } from '../testing/memory-database.ts';
import { testTerminal, type TestTerminal, type TestTerminalOptions } from '../testing/test-terminal.ts';

async function skerry(
  db: MemoryDatabase,
  args: readonly string[],
  options: TestTerminalOptions = {},
): Promise<TestTerminal & { code: number }> {
  const terminal = testTerminal(options);
  const code = await runCli(['kv', ...args], terminal, db.connect);
  return Object.assign(terminal, { code });
}

function text(db: MemoryDatabase, key: string): string | undefined {
  const value = db.values.get(key);
  return value && Buffer.from(value).toString();
}

describe('kv get', () => {
  test('prints the value and one newline', async () => {
    const db = new MemoryDatabase();
    db.values.set('a', Buffer.from('one')).set('b', Buffer.from('line\n'));
    expect((await skerry(db, ['get', 'a'])).printed()).toBe('one\n');
    expect((await skerry(db, ['get', 'b'])).printed()).toBe('line\n');
    expect(db.closed).toBe(true);
  });

  test('ends with 2 and prints nothing to standard output when there is no such key', async () => {
    const run = await skerry(new MemoryDatabase(), ['get', 'a']);
    expect([run.code, run.printed(), run.errors()]).toEqual([2, '', 'not found\n']);
  });

  test('prints the whole response as JSON, null for no key', async () => {
    const db = new MemoryDatabase();
    expect(await skerry(db, ['get', 'a', '-o', 'json']).then((run) => [run.code, JSON.parse(run.printed())])).toEqual([
      2,
      { valid: true, timeout: false, value: null, version: null },
    ]);
    db.values.set('a', Buffer.of(0xff));
    expect(JSON.parse((await skerry(db, ['get', 'a', '-o', 'json'])).printed())).toMatchObject({
      valueBase64: '/w==',
      version: '7',
    });
  });

  test('prints bytes only when asked to', async () => {
    const db = new MemoryDatabase();
    db.values.set('a', Buffer.of(0xff));
    expect(await skerry(db, ['get', 'a'])).toMatchObject({ code: 1 });
    expect(await skerry(db, ['get', 'a', '--bytes'])).toMatchObject({ code: 0 });
  });

  test('passes on which guarantee was asked for', async () => {
    const db = new MemoryDatabase();
    await skerry(db, ['get', 'a']);
    await skerry(db, ['get', 'a', '--local', '--views', '2', '--no-wait']);
    await skerry(db, ['get', 'a', '--timeout', '250']);
    expect(db.calls.filter(([name]) => name === 'get').map(([, , options]) => options)).toEqual([
      { consistent: true, blocking: true },
      { consistent: false, blocking: false, r: 2 },
      { consistent: true, blocking: false, timeoutMs: 250 },
    ]);
  });
});

describe('kv set, swap and del', () => {
  test('set writes the argument, or standard input for -', async () => {
    const db = new MemoryDatabase();
    expect((await skerry(db, ['set', 'a', 'one'])).printed()).toBe('applied\tversion 8\n');
    await skerry(db, ['set', 'b', '-'], { input: 'two\n' });
    expect([text(db, 'a'), text(db, 'b')]).toEqual(['one', 'two\n']);
  });

  test('a quorum-less set prints its receipt', async () => {
    const db = new MemoryDatabase({
      write: { valid: true, timeout: false, value: null, version: null, receipt: 'r1' },
    });
    expect((await skerry(db, ['set', 'a', '1', '--local', '--copies', '2'])).printed()).toBe('accepted\treceipt r1\n');
    expect(db.calls.at(-1)).toEqual(['set', 'a', { consistent: false, blocking: true, w: 2 }]);
  });

  test.each([
    [
      'undecided',
      { outcome: 'undecided' as const, ticket: 't1' },
      'undecided: it may have been applied or may still be; its outcome, when it is known: skerry resolve t1',
    ],
    [
      'undecided without a ticket',
      { outcome: 'undecided' as const },
      'undecided: it may have been applied or may still be; write it again',
    ],
    [
      'undecided with a receipt',
      { outcome: 'undecided' as const, receipt: 'r1' },
      'undecided: it may have been applied or may still be; what becomes of it: skerry receipt wait r1',
    ],
    ['not applied', { outcome: 'notApplied' as const }, 'not applied: it never will be'],
  ])('a timeout that left the write %s ends with 3 and says so', async (_, more, message) => {
    const db = new MemoryDatabase({ write: { valid: false, timeout: true, value: null, version: null, ...more } });
    const run = await skerry(db, ['set', 'a', '1', '--no-wait']);
    expect([run.code, run.printed(), run.errors()]).toEqual([3, '', `timeout, ${message}\n`]);
  });

  test('swap takes NEW OLD, NEW --absent and OLD --delete, and ends with 2 on a mismatch', async () => {
    const db = new MemoryDatabase();
    const codes: number[] = [];
    for (const args of [
      ['red', '--absent'],
      ['red', '--absent'],
      ['green', 'red'],
      ['blue', 'red'],
      ['red', '--delete'],
      ['green', '--delete'],
    ]) {
      codes.push((await skerry(db, ['swap', 'color', ...args])).code);
    }
    expect(codes).toEqual([0, 2, 0, 2, 2, 0]);
    expect(db.values.has('color')).toBe(false);
  });

  test('del deletes, also what is not there, and says which it was', async () => {
    const db = new MemoryDatabase();
    db.values.set('a', Buffer.from('1'));
    const [first, second] = [await skerry(db, ['del', 'a']), await skerry(db, ['del', 'a'])];
    expect([first.code, second.code]).toEqual([0, 0]);
    expect([first.printed(), second.printed()]).toEqual(['deleted\n', 'there was no such key\n']);
    expect(db.values.size).toBe(0);
    const json = await skerry(db, ['del', 'a', '-o', 'json']);
    expect(JSON.parse(json.printed())).toMatchObject({ valid: true, existed: false });
  });

  test('a quorum-less del prints its receipt', async () => {
    const write = { valid: true, timeout: false, value: null, version: null, receipt: 'r1' };
    expect((await skerry(new MemoryDatabase({ write }), ['del', 'a', '--local'])).printed()).toBe(
      'accepted\treceipt r1\n',
    );
  });
});

describe('wrong usage ends with 1, says what is wrong and calls nothing', () => {
  test.each([
    [['get'], "missing required argument 'key'"],
    [['get', 'a', 'b'], 'too many arguments'],
    [['get', 'a', '--colour'], "unknown option '--colour'"],
    [['get', 'a', '--timeout', '0'], 'It must be a whole number from 1.'],
    [['get', 'a', '--views', '2'], '--views is for --local'],
    [['set', 'a', '1', '--copies', '2'], '--copies is for --local'],
    [['swap', 'a', '1'], 'swap needs the new and the old value'],
    [['swap', 'a', '1', '2', '--absent'], 'swap needs one value'],
    [['swap', 'a', '1', '--absent', '--delete'], 'exclude each other'],
    [['get', 'a', '-o', 'xml'], 'Allowed choices are json, table'],
    [['get', 'a', '--endpoint', 'localhost'], 'localhost is not an endpoint'],
    [['frob'], "unknown command 'frob'"],
  ])('%j', async (args, message) => {
    const db = new MemoryDatabase();
    const run = await skerry(db, args);
    expect([run.code, run.printed()]).toEqual([1, '']);
    expect(run.errors()).toContain(message);
    expect(db.calls.filter(([name]) => name !== 'connect')).toEqual([]);
  });
});

describe('kv ls', () => {
  test('prints keys with the beginning of their values, across pages, escaping what would drive the terminal', async () => {
    const db = new MemoryDatabase();
    db.values.set('p/\u001b[2J', Buffer.from('x\ny')).set('q', Buffer.from('no'));
    expect((await skerry(db, ['ls', 'p/'])).printed()).toBe(
      'KEY          TYPE      BYTES  VALUE\np/\\u001b[2J  register      3  x\\ny\n',
    );
    for (let i = 0; i < 1_200; i++) db.values.set(`n/${i}`, Buffer.from('v'));
    expect((await skerry(db, ['ls', 'n/', '--keys-only'])).printed().split('\n')).toHaveLength(1_201);
    expect(JSON.parse((await skerry(db, ['ls', 'n/', '--limit', '2', '-o', 'json'])).printed())).toEqual([
      { key: 'n/0', value: 'v', version: '1' },
      { key: 'n/1', value: 'v', version: '1' },
    ]);
  });
});

describe('values of other types', () => {
  const elements = [Buffer.from('a'), Buffer.from('b')];

  test('stand in a listing as their types show them', async () => {
    const db = new MemoryDatabase();
    db.views
      .set('c', { type: 'counter', total: 5n })
      .set('d', { type: 'document', read: () => Promise.resolve({ n: 1 }) });
    db.views.set('f', { type: 'flag', enabled: true }).set('s', { type: 'set', elements });
    db.views.set('x', { type: 'document', read: () => Promise.reject(new Error('too long a history')) });
    expect((await skerry(db, ['ls'])).printed().split('\n').slice(1, 6)).toEqual([
      'c    counter       -  5',
      'd    document      -  {"n":1}',
      'f    flag          -  enabled',
      's    set           -  {"a", "b"}',
      'x    document      -  (too long a history)',
    ]);
    expect(JSON.parse((await skerry(db, ['ls', 's', '-o', 'json'])).printed())).toEqual([
      { key: 's', value: null, view: { type: 'set', elements: ['a', 'b'] }, version: '1' },
    ]);
  });

  test('are led by their type in a watch', async () => {
    const view = { type: 'set' as const, elements };
    const watch = [{ cursor: 'c1', reset: false, events: [{ key: 's', value: null, view, version: '1' }] }];
    expect((await skerry(new MemoryDatabase({ watch }), ['watch', 's'])).printed()).toBe('s\tset {"a", "b"}\n');
    expect(
      JSON.parse((await skerry(new MemoryDatabase({ watch }), ['watch', 's', '-o', 'json'])).printed()),
    ).toMatchObject({
      key: 's',
      value: null,
      view: { type: 'set', elements: ['a', 'b'] },
    });
  });
});

describe('kv watch', () => {
  const watch = [batch('c1', ['a', '1'], ['b', null]), batch('c2', ['a', '2'])];

  test('prints a line per change', async () => {
    expect((await skerry(new MemoryDatabase({ watch }), ['watch', 'a'])).printed()).toBe('a\t1\nb\t(deleted)\na\t2\n');
  });

  test('prints the cursor with the last change of each batch, and stops at the count', async () => {
    const run = await skerry(new MemoryDatabase({ watch }), ['watch', '', '--prefix', '--count', '3', '-o', 'json']);
    const lines = run
      .printed()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { cursor?: string });
    expect(lines.map(({ cursor }) => cursor)).toEqual([undefined, 'c1', 'c2']);
    expect((await skerry(new MemoryDatabase({ watch }), ['watch', '', '--count', '1'])).printed()).toBe('a\t1\n');
  });
});
