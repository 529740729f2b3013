import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { forEachLimited } from '../files/pool.ts';
import { readProblem } from '../files/walk.ts';
import { runCli } from '../program.ts';
import { temporaryFolder } from '../testing/fake-node.ts';
import { MemoryDatabase } from '../testing/memory-database.ts';
import { testTerminal } from '../testing/test-terminal.ts';
import { pathProblem } from './kv-export.ts';

async function importFolder(
  db: MemoryDatabase,
  folder: string,
  ...flags: string[]
): Promise<{ code: number; imported: number; skipped: Record<string, string> }> {
  const terminal = testTerminal();
  const code = await runCli(['kv', 'import', folder, '--prefix', 'etc/', '-o', 'json', ...flags], terminal, db.connect);
  const report = JSON.parse(terminal.printed()) as { imported: number; skipped: { name: string; reason: string }[] };
  const skipped = Object.fromEntries(report.skipped.map(({ name, reason }) => [name.slice(folder.length + 1), reason]));
  return { code, imported: report.imported, skipped };
}

describe('kv import', () => {
  test('sets a key for each text file and lists what it skipped with why', async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, 'sub'));
    writeFileSync(join(folder.path, 'hosts'), 'one');
    writeFileSync(join(folder.path, 'sub', 'empty'), '');
    writeFileSync(join(folder.path, 'image'), Buffer.of(0xff, 0xfe));
    writeFileSync(join(folder.path, 'large'), 'x'.repeat(100));
    symlinkSync('hosts', join(folder.path, 'link'));
    writeFileSync(Buffer.concat([Buffer.from(`${folder.path}/bad`), Buffer.of(0xff)]), 'x');
    const db = new MemoryDatabase();
    expect(await importFolder(db, folder.path, '--max-bytes', '99')).toEqual({
      code: 0,
      imported: 2,
      skipped: {
        'bad\u00ff': 'its name is not UTF-8',
        image: 'not UTF-8 (--bytes takes it)',
        large: 'too large (100 bytes, at most 99)',
        link: 'not a regular file (a symbolic link)',
      },
    });
    expect([...db.values.keys()].toSorted()).toEqual(['etc/hosts', 'etc/sub/empty']);
    expect((await importFolder(db, folder.path, '--bytes')).imported).toBe(4);
    expect(db.values.get('etc/image')).toEqual(Buffer.of(0xff, 0xfe));
  });

  // Root may read everything.
  test.skipIf(process.getuid?.() === 0)('skips what it may not read', async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, 'secret'), 'x');
    chmodSync(join(folder.path, 'secret'), 0);
    expect((await importFolder(new MemoryDatabase(), folder.path)).skipped).toEqual({
      secret: 'unreadable (permission denied)',
    });
  });

  test('says in words why something cannot be read', () => {
    expect(readProblem(Object.assign(new Error('x'), { code: 'EACCES' }))).toBe('unreadable (permission denied)');
    expect(readProblem(Object.assign(new Error('x'), { code: 'EIO' }))).toBe('unreadable (EIO)');
  });

  test('keeps many files under way, and no more than it may', async () => {
    using folder = temporaryFolder();
    for (let i = 0; i < 20; i++) writeFileSync(join(folder.path, `f${i}`), 'x');
    const db = new MemoryDatabase();
    await importFolder(db, folder.path, '--concurrency', '4');
    expect(db.openMax).toBeGreaterThan(1);
    expect(db.openMax).toBeLessThanOrEqual(4);
  });

  test('ends with 3 at a timeout, and with 1 when the folder is not there', async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, 'a'), 'x');
    const db = new MemoryDatabase({
      write: { valid: false, timeout: true, value: null, version: null, outcome: 'notApplied' },
    });
    const terminal = testTerminal();
    expect(await runCli(['kv', 'import', folder.path], terminal, db.connect)).toBe(3);
    expect(terminal.errors()).toBe('skerry: timeout at a after 0 keys; the import can be repeated\n');
    expect(await runCli(['kv', 'import', join(folder.path, 'gone')], terminal, db.connect)).toBe(1);
  });
});

describe('kv export', () => {
  test('writes a file for each key below the prefix, and none elsewhere or over another', async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, 'kept'), 'old');
    const db = new MemoryDatabase();
    for (const key of ['p/kept', 'p/sub/a', 'p/../../out', 'p/sub', 'p/', 'other'])
      db.values.set(key, Buffer.from(key));
    const terminal = testTerminal();
    expect(await runCli(['kv', 'export', folder.path, '--prefix', 'p/'], terminal, db.connect)).toBe(0);
    expect(readFileSync(join(folder.path, 'kept'), 'utf8')).toBe('old');
    expect(readFileSync(join(folder.path, 'sub'), 'utf8')).toBe('p/sub');
    expect(terminal.errors().trimEnd().split('\n')).toEqual([
      'skipped p/: is no path of a file below the folder',
      'skipped p/../../out: is no path of a file below the folder',
      'skipped p/kept: the file is there already (--overwrite replaces it)',
      'skipped p/sub/a: another key is a file on this path',
    ]);
    expect(terminal.printed()).toBe('exported 1 key, 5 bytes; skipped 4\n');
  });

  test.each(['', '/a', 'a//b', 'a/', './a', '..', 'a/../b', 'a\0'])('%j is no path below a folder', (path) => {
    expect(pathProblem(path)).not.toBeNull();
  });
});

test('after a failure nothing more is started, and the failure is thrown when all that ran has ended', async () => {
  const started: number[] = [];
  const work = async (item: number): Promise<void> => {
    started.push(item);
    await new Promise((resolve) => setImmediate(resolve));
    if (item === 2) throw new Error('two');
  };
  const run = forEachLimited([1, 2, 3, 4, 5, 6, 7, 8], { limit: 2, signal: new AbortController().signal }, work);
  await expect(run).rejects.toThrow('two');
  expect(started.length).toBeLessThan(6);
});
