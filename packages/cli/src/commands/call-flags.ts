import { Option, type Command } from 'commander';
import { callOptions, parseCount, type DeadlineFlags, type Session } from '../command.ts';
import type { ReadOptions, WriteOptions } from '../database.ts';
import { CliError } from '../exit-code.ts';
import type { ConnectionFlags } from '../settings.ts';

export type CallFlags = ConnectionFlags & DeadlineFlags;

/** `--local` and `--no-consistent` say the same. */
export interface LocalFlags {
  readonly local?: boolean;
  readonly consistent?: boolean;
}

export type ReadFlags = CallFlags & LocalFlags & { readonly views?: number };
export type WriteFlags = CallFlags & LocalFlags & { readonly copies?: number };

export function withLocal(command: Command, description: string): Command {
  return command
    .option('--local', `${description} (consistent=false)`)
    .addOption(new Option('--no-consistent', 'the same').hideHelp());
}

export function isLocal({ local, consistent }: LocalFlags): boolean {
  return local === true || consistent === false;
}

export function withReadFlags(command: Command): Command {
  return withLocal(command, 'what one node knows by itself, without a majority').option(
    '--views <count>',
    'with --local: merge what so many nodes know',
    parseCount,
  );
}

export function readOptions(flags: ReadFlags, { terminal }: Session): ReadOptions {
  requireLocal(flags.views !== undefined, '--views', flags);
  return {
    ...callOptions(flags, terminal),
    consistent: !isLocal(flags),
    ...(flags.views === undefined ? {} : { r: flags.views }),
  };
}

export function withWriteFlags(command: Command): Command {
  return withLocal(command, 'one node is enough: durable there now, promoted when there is a majority').option(
    '--copies <count>',
    'with --local: wait until so many nodes hold it durably',
    parseCount,
  );
}

export function writeOptions(flags: WriteFlags, { terminal }: Session): WriteOptions {
  requireLocal(flags.copies !== undefined, '--copies', flags);
  return {
    ...callOptions(flags, terminal),
    consistent: !isLocal(flags),
    ...(flags.copies === undefined ? {} : { w: flags.copies }),
  };
}

function requireLocal(given: boolean, flag: string, flags: LocalFlags): void {
  if (given && !isLocal(flags))
    throw new CliError(`${flag} is for --local; a consistent call is held by a majority anyway`);
}

/** An argument's bytes; `-` stands for standard input. */
export async function bytesOf(argument: string, { terminal }: Session): Promise<Uint8Array> {
  return argument === '-' ? terminal.readInput() : Buffer.from(argument);
}
