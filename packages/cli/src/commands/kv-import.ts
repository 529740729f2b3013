import { readFile, stat } from 'node:fs/promises';
import { utf8Decode } from '@skerry/base';
import { Command } from 'commander';
import {
  callOptions,
  onSession,
  parseCount,
  withConnection,
  withDeadline,
  type CliContext,
  type DeadlineFlags,
} from '../command.ts';
import { CliError, exitCode } from '../exit-code.ts';
import { forEachLimited } from '../files/pool.ts';
import { printCopyReport, Progress } from '../files/report.ts';
import { readProblem, walkFolder, type FoundFile, type Skipped } from '../files/walk.ts';
import type { ConnectionFlags } from '../settings.ts';

interface ImportFlags extends ConnectionFlags, DeadlineFlags {
  readonly prefix: string;
  readonly bytes?: boolean;
  readonly local?: boolean;
  readonly maxBytes: number;
  readonly concurrency: number;
}

export function importCommand(context: CliContext): Command {
  const command = withDeadline(withConnection(new Command('import')))
    .description('set one key for every file below a folder')
    .argument('<folder>')
    .option('--prefix <prefix>', 'put this before the path of each file', '')
    .option('--bytes', 'also files that are not UTF-8 text')
    .option('--max-bytes <count>', 'skip files larger than this', parseCount, 512 * 1_024)
    .option('--concurrency <count>', 'files under way at a time', parseCount, 32)
    .option('--local', 'one node is enough (consistent=false)')
    .addHelpText(
      'after',
      `
Skips what is too large, unreadable, no regular file, or not UTF-8, and lists it with the reason.

Example:
  skerry kv import /etc --prefix etc/`,
    );
  return onSession<ImportFlags>(context, command, async ({ db, terminal, output }, flags, [folder = '']) => {
    const walk = walkFolder(folder, flags.prefix);
    const skipped = [...walk.skipped];
    const progress = new Progress(terminal);
    const options = { ...callOptions(flags, terminal), consistent: flags.local !== true };
    let keys = 0;
    let bytes = 0;
    try {
      await forEachLimited(walk.files, { limit: flags.concurrency, signal: terminal.interrupted }, async (file) => {
        const content = await readContent(file, flags);
        if ('reason' in content) skipped.push(content);
        else {
          const result = await db.set(file.key, content.value, options);
          if (!result.valid)
            throw new CliError(
              `timeout at ${file.key} after ${keys} keys; the import can be repeated`,
              exitCode.timeout,
            );
          keys++;
          bytes += content.value.length;
        }
        progress.show('Importing', keys + skipped.length - walk.skipped.length, walk.files.length);
      });
    } finally {
      progress.end();
    }
    const byName = skipped.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    printCopyReport({ done: 'imported', keys, bytes, skipped: byName }, terminal, output);
    return exitCode.valid;
  });
}

async function readContent(file: FoundFile, flags: ImportFlags): Promise<{ readonly value: Uint8Array } | Skipped> {
  let value: Uint8Array;
  try {
    const { size } = await stat(file.path);
    if (size > flags.maxBytes) return tooLarge(file, size, flags.maxBytes);
    value = await readFile(file.path);
  } catch (error) {
    return { name: file.path, reason: readProblem(error) };
  }
  // It may have grown since.
  if (value.length > flags.maxBytes) return tooLarge(file, value.length, flags.maxBytes);
  if (flags.bytes !== true && utf8Decode(value) === null)
    return { name: file.path, reason: 'not UTF-8 (--bytes takes it)' };
  return { value };
}

function tooLarge(file: FoundFile, size: number, sizeMax: number): Skipped {
  return { name: file.path, reason: `too large (${size} bytes, at most ${sizeMax})` };
}
