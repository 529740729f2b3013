import { readdirSync, statSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { utf8Decode, utf8Length } from '@skerry/base';
import { CliError } from '../exit-code.ts';

/** A file below the folder, and the key it goes to. */
export interface FoundFile {
  readonly path: string;
  readonly key: string;
}

export interface Skipped {
  /** A path or a key, whatever was not copied. */
  readonly name: string;
  readonly reason: string;
}

export interface Walk {
  readonly files: readonly FoundFile[];
  readonly skipped: readonly Skipped[];
}

const keyBytesMax = 1_024;

/**
 * Finds the regular files below `folder`, in order of their paths. Everything else is skipped and said so: symbolic
 * links above all, since they may lead out of the folder or around in it. Throws if `folder` itself cannot be read.
 */
export function walkFolder(folder: string, prefix: string): Walk {
  const files: FoundFile[] = [];
  const skipped: Skipped[] = [];
  const visit = (path: string, key: string): void => {
    for (const entry of readFolder(path)) {
      const name = utf8Decode(entry.name);
      if (name === null) {
        skipped.push({ name: join(path, entry.name.toString('latin1')), reason: 'its name is not UTF-8' });
        continue;
      }
      const child = join(path, name);
      const childKey = `${key}${name}`;
      if (entry.isDirectory()) visitFolder(child, `${childKey}/`);
      else if (!entry.isFile()) skipped.push({ name: child, reason: `not a regular file (${kindOf(entry)})` });
      else if (utf8Length(childKey) > keyBytesMax)
        skipped.push({ name: child, reason: `its key would be longer than ${keyBytesMax} bytes` });
      else files.push({ path: child, key: childKey });
    }
  };
  const visitFolder = (path: string, key: string): void => {
    try {
      visit(path, key);
    } catch (error) {
      skipped.push({ name: path, reason: readProblem(error) });
    }
  };
  requireFolder(folder);
  visit(folder, prefix);
  return { files, skipped };
}

/** Names as bytes, since a name on disk need not be text. */
function readFolder(path: string): Dirent<Buffer>[] {
  return readdirSync(path, { withFileTypes: true, encoding: 'buffer' }).sort((a, b) => Buffer.compare(a.name, b.name));
}

function requireFolder(folder: string): void {
  try {
    if (statSync(folder).isDirectory()) return;
  } catch (error) {
    throw new CliError(`cannot read ${folder}: ${readProblem(error)}`);
  }
  throw new CliError(`${folder} is not a folder`);
}

function kindOf(entry: Dirent<Buffer>): string {
  if (entry.isSymbolicLink()) return 'a symbolic link';
  if (entry.isSocket()) return 'a socket';
  if (entry.isFIFO()) return 'a pipe';
  return 'a device';
}

/** Why something could not be read, in words. */
export function readProblem(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return 'unreadable (permission denied)';
    case 'ENOENT':
      return 'not there';
    case undefined:
      return message;
    default:
      return `unreadable (${code})`;
  }
}
