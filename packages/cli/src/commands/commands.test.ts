import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeId } from '@skerry/base';
import { SkerryError } from '@skerry/client';
import type { Member } from '@skerry/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { runCli } from '../program.ts';
import { temporaryFolder } from '../testing/fake-node.ts';
import { MemoryDatabase, type Script } from '../testing/memory-database.ts';
import { testTerminal, type TestTerminal } from '../testing/test-terminal.ts';

async function skerry(
  args: readonly string[],
  script: Script = {},
): Promise<TestTerminal & { code: number; db: MemoryDatabase }> {
  const terminal = testTerminal();
  const db = new MemoryDatabase(script);
  const code = await runCli(args, terminal, db.connect);
  return Object.assign(terminal, { code, db });
}

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** The administration port of a node that says this of itself. */
async function admin(status: object): Promise<string> {
  const server = createServer((_request, response) => response.end(JSON.stringify(status)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function member(name: string, adminUrl: string): Member {
  return { node: nodeId(name), role: 'voter', clientUrl: 'ws://127.0.0.1:1', adminUrl };
}

function partition(quorum: boolean): object {
  return { partition: 0, role: 'leader', term: 3, leader: 'a', commit: 9, applied: 8, pending: 1, quorum };
}

describe('status', () => {
  test('has a row per node and partition, also for a node that is away', async () => {
    const up = await admin({ storageFull: false, partitions: [partition(true)] });
    const run = await skerry(['status'], { members: [member('a', up), member('b', 'http://127.0.0.1:1')] });
    expect(run.printed().split('\n').slice(1, 3)).toEqual([
      expect.stringMatching(/^a +0 +leader +3 +a +9 +8 +1 +ok$/) as string,
      expect.stringMatching(/^b +- +unreachable \(/) as string,
    ]);
    expect(run.code).toBe(0);
  });

  test('ends with 2 when no node has a quorum', async () => {
    const alone = await admin({ storageFull: false, partitions: [partition(false)] });
    expect((await skerry(['status'], { members: [member('a', alone)] })).code).toBe(2);
    expect((await skerry(['status'], { members: [] })).code).toBe(2);
  });
});

describe('member', () => {
  const urls = ['--peer', 'ws://h:1', '--client', 'ws://h:2', '--admin', 'http://h:3'];
  const spec = {
    node: 'c',
    peerUrl: 'ws://h:1',
    clientUrl: 'ws://h:2',
    adminUrl: 'http://h:3',
    learner: false,
    replica: null,
  };

  test.each([
    [['add', 'c', ...urls], { add: [spec], remove: [] }],
    [['add', 'c', ...urls, '--learner'], { add: [{ ...spec, learner: true }], remove: [] }],
    [['remove', 'b'], { add: [], remove: ['b'] }],
    [['replace', 'b', 'c', ...urls], { add: [spec], remove: ['b'] }],
  ])('%j asks for one change', async (args, change) => {
    const run = await skerry(['member', ...args]);
    expect([run.code, run.printed()]).toEqual([0, 'done\n']);
    expect(run.db.calls.at(-1)?.slice(0, 2)).toEqual(['changeMembers', change]);
  });

  test('transfer takes a node, a partition, or neither', async () => {
    const calls = [];
    for (const args of [[], ['b'], ['b', '--partition', '0']])
      calls.push((await skerry(['member', 'transfer', ...args])).db.calls.at(-1)?.[1]);
    expect(calls).toEqual([
      { partition: null, to: null },
      { partition: null, to: 'b' },
      { partition: 0, to: 'b' },
    ]);
  });

  test.each([
    [['add', 'c'], "required option '--peer <url>' not specified"],
    [['remove', 'a/b'], 'a/b is no name of a node'],
    [['replace', 'c', 'c', ...urls], 'start it with skerry server --rebuild instead'],
  ])('%j is refused', async (args, message) => {
    const run = await skerry(['member', ...args]);
    expect(run.code).toBe(1);
    expect(run.errors()).toContain(message);
  });
});

describe('receipt and resolve', () => {
  test.each([
    [{ state: 'promoted' as const, version: '7', timeout: false }, 0, 'promoted\tversion 7\n'],
    [{ state: 'rejected' as const, reason: 'WRONG_TYPE', version: null, timeout: false }, 2, 'rejected\tWRONG_TYPE\n'],
    [{ state: 'unknown' as const, version: null, timeout: false }, 2, 'unknown\n'],
    [{ state: 'accepted' as const, version: null, timeout: true }, 3, ''],
  ])('a receipt that is %j', async (receipt, code, printed) => {
    const run = await skerry(['receipt', 'wait', 'r1'], { receipt });
    expect([run.code, run.printed()]).toEqual([code, printed]);
    expect(run.db.calls.at(-1)).toEqual(['receipt', 'r1', { blocking: true, waitUntilKnown: true }]);
  });

  test('resolve prints what became of the write', async () => {
    const write = { valid: true, timeout: false, value: null, version: '9', outcome: 'applied' as const };
    expect((await skerry(['resolve', 't1'], { write })).printed()).toBe('applied\tversion 9\n');
  });
});

describe('errors of the table', () => {
  test.each([
    [{ code: 'TIMEOUT' as const }, 3],
    [{ code: 'TICKET_UNKNOWN' as const }, 2],
    [{ code: 'MEMBER_EXISTS' as const }, 2],
    [{ code: 'NO_ENDPOINT' as const }, 1],
    [{ code: 'CONNECTION_LOST' as const, ticket: 't1' }, 1],
  ])('%j becomes an exit code and one line', async (options, code) => {
    const terminal = testTerminal();
    expect(await runCli(['kv', 'get', 'a'], terminal, () => Promise.reject(new SkerryError(options)))).toBe(code);
    expect(terminal.errors()).toMatch(new RegExp(`^skerry: ${options.code}: .*\\n`));
    expect(terminal.errors().includes('skerry resolve t1')).toBe('ticket' in options);
  });
});

describe('check history', () => {
  function historyFile(folder: string, name: string, read: string): string {
    const path = join(folder, name);
    const lines = [
      '{:process 0, :type :invoke, :f :put, :key "0", :value "x"}',
      '{:process 0, :type :ok, :f :put, :key "0", :value "x"}',
      '{:process 1, :type :invoke, :f :get, :key "0", :value nil}',
      `{:process 1, :type :ok, :f :get, :key "0", :value "${read}"}`,
    ];
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  }

  test('prints FILE and verdict, and ends with 2 if one is violated', async () => {
    using folder = temporaryFolder();
    const good = historyFile(folder.path, 'good', 'x');
    const bad = historyFile(folder.path, 'bad', '');
    expect(await skerry(['check', 'history', good])).toMatchObject({ code: 0 });
    const run = await skerry(['check', 'history', good, bad]);
    expect([run.code, run.printed()]).toEqual([2, `${good} linearizable\n${bad} violated\n`]);
    expect((await skerry(['check', 'history', bad, '--explain'])).printed().length).toBeGreaterThan(
      run.printed().length,
    );
  });

  test('says unknown of what is no history, and why, and goes on with the other files', async () => {
    using folder = temporaryFolder();
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder.path, name), text);
      return join(folder.path, name);
    };
    const good = historyFile(folder.path, 'good', 'x');
    const text = readFileSync(good, 'utf8');
    const odd = [
      file('hello', 'hello\n'),
      file('empty', ''),
      file('line', `${text}and then?\n`),
      join(folder.path, 'gone'),
    ];
    const run = await skerry(['check', 'history', ...odd, good]);
    const lines = [...odd.map((path) => `${path} unknown`), `${good} linearizable`];
    expect([run.code, run.printed()]).toEqual([1, `${lines.join('\n')}\n`]);
    expect(run.errors().split('\n')).toEqual([
      expect.stringContaining(`skerry: ${odd[0]}: line 1: no known history format`),
      `skerry: ${odd[1]}: line 1: the history is empty`,
      expect.stringContaining(`skerry: ${odd[2]}: line 5: not a porcupine line`),
      expect.stringContaining(`skerry: cannot read ${odd[3]}`),
      '',
    ]);
    const crlf = file('crlf', text.replaceAll('\n', '\r\n'));
    expect((await skerry(['check', 'history', crlf])).printed()).toBe(`${crlf} linearizable\n`);
    const asJson = await skerry(['check', 'history', odd[1] as string, '-o', 'json']);
    expect(JSON.parse(asJson.printed())).toEqual({
      file: odd[1],
      verdict: 'unknown',
      problem: `${odd[1]}: line 1: the history is empty`,
    });
  });
});

describe('log last', () => {
  test('prints what no call printed before, byte for byte, and leaves a line that is being written', async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, 'log');
    const db = new MemoryDatabase();
    const out: Buffer[] = [];
    const last = async (): Promise<void> => {
      const terminal = { ...testTerminal(), out: (data: string | Uint8Array) => void out.push(Buffer.from(data)) };
      expect(await runCli(['log', 'last', 's', file], terminal, db.connect)).toBe(0);
    };
    const first = Buffer.from([0x61, 0xff, 0x0a]);
    writeFileSync(file, Buffer.concat([first, Buffer.from('half')]));
    await last();
    writeFileSync(file, Buffer.concat([first, Buffer.from('half ünd\n')]));
    await last();
    expect(out).toEqual([first, Buffer.from('half ünd\n')]);
  });

  test('prints the records as JSON, and fails for a file that is not there', async () => {
    const terminal = testTerminal({ input: 'a\nb\n' });
    await runCli(['log', 'last', 's', '-', '-o', 'json'], terminal, new MemoryDatabase().connect);
    expect(JSON.parse(terminal.printed())).toEqual({ server: 's', records: ['a', 'b'] });
    expect(await skerry(['log', 'last', 's', '/nonexistent/x'])).toMatchObject({ code: 1 });
  });
});

describe('server', () => {
  test('lists every problem of its configuration and ends with 78', async () => {
    const run = await skerry(['server', '--node', 'a/b', '--client-port', 'x']);
    expect(run.code).toBe(78);
    expect(run.errors()).toContain('  region: must be given\n');
    expect(run.errors()).toContain('  clientPort: must be a number');
  });

  test('refuses a flag that it does not know', async () => {
    const run = await skerry(['server', '--colour', 'red']);
    expect([run.code, run.errors().split('\n')[0]]).toEqual([1, "error: unknown option '--colour'"]);
  });

  test('refuses to rebuild when it is told of nobody who has the data', async () => {
    const run = await skerry([
      'server',
      '--node',
      'a',
      '--region',
      'r',
      '--data-folder',
      '/nonexistent/a',
      '--bootstrap',
      'a',
      '--rebuild',
    ]);
    expect([run.code, run.errors()]).toEqual([
      1,
      'skerry: name living nodes of the region: --rebuild --via ws://host:7110\n',
    ]);
  });
});
