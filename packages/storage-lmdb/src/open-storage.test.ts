import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { dataFileName } from './environment.ts';
import { lockFileName } from './folder-lock.ts';
import { formatVersion, identityFileName } from './identity.ts';
import type { LmdbStorage } from './lmdb-storage.ts';
import { openStorage } from './open-storage.ts';
import { retireFolder } from './retire-folder.ts';
import { RecordedEvents, temporaryFolder } from './testing/folders.ts';

const events = new RecordedEvents();
const open = (folder: string, create = true): Promise<LmdbStorage> => openStorage({ folder, events, create });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A closed storage with one record. */
async function madeFolder(): Promise<string> {
  const folder = temporaryFolder();
  const storage = await open(folder);
  await storage.submit([{ key: 'a', value: bytes('1') }]);
  await storage.close();
  return folder;
}

describe('the identity of a folder', () => {
  it('is drawn when the folder is made, stays over reopening, and differs between folders', async () => {
    const [folder, other] = [temporaryFolder(), temporaryFolder()];
    const made = await open(join(folder, 'deep', 'node.1'));
    await made.close();
    const again = await open(join(folder, 'deep', 'node.1'), false);
    expect(again.identity).toEqual(made.identity);
    expect(again.identity.formatVersion).toBe(formatVersion);
    expect(Math.abs(Date.now() - again.identity.createdMs)).toBeLessThan(60_000);
    const second = await open(other);
    expect(second.identity.replica).not.toBe(made.identity.replica);
    expect(second.identity.incarnation).not.toBe(made.identity.incarnation);
    await Promise.all([again.close(), second.close()]);
  });

  it('is new for a folder that was wiped', async () => {
    const folder = await madeFolder();
    const before = readFileSync(join(folder, identityFileName), 'utf8');
    for (const entry of readdirSync(folder)) rmSync(join(folder, entry));
    const storage = await open(folder);
    expect(storage.identity.replica).not.toBe((JSON.parse(before) as { replica: number }).replica);
    expect(storage.get('a')).toBeUndefined();
    await storage.close();
  });

  it('is refused when the file is missing from a folder with records', async () => {
    const folder = await madeFolder();
    rmSync(join(folder, identityFileName));
    await expect(open(folder)).rejects.toMatchObject({
      code: 'IDENTITY_MISMATCH',
      message: expect.stringContaining(folder),
    });
  });

  it('is refused when the data are missing beside the file', async () => {
    const folder = await madeFolder();
    rmSync(join(folder, dataFileName));
    await expect(open(folder)).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' });
    expect(existsSync(join(folder, dataFileName))).toBe(false);
  });

  it('is refused when file and data come from two folders', async () => {
    const [folder, other] = [await madeFolder(), await madeFolder()];
    cpSync(join(other, identityFileName), join(folder, identityFileName));
    await expect(open(folder)).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' });
  });

  it('is completed when a crash left a folder without records half made', async () => {
    const folder = temporaryFolder();
    const made = await open(folder);
    await made.close();
    rmSync(join(folder, identityFileName));
    const again = await open(folder);
    expect(again.identity).toEqual(made.identity);
    await again.close();
  });

  it('is refused in a format of another version', async () => {
    const folder = await madeFolder();
    const path = join(folder, identityFileName);
    const identity = JSON.parse(readFileSync(path, 'utf8')) as object;
    writeFileSync(path, JSON.stringify({ ...identity, formatVersion: formatVersion + 1 }));
    await expect(open(folder)).rejects.toMatchObject({ code: 'FORMAT_VERSION' });
  });

  it('is corrupt when the file is not JSON', async () => {
    const folder = await madeFolder();
    writeFileSync(join(folder, identityFileName), '');
    await expect(open(folder)).rejects.toMatchObject({ name: 'StorageCorruptError', where: identityFileName });
  });
});

describe('opening without creating', () => {
  it('refuses a folder that is not there, and does not make it', async () => {
    const folder = join(temporaryFolder(), 'none');
    await expect(open(folder, false)).rejects.toMatchObject({ code: 'FOLDER_MISSING' });
    expect(existsSync(folder)).toBe(false);
  });

  it('refuses an empty folder, and leaves it empty', async () => {
    const folder = temporaryFolder();
    await expect(open(folder, false)).rejects.toMatchObject({ code: 'FOLDER_MISSING' });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('the lock of a folder', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  it('refuses a second opener in this process until the first has closed', async () => {
    const folder = temporaryFolder();
    const first = await open(folder);
    await expect(open(folder)).rejects.toMatchObject({
      code: 'FOLDER_IN_USE',
      message: expect.stringContaining(String(process.pid)),
    });
    await first.submit([{ key: 'a', value: bytes('1') }]);
    await first.close();
    await (await open(folder)).close();
  });

  it('refuses while another process holds it, names its pid, and opens when that process was killed', async () => {
    const folder = await madeFolder();
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log("up")'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    writeFileSync(join(folder, lockFileName), holderLine(child.pid as number));
    await expect(open(folder)).rejects.toMatchObject({
      code: 'FOLDER_IN_USE',
      message: expect.stringContaining(`process ${child.pid}`),
    });
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    await (await open(folder)).close();
  });

  it('does not take a process for the holder that was given its pid later', async () => {
    const folder = await madeFolder();
    const holder = JSON.parse(holderLine(process.pid)) as { started: string };
    writeFileSync(join(folder, lockFileName), JSON.stringify({ ...holder, started: `${Number(holder.started) - 1}` }));
    await (await open(folder)).close();
  });

  it('takes over a lock that a power cut left empty', async () => {
    const folder = await madeFolder();
    writeFileSync(join(folder, lockFileName), '');
    await (await open(folder)).close();
    expect(readdirSync(folder).filter((entry) => entry.startsWith(lockFileName))).toEqual([]);
  });

  it('goes to one of many that find it stale at once', async () => {
    const folder = await madeFolder();
    writeFileSync(join(folder, lockFileName), '{"pid":4194304,"boot":"gone","started":"1"}');
    const opened = await Promise.allSettled(Array.from({ length: 5 }, () => open(folder)));
    const winners = opened.filter((result) => result.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    await winners[0]?.value.close();
  });

  /** What a process writes into its lock. */
  function holderLine(pid: number): string {
    const status = execFileSync('cat', [`/proc/${pid}/stat`], { encoding: 'utf8' });
    const started = status.slice(status.lastIndexOf(')') + 2).split(' ')[19];
    return JSON.stringify({ pid, boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), started });
  }
});

describe('retireFolder', () => {
  it('moves the content aside, and the folder gets a new identity', async () => {
    const folder = await madeFolder();
    const before = readFileSync(join(folder, dataFileName));
    const aside = retireFolder(folder, Date.UTC(2030, 0, 2, 3, 4, 5));
    expect(aside).toBe(`${folder}.corrupt-2030-01-02T03-04-05.000Z`);
    expect(readFileSync(join(aside, dataFileName)).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
    const old = await open(aside, false);
    const fresh = await open(folder);
    expect(fresh.identity.replica).not.toBe(old.identity.replica);
    await Promise.all([old.close(), fresh.close()]);
    rmSync(aside, { recursive: true });
  });

  it('retires twice at the same moment without loss', async () => {
    const folder = await madeFolder();
    const asides = [retireFolder(folder, 0), retireFolder(folder, 0)];
    expect(new Set(asides).size).toBe(2);
    expect(existsSync(join(asides[0] as string, dataFileName))).toBe(true);
    for (const aside of asides) rmSync(aside, { recursive: true });
  });

  it('refuses a folder that is open, and one that is not there', async () => {
    const folder = temporaryFolder();
    const storage = await open(folder);
    expect(() => retireFolder(folder)).toThrow(expect.objectContaining({ code: 'FOLDER_IN_USE' }));
    await storage.close();
    expect(() => retireFolder(join(folder, 'none'))).toThrow(expect.objectContaining({ code: 'FOLDER_MISSING' }));
  });
});
