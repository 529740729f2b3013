import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { StorageOpenError } from './errors.ts';
import { lockFileName, lockFolder } from './folder-lock.ts';
import { syncFolder } from './identity.ts';

/**
 * Moves what a folder holds aside, to `<folder>.corrupt-<time>`, and leaves the folder empty: opened again it gets a
 * new identity, and the node is filled by its peers. Nothing is deleted. Throws `StorageOpenError`: FOLDER_IN_USE,
 * FOLDER_MISSING. Returns where the content is now; inside of the folder if that is a mount point, which cannot move.
 */
export function retireFolder(path: string, nowMs: number = Date.now()): string {
  const folder = resolve(path);
  if (!existsSync(folder)) throw new StorageOpenError('FOLDER_MISSING', `${folder} does not exist`);
  const unlock = lockFolder(folder);
  try {
    const name = freeName(folder, `corrupt-${new Date(nowMs).toISOString().replaceAll(':', '-')}`);
    return moveFolder(folder, `${folder}.${name}`) ?? moveContent(folder, join(folder, name));
  } finally {
    unlock();
  }
}

/** Two retirements within a millisecond get different names. */
function freeName(folder: string, name: string): string {
  let candidate = name;
  for (let i = 2; existsSync(`${folder}.${candidate}`) || existsSync(join(folder, candidate)); i++)
    candidate = `${name}-${i}`;
  return candidate;
}

/** Null: it cannot be moved as a whole, and nothing happened. */
function moveFolder(folder: string, aside: string): string | null {
  try {
    renameSync(folder, aside);
  } catch {
    return null;
  }
  rmSync(join(aside, lockFileName), { force: true });
  mkdirSync(folder);
  syncFolder(dirname(folder));
  return aside;
}

function moveContent(folder: string, aside: string): string {
  const entries = readdirSync(folder).filter((entry) => entry !== lockFileName);
  mkdirSync(aside);
  for (const entry of entries) renameSync(join(folder, entry), join(aside, entry));
  syncFolder(folder);
  return aside;
}
