import { coversWrite, showSeen, Writers, type Dump, type Seen, type Violation, type WriteFact } from './facts.ts';

/** A value seen anywhere: in a read, a watch, a dump. */
export interface Sighting extends Seen {
  readonly key: string;
  /** For the message: who saw it. */
  readonly where: string;
}

/**
 * I8: `notApplied` was never and will never be applied; `applied` was. A value that only writes without effect wrote
 * (`notApplied`, `refused`) is seen nowhere; an applied write is in every dump, or a later one is.
 */
export function checkOutcomes(
  writes: readonly WriteFact[],
  evidence: {
    readonly sightings: readonly Sighting[];
    readonly dumps: readonly Dump[];
  },
): Violation[] {
  const inDumps = evidence.dumps.flatMap((dump) =>
    [...dump.entries].map(([key, entry]): Sighting => ({ key, ...entry, where: `the dump of ${dump.node}` })),
  );
  return [...forbiddenSightings(writes, [...evidence.sightings, ...inDumps]), ...missingWrites(writes, evidence.dumps)];
}

/** I8: a write of which its client was told that it is applied is in the log of its region. */
export function checkCommitted(
  applied: readonly { readonly key: string; readonly value: string }[],
  committed: readonly { readonly key: string; readonly value: string | null }[],
): Violation[] {
  const found = new Set(committed.map(({ key, value }) => `${key}=${value}`));
  return applied
    .filter(({ key, value }) => !found.has(`${key}=${value}`))
    .map(({ key, value }) => ({
      invariant: 'I8',
      key,
      message: `${key}=${value} was applied, as its client was told, but never committed`,
    }));
}

function forbiddenSightings(writes: readonly WriteFact[], sightings: readonly Sighting[]): Violation[] {
  const violations: Violation[] = [];
  const writers = new Writers(writes);
  for (const sighting of sightings) {
    if (sighting.value === null) continue;
    const sources = writers.of(sighting.key, sighting.value);
    if (sources.length === 0 || sources.some((write) => write.outcome !== 'noEffect')) continue;
    violations.push({
      invariant: 'I8',
      key: sighting.key,
      message: `${showSeen(sighting)} had no effect, as ${sources[0]?.process} was told, but ${sighting.where} shows it`,
    });
  }
  return violations;
}

function missingWrites(writes: readonly WriteFact[], dumps: readonly Dump[]): Violation[] {
  const violations: Violation[] = [];
  for (const write of writes) {
    if (write.outcome !== 'applied') continue;
    for (const dump of dumps) {
      const seen = dump.entries.get(write.key) ?? { value: null, version: undefined };
      if (coversWrite(seen, write, writes)) continue;
      violations.push({
        invariant: 'I8',
        key: write.key,
        message: `${showSeen(write)} was applied, as ${write.process} was told, but ${dump.node} holds ${showSeen(seen)}`,
      });
    }
  }
  return violations;
}
