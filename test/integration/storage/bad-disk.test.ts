import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openStorage } from '../../../packages/storage-lmdb/src/index.ts';
import { buildStorage, Child, childPath, hasCommand, remove, temporaryFolder } from './processes.ts';

const events = { onFull: () => {}, onCorrupt: () => {} };
let folder = '';
beforeAll(buildStorage);
beforeEach(async () => {
  folder = temporaryFolder();
  const storage = await openStorage({ folder: join(folder, 'node'), events });
  await storage.submit([{ key: 'kept', value: new Uint8Array([1]) }]);
  await storage.close();
});
afterEach(() => remove(folder));

describe.skipIf(!hasCommand('fiu-run'))('a sync that fails with EIO (skipped without fiu-run)', () => {
  it('rejects this and every later submit, shows nothing of them, and lets no rejection escape', async () => {
    // failinfo is the errno: 5 is EIO.
    const faults = 'enable name=posix/io/sync/fdatasync,failinfo=5';
    const child = new Child('fiu-run', [
      '-x',
      '-c',
      faults,
      process.execPath,
      childPath,
      'failing',
      join(folder, 'node'),
    ]);
    await child.end();
    const rejected = ['a', 'b', 'c', 'd'].map((key) => `${key} StorageFailedError`);
    expect(child.lines).toEqual([...rejected, 'visible false', 'end']);
    const storage = await openStorage({ folder: join(folder, 'node'), events });
    expect([...storage.scan({ from: '', to: 'z' })].map((record) => record.key)).toEqual(['kept']);
    await storage.close();
  });
});

const hangSource = `
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>
#include <sys/syscall.h>
static void wait_while_hanging(void) {
  const char *path = getenv("HANG_FILE");
  while (path && access(path, F_OK) == 0) usleep(2000);
}
int fdatasync(int fd) { wait_while_hanging(); return (int)syscall(SYS_fdatasync, fd); }
int fsync(int fd) { wait_while_hanging(); return (int)syscall(SYS_fsync, fd); }
`;

describe.skipIf(!hasCommand('cc'))('a sync that hangs (skipped without a C compiler)', () => {
  it('blocks no event loop, resolves no submit, shows nothing of it, and shows for how long it has been hanging', async () => {
    const library = join(folder, 'hang.so');
    writeFileSync(join(folder, 'hang.c'), hangSource);
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, join(folder, 'hang.c')]);
    const hangFile = join(folder, 'hang');
    const child = new Child(process.execPath, [childPath, 'hanging', join(folder, 'node')], {
      LD_PRELOAD: library,
      HANG_FILE: hangFile,
    });
    await child.end();
    rmSync(hangFile, { force: true });
    expect(child.lines).toHaveLength(2);
    const [during, after] = child.lines.map((line) => JSON.parse(line) as Record<string, number | boolean>);
    expect(during).toMatchObject({ resolved: false, visible: false, before: true });
    expect(during?.['pendingMs']).toBeGreaterThanOrEqual(400);
    expect(during?.['blockedMs']).toBeLessThan(100);
    expect(during?.['turns']).toBeGreaterThan(50);
    expect(after).toEqual({ resolved: true, pendingMs: 0, visible: true });
    expect(existsSync(hangFile)).toBe(false);
  });
});
