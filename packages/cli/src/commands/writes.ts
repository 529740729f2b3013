import { Command } from 'commander';
import { printReceipt, printWrite } from '../answers.ts';
import {
  callOptions,
  onSession,
  parseCount,
  withConnection,
  withDeadline,
  type CliContext,
  type DeadlineFlags,
} from '../command.ts';
import { exitCode } from '../exit-code.ts';
import { formatJson, formatTable, jsonValue, shorten } from '../output.ts';
import type { ConnectionFlags } from '../settings.ts';

type CallFlags = ConnectionFlags & DeadlineFlags;

export function receiptCommand(context: CliContext): Command {
  const receipt = new Command('receipt').description('what became of a quorum-less write (kv set --local)').addHelpText(
    'after',
    `
States: accepted (durable, waiting for a majority), promoted (it is the value), merged (it contributes), superseded (a
later write won; conflicts ls shows the loser), rejected, unknown.

Example:
  skerry receipt wait RECEIPT --timeout 5000`,
  );
  const show = withDeadline(withConnection(new Command('show')))
    .description('print its state now')
    .argument('<receipt>');
  const wait = withDeadline(withConnection(new Command('wait')))
    .description('wait until it is no longer accepted, and print its state')
    .argument('<receipt>');
  for (const [command, waitUntilKnown] of [
    [show, false],
    [wait, true],
  ] as const) {
    receipt.addCommand(
      onSession<CallFlags>(context, command, async (session, flags, [name = '']) => {
        const result = await session.db.receipt(name, { ...callOptions(flags, session.terminal), waitUntilKnown });
        return printReceipt(session, result);
      }),
    );
  }
  return receipt;
}

export function resolveCommand(context: CliContext): Command {
  const command = withDeadline(withConnection(new Command('resolve')))
    .description('wait until the outcome of an undecided write is known, and print it')
    .argument('<ticket>', 'printed by the command that timed out');
  return onSession<CallFlags>(context, command, async (session, flags, [ticket = '']) => {
    return printWrite(session, await session.db.resolve(ticket, callOptions(flags, session.terminal)));
  });
}

export function conflictsCommand(context: CliContext): Command {
  const conflicts = new Command('conflicts').description('writes that a merge discarded');
  const list = withDeadline(withConnection(new Command('ls')))
    .description('list them, with what won')
    .argument('[prefix]', 'of keys; all if left out')
    .option('--limit <count>', 'at most so many', parseCount, 1_000);
  conflicts.addCommand(
    onSession<CallFlags & { limit: number }>(context, list, async ({ db, terminal, output }, flags, [prefix = '']) => {
      const entries = await db.conflicts(prefix, { ...callOptions(flags, terminal), limit: flags.limit });
      if (output === 'json') {
        terminal.out(
          formatJson(
            entries.map((entry) => ({ ...entry, loser: jsonValue(entry.loser), winner: jsonValue(entry.winner) })),
          ),
        );
        return exitCode.valid;
      }
      terminal.out(
        formatTable(entries, [
          { heading: 'TIME', cell: ({ timeMs }) => new Date(timeMs).toISOString() },
          { heading: 'KEY', cell: ({ key }) => key },
          { heading: 'REASON', cell: ({ reason }) => reason },
          { heading: 'LOSER', cell: ({ loser }) => preview(loser) },
          { heading: 'WINNER', cell: ({ winner }) => preview(winner) },
        ]),
      );
      return exitCode.valid;
    }),
  );
  return conflicts;
}

const previewLengthMax = 40;

function preview(bytes: Uint8Array | null): string {
  if (bytes === null) return '(no key)';
  const json = jsonValue(bytes);
  return 'value' in json ? shorten(json.value ?? '', previewLengthMax) : `(${bytes.length} bytes)`;
}
