import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a process of `log-callers.mjs` is told. */
export interface CallersSpec {
  readonly endpoints: readonly string[];
  readonly server: string;
  readonly logFile: string;
  /** Where each caller's journal goes: `<journalPrefix>-<caller>`. */
  readonly journalPrefix: string;
  readonly callers: number;
}

/** A line of a caller's journal. `ask` is followed by what came of it, unless the caller was killed in between. */
export type JournalLine =
  | { readonly kind: 'ask' }
  /** The records `from` to `to` (exclusive) of the log as it was read. */
  | { readonly kind: 'given'; readonly from: number; readonly to: number; readonly text: string }
  | { readonly kind: 'failed'; readonly message: string };

export interface Journal {
  readonly name: string;
  readonly lines: readonly JournalLine[];
  /** Its caller was killed after it had asked and before it had written down what it was given. */
  readonly cutShort: boolean;
}

export function journalsIn(folder: string): Journal[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith('journal-'))
    .map((name) => {
      const texts = readFileSync(join(folder, name), 'utf8').split('\n');
      // Without its end, the last line was not written as a whole.
      const lines = texts.slice(0, -1).map((text) => JSON.parse(text) as JournalLine);
      return { name, lines, cutShort: lines.at(-1)?.kind === 'ask' };
    });
}
