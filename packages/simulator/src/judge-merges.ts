import { judgeKey, type PlainWrite, type Shown } from '@skerry/checkers';
import type { ListEntry, ValueView } from '@skerry/replica';
import { wordOf } from './clients/caller.ts';
import type { Journal, Update } from './clients/journal.ts';
import type { Conflict } from './judge-conflicts.ts';
import type { RunViolation } from './violation.ts';

/** Keys of these are never registers: see `clients/updates.ts`. */
export function isTyped(key: string): boolean {
  return /^(multiRegister|counter|set|flag|document)-/.test(key);
}

/**
 * I9 for values of all types but the register: all nodes show the same, and that is what a plain model of the type's merge
 * makes of what the clients were told. Judged at the end, when everything has converged.
 */
export function checkMerges(
  journal: Journal,
  {
    lists,
    conflicts,
  }: {
    lists: readonly { readonly node: string; readonly found: readonly ListEntry[] }[];
    conflicts: readonly Conflict[];
  },
): RunViolation[] {
  const violations: RunViolation[] = [];
  const writes = new Map<string, PlainWrite[]>();
  for (const update of journal.updates) {
    if (update.outcome !== 'noEffect') writes.set(update.key, [...(writes.get(update.key) ?? []), plainOf(update)]);
  }
  const shownBy = lists.map(({ node, found }) => ({
    node,
    shown: new Map(found.filter(({ key }) => isTyped(key)).map((entry) => [entry.key, entry] as const)),
  }));
  const keys = new Set([...writes.keys(), ...shownBy.flatMap(({ shown }) => [...shown.keys()])]);
  for (const key of [...keys].sort()) {
    const views = new Map(shownBy.map(({ node, shown }) => [describe(shown.get(key)), node] as const));
    if (views.size > 1)
      violations.push({
        invariant: 'I9',
        message: `${key} is ${[...views].map(([view, node]) => `${view} on ${node}`).join(', ')}`,
      });
    const mine = writes.get(key) ?? [];
    const type = mine[0]?.action.type;
    if (type === undefined) {
      violations.push({ invariant: 'I9', message: `${key} is there, and nobody wrote it` });
      continue;
    }
    // A full multi-value register drops the oldest siblings, into the ledger.
    const isFull = conflicts.some((conflict) => conflict.key === key && conflict.reason === 'siblingLimit');
    // A region that was re-seeded could not offer all that it had written: the ledger has its value as it was.
    if (conflicts.some((conflict) => conflict.key === key && conflict.reason === 'overwrote')) continue;
    for (const problem of judgeKey(
      { type, before: null, writes: mine, isolations: [] },
      shownOf(shownBy[0]?.shown.get(key)?.view),
    )) {
      if (!isFull || !problem.includes('is gone'))
        violations.push({ invariant: type === 'counter' ? 'I7' : 'I9', message: `${key}: ${problem}` });
    }
  }
  return violations;
}

function plainOf({
  key,
  action,
  region,
  consistent,
  invokedAt,
  acknowledgedAt,
  outcome,
  forsaken,
  receipt,
}: Update): PlainWrite {
  const isApplied = outcome === 'applied' && !forsaken && receipt?.state !== 'rejected';
  return {
    key,
    action,
    region,
    session: region,
    pinned: false,
    consistent,
    fromMs: invokedAt,
    isApplied,
    version: null,
    // A quorum-less one takes effect when it is promoted, which may be at any time later.
    toMs: isApplied && consistent && acknowledgedAt !== null ? acknowledgedAt : Number.POSITIVE_INFINITY,
  };
}

function shownOf(view: ValueView | undefined): Shown | null {
  switch (view?.type) {
    case undefined:
    case 'register':
      return null;
    case 'counter':
      return { type: 'counter', total: BigInt(view.total) };
    case 'set':
      return { type: 'set', elements: new Set(view.elements.map(wordOf)) };
    case 'flag':
      return { type: 'flag', enabled: view.enabled };
    case 'multiRegister':
      return { type: 'multi', values: new Set(view.values.map(wordOf)) };
    case 'document':
      return { type: 'multi', values: new Set(view.chunks.map(wordOf)) };
  }
}

function describe(entry: ListEntry | undefined): string {
  if (entry === undefined) return 'nothing';
  // How far a context was compacted is no part of the value.
  return `${entry.version} ${JSON.stringify(entry.view, (name, value: unknown) => (name === 'context' ? null : value instanceof Uint8Array ? wordOf(value) : value))}`;
}
