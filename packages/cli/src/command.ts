import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ExitCode } from './exit-code.ts';
import type { ConnectionFlags } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** What the commands work with; one object per run of the program. */
export interface CliContext {
  readonly terminal: Terminal;
  /** Set by the command that ran. */
  exit: ExitCode;
}

/**
 * Makes `body` the action of `command`: it gets the flags and the arguments, and what it resolves to becomes the exit
 * code. Flags are what commander parsed; `Flags` must agree with the options that were declared.
 */
export function onRun<Flags extends object>(
  context: CliContext,
  command: Command,
  body: (flags: Flags, args: readonly string[]) => Promise<ExitCode> | ExitCode,
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

/** The client's call options for the deadline flags. */
export function deadlineOptions(flags: DeadlineFlags): { blocking: boolean; timeoutMs?: number } {
  if (flags.timeout !== undefined) return { blocking: false, timeoutMs: flags.timeout };
  return { blocking: flags.wait };
}

/** A whole number from 1. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

function collectList(text: string, before: readonly string[] | undefined): string[] {
  return [
    ...(before ?? []),
    ...text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ];
}

export type ConnectionFlagsWith<More> = ConnectionFlags & More;
