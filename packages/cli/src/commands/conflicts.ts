import { Command } from 'commander';
import {
  callOptions,
  onSession,
  parseCount,
  withConnection,
  withDeadline,
  type CliContext,
  type Session,
} from '../command.ts';
import type { ConflictRecord } from '../database.ts';
import { exitCode } from '../exit-code.ts';
import { formatJson, formatTable, shorten } from '../output.ts';
import { shownJson, shownText, type Shown } from '../shown.ts';
import type { CallFlags } from './call-flags.ts';

export function conflictsCommand(context: CliContext): Command {
  const conflicts = new Command('conflicts').description('writes that a merge discarded');
  conflicts.addCommand(listCommand(context));
  return conflicts;
}

function listCommand(context: CliContext): Command {
  const command = withDeadline(withConnection(new Command('ls')))
    .description('list them, the newest first, with what won')
    .argument('[prefix]', 'of keys; all if left out')
    .option('--limit <count>', 'at most so many', parseCount, 1_000);
  return onSession<CallFlags & { limit: number }>(context, command, async (session, flags, [prefix = '']) => {
    const entries = await session.db.conflicts(prefix, { ...callOptions(flags, session.terminal), limit: flags.limit });
    await printList(session, entries);
    return exitCode.valid;
  });
}

async function printList({ terminal, output }: Session, entries: readonly ConflictRecord[]): Promise<void> {
  if (output === 'json') {
    const all = [];
    for (const entry of entries) all.push(await conflictJson(entry));
    terminal.out(formatJson(all));
    return;
  }
  const rows = [];
  for (const entry of entries) {
    rows.push({ ...entry, lost: await preview(entry.loser), won: await preview(entry.winner) });
  }
  terminal.out(
    formatTable(rows, [
      { heading: 'ID', cell: ({ id }) => id },
      { heading: 'TIME', cell: ({ timeMs }) => new Date(timeMs).toISOString() },
      { heading: 'KEY', cell: ({ key }) => key },
      { heading: 'REASON', cell: ({ reason }) => reason },
      { heading: 'LOSER', cell: ({ lost }) => lost },
      { heading: 'FROM', cell: ({ loserRegion }) => loserRegion },
      { heading: 'WINNER', cell: ({ won }) => won },
      { heading: 'FROM', cell: ({ winnerRegion }) => winnerRegion },
    ]),
  );
}

const previewLengthMax = 40;

/** What lost may not be there to be read: part of a document's history by itself is no document. */
async function preview(shown: Shown | null): Promise<string> {
  return shown === null ? '(no key)' : shorten(await textOrWhyNot(shown), previewLengthMax);
}

async function textOrWhyNot(shown: Shown): Promise<string> {
  try {
    return await shownText(shown);
  } catch (error) {
    return `(${(error as Error).message})`;
  }
}

async function conflictJson(entry: ConflictRecord): Promise<object> {
  const { loser, winner, ...rest } = entry;
  return { ...rest, loser: await jsonOrWhyNot(loser), winner: await jsonOrWhyNot(winner) };
}

async function jsonOrWhyNot(shown: Shown | null): Promise<object | null> {
  if (shown === null) return null;
  try {
    return await shownJson(shown);
  } catch (error) {
    return { type: shown.type, problem: (error as Error).message };
  }
}
