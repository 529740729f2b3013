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
  if (named !== null) return required(named, versionFlag);
  const path = onPath(name)[0];
  return path === undefined ? null : asked(path, versionFlag);
}

/** Every version that is there, the newest first, or first the one that was `named`. */
export function findPrograms(name: string, named: string | null): Program[] {
  const found = onPath(name)
    .map((path) => asked(path, '--version'))
    .filter((program) => program !== null)
    .toSorted((a, b) => compareVersions(b.version, a.version));
  const all = named === null ? found : [required(named, '--version'), ...found];
  return all.filter(({ version }, index) => all.findIndex((other) => other.version === version) === index);
}

/** Below 0: `a` is older. Numbers count as numbers; what follows them, as text. */
export function compareVersions(a: string, b: string): number {
  const parts = (version: string): string[] => version.split(/[.-]/);
  const [mine, theirs] = [parts(a), parts(b)];
  for (let index = 0; index < Math.max(mine.length, theirs.length); index++) {
    const [one = '', other = ''] = [mine[index], theirs[index]];
    const difference = Number(one) - Number(other);
    if (Number.isNaN(difference) ? one !== other : difference !== 0)
      return Number.isNaN(difference) ? (one < other ? -1 : 1) : difference;
  }
  return 0;
}

function required(path: string, versionFlag: string): Program {
  const program = asked(path, versionFlag);
  if (program === null) throw new Error(`${path} does not say its version`);
  return program;
}

/** null: it does not say its version. */
function asked(path: string, versionFlag: string): Program | null {
  const { status, stdout, stderr } = spawnSync(path, [versionFlag], { encoding: 'utf8' });
  const version = /v?(\d+\.\d+\.\d+[\w.-]*)/.exec(`${stdout}${stderr}`)?.[1];
  return status === 0 && version !== undefined ? { path, version } : null;
}

function onPath(name: string): string[] {
  const folders = new Set([...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']);
  return [...folders].map((folder) => join(folder, name)).filter(isExecutable);
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
