import { coversWrite, showSeen, type Dump, type DumpEntry, type Violation, type WriteFact } from './facts.ts';

/**
 * I4: an acknowledged consistent write survives the loss of any minority, with crash and restart of all. I5: an
 * acknowledged quorum-less write survives crash and restart of the nodes that acknowledged it. Judged at the end, when
 * pending writes are promoted: each node holds the write or a later one that somebody wrote.
 */
export function checkAcknowledgedWrites(writes: readonly WriteFact[], dumps: readonly Dump[]): Violation[] {
  const violations: Violation[] = [];
  for (const write of writes) {
    if (write.outcome !== 'applied' && write.outcome !== 'accepted') continue;
    for (const dump of dumps) {
      const entry = dump.entries.get(write.key);
      const problem = problemOf(write, entry, writes);
      if (problem === null) continue;
      const name = `${write.consistent ? '' : 'quorum-less '}write of ${showSeen(write)} by ${write.process}`;
      violations.push({
        invariant: write.consistent ? 'I4' : 'I5',
        key: write.key,
        message: `${name} was acknowledged, but ${dump.node} ${problem}`,
      });
    }
  }
  return violations;
}

function problemOf(write: WriteFact, entry: DumpEntry | undefined, writes: readonly WriteFact[]): string | null {
  // The tombstone of a later delete may have been collected.
  if (entry === undefined)
    return coversWrite({ value: null, version: undefined }, write, writes) ? null : 'has no such key';
  if (!coversWrite(entry, write, writes)) return `holds the older ${showSeen(entry)}`;
  const isWritten = writes.some(
    (other) => other.key === write.key && other.value === entry.value && other.outcome !== 'noEffect',
  );
  return isWritten ? null : `holds ${showSeen(entry)}, which nobody wrote`;
}
