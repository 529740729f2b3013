import { compareVersions } from '../version.ts';
import { showSeen, type Dump, type DumpEntry, type Violation, type WriteFact } from './facts.ts';

/**
 * I9: when writing has stopped and links have healed, all nodes of all regions hold the same state, and it equals the
 * merge of all acknowledged writes. For registers the merge is the write with the last stamp; a write that nobody
 * acknowledged may have won.
 */
export function checkConvergence(writes: readonly WriteFact[], dumps: readonly Dump[]): Violation[] {
  const keys = new Set([...dumps.flatMap((dump) => [...dump.entries.keys()]), ...writes.map((write) => write.key)]);
  const violations: Violation[] = [];
  for (const key of [...keys].sort()) {
    const different = differenceOf(key, dumps);
    if (different !== null) violations.push({ invariant: 'I9', key, message: different });
    const entry = dumps[0]?.entries.get(key);
    const wrong =
      dumps.length === 0
        ? null
        : mergeProblem(
            entry,
            writes.filter((write) => write.key === key),
          );
    if (wrong !== null) violations.push({ invariant: 'I9', key, message: `${dumps[0]?.node} ${wrong}` });
  }
  return violations;
}

function differenceOf(key: string, dumps: readonly Dump[]): string | null {
  const groups = new Map<string, string[]>();
  for (const dump of dumps) {
    const held = showEntry(dump.entries.get(key));
    groups.set(held, [...(groups.get(held) ?? []), dump.node]);
  }
  if (groups.size <= 1) return null;
  return `nodes differ: ${[...groups].map(([held, nodes]) => `${held} on ${nodes.join(', ')}`).join('; ')}`;
}

/** A tombstone and its absence are one state: when it is collected is each node's own affair. */
function showEntry(entry: DumpEntry | undefined): string {
  return entry === undefined || entry.value === null ? 'nothing' : showSeen(entry);
}

function mergeProblem(entry: DumpEntry | undefined, writes: readonly WriteFact[]): string | null {
  const winner = lastAcknowledged(writes);
  const value = entry?.value ?? null;
  if (winner !== null) {
    if (value === winner.value) return null;
    const order = entry === undefined ? null : compareVersions(entry.version, winner.version);
    if (order !== null && order <= 0) return `holds ${showSeen(entry as DumpEntry)}, the merge is ${showSeen(winner)}`;
  }
  // Only a write without a known version can have won unseen.
  const unseen = writes.some(
    (write) => write.value === value && write.version === undefined && write.outcome !== 'noEffect',
  );
  if (unseen || (winner === null && value === null)) return null;
  return `holds ${showEntry(entry)}, the merge is ${winner === null ? 'nothing' : showSeen(winner)}`;
}

function lastAcknowledged(writes: readonly WriteFact[]): (WriteFact & DumpEntry) | null {
  let last: (WriteFact & DumpEntry) | null = null;
  for (const write of writes) {
    const { version } = write;
    if (version === undefined || (write.outcome !== 'applied' && write.outcome !== 'accepted')) continue;
    if (last === null || compareVersions(version, last.version) > 0) last = { ...write, version };
  }
  return last;
}
