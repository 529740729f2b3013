import { checkHeld } from './acknowledged.ts';
import type { Dump, Violation, WriteFact } from './facts.ts';

/**
 * I5: an acknowledged quorum-less write survives crash and restart of the nodes that acknowledged it. Judged at the end, when
 * pending writes are promoted: each node holds the write or a later one that somebody wrote.
 */
export function checkQuorumlessWrites(writes: readonly WriteFact[], dumps: readonly Dump[]): Violation[] {
  return checkHeld(writes, dumps, {
    invariant: 'I5',
    isWanted: ({ consistent }) => !consistent,
    name: 'quorum-less write',
  });
}
