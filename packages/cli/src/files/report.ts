import { formatJson, visible } from '../output.ts';
import type { OutputFormat } from '../settings.ts';
import type { Terminal } from '../terminal.ts';
import type { Skipped } from './walk.ts';

export interface CopyReport {
  /** What was done, in a word: `imported` or `exported`. */
  readonly done: 'imported' | 'exported';
  readonly keys: number;
  readonly bytes: number;
  readonly skipped: readonly Skipped[];
}

/** The sum on standard output, what was skipped on standard error; with JSON all of it in one document. */
export function printCopyReport(
  { done, keys, bytes, skipped }: CopyReport,
  terminal: Terminal,
  output: OutputFormat,
): void {
  if (output === 'json') {
    terminal.out(formatJson({ [done]: keys, bytes, skipped }));
    return;
  }
  for (const { name, reason } of skipped) terminal.err(`skipped ${visible(name)}: ${reason}\n`);
  terminal.out(`${done} ${keys} ${keys === 1 ? 'key' : 'keys'}, ${bytes} bytes; skipped ${skipped.length}\n`);
}

/** A line on standard error that is overwritten as the work goes on; nothing when that is no terminal. */
export class Progress {
  readonly #terminal: Terminal;
  #percent = -1;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(what: string, done: number, total: number): void {
    if (!this.#terminal.errIsTty || total === 0) return;
    const percent = Math.floor((100 * done) / total);
    if (percent === this.#percent) return;
    this.#percent = percent;
    this.#terminal.err(`\r${what} ${done} of ${total} (${percent} %)`);
  }

  /** Clears the line. */
  end(): void {
    if (this.#percent >= 0) this.#terminal.err('\r\u001b[K');
    this.#percent = -1;
  }
}

const spinnerEveryMs = 100;

/** A line on standard error that says what is under way; nothing when that is no terminal. */
export class Spinner {
  readonly #terminal: Terminal;
  #shownMs = Number.NEGATIVE_INFINITY;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(text: string): void {
    const nowMs = performance.now();
    if (!this.#terminal.errIsTty || nowMs - this.#shownMs < spinnerEveryMs) return;
    this.#shownMs = nowMs;
    this.#terminal.err(`\r${visible(text)}\u001b[K`);
  }

  /** Clears the line. */
  end(): void {
    if (this.#shownMs > Number.NEGATIVE_INFINITY) this.#terminal.err('\r\u001b[K');
  }
}
