import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import {
  callOptions,
  onSession,
  withConnection,
  withDeadline,
  type CliContext,
  type DeadlineFlags,
} from '../command.ts';
import { exitCode } from '../exit-code.ts';
import { printCopyReport } from '../files/report.ts';
import type { Skipped } from '../files/walk.ts';
import type { ConnectionFlags } from '../settings.ts';
import { shownJson, shownText, type Shown } from '../shown.ts';
import { isLocal, withLocal, type LocalFlags } from './call-flags.ts';
import { pages } from './kv-list.ts';

/** Keys with their values asked for at once. */
const pageLimit = 100;

interface ExportFlags extends ConnectionFlags, DeadlineFlags, LocalFlags {
  readonly prefix: string;
  readonly overwrite?: boolean;
}

export function exportCommand(context: CliContext): Command {
  const command = withLocal(withDeadline(withConnection(new Command('export'))), 'what one node knows by itself')
    .description('write one file below a folder for every key')
    .argument('<folder>', 'made if it is not there')
    .option('--prefix <prefix>', 'only keys that start with this, which the files lack', '')
    .option('--overwrite', 'replace files that are there')
    .addHelpText(
      'after',
      `
Skips keys that are no path below the folder and files that are there already, and lists them. A register is written as
it is. A counter and a flag are written as a line of text, other types as JSON; kv import would make registers of them.

Example:
  skerry kv export ./copy --prefix etc/`,
    );
  return onSession<ExportFlags>(context, command, async ({ db, terminal, output }, flags, [folder = '']) => {
    const skipped: Skipped[] = [];
    let keys = 0;
    let bytes = 0;
    const options = {
      ...callOptions(flags, terminal),
      consistent: !isLocal(flags),
      keysOnly: false,
      limit: pageLimit,
    };
    for await (const page of pages(db, flags.prefix, options)) {
      for (const { key, value, view } of page.entries) {
        const path = key.slice(flags.prefix.length);
        const content = value ?? (view === undefined ? null : await contentOf(view));
        if (content === null) continue;
        const reason =
          typeof content === 'string'
            ? content
            : (pathProblem(path) ?? (await write(join(folder, path), content, flags.overwrite === true)));
        if (reason !== null) skipped.push({ name: key, reason });
        else {
          keys++;
          bytes += content.length;
        }
      }
    }
    printCopyReport({ done: 'exported', keys, bytes, skipped }, terminal, output);
    return exitCode.valid;
  });
}

/** A text says why there is none. */
async function contentOf(view: Shown): Promise<Uint8Array | string> {
  try {
    if (view.type === 'counter' || view.type === 'flag') return Buffer.from(`${await shownText(view)}\n`);
    const { type: _, ...content } = (await shownJson(view)) as { type: string };
    const [only] = Object.values(content);
    return Buffer.from(`${JSON.stringify(only, null, 2)}\n`);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Keys are any text: one with `..` in it must not write elsewhere. */
export function pathProblem(path: string): string | null {
  const parts = path.split('/');
  if (path.includes('\0')) return 'has a NUL in its name';
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return 'is no path of a file below the folder';
  return null;
}

/** null: written. Otherwise why not. */
async function write(path: string, value: Uint8Array, overwrite: boolean): Promise<string | null> {
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (error) {
    return writeProblem(error, 'another key is a file on this path');
  }
  try {
    await writeFile(path, value, { flag: overwrite ? 'w' : 'wx' });
    return null;
  } catch (error) {
    return writeProblem(error, 'the file is there already (--overwrite replaces it)');
  }
}

function writeProblem(error: unknown, exists: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EEXIST':
      return exists;
    case 'EISDIR':
    case 'ENOTDIR':
      return 'another key is in the way on this path';
    case 'ENAMETOOLONG':
      return 'its name is too long for a file';
    case undefined:
    default:
      return message;
  }
}
