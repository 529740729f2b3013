import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StorageOpenError } from './errors.ts';

export const lockFileName = 'LOCK';

/** A process, told apart from a later one that was given the same pid. */
interface Holder {
  readonly pid: number;
  /** Of the kernel; the empty string where the system does not tell. A pid says nothing after a reboot. */
  readonly boot: string;
  /** When the process started, in the kernel's ticks since boot; the empty string where the system does not tell. */
  readonly started: string;
}

/**
 * Makes the folder this process's own until the returned function is called or the process is gone. LMDB would let two
 * processes write one environment in turns; a replica must not, since each would use the other's sequence numbers.
 *
 * A file, not a kernel lock, which Node does not offer. It is linked into place complete, so a reader never sees half
 * of it, and its holder is asked for by pid, start time and boot. Processes that do not see each other's pids
 * (containers that share a volume) are not kept apart.
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, lockFileName);
  const ownPath = `${path}.${randomUUID()}`;
  const own = JSON.stringify(holderOf(process.pid));
  writeFileSync(ownPath, own);
  try {
    while (!linkUnlessThere(ownPath, path)) removeStale(path, folder);
  } finally {
    rmSync(ownPath, { force: true });
  }
  return () => {
    if (readOrNull(path) === own) rmSync(path, { force: true });
  };
}

/** Returns when the lock was given up or its holder is gone; throws while it is held. */
function removeStale(path: string, folder: string): void {
  const content = readOrNull(path);
  if (content === null) return;
  refuseIfAlive(content, folder);
  // Another opener may have found the same stale lock, and replaced it already: whoever moves a live one puts it back.
  const movedPath = `${path}.${randomUUID()}`;
  try {
    renameSync(path, movedPath);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = readOrNull(movedPath);
  try {
    if (moved !== null && moved !== content) {
      linkUnlessThere(movedPath, path);
      refuseIfAlive(moved, folder);
    }
  } finally {
    rmSync(movedPath, { force: true });
  }
}

function refuseIfAlive(content: string, folder: string): void {
  const holder = parseHolder(content);
  if (holder === null) return;
  const now = holderOf(holder.pid);
  if (now === null || now.boot !== holder.boot || now.started !== holder.started) return;
  const who = holder.pid === process.pid ? `this process (pid ${holder.pid})` : `process ${holder.pid}`;
  throw new StorageOpenError('FOLDER_IN_USE', `${folder} is in use by ${who}`);
}

/** False: there is a file of that name. */
function linkUnlessThere(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Null: no such process. */
function holderOf(pid: number): Holder | null {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there and belongs to someone else.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return null;
  }
  const boot = readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  const status = readOrNull(`/proc/${pid}/stat`);
  if (status === null) return { pid, boot, started: '' };
  // The name in field 2 may hold spaces and parentheses. Field 3 is the state, 20 counts threads, 22 is the start.
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
  // A zombie that nobody waits for; while a thread of it is still stuck in the disk, it is not gone.
  if (fields[0] === 'Z' && Number(fields[17]) <= 1) return null;
  return { pid, boot, started: fields[19] ?? '' };
}

/** Null: not what a holder writes, so nobody's; a file that a power cut left empty, for one. */
function parseHolder(content: string): Holder | null {
  try {
    const { pid, boot, started } = JSON.parse(content) as Partial<Holder>;
    if (!Number.isInteger(pid) || typeof boot !== 'string' || typeof started !== 'string') return null;
    return { pid: pid as number, boot, started };
  } catch {
    return null;
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
