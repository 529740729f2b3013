import { checkHeld } from './acknowledged.ts';
import type { Dump, Violation, WriteFact } from './facts.ts';

/**
 * I4: an acknowledged consistent write survives the loss of any minority, with crash and restart of all. Judged at the end:
 * each node holds the write or a later one that somebody wrote.
 */
export function checkConsistentWrites(writes: readonly WriteFact[], dumps: readonly Dump[]): Violation[] {
  return checkHeld(writes, dumps, { invariant: 'I4', isWanted: ({ consistent }) => consistent, name: 'write' });
}
