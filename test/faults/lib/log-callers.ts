/**
 * A process of callers of getLastLog: `node log-callers.js SPEC`, where SPEC is a {@link CallersSpec} as JSON. Each caller
 * asks again and again and writes down, synced, when it asks and what it was given; it may be killed at any moment.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { connect } from '@skerry/client';
import { getLastLog } from '@skerry/recipes';
import { pause } from './until.ts';

export interface CallersSpec {
  readonly endpoints: readonly string[];
  readonly server: string;
  readonly logFile: string;
  /** Where each caller's journal goes: `<journalPrefix>-<caller>`. */
  readonly journalPrefix: string;
  readonly callers: number;
}

const pauseMsMax = 50;

/** A line of a journal. `ask` is followed by what came of it, unless the caller was killed in between. */
export type JournalLine =
  | { readonly kind: 'ask' }
  /** The records `from` to `to` (exclusive) of the log as it was read. */
  | { readonly kind: 'given'; readonly from: number; readonly to: number; readonly text: string }
  | { readonly kind: 'failed'; readonly message: string };

async function call(spec: CallersSpec, caller: number, ending: AbortSignal): Promise<void> {
  const db = await connect({ endpoints: spec.endpoints });
  const journal = openSync(`${spec.journalPrefix}-${caller}`, 'a');
  const write = (line: JournalLine): void => {
    writeSync(journal, `${JSON.stringify(line)}\n`);
    fsyncSync(journal);
  };
  while (!ending.aborted) {
    const raw = readFileSync(spec.logFile, 'utf8');
    write({ kind: 'ask' });
    try {
      const text = await getLastLog(db, spec.server, raw);
      const to = linesIn(raw);
      write({ kind: 'given', from: to - linesIn(text), to, text });
      // Whoever got nothing leaves the processor to others.
      if (text === '') await pause(Math.random() * pauseMsMax);
    } catch (error) {
      write({ kind: 'failed', message: (error as Error).message });
    }
  }
  closeSync(journal);
  await db.close();
}

/** Lines that have their end. */
function linesIn(text: string): number {
  return text.split('\n').length - 1;
}

const [argument] = process.argv.slice(2);
if (argument !== undefined) {
  const ending = new AbortController();
  process.once('SIGTERM', () => ending.abort());
  // Whoever started these is gone.
  process.once('disconnect', () => process.exit());
  const spec = JSON.parse(argument) as CallersSpec;
  await Promise.all(Array.from({ length: spec.callers }, (_, caller) => call(spec, caller, ending.signal)));
  process.disconnect?.();
}
