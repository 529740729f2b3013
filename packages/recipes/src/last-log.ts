import type { Client } from '@skerry/client';
import { decodePosition, encodePosition, findPosition, HashedLog, positionAfter, positionStart } from './position.ts';

export interface LastLogOptions {
  /** Where the positions are kept, one key per server. Default `skerry/last-log/`. */
  readonly prefix?: string;
  readonly signal?: AbortSignal;
}

/**
 * The suffix of `rawLogs` that no caller was given before, for this server. `rawLogs` is the log as the caller has it:
 * its records in order, or its text, of which every line that has its line end is a record (a line that is still being
 * written is left for the next call). It may have grown, lost its beginning to rotation, or be an older copy than
 * another caller has.
 *
 * Each record is returned once: the position moves by compare-and-swap before anything is returned, so of callers that
 * race one gets a record and the others do not. A caller that dies after its answer changes nothing; one that dies
 * before it takes the records with it. What the position cannot tell apart stands at `findPosition`.
 *
 * Waits for a quorum; reject with ABORTED through `signal`.
 */
export async function getLastLog(
  db: Pick<Client, 'get' | 'swap'>,
  server: string,
  rawLogs: string,
  options?: LastLogOptions,
): Promise<string>;
export async function getLastLog(
  db: Pick<Client, 'get' | 'swap'>,
  server: string,
  rawLogs: readonly string[],
  options?: LastLogOptions,
): Promise<string[]>;
export async function getLastLog(
  db: Pick<Client, 'get' | 'swap'>,
  server: string,
  rawLogs: string | readonly string[],
  { prefix = 'skerry/last-log/', signal }: LastLogOptions = {},
): Promise<string | string[]> {
  const records = typeof rawLogs === 'string' ? linesOf(rawLogs) : rawLogs;
  const fresh = await claim(db, `${prefix}${server}`, records, signal === undefined ? {} : { signal });
  return typeof rawLogs === 'string' ? fresh.join('') : fresh;
}

async function claim(
  db: Pick<Client, 'get' | 'swap'>,
  key: string,
  records: readonly string[],
  options: { readonly signal?: AbortSignal },
): Promise<string[]> {
  const log = new HashedLog(records);
  let { value: stored } = await db.get(key, { as: 'bytes', ...options });
  for (;;) {
    const before = stored === null ? positionStart : decodePosition(stored);
    const from = findPosition(log, before);
    if (from === records.length) return [];
    const after = encodePosition(positionAfter(log, from, before));
    const swapped = await db.swap(key, after, stored, options);
    if (swapped.outcome === 'applied') return records.slice(from);
    // Another caller was faster: what is left starts behind what it took.
    if (swapped.outcome === 'refused') stored = swapped.value;
    else throw new Error(`a blocking swap ended ${swapped.outcome}; ticket ${swapped.ticket ?? 'none'}`);
  }
}

/** Complete lines with their line ends. */
function linesOf(text: string): string[] {
  return text.slice(0, text.lastIndexOf('\n') + 1).match(/[^\n]*\n/g) ?? [];
}
