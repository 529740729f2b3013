// @ts-check
/**
 * A process of callers of getLastLog: `node log-callers.mjs SPEC`, where SPEC is a `CallersSpec` as JSON. Each caller asks
 * again and again and writes down, synced, when it asks, what it is about to claim and what it was given; it may be
 * killed at any moment. Plain JavaScript, so that checks start it from the sources and from a build alike.
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
  // On a busy machine a node may take long to come back.
  const db = await connect({ endpoints: spec.endpoints, connectTimeoutMs: 60_000 });
  const journal = openSync(`${spec.journalPrefix}-${caller}`, 'a');
  /** @param {JournalLine} line */
  const write = (line) => {
    writeSync(journal, `${JSON.stringify(line)}\n`);
    fsyncSync(journal);
  };
  /** The client, with each move of the position written down before it is asked for. */
  const witnessed = {
    get: db.get.bind(db),
    /** @type {typeof db.swap} */
    swap: (key, newValue, oldValue, options) => {
      write({ kind: 'claim', before: beginningOf(oldValue), after: beginningOf(newValue) });
      return db.swap(key, newValue, oldValue, options);
    },
  };
  while (!ending.aborted) {
    const raw = readFileSync(spec.logFile, 'utf8');
    write({ kind: 'ask' });
    try {
      const text = await getLastLog(witnessed, spec.server, raw);
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

/** Of a position, as hexadecimal digits: enough for the total that stands there. @param {Uint8Array | string | null} position */
function beginningOf(position) {
  if (typeof position === 'string') throw new Error('a position is bytes');
  return position === null ? null : Buffer.from(position.subarray(0, 16)).toString('hex');
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
