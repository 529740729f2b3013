import { Command } from 'commander';
import { printReceipt, printWrite } from '../answers.ts';
import { callOptions, onSession, withConnection, withDeadline, type CliContext } from '../command.ts';
import type { CallFlags } from './call-flags.ts';

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
