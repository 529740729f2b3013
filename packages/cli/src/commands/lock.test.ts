import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { runCli } from '../program.ts';
import { MemoryDatabase } from '../testing/memory-database.ts';
import { testTerminal, type TestTerminal } from '../testing/test-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'skerry-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function skerry(
  db: MemoryDatabase,
  args: readonly string[],
  terminal = testTerminal(),
): Promise<TestTerminal & { code: number }> {
  const code = await runCli(['lock', ...args], terminal, db.connect);
  return Object.assign(terminal, { code });
}

/** A command that runs `script` in Node, with `process.argv[1]` as a file to write to. */
function node(script: string, file: string): string[] {
  return ['--', process.execPath, '-e', script, file];
}

const write = "require('node:fs').writeFileSync(process.argv[1], process.env.SKERRY_LOCK_TOKEN)";
/** Ends by a signal only, and tells by its file when it listens. */
const wait = `process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1000); ${write}`;

test('runs the command with the token while the lock is held, and lets go of it', async () => {
  const db = new MemoryDatabase();
  const file = join(folder, 'token');
  expect((await skerry(db, ['backup', '--ttl', '2000', ...node(write, file)])).code).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe('17');
  expect(db.calls.find(([name]) => name === 'lock')).toEqual(['lock', 'backup', { wait: true, ttlMs: 2_000 }]);
  expect(db.locks.size).toBe(0);
  expect(db.closed).toBe(true);
});

test.each([
  ['its exit code', 'process.exit(42)', 42],
  ['128 and the number of the signal that ended it', "process.kill(process.pid, 'SIGKILL')", 137],
])('ends with %s', async (_, script, code) => {
  const db = new MemoryDatabase();
  expect((await skerry(db, ['backup', ...node(script, '')])).code).toBe(code);
  expect(db.locks.size).toBe(0);
});

test('ends with 127 and lets go when there is no such command', async () => {
  const db = new MemoryDatabase();
  const run = await skerry(db, ['backup', '--', join(folder, 'nothing')]);
  expect([run.code, run.errors()]).toEqual([
    127,
    `skerry: cannot run ${join(folder, 'nothing')}: there is no such command\n`,
  ]);
  expect(db.locks.size).toBe(0);
});

test('ends with 2 at --no-wait and with 3 at --timeout when another holder has it, and runs nothing', async () => {
  const db = new MemoryDatabase();
  db.locks.set('backup', new AbortController());
  const file = join(folder, 'never');
  expect((await skerry(db, ['backup', '--no-wait', ...node(write, file)])).code).toBe(2);
  expect((await skerry(db, ['backup', '--timeout', '30', ...node(write, file)])).code).toBe(3);
  expect(existsSync(file)).toBe(false);
  expect(db.locks.size).toBe(1);
});

test('ends the command, and with 1, when the lock is lost', async () => {
  const db = new MemoryDatabase();
  const file = join(folder, 'lost');
  const running = skerry(db, ['backup', ...node(wait, file)]);
  await vi.waitFor(() => expect(existsSync(file)).toBe(true), 5_000);
  db.locks.get('backup')?.abort();
  const run = await running;
  expect([run.code, run.errors()]).toEqual([1, 'skerry: the lock was lost before the command ended\n']);
});

test('ends the command and lets go when it is interrupted', async () => {
  const db = new MemoryDatabase();
  const file = join(folder, 'interrupted');
  const terminal = testTerminal();
  const running = skerry(db, ['backup', ...node(wait, file)], terminal);
  await vi.waitFor(() => expect(existsSync(file)).toBe(true), 5_000);
  terminal.interrupt();
  expect((await running).code).toBe(7);
  expect(db.locks.size).toBe(0);
});

test.each([[['backup']], [['backup', '--ttl', '0', '--', 'true']]])('refuses %j', async (args) => {
  const run = await skerry(new MemoryDatabase(), args);
  expect(run.code).toBe(1);
});
