import { coversWrite, showSeen, type Dump, type DumpEntry, type Violation, type WriteFact } from './facts.ts';

/** What I4 and I5 have in common: each node holds every acknowledged write of `wanted`, or a later one that somebody wrote. */
export function checkHeld(
  writes: readonly WriteFact[],
  dumps: readonly Dump[],
  { invariant, isWanted, name }: { invariant: string; isWanted: (write: WriteFact) => boolean; name: string },
): Violation[] {
  const violations: Violation[] = [];
  for (const write of writes) {
    if (!isWanted(write) || (write.outcome !== 'applied' && write.outcome !== 'accepted')) continue;
    for (const dump of dumps) {
      const problem = problemOf(write, dump.entries.get(write.key), writes);
      if (problem === null) continue;
      violations.push({
        invariant,
        key: write.key,
        message: `${name} of ${showSeen(write)} by ${write.process} was acknowledged, but ${dump.node} ${problem}`,
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
