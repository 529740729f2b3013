import { setMaxListeners } from 'node:events';

/** What a command may see and touch of the process it runs in; tests pass their own. */
export interface Terminal {
  /** Writes to standard output, exactly as given. */
  out(data: string | Uint8Array): void;
  /** Writes to standard error, exactly as given. */
  err(text: string): void;
  /** Standard error is a terminal, so progress can be drawn there. */
  readonly errIsTty: boolean;
  /** Everything on standard input, to its end. */
  readInput(): Promise<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the user interrupts (SIGINT, SIGTERM) or nobody reads the output any more. */
  readonly interrupted: AbortSignal;
}

export function processTerminal(): Terminal {
  const abort = new AbortController();
  // An import has many calls under way, and each listens.
  setMaxListeners(0, abort.signal);
  const interrupt = (): void => {
    abort.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  // `skerry kv ls | head`: the reader is gone, which is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    abort.abort();
  });
  return {
    out: (data) => {
      process.stdout.write(data);
    },
    err: (text) => {
      process.stderr.write(text);
    },
    errIsTty: process.stderr.isTTY === true,
    readInput: async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
      return Buffer.concat(chunks);
    },
    env: process.env,
    interrupted: abort.signal,
  };
}
