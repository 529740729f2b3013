import { Command } from 'commander';
import { printDelete, printValue, printWrite } from '../answers.ts';
import { callOptions, onSession, withConnection, withDeadline, type CliContext } from '../command.ts';
import { CliError } from '../exit-code.ts';
import {
  bytesOf,
  readOptions,
  withReadFlags,
  withWriteFlags,
  writeOptions,
  type CallFlags,
  type ReadFlags,
  type WriteFlags,
} from './call-flags.ts';
import { exportCommand } from './kv-export.ts';
import { importCommand } from './kv-import.ts';
import { listCommand } from './kv-list.ts';
import { watchCommand } from './kv-watch.ts';

export function kvCommand(context: CliContext): Command {
  const kv = new Command('kv').description('read and write keys').addHelpText(
    'after',
    `
Reads and writes are linearizable within the region unless --local is given: then any single node answers alone, and a
write gets a receipt that tells when it was promoted.

Examples:
  skerry kv set app/mode fast
  skerry kv get app/mode
  skerry kv swap app/mode slow fast       set to slow if it is fast
  skerry kv set --local app/mode offline  works without a majority
  skerry kv ls app/`,
  );
  const commands = [
    getCommand,
    setCommand,
    swapCommand,
    deleteCommand,
    listCommand,
    watchCommand,
    importCommand,
    exportCommand,
  ];
  for (const make of commands) kv.addCommand(make(context));
  return kv;
}

function getCommand(context: CliContext): Command {
  const command = withReadFlags(withDeadline(withConnection(new Command('get'))))
    .description('print the value of a key; exit code 2 if there is none')
    .argument('<key>')
    .option('--bytes', 'print the value exactly, whether text or not');
  return onSession<ReadFlags & { bytes?: boolean }>(context, command, async (session, flags, [key = '']) => {
    return printValue(session, await session.db.get(key, readOptions(flags, session)), flags.bytes === true);
  });
}

function setCommand(context: CliContext): Command {
  const command = withWriteFlags(withDeadline(withConnection(new Command('set'))))
    .description('set a key to a value')
    .argument('<key>')
    .argument('<value>', 'the value, or - to read it from standard input');
  return onSession<WriteFlags>(context, command, async (session, flags, [key = '', value = '']) => {
    return printWrite(session, await session.db.set(key, await bytesOf(value, session), writeOptions(flags, session)));
  });
}

function deleteCommand(context: CliContext): Command {
  const command = withWriteFlags(withDeadline(withConnection(new Command('del'))))
    .description('delete a key, and say whether there was one; no failure if there was none')
    .argument('<key>');
  return onSession<WriteFlags>(context, command, async (session, flags, [key = '']) => {
    return printDelete(session, await session.db.delete(key, writeOptions(flags, session)));
  });
}

function swapCommand(context: CliContext): Command {
  const command = withDeadline(withConnection(new Command('swap')))
    .description('set a key if it has the value expected; exit code 2 and no change if it has another one')
    .argument('<key>')
    .argument('<values...>', 'NEW OLD; NEW with --absent; OLD with --delete')
    .option('--absent', 'expect that there is no such key')
    .option('--delete', 'delete the key rather than setting it')
    .addHelpText(
      'after',
      `
Examples:
  skerry kv swap color green red
  skerry kv swap color red --absent
  skerry kv swap color green --delete`,
    );
  return onSession<CallFlags & { absent?: boolean; delete?: boolean }>(
    context,
    command,
    async (session, flags, [key = '', ...values]) => {
      if (flags.absent === true && flags.delete === true)
        throw new CliError('--absent and --delete exclude each other');
      const wanted = flags.absent === true || flags.delete === true ? 1 : 2;
      if (values.length !== wanted) {
        throw new CliError(
          wanted === 2
            ? 'swap needs the new and the old value: skerry kv swap KEY NEW OLD'
            : 'with --absent or --delete, swap needs one value',
        );
      }
      const [first = '', second = ''] = values;
      const newValue = flags.delete === true ? null : Buffer.from(first);
      const oldValue = flags.absent === true ? null : Buffer.from(flags.delete === true ? first : second);
      const result = await session.db.swap(key, { newValue, oldValue }, callOptions(flags, session.terminal));
      return printWrite(session, result);
    },
  );
}
