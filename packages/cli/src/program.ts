import type { SkerryError } from '@skerry/client';
import { Command, CommanderError } from 'commander';
import type { CliContext } from './command.ts';
import { CliError, exitCode, isTypedError, type ExitCode } from './exit-code.ts';
import { visible } from './output.ts';
import { processTerminal, type Terminal } from './terminal.ts';

type MakeCommand = (context: CliContext) => Command;

/** Commands by name, each loaded only when it is wanted: a node's parts take longer to load than a key takes to read. */
const loaders: Readonly<Record<string, () => Promise<MakeCommand>>> = {
  dev: async () => (await import('./commands/dev.ts')).devCommand,
  server: async () => (await import('./commands/server.ts')).serverCommand,
  kv: async () => (await import('./commands/kv.ts')).kvCommand,
  counter: async () => (await import('./commands/values.ts')).counterCommand,
  set: async () => (await import('./commands/values.ts')).setCommand,
  flag: async () => (await import('./commands/values.ts')).flagCommand,
  multi: async () => (await import('./commands/values.ts')).multiCommand,
  doc: async () => (await import('./commands/doc.ts')).docCommand,
  receipt: async () => (await import('./commands/writes.ts')).receiptCommand,
  resolve: async () => (await import('./commands/writes.ts')).resolveCommand,
  conflicts: async () => (await import('./commands/conflicts.ts')).conflictsCommand,
  lock: async () => (await import('./commands/lock.ts')).lockCommand,
  log: async () => (await import('./commands/log.ts')).logCommand,
  status: async () => (await import('./commands/status.ts')).statusCommand,
  member: async () => (await import('./commands/member.ts')).memberCommand,
  region: async () => (await import('./commands/region.ts')).regionCommand,
  chaos: async () => (await import('./commands/chaos.ts')).chaosCommand,
  bench: async () => (await import('./commands/bench.ts')).benchCommand,
  check: async () => (await import('./commands/check.ts')).checkCommand,
};

/** The command line, parsed and described by commander: all of it, or only the command called `only` if there is such a one. */
export async function buildProgram(context: CliContext, only = ''): Promise<Command> {
  const program = new Command('skerry')
    .description('Skerry: a key-value and configuration store for systems that run in several datacenters')
    .version('0.1.0', '-V, --version')
    .addHelpText(
      'after',
      `
Exit codes: 0 valid; 1 usage or failure; 2 not found, mismatch or refused; 3 timeout.
Settings: a flag wins over the environment, the environment over the file named by --config.`,
    );
  const names = Object.hasOwn(loaders, only) ? [only] : Object.keys(loaders);
  for (const name of names) program.addCommand((await loaders[name]!())(context));
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
  connect: CliContext['connect'] = connectToNodes,
): Promise<number> {
  const context: CliContext = { terminal, connect, exit: exitCode.valid };
  try {
    const program = await buildProgram(context, args[0]);
    await program.parseAsync(args, { from: 'user' });
    return context.exit;
  } catch (error) {
    return report(error, terminal);
  }
}

const connectToNodes: CliContext['connect'] = async (endpoints, signal, options) => {
  const { connectDatabase } = await import('./client-database.ts');
  return connectDatabase(endpoints, signal, options);
};

async function report(error: unknown, terminal: Terminal): Promise<ExitCode> {
  // Commander has printed it; help and version that were asked for are no failure.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.valid : exitCode.failure;
  if (error instanceof CliError) {
    terminal.err(`skerry: ${error.message}\n`);
    return error.code;
  }
  if (isTypedError(error)) return reportTypedError(error, terminal);
  if (terminal.interrupted.aborted) return exitCode.failure;
  const text = error instanceof Error ? (terminal.env['SKERRY_DEBUG'] ? error.stack : error.message) : String(error);
  terminal.err(`skerry: ${visible(text ?? '')}\n`);
  return exitCode.failure;
}

/** An error of the one table: not found and conflict are refusals, as in HTTP. */
async function reportTypedError(error: SkerryError, terminal: Terminal): Promise<ExitCode> {
  terminal.err(`skerry: ${visible(error.message)}\n`);
  if (error.ticket !== null)
    terminal.err(`It may have been applied; its outcome, when it is known: skerry resolve ${error.ticket}\n`);
  if (error.code === 'TIMEOUT') return exitCode.timeout;
  const { errorEntry } = await import('@skerry/protocol');
  const { httpStatus } = errorEntry(error.code);
  return httpStatus === 404 || httpStatus === 409 || httpStatus === 412 ? exitCode.refused : exitCode.failure;
}

/** A node's exit codes (DESIGN's are smaller): it must end even where a disk that hangs keeps handles open. */
const nodeExitCodeMin = 64;

/** The program's entry: runs what the process was called with. */
export async function main(): Promise<void> {
  const code = await runCli(process.argv.slice(2), processTerminal());
  process.exitCode = code;
  if (code >= nodeExitCodeMin) process.exit();
}
