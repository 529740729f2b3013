import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A server of another system that is installed here. */
export interface Program {
  readonly path: string;
  /** `3.4.23` */
  readonly version: string;
}

/** `named`: a path that was given, which must work. null: there is none on PATH, nor where Debian puts servers. */
export function findProgram(name: string, named: string | null, versionFlag = '--version'): Program | null {
  const path = named ?? onPath(name);
  if (path === null) return null;
  const { status, stdout, stderr } = spawnSync(path, [versionFlag], { encoding: 'utf8' });
  const version = /v?(\d+\.\d+\.\d+[\w.-]*)/.exec(`${stdout}${stderr}`)?.[1];
  if (status === 0 && version !== undefined) return { path, version };
  if (named === null) return null;
  throw new Error(`${named} does not say its version`);
}

function onPath(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  const paths = folders.map((folder) => join(folder, name));
  return paths.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The folder of the repository; this file may run from the sources or from their build. */
export const repositoryRoot: string = ['../../..', '../../../../..']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((folder) => isRepository(folder)) as string;

function isRepository(folder: string): boolean {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string }).name === 'skerry';
  } catch {
    return false;
  }
}
