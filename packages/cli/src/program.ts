import { SkerryError } from '@skerry/client';
import { errorEntry } from '@skerry/protocol';
import { Command, CommanderError } from 'commander';
import { connectDatabase } from './client-database.ts';
import type { CliContext } from './command.ts';
import { chaosCommand } from './commands/chaos.ts';
import { checkCommand } from './commands/check.ts';
import { devCommand } from './commands/dev.ts';
import { kvCommand } from './commands/kv.ts';
import { memberCommand } from './commands/member.ts';
import { serverCommand } from './commands/server.ts';
import { statusCommand } from './commands/status.ts';
import { conflictsCommand, receiptCommand, resolveCommand } from './commands/writes.ts';
import { CliError, exitCode, type ExitCode } from './exit-code.ts';
import { visible } from './output.ts';
import { processTerminal, type Terminal } from './terminal.ts';

/** The whole command line, parsed and described by commander. */
export function buildProgram(context: CliContext): Command {
  const program = new Command('skerry')
    .description('Skerry: a key-value and configuration store for systems that run in several datacenters')
    .version('0.1.0', '-V, --version')
    .addHelpText(
      'after',
      `
Exit codes: 0 valid; 1 usage or failure; 2 not found, mismatch or refused; 3 timeout.
Settings: a flag wins over the environment, the environment over the file named by --config.`,
    );
  const commands = [
    devCommand,
    serverCommand,
    kvCommand,
    receiptCommand,
    resolveCommand,
    conflictsCommand,
    statusCommand,
    memberCommand,
    chaosCommand,
    checkCommand,
  ];
  for (const make of commands) program.addCommand(make(context));
  for (const command of allCommands(program)) {
    command.exitOverride().showHelpAfterError('(add --help for what there is)');
    command.configureOutput({
      writeOut: (text) => {
        context.terminal.out(text);
      },
      writeErr: (text) => {
        context.terminal.err(text);
      },
    });
  }
  return program;
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap((child) => allCommands(child))];
}

/** Runs one command line, without the program's name, and resolves to the exit code. Never throws. */
export async function runCli(
  args: readonly string[],
  terminal: Terminal,
  connect: CliContext['connect'] = connectDatabase,
): Promise<number> {
  const context: CliContext = { terminal, connect, exit: exitCode.valid };
  try {
    await buildProgram(context).parseAsync(args, { from: 'user' });
    return context.exit;
  } catch (error) {
    return report(error, terminal);
  }
}

function report(error: unknown, terminal: Terminal): ExitCode {
  // Commander has printed it; help and version that were asked for are no failure.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.valid : exitCode.failure;
  if (error instanceof CliError) {
    terminal.err(`skerry: ${error.message}\n`);
    return error.code;
  }
  if (error instanceof SkerryError) return reportTypedError(error, terminal);
  if (terminal.interrupted.aborted) return exitCode.failure;
  const text = error instanceof Error ? (terminal.env['SKERRY_DEBUG'] ? error.stack : error.message) : String(error);
  terminal.err(`skerry: ${visible(text ?? '')}\n`);
  return exitCode.failure;
}

/** An error of the one table: not found and conflict are refusals, as in HTTP. */
function reportTypedError(error: SkerryError, terminal: Terminal): ExitCode {
  terminal.err(`skerry: ${visible(error.message)}\n`);
  if (error.ticket !== null) terminal.err(`It may have been applied; its outcome, when it is known: skerry resolve ${error.ticket}\n`);
  if (error.code === 'TIMEOUT') return exitCode.timeout;
  const { httpStatus } = errorEntry(error.code);
  return httpStatus === 404 || httpStatus === 409 || httpStatus === 412 ? exitCode.refused : exitCode.failure;
}

/** The program's entry: runs what the process was called with. */
export async function main(): Promise<void> {
  process.exitCode = await runCli(process.argv.slice(2), processTerminal());
}
