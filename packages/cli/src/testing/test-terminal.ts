import type { Terminal } from '../terminal.ts';

/** A terminal that remembers what was printed. */
export interface TestTerminal extends Terminal {
  readonly printed: () => string;
  readonly errors: () => string;
  readonly interrupt: () => void;
}

export interface TestTerminalOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Called with all that was printed so far, after each print. */
  readonly onOut?: (printed: string) => void;
}

export function testTerminal(options: TestTerminalOptions = {}): TestTerminal {
  const abort = new AbortController();
  const out: Uint8Array[] = [];
  let err = '';
  const printed = (): string => Buffer.concat(out).toString('utf8');
  return {
    out: (data) => {
      out.push(Buffer.from(data));
      options.onOut?.(printed());
    },
    err: (text) => {
      err += text;
    },
    errIsTty: false,
    readInput: () => Promise.resolve(Buffer.from(options.input ?? '')),
    // A dev cluster that happens to run in this folder is none of the test's business.
    env: { SKERRY_DATA: '/nonexistent', ...options.env },
    interrupted: abort.signal,
    printed,
    errors: () => err,
    interrupt: () => {
      abort.abort();
    },
  };
}
