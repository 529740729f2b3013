import type { RegionId } from '@skerry/base';
import {
  checkCommitted,
  checkCommittedOnce,
  checkDiscarded,
  checkLosers,
  checkRefused,
  type Dump,
  type RecordedWrite,
  type RefusedCall,
  type Sighting,
} from '@skerry/checkers';
import type { Entry, Journal } from './clients/journal.ts';
import { isTyped } from './judge-merges.ts';
import type { Committed } from './observer.ts';
import type { RunViolation } from './violation.ts';
import type { World } from './world.ts';

export interface Conflict {
  /** Where the merge was. */
  readonly region: RegionId;
  readonly key: string;
  readonly loser: string | null;
  readonly reason: string;
}

/** I7, I8 in the region where a write was made; what that had sent before it was re-seeded comes back to it. */
export function judgeCommitted(
  journal: Journal,
  { observer: { committed }, index }: World,
  { isReseeded }: { isReseeded: boolean },
): RunViolation[] {
  const written = journal.entries.flatMap((entry) => {
    const value = entry.region === index ? writtenBy(entry) : null;
    return value === null ? [] : [{ entry, key: entry.input.key, value }];
  });
  const writes = written.map(({ entry: { receipt }, key, value }) => ({
    key,
    value,
    // Of the second copy of a retried write the version is not known any more once the first one's result is forgotten.
    version: receipt?.state === 'promoted' ? receipt.version : null,
  }));
  const applied = written.filter(({ entry }) => isApplied(entry));
  return [...checkCommittedOnce(writes, committed, { mayRepeat: isReseeded }), ...checkCommitted(applied, committed)];
}

/** I12: an acknowledged quorum-less write that did not become the value is in the conflict ledger. */
export function judgeLosers(journal: Journal, conflicts: readonly Conflict[]): RunViolation[] {
  const losers = journal.entries.flatMap(({ input, receipt, forsaken, process }) => {
    if (receipt === null || forsaken || receipt.state === 'promoted' || receipt.state === 'merged') return [];
    return [{ key: input.key, value: input.op === 'set' ? input.value : null, process, state: receipt.state }];
  });
  return checkLosers(losers, conflicts);
}

/** I12 between regions: an acknowledged write of a register is visible, was seen by who overwrote it, or is recorded. */
export function judgeDiscarded(
  journal: Journal,
  { worlds, conflicts, dumps }: { worlds: readonly World[]; conflicts: readonly Conflict[]; dumps: readonly Dump[] },
): RunViolation[] {
  const visible = dumps.flatMap(({ entries }) => Array.from(entries, ([key, { value }]) => ({ key, value })));
  const replaced = worlds.flatMap(({ observer: { committed }, index }) => {
    const last = new Map<string, Committed>();
    return committed.flatMap((change) => {
      if (isTyped(change.key)) return [];
      const before = last.get(change.key);
      last.set(change.key, change);
      return before !== undefined && change.home === index ? [{ key: change.key, value: before.value }] : [];
    });
  });
  const applied = journal.entries.flatMap((entry): RecordedWrite[] => {
    const { forsaken, input, process } = entry;
    return forsaken || !isApplied(entry) ? [] : [{ key: input.key, value: writtenBy(entry), process }];
  });
  return checkDiscarded(applied, { visible, replaced, ledger: conflicts });
}

/** I14: what a swap that was refused would have written is nowhere. */
export function judgeRefused(journal: Journal, sightings: readonly Sighting[]): RunViolation[] {
  const refused = journal.entries.flatMap(({ input, end, process }): RefusedCall[] =>
    input.op === 'swap' && end?.output?.outcome === 'refused' && input.newValue !== null
      ? [{ process, key: input.key, value: input.newValue }]
      : [],
  );
  return checkRefused(refused, sightings);
}

function isApplied({ end }: Entry): boolean {
  return end?.kind === 'ok' && end.output?.outcome === 'applied';
}

function writtenBy({ input }: Entry): string | null {
  return input.op === 'set' ? input.value : input.op === 'swap' ? input.newValue : null;
}
