import { setTimeout as pause } from 'node:timers/promises';
import type { Hold } from '@skerry/recipes';
import { Command } from 'commander';
import { runChildCommand } from '../child-command.ts';
import { onSession, parseCount, withConnection, type CliContext, type Session } from '../command.ts';
import { exitCode } from '../exit-code.ts';
import { visible } from '../output.ts';
import type { ConnectionFlags } from '../settings.ts';

interface LockFlags extends ConnectionFlags {
  readonly wait: boolean;
  readonly timeout?: number;
  readonly ttl: number;
}

export function lockCommand(context: CliContext): Command {
  const command = withConnection(new Command('lock'))
    .description('run a command while holding a lock, and end with its exit code')
    .argument('<name>', 'of the lock; whoever locks the same name waits')
    .argument('<command...>', 'behind --, with its arguments')
    .option('--no-wait', 'end with 2 at once if another holder has it')
    .option('--timeout <ms>', 'end with 3 if another holder has it for so long', parseCount)
    .option('--ttl <ms>', 'for how long a holder that vanished keeps the others out', parseCount, 10_000)
    .addHelpText(
      'after',
      `
The command finds its fencing token in SKERRY_LOCK_TOKEN: it is larger for every later holder, by order of text. Pass it
to what the lock protects and let that refuse smaller ones. If the lock may have been lost, the command is ended.

Exit codes: those of the command (128 and its number when a signal ended it, 126 or 127 when it could not be run); 1 if
the lock was lost meanwhile.

Example:
  skerry lock backup --no-wait -- tar czf /var/backups/etc.tgz /etc`,
    );
  return onSession<LockFlags>(context, command, async (session, flags, [name = '', ...words]) => {
    const { terminal } = session;
    const hold = await take(session, name, flags);
    if (typeof hold === 'number') return hold;
    const code = await runChildCommand(words, {
      env: { ...terminal.env, SKERRY_LOCK_TOKEN: hold.token },
      stop: AbortSignal.any([terminal.interrupted, hold.lost]),
      onFailure: (problem) => terminal.err(`skerry: ${visible(problem)}\n`),
    });
    if (await release(hold, flags.ttl)) return code;
    terminal.err('skerry: the lock was lost before the command ended\n');
    return exitCode.failure;
  });
}

/** The exit code if it cannot be had. */
async function take(
  { db, terminal }: Session,
  name: string,
  { wait, timeout, ttl }: LockFlags,
): Promise<Hold | number> {
  const deadline = timeout === undefined ? null : AbortSignal.timeout(timeout);
  const signal = deadline === null ? terminal.interrupted : AbortSignal.any([terminal.interrupted, deadline]);
  try {
    const hold = await db.lock(name, { wait, ttlMs: ttl, signal });
    if (hold !== null) return hold;
    terminal.err(`refused: another holder has the lock ${visible(name)}\n`);
    return exitCode.refused;
  } catch (error) {
    if (deadline?.aborted !== true || terminal.interrupted.aborted) throw error;
    terminal.err(`timeout: the lock ${visible(name)} was not to be had\n`);
    return exitCode.timeout;
  }
}

/** False if it was lost before. Where nobody answers it ends by itself once its time is over; nobody waits longer. */
async function release(hold: Hold, ttlMs: number): Promise<boolean> {
  const waiting = new AbortController();
  const over = pause(ttlMs, false, { signal: waiting.signal });
  try {
    return await Promise.race([hold.release(), over]);
  } finally {
    over.catch(() => {});
    waiting.abort();
  }
}
