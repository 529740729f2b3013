import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** After this it is not asked any more. */
const killAfterMs = 5_000;
/** What a shell ends with when there is no such command, and when it may not be run. */
const notFoundCode = 127;
const notRunnableCode = 126;

export interface ChildCommandOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted: the command is to end (SIGTERM, and SIGKILL five seconds later). */
  readonly stop: AbortSignal;
  /** Told why it could not be run. */
  readonly onFailure: (problem: string) => void;
}

/**
 * Runs a command on this terminal and resolves to its exit code, as a shell tells it: 128 and the signal's number when
 * a signal ended it. Never rejects.
 */
export async function runChildCommand(
  [file = '', ...args]: readonly string[],
  { env, stop, onFailure }: ChildCommandOptions,
): Promise<number> {
  let killTimer: NodeJS.Timeout | undefined;
  const child = spawn(file, args, { stdio: 'inherit', env });
  const end = (): void => {
    child.kill('SIGTERM');
    killTimer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  };
  try {
    return await new Promise<number>((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        onFailure(`cannot run ${file}: ${error.code === 'ENOENT' ? 'there is no such command' : error.message}`);
        resolve(error.code === 'ENOENT' ? notFoundCode : notRunnableCode);
      });
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
      stop.addEventListener('abort', end, { once: true });
      if (stop.aborted) end();
    });
  } finally {
    stop.removeEventListener('abort', end);
    clearTimeout(killTimer);
  }
}
