import type { RegionId } from '@skerry/base';
import type { Dump, Facts } from '@skerry/checkers';
import type { Journal } from './clients/journal.ts';
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

/**
 * I7, I8: a promoted write is committed exactly once, at the version of its receipt; one that lost is not committed. Judged
 * in the region where it was written; what that sent before it was re-seeded comes back to it.
 */
export function checkPromotedOnce(
  journal: Journal,
  { observer: { committed }, index }: World,
  { isReseeded }: { isReseeded: boolean },
): RunViolation[] {
  const violations: RunViolation[] = [];
  const byValue = new Map<string, Committed[]>();
  for (const change of committed) {
    const name = `${change.key}=${change.value}`;
    byValue.set(name, [...(byValue.get(name) ?? []), change]);
  }
  for (const { input, receipt, end, region } of journal.entries) {
    if (region !== index || (input.op !== 'set' && input.op !== 'swap')) continue;
    const value = input.op === 'set' ? input.value : input.newValue;
    if (value === null) continue;
    const found = byValue.get(`${input.key}=${value}`) ?? [];
    if (found.length > 1 && !isReseeded) {
      violations.push({
        invariant: 'I7',
        message: `${input.key}=${value} was committed ${found.length} times, at ${found.map(({ index }) => index).join(', ')}`,
      });
    }
    const isApplied = end?.kind === 'ok' && end.output?.outcome === 'applied';
    if (isApplied && found.length === 0)
      violations.push({
        invariant: 'I8',
        message: `${input.key}=${value} was applied, as its client was told, but never committed`,
      });
    // Of the second copy of a retried write the version is not known any more once the first one's result is forgotten.
    const version = receipt?.state === 'promoted' ? receipt.version : null;
    if (version !== null && found[0] !== undefined && found[0].version !== version) {
      violations.push({
        invariant: 'I7',
        message: `the receipt of ${input.key}=${value} says ${version}, the log says ${found[0].version}`,
      });
    }
  }
  return violations;
}

/**
 * I11: a consistent read that was called after a consistent delete was over does not show the value of a consistent write
 * that was over before that delete was called. Values are written once; a quorum-less write may come later than it was
 * acknowledged, so nothing is said of it here.
 */
export function checkDeleted({ writes, reads }: Facts): RunViolation[] {
  const writtenBy = new Map<string, number>();
  for (const { key, value, consistent, acknowledgedAt } of writes)
    if (value !== null && consistent) writtenBy.set(`${key}=${value}`, acknowledgedAt);
  const deletes = writes.filter(
    ({ value, consistent, outcome }) => value === null && consistent && outcome === 'applied',
  );
  return reads.flatMap((read) => {
    const overAt = read.consistent && read.value !== null ? writtenBy.get(`${read.key}=${read.value}`) : undefined;
    if (overAt === undefined) return [];
    const gone = deletes.find(
      ({ key, invokedAt, acknowledgedAt }) => key === read.key && invokedAt > overAt && acknowledgedAt < read.invokedAt,
    );
    return gone === undefined
      ? []
      : [
          {
            invariant: 'I11',
            message: `${read.key}=${read.value} was deleted by ${gone.process}, but ${read.process} read it later`,
          },
        ];
  });
}

/** I12: an acknowledged quorum-less write that did not become the value is in the conflict ledger. */
export function checkLedger(journal: Journal, conflicts: readonly Conflict[]): RunViolation[] {
  const losers = new Set(conflicts.map(({ key, loser }) => `${key}=${loser}`));
  return journal.entries.flatMap(({ input, receipt, forsaken }) => {
    if (receipt === null || forsaken || receipt.state === 'promoted' || receipt.state === 'merged') return [];
    const value = input.op === 'set' ? input.value : null;
    if (losers.has(`${input.key}=${value}`)) return [];
    return [
      { invariant: 'I12', message: `${input.key}=${value} was ${receipt.state} and is not in the conflict ledger` },
    ];
  });
}

/**
 * I12 between regions: an acknowledged write of a register is visible in the end, or a write that was made where it was
 * visible came after it, or it is in the conflict ledger of some region.
 */
export function checkDiscarded(
  journal: Journal,
  { worlds, conflicts, dumps }: { worlds: readonly World[]; conflicts: readonly Conflict[]; dumps: readonly Dump[] },
): RunViolation[] {
  const explained = new Set(conflicts.map(({ key, loser }) => `${key}=${loser}`));
  for (const { entries } of dumps) for (const [key, { value }] of entries) explained.add(`${key}=${value}`);
  for (const { observer, index } of worlds) {
    const last = new Map<string, Committed>();
    for (const change of observer.committed) {
      if (isTyped(change.key)) continue;
      const before = last.get(change.key);
      if (before !== undefined && change.home === index) explained.add(`${change.key}=${before.value}`);
      last.set(change.key, change);
    }
  }
  return journal.entries.flatMap(({ input, end, forsaken, process }) => {
    if (forsaken || end?.kind !== 'ok' || end.output?.outcome !== 'applied') return [];
    const value = input.op === 'set' ? input.value : input.op === 'swap' ? input.newValue : null;
    if (value === null || explained.has(`${input.key}=${value}`)) return [];
    return [
      {
        invariant: 'I12',
        message: `${input.key}=${value} of ${process} is gone, was overwritten by nobody who saw it, and is in no conflict ledger`,
      },
    ];
  });
}
