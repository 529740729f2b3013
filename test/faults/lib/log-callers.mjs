// @ts-check
/**
 * A process of callers of getLastLog: `node log-callers.mjs SPEC`, where SPEC is a `CallersSpec` as JSON. Each caller asks
 * again and again and writes down, synced, when it asks and what it was given; it may be killed at any moment. Plain
 * JavaScript, so that checks start it from the sources and from a build alike.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from '@skerry/client';
import { getLastLog } from '@skerry/recipes';

/** @typedef {import('./log-journals.ts').CallersSpec} CallersSpec */
/** @typedef {import('./log-journals.ts').JournalLine} JournalLine */

const pauseMsMax = 50;

/** @param {CallersSpec} spec @param {number} caller @param {AbortSignal} ending */
async function call(spec, caller, ending) {
  const db = await connect({ endpoints: spec.endpoints });
  const journal = openSync(`${spec.journalPrefix}-${caller}`, 'a');
  /** @param {JournalLine} line */
  const write = (line) => {
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
      write({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    }
  }
  closeSync(journal);
  await db.close();
}

/** Lines that have their end. @param {string} text */
function linesIn(text) {
  return text.split('\n').length - 1;
}

const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());
// Whoever started these is gone.
process.once('disconnect', () => process.exit());
const spec = /** @type {CallersSpec} */ (JSON.parse(process.argv[2] ?? ''));
await Promise.all(Array.from({ length: spec.callers }, (_, caller) => call(spec, caller, ending.signal)));
process.disconnect?.();
