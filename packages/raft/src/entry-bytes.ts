import type { Entry } from './types.ts';

/** What an entry costs besides its data: about its share of a message and of the heap. */
const entryOverheadBytes = 16;

/** The size that every limit in bytes counts. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + entryOverheadBytes;
}
