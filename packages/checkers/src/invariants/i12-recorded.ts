import type { Violation } from './facts.ts';

/** What a merge discarded, as the conflict ledger has it. */
export interface LedgerEntry {
  readonly key: string;
  /** Null: a delete, or a value of another type than the register. */
  readonly loser: string | null;
}

/** A write that was acknowledged, and whose value no other write has. */
export interface RecordedWrite {
  readonly key: string;
  readonly value: string | null;
  readonly process: string;
}

/** I12 for quorum-less writes: one that did not become the value (`state` of its receipt) is in the conflict ledger. */
export function checkLosers(
  losers: readonly (RecordedWrite & { readonly state: string })[],
  ledger: readonly LedgerEntry[],
): Violation[] {
  const recorded = new Set(ledger.map(({ key, loser }) => `${key}=${loser}`));
  return losers
    .filter(({ key, value }) => !recorded.has(`${key}=${value}`))
    .map(({ key, value, state }) => ({
      invariant: 'I12',
      key,
      message: `${key}=${value} was ${state} and is not in the conflict ledger`,
    }));
}

/**
 * I12 between regions: no acknowledged effect disappears unrecorded. A write is visible in the end, or something was written
 * over it where it was visible (`replaced`), or it is in some region's ledger.
 */
export function checkDiscarded(
  applied: readonly RecordedWrite[],
  evidence: {
    readonly visible: readonly Omit<RecordedWrite, 'process'>[];
    readonly replaced: readonly Omit<RecordedWrite, 'process'>[];
    readonly ledger: readonly LedgerEntry[];
  },
): Violation[] {
  const explained = new Set([
    ...evidence.ledger.map(({ key, loser }) => `${key}=${loser}`),
    ...[...evidence.visible, ...evidence.replaced].map(({ key, value }) => `${key}=${value}`),
  ]);
  return applied
    .filter(({ key, value }) => value !== null && !explained.has(`${key}=${value}`))
    .map(({ key, value, process }) => ({
      invariant: 'I12',
      key,
      message: `${key}=${value} of ${process} is gone, was overwritten by nobody who saw it, and is in no conflict ledger`,
    }));
}
