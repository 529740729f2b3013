import { Command, InvalidArgumentError } from 'commander';
import { printUpdate, printView } from '../answers.ts';
import { onSession, withConnection, withDeadline, type CliContext, type Session } from '../command.ts';
import type { Change, TypedValueType } from '../database.ts';
import { exitCode, type ExitCode } from '../exit-code.ts';
import { formatJson } from '../output.ts';
import { lines, shownText, type Shown } from '../shown.ts';
import {
  bytesOf,
  readOptions,
  withReadFlags,
  withWriteFlags,
  writeOptions,
  type ReadFlags,
  type WriteFlags,
} from './call-flags.ts';

export function counterCommand(context: CliContext): Command {
  const counter = new Command('counter').description('count: additions of all regions add up').addHelpText(
    'after',
    `
Examples:
  skerry counter add app/visits
  skerry counter add app/visits -3 --local
  skerry counter get app/visits`,
  );
  counter.addCommand(readCommand(context, 'counter', 'print the total; exit code 2 if there is no such key'));
  const add = withUpdateFlags('add', 'add a whole number, and print the total after it').argument(
    '[amount]',
    'may be negative',
    parseAmount,
    1n,
  );
  counter.addCommand(
    onUpdate(context, add, (_session, [, amount]) => ({
      type: 'counter',
      action: 'add',
      amount: amount === undefined ? 1n : parseAmount(amount),
    })),
  );
  const reset = withUpdateFlags('reset', 'take back all additions that are seen; concurrent ones stay');
  counter.addCommand(onUpdate(context, reset, () => ({ type: 'counter', action: 'reset' })));
  return counter;
}

export function flagCommand(context: CliContext): Command {
  const flag = new Command('flag')
    .description('switch on and off: of both at once, enabling wins')
    .addHelpText('after', '\nExample:\n  skerry flag enable app/beta');
  flag.addCommand(readCommand(context, 'flag', 'print enabled or disabled; exit code 2 if there is no such key'));
  for (const action of ['enable', 'disable'] as const) {
    const description = action === 'enable' ? 'switch it on' : 'switch it off';
    flag.addCommand(onUpdate(context, withUpdateFlags(action, description), () => ({ type: 'flag', action })));
  }
  return flag;
}

export function setCommand(context: CliContext): Command {
  const set = new Command('set').description('keep a set: an addition that a removal has not seen stays').addHelpText(
    'after',
    `
For the value of a register, see skerry kv set.

Examples:
  skerry set add app/hosts alpha
  skerry set values app/hosts`,
  );
  for (const action of ['add', 'remove'] as const) {
    const command = withUpdateFlags(action, action === 'add' ? 'put an element in' : 'take an element out').argument(
      '<element>',
      'the element, or - to read it from standard input',
    );
    set.addCommand(
      onUpdate(context, command, async (session, [, element = '']) => ({
        type: 'set',
        action,
        element: await bytesOf(element, session),
      })),
    );
  }
  set.addCommand(hasCommand(context));
  const values = withReadFlags(withDeadline(withConnection(new Command('values'))))
    .description('print the elements, one per line; exit code 2 if there is no such key')
    .argument('<key>');
  set.addCommand(onRead(context, values, 'set'));
  return set;
}

function hasCommand(context: CliContext): Command {
  const command = withReadFlags(withDeadline(withConnection(new Command('has'))))
    .description('print true if the element is in the set; otherwise false, with exit code 2')
    .argument('<key>')
    .argument('<element>', 'the element, or - to read it from standard input');
  return onSession<ReadFlags>(context, command, async (session, flags, [key = '', element = '']) => {
    const wanted = await bytesOf(element, session);
    const result = await session.db.read(key, 'set', readOptions(flags, session));
    if (!result.valid) return printView(session, result, () => '');
    const elements = result.view?.type === 'set' ? result.view.elements : [];
    const isIn = elements.some((each) => Buffer.compare(each, wanted) === 0);
    session.terminal.out(session.output === 'json' ? formatJson({ valid: true, has: isIn }) : `${isIn}\n`);
    return isIn ? exitCode.valid : exitCode.refused;
  });
}

export function multiCommand(context: CliContext): Command {
  const multi = new Command('multi')
    .description('a register that keeps concurrent values side by side until somebody chooses')
    .addHelpText(
      'after',
      `
Examples:
  skerry multi set app/owner anna
  skerry multi get app/owner                            every value, and their context on standard error
  skerry multi set app/owner anna --context CONTEXT     in place of exactly these`,
    );
  multi.addCommand(
    readCommand(context, 'multiRegister', 'print the values, one per line; exit code 2 if there are none'),
  );
  const set = withUpdateFlags('set', 'write a value')
    .argument('<value>', 'the value, or - to read it from standard input')
    .option(
      '--context <context>',
      'replace the values that a get printed together with this; without it, replace none',
    );
  multi.addCommand(
    onUpdate<{ context?: string }>(context, set, async (session, [, value = ''], flags) => ({
      type: 'multiRegister',
      value: await bytesOf(value, session),
      context: flags.context ?? null,
    })),
  );
  return multi;
}

function readCommand(context: CliContext, type: TypedValueType, description: string): Command {
  const command = withReadFlags(withDeadline(withConnection(new Command('get'))))
    .description(description)
    .argument('<key>');
  return onRead(context, command, type);
}

function onRead(context: CliContext, command: Command, type: TypedValueType): Command {
  return onSession<ReadFlags>(context, command, async (session, flags, [key = '']): Promise<ExitCode> => {
    const result = await session.db.read(key, type, readOptions(flags, session));
    return printView(session, result, (shown) => bare(shown, session));
  });
}

/** Several values stand one per line. */
function bare(shown: Shown, { terminal }: Session): string | Promise<string> {
  if (shown.type === 'set') return lines(shown.elements);
  if (shown.type !== 'multiRegister') return shownText(shown).then((text) => `${text}\n`);
  terminal.err(`context ${shown.context}\n`);
  return lines(shown.values);
}

function withUpdateFlags(name: string, description: string): Command {
  return withWriteFlags(withDeadline(withConnection(new Command(name))))
    .description(description)
    .argument('<key>');
}

function onUpdate<More extends object>(
  context: CliContext,
  command: Command,
  changeOf: (session: Session, args: readonly string[], flags: WriteFlags & More) => Change | Promise<Change>,
): Command {
  return onSession<WriteFlags & More>(context, command, async (session, flags, args) => {
    const change = await changeOf(session, args, flags);
    return printUpdate(session, await session.db.update(args[0] ?? '', change, writeOptions(flags, session)));
  });
}

function parseAmount(text: string): bigint {
  if (/^[+-]?\d+$/.test(text)) return BigInt(text.replace('+', ''));
  throw new InvalidArgumentError('It must be a whole number.');
}
