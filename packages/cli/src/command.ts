import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CallOptions, Database } from './database.ts';
import { resolveSettings, type ConnectionFlags, type OutputFormat } from './settings.ts';
import type { Terminal } from './terminal.ts';

export interface ConnectOptions {
  /** Nodes at these endpoints only, whatever others they tell of. Default false. */
  readonly only?: boolean;
}

/** What the commands work with; one object per run of the program. */
export interface CliContext {
  readonly terminal: Terminal;
  /** Rejects only for what cannot be dialled at all; nodes that are away are tried again by the calls. */
  readonly connect: (endpoints: readonly string[], signal: AbortSignal, options?: ConnectOptions) => Promise<Database>;
  /** Set by the command that ran. */
  exit: number;
}

/**
 * Makes `body` the action of `command`: it gets the flags and the arguments, and what it resolves to becomes the exit
 * code. Flags are what commander parsed; `Flags` must agree with the options that were declared.
 */
export function onRun<Flags extends object>(
  context: CliContext,
  command: Command,
  body: (flags: Flags, args: readonly string[]) => Promise<number> | number,
): Command {
  return command.action(async (): Promise<void> => {
    context.exit = await body(command.opts<Flags>(), command.args);
  });
}

/** Adds the flags of {@link ConnectionFlags}. */
export function withConnection(command: Command): Command {
  return withOutput(command)
    .option(
      '--endpoint <addresses>',
      'nodes to contact, separated by commas (environment: SKERRY_ENDPOINTS)',
      collectList,
    )
    .option('--config <file>', 'JSON file with endpoints and output (environment: SKERRY_CONFIG)');
}

export function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'how to print (environment: SKERRY_OUTPUT; default: table)').choices([
      'json',
      'table',
    ]),
  );
}

/** Deadline flags: commands block until the outcome is known unless one of these is given. */
export function withDeadline(command: Command): Command {
  return command
    .option('--no-wait', 'answer with a timeout after one second rather than waiting (blocking=false)')
    .option('--timeout <ms>', 'the same after so many milliseconds', parseCount);
}

export interface DeadlineFlags {
  readonly wait: boolean;
  readonly timeout?: number;
}

/** Call options for the deadline flags; the user's interrupt aborts the call. */
export function callOptions(flags: DeadlineFlags, terminal: Terminal): CallOptions {
  const signal = terminal.interrupted;
  if (flags.timeout !== undefined) return { blocking: false, timeoutMs: flags.timeout, signal };
  return { blocking: flags.wait, signal };
}

/** What a command that talks to a cluster gets besides its flags and arguments. */
export interface Session {
  readonly db: Database;
  readonly terminal: Terminal;
  readonly output: OutputFormat;
}

/** Like {@link onRun}, with a connection that is closed at the end. */
export function onSession<Flags extends ConnectionFlags>(
  context: CliContext,
  command: Command,
  body: (session: Session, flags: Flags, args: readonly string[]) => Promise<number>,
): Command {
  return onRun<Flags>(context, command, async (flags, args) => {
    const { terminal } = context;
    const { endpoints, output } = resolveSettings(flags, terminal.env);
    const db = await context.connect(endpoints, terminal.interrupted);
    try {
      return await body({ db, terminal, output }, flags, args);
    } finally {
      await db.close();
    }
  });
}

/** A whole number from 1. */
export function parseCount(text: string): number {
  return parseWhole(text, 1);
}

/** A whole number from 0. */
export function parseIndex(text: string): number {
  return parseWhole(text, 0);
}

function parseWhole(text: string, min: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
  throw new InvalidArgumentError(`It must be a whole number from ${min}.`);
}

/** Collects words separated by commas, of a flag that may be given more than once. */
export function collectList(text: string, before: readonly string[] | undefined): string[] {
  return [
    ...(before ?? []),
    ...text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ];
}
