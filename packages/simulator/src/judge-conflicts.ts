import type { Facts } from '@skerry/checkers';
import type { Journal } from './clients/journal.ts';
import type { Committed } from './observer.ts';
import type { RunViolation } from './violation.ts';

export interface Conflict {
  readonly key: string;
  readonly loser: string | null;
  readonly reason: string;
}

/** I7, I8: a promoted write is committed exactly once, at the version of its receipt; one that lost is not committed. */
export function checkPromotedOnce(journal: Journal, committed: readonly Committed[]): RunViolation[] {
  const violations: RunViolation[] = [];
  const byValue = new Map<string, Committed[]>();
  for (const change of committed) {
    const name = `${change.key}=${change.value}`;
    byValue.set(name, [...(byValue.get(name) ?? []), change]);
  }
  for (const { input, receipt, end } of journal.entries) {
    if (input.op !== 'set' && input.op !== 'swap') continue;
    const value = input.op === 'set' ? input.value : input.newValue;
    if (value === null) continue;
    const found = byValue.get(`${input.key}=${value}`) ?? [];
    if (found.length > 1) {
      violations.push({ invariant: 'I7', message: `${input.key}=${value} was committed ${found.length} times, at ${found.map(({ index }) => index).join(', ')}` });
    }
    const isApplied = end?.kind === 'ok' && end.output?.outcome === 'applied';
    if (isApplied && found.length === 0) violations.push({ invariant: 'I8', message: `${input.key}=${value} was applied, as its client was told, but never committed` });
    // Of the second copy of a retried write the version is not known any more once the first one's result is forgotten.
    const version = receipt?.state === 'promoted' ? receipt.version : null;
    if (version !== null && found[0] !== undefined && found[0].version !== version) {
      violations.push({ invariant: 'I7', message: `the receipt of ${input.key}=${value} says ${version}, the log says ${found[0].version}` });
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
  for (const { key, value, consistent, acknowledgedAt } of writes) if (value !== null && consistent) writtenBy.set(`${key}=${value}`, acknowledgedAt);
  const deletes = writes.filter(({ value, consistent, outcome }) => value === null && consistent && outcome === 'applied');
  return reads.flatMap((read) => {
    const overAt = read.consistent && read.value !== null ? writtenBy.get(`${read.key}=${read.value}`) : undefined;
    if (overAt === undefined) return [];
    const gone = deletes.find(({ key, invokedAt, acknowledgedAt }) => key === read.key && invokedAt > overAt && acknowledgedAt < read.invokedAt);
    return gone === undefined ? [] : [{ invariant: 'I11', message: `${read.key}=${read.value} was deleted by ${gone.process}, but ${read.process} read it later` }];
  });
}

/** I12: an acknowledged quorum-less write that did not become the value is in the conflict ledger. */
export function checkLedger(journal: Journal, conflicts: readonly Conflict[]): RunViolation[] {
  const losers = new Set(conflicts.map(({ key, loser }) => `${key}=${loser}`));
  return journal.entries.flatMap(({ input, receipt, forsaken }) => {
    if (receipt === null || forsaken || receipt.state === 'promoted' || receipt.state === 'merged') return [];
    const value = input.op === 'set' ? input.value : null;
    if (losers.has(`${input.key}=${value}`)) return [];
    return [{ invariant: 'I12', message: `${input.key}=${value} was ${receipt.state} and is not in the conflict ledger` }];
  });
}
