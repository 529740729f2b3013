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
  /** About to ask for a move of the position; the beginnings of both in hexadecimal, null: there is none yet. */
  | { readonly kind: 'claim'; readonly before: string | null; readonly after: string | null }
  /** The records `from` to `to` (exclusive) of the log as it was read. */
  | { readonly kind: 'given'; readonly from: number; readonly to: number; readonly text: string }
  | { readonly kind: 'failed'; readonly message: string };

/** The records `from` to `to` (exclusive), counted over the whole log. */
export interface Claim {
  readonly from: number;
  readonly to: number;
}

export interface Journal {
  readonly name: string;
  readonly lines: readonly JournalLine[];
  /** Its caller was killed after it had asked and before it had written down what it was given. */
  readonly cutShort: boolean;
  /** What a caller that was cut short was the last to claim; it may have got it. */
  readonly lastClaim: Claim | null;
}

export function journalsIn(folder: string): Journal[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith('journal-'))
    .map((name) => {
      const texts = readFileSync(join(folder, name), 'utf8').split('\n');
      // Without its end, the last line was not written as a whole.
      const lines = texts.slice(0, -1).map((text) => JSON.parse(text) as JournalLine);
      const last = lines.at(-1);
      const lastClaim = last?.kind === 'claim' ? { from: totalAt(last.before), to: totalAt(last.after) } : null;
      return { name, lines, cutShort: lastClaim !== null || last?.kind === 'ask', lastClaim };
    });
}

function totalAt(beginning: string | null): number {
  return beginning === null ? 0 : totalOf(Buffer.from(beginning, 'hex'));
}

/**
 * The number of records returned so far, by a position of getLastLog as it stands at its key: a varint behind the
 * format's byte. Read here once more, so that the judge does not rest on the code that it judges.
 */
export function totalOf(position: Uint8Array): number {
  let total = 0;
  for (let at = 1, scale = 1; ; at++, scale *= 128) {
    const byte = position[at] ?? 0;
    total += (byte & 0x7f) * scale;
    if (byte < 0x80) return total;
  }
}
