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
import type { Database, ListOptions, ListPage } from '../database.ts';
import { CliError, exitCode } from '../exit-code.ts';
import { formatJson, formatTable, jsonValue, shorten } from '../output.ts';
import type { ConnectionFlags } from '../settings.ts';
import { shownJson, shownOf, shownText } from '../shown.ts';
import { isLocal, withLocal, type LocalFlags } from './call-flags.ts';

/** Keys asked for at once. */
const pageLimit = 500;

type ListEntry = ListPage['entries'][number];

interface ListFlags extends ConnectionFlags, DeadlineFlags, LocalFlags {
  readonly keysOnly?: boolean;
  readonly limit?: number;
}

export function listCommand(context: CliContext): Command {
  const command = withLocal(withDeadline(withConnection(new Command('ls'))), 'what one node knows by itself')
    .description('list the keys that start with a prefix, in order')
    .argument('[prefix]', 'all keys if left out')
    .option('--keys-only', 'only the keys, one per line')
    .option('--limit <count>', 'stop after so many keys', parseCount);
  return onSession<ListFlags>(context, command, async ({ db, terminal, output }, flags, [prefix = '']) => {
    const keysOnly = flags.keysOnly === true;
    const options = { ...callOptions(flags, terminal), consistent: !isLocal(flags), keysOnly };
    const entries: ListPage['entries'][number][] = [];
    for await (const page of pages(db, prefix, { ...options, limit: Math.min(pageLimit, flags.limit ?? pageLimit) })) {
      entries.push(...page.entries);
      if (flags.limit !== undefined && entries.length >= flags.limit) break;
    }
    entries.splice(flags.limit ?? entries.length);
    if (output === 'json') {
      terminal.out(
        formatJson(keysOnly ? entries.map(({ key, version }) => ({ key, version })) : await jsonOf(entries)),
      );
    } else if (keysOnly) {
      terminal.out(entries.map(({ key }) => `${key}\n`).join(''));
    } else {
      const rows = [];
      for (const entry of entries) rows.push({ ...entry, text: await preview(entry) });
      terminal.out(
        formatTable(rows, [
          { heading: 'KEY', cell: ({ key }) => key },
          { heading: 'TYPE', cell: ({ view }) => view?.type ?? 'register' },
          { heading: 'BYTES', cell: ({ value }) => value?.length ?? null, alignRight: true },
          { heading: 'VALUE', cell: ({ text }) => text },
        ]),
      );
    }
    return exitCode.valid;
  });
}

const previewLengthMax = 60;

async function preview(entry: ListEntry): Promise<string | null> {
  const shown = shownOf(entry);
  if (shown === null) return null;
  try {
    return shorten(await shownText(shown), previewLengthMax);
  } catch (error) {
    // A document that cannot be loaded must not hide the keys behind it.
    return `(${(error as Error).message})`;
  }
}

async function jsonOf(entries: readonly ListEntry[]): Promise<object[]> {
  const all = [];
  for (const { key, value, view, version } of entries) {
    all.push({ key, ...jsonValue(value), ...(view === undefined ? {} : { view: await shownJson(view) }), version });
  }
  return all;
}

/** All pages in order; throws when one times out, for a list with a hole would be no list. */
export async function* pages(
  db: Database,
  prefix: string,
  options: Omit<ListOptions, 'after'>,
): AsyncGenerator<ListPage> {
  let after: string | null = '';
  while (after !== null) {
    const page: ListPage = await db.list(prefix, { ...options, after });
    if (page.timeout) throw new CliError('timeout', exitCode.timeout);
    yield page;
    after = page.next;
  }
}
