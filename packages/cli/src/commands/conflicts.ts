import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { complaint } from '../answers.ts';
import {
  callOptions,
  onSession,
  parseCount,
  withConnection,
  withDeadline,
  type CliContext,
  type Session,
} from '../command.ts';
import { LedgerFollower, ledgerOf, recordOf } from '../conflicts/ledger.ts';
import { restorationOf, restore } from '../conflicts/restore.ts';
import { changeText, storyOf } from '../conflicts/story.ts';
import type { ConflictRecord } from '../database.ts';
import { CliError, exitCode, isTypedError } from '../exit-code.ts';
import { formatJson, formatTable, shorten, visible } from '../output.ts';
import type { ConnectionFlags } from '../settings.ts';
import { jsonOrWhyNot, shownOf, textOrWhyNot, type Shown } from '../shown.ts';
import { withWriteFlags, writeOptions, type CallFlags, type WriteFlags } from './call-flags.ts';

export function conflictsCommand(context: CliContext): Command {
  const conflicts = new Command('conflicts')
    .description('writes that a merge discarded, as the region that answers has recorded them')
    .addHelpText(
      'after',
      `
Examples:
  skerry conflicts ls app/
  skerry conflicts explain app/mode
  skerry conflicts restore 0:17`,
    );
  for (const make of [listCommand, explainCommand, restoreCommand, watchCommand]) conflicts.addCommand(make(context));
  return conflicts;
}

function listCommand(context: CliContext): Command {
  const command = withDeadline(withConnection(new Command('ls')))
    .description('list them, the newest first, with what won')
    .argument('[prefix]', 'of keys; all if left out')
    .option('--prefix <prefix>', 'the same')
    .option('--limit <count>', 'at most so many', parseCount, 1_000);
  return onSession<CallFlags & { limit: number; prefix?: string }>(
    context,
    command,
    async (session, flags, [prefix]) => {
      const entries: ConflictRecord[] = [];
      const options = callOptions(flags, session.terminal);
      for await (const entry of ledgerOf(session.db, prefix ?? flags.prefix ?? '', options)) {
        if (entries.push(entry) >= flags.limit) break;
      }
      await printList(session, entries);
      return exitCode.valid;
    },
  );
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
    rows.push({ ...entry, lost: await loserPreview(entry), won: await preview(entry.winner) });
  }
  terminal.out(
    formatTable(rows, [
      { heading: 'ID', cell: ({ id }) => id },
      { heading: 'TIME', cell: ({ timeMs }) => new Date(timeMs).toISOString() },
      { heading: 'KEY', cell: ({ key }) => key },
      { heading: 'REASON', cell: ({ reason }) => reason },
      { heading: 'LOSER', cell: ({ lost }) => lost },
      { heading: 'OF', cell: ({ loserRegion }) => loserRegion },
      { heading: 'WINNER', cell: ({ won }) => won },
      { heading: 'OF', cell: ({ winnerRegion }) => winnerRegion },
    ]),
  );
}

function explainCommand(context: CliContext): Command {
  const command = withDeadline(withConnection(new Command('explain')))
    .description(
      'tell of each write of a key that was discarded what it was, to what it lost, and why; 2 if there is none',
    )
    .argument('<key>');
  return onSession<CallFlags>(context, command, async (session, flags, [key = '']) => {
    const { db, terminal, output } = session;
    const options = callOptions(flags, terminal);
    const records: ConflictRecord[] = [];
    for await (const record of ledgerOf(db, key, options)) if (record.key === key) records.push(record);
    records.reverse();
    const now = await presentValue(session, key, options);
    if (output === 'json') {
      const losers = [];
      for (const record of records) losers.push({ ...(await conflictJson(record)), story: await storyOf(record) });
      terminal.out(formatJson({ key, losers, now: now === null ? null : await jsonOrWhyNot(now) }));
    } else if (records.length === 0)
      terminal.err(`no write of ${visible(key)} was discarded, as far as the ledger goes back\n`);
    else {
      for (const record of records) terminal.out(await storyText(record));
      terminal.out(`Now: ${now === null ? 'there is no such key' : await textOrWhyNot(now)}\n`);
    }
    return records.length === 0 ? exitCode.refused : exitCode.valid;
  });
}

async function storyText(record: ConflictRecord): Promise<string> {
  const { lost, to, why } = await storyOf(record);
  return `${record.id}, recorded ${new Date(record.timeMs).toISOString()}:\n  lost: ${lost}\n  to:   ${to}\n  why:  ${why}\n`;
}

/** As the node that answers knows it, which needs no majority. */
async function presentValue(
  { db }: Session,
  key: string,
  options: ReturnType<typeof callOptions>,
): Promise<Shown | null> {
  const { entries } = await db.list(key, { ...options, consistent: false, after: '', limit: 1, keysOnly: false });
  const [entry] = entries;
  return entry === undefined || entry.key !== key ? null : shownOf(entry);
}

function restoreCommand(context: CliContext): Command {
  const command = withWriteFlags(withDeadline(withConnection(new Command('restore'))))
    .description('write what was discarded again, as a new write; exit code 2 if it cannot be')
    .argument('<id>', 'of the record, as conflicts ls prints it')
    .option('--as <key>', 'to this key rather than to its own')
    .addHelpText(
      'after',
      `
A value is set, a delete deletes, a concurrent value stands beside the others, elements are added, a counter's amount is
added, a flag is switched, a document's change is merged.`,
    );
  return onSession<WriteFlags & { as?: string }>(context, command, async (session, flags, [id = '']) => {
    if (!/^\d+:\d+$/.test(id)) throw new CliError(`${id} is no id of a record; one looks like 0:17`);
    const { db, terminal, output } = session;
    const record = await recordOf(db, id, callOptions(flags, terminal));
    if (record === null)
      throw new CliError(
        `there is no record ${id}, or no more, in the ledger of ${db.region() ?? 'the region'}`,
        exitCode.refused,
      );
    const key = flags.as ?? record.key;
    const restoration = restorationOf(record);
    if (restoration.kind === 'impossible')
      throw new CliError(`${id} cannot be restored: ${restoration.why}`, exitCode.refused);
    if (restoration.kind === 'delete' && flags.as !== undefined)
      throw new CliError(`${id} cannot be restored to another key: it is a delete`, exitCode.refused);
    const result = await restore(db, { key, restoration }, writeOptions(flags, session)).catch((error: unknown) => {
      throw inWords(error, { id, key, record });
    });
    const failed = complaint(result);
    if (output === 'json') {
      const { view: _, ...rest } = result;
      terminal.out(formatJson({ id, key, ...rest }));
    } else if (failed !== null) terminal.err(`${failed.text}\n`);
    else {
      const what = record.loser === null ? '(deleted)' : (changeText(record) ?? (await textOrWhyNot(record.loser)));
      terminal.out(`restored\t${visible(key)}\t${what}\n`);
    }
    return failed?.code ?? exitCode.valid;
  });
}

/** Where the node refuses for what has become of the key meanwhile. */
function inWords(
  error: unknown,
  { id, key, record }: { readonly id: string; readonly key: string; readonly record: ConflictRecord },
): unknown {
  if (!isTypedError(error)) return error;
  if (error.code === 'WRONG_TYPE') {
    const why = `${key} holds another type than ${record.loser?.type ?? 'register'} now, and a key has one type`;
    return new CliError(`${id} cannot be restored: ${why}; --as OTHERKEY writes it there`, exitCode.refused);
  }
  if (error.code === 'BAD_REQUEST' && record.loser?.type === 'document')
    return new CliError(
      `${id} cannot be restored: it builds on changes that went with the deleted document`,
      exitCode.refused,
    );
  return error;
}

function watchCommand(context: CliContext): Command {
  const command = withConnection(new Command('watch'))
    .description('print a line for each write that is discarded from now on, until interrupted')
    .argument('[prefix]', 'of keys; all if left out')
    .option('--from-start', 'first those that are recorded already')
    .option('--interval <ms>', 'ask so often', parseCount, 1_000)
    .option('--count <count>', 'stop after so many', parseCount);
  type WatchFlags = ConnectionFlags & { fromStart?: boolean; interval: number; count?: number };
  return onSession<WatchFlags>(context, command, async (session, flags, [prefix = '']) => {
    const { db, terminal } = session;
    const options = { blocking: true, signal: terminal.interrupted };
    const follower = new LedgerFollower(db, prefix);
    let left = flags.count ?? Infinity;
    try {
      if (flags.fromStart !== true) await follower.skip(options);
      while (left > 0) {
        const { records, movedTo } = await follower.take(options);
        if (movedTo !== null) terminal.err(`going on with the ledger of ${movedTo}, from now\n`);
        for (const record of records.slice(0, left)) await printLine(session, record);
        left -= records.length;
        if (left > 0) await sleep(flags.interval, undefined, { signal: terminal.interrupted });
      }
    } catch (error) {
      if (!terminal.interrupted.aborted) throw error;
    }
    return exitCode.valid;
  });
}

async function printLine({ terminal, output }: Session, record: ConflictRecord): Promise<void> {
  if (output === 'json') {
    terminal.out(formatJson(await conflictJson(record)));
    return;
  }
  const { id, key, reason, loserRegion, winner, winnerRegion } = record;
  const sides = `${await loserPreview(record)} (${loserRegion ?? '-'})\tto ${await preview(winner)} (${winnerRegion ?? '-'})`;
  terminal.out(`${id}\t${visible(key)}\t${reason}\t${sides}\n`);
}

const previewLengthMax = 40;

async function loserPreview(record: ConflictRecord): Promise<string> {
  return changeText(record) ?? preview(record.loser);
}

async function preview(shown: Shown | null): Promise<string> {
  return shown === null ? '(no key)' : shorten(await textOrWhyNot(shown), previewLengthMax);
}

async function conflictJson(entry: ConflictRecord): Promise<object> {
  const { loser, winner, ...rest } = entry;
  return { ...rest, loser: await jsonOrWhyNot(loser), winner: await jsonOrWhyNot(winner) };
}
