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

/** Keys asked for at once. */
const pageLimit = 500;

interface ListFlags extends ConnectionFlags, DeadlineFlags {
  readonly local?: boolean;
  readonly keysOnly?: boolean;
  readonly limit?: number;
}

export function listCommand(context: CliContext): Command {
  const command = withDeadline(withConnection(new Command('ls')))
    .description('list the keys that start with a prefix, in order')
    .argument('[prefix]', 'all keys if left out')
    .option('--keys-only', 'only the keys, one per line')
    .option('--limit <count>', 'stop after so many keys', parseCount)
    .option('--local', 'what one node knows by itself (consistent=false)');
  return onSession<ListFlags>(context, command, async ({ db, terminal, output }, flags, [prefix = '']) => {
    const keysOnly = flags.keysOnly === true;
    const options = { ...callOptions(flags, terminal), consistent: flags.local !== true, keysOnly };
    const entries: ListPage['entries'][number][] = [];
    for await (const page of pages(db, prefix, { ...options, limit: Math.min(pageLimit, flags.limit ?? pageLimit) })) {
      entries.push(...page.entries);
      if (flags.limit !== undefined && entries.length >= flags.limit) break;
    }
    entries.splice(flags.limit ?? entries.length);
    if (output === 'json') {
      terminal.out(
        formatJson(entries.map(({ key, value, version }) => ({ key, ...(keysOnly ? {} : jsonValue(value)), version }))),
      );
    } else if (keysOnly) {
      terminal.out(entries.map(({ key }) => `${key}\n`).join(''));
    } else {
      terminal.out(
        formatTable(entries, [
          { heading: 'KEY', cell: ({ key }) => key },
          { heading: 'BYTES', cell: ({ value }) => value?.length ?? null, alignRight: true },
          { heading: 'VALUE', cell: ({ value }) => preview(value) },
        ]),
      );
    }
    return exitCode.valid;
  });
}

const previewLengthMax = 60;

function preview(value: Uint8Array | null): string | null {
  const json = jsonValue(value);
  return 'value' in json ? json.value && shorten(json.value, previewLengthMax) : '(not text)';
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
