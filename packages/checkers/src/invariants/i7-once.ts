import { compareVersions, type Version } from '../version.ts';
import type { Violation } from './facts.ts';

/**
 * One version that a key went through, as a watch, a region log or a series of reads showed it. Values must be unique
 * per write (a value stands for its dot or client sequence), versions committed ones; records of several observers may
 * be put together if they show the same region.
 */
export interface VersionRecord {
  readonly observer: string;
  readonly key: string;
  /** Null is a delete; deletes are not told apart. */
  readonly value: string | null;
  readonly version: Version;
}

/** I7: each write takes effect once. Seen from outside: a value has one version, and a version has one value. */
export function checkAppliedOnce(records: readonly VersionRecord[]): Violation[] {
  const violations: Violation[] = [];
  const versionOf = new Map<string, VersionRecord>();
  const valueOf = new Map<string, VersionRecord>();
  for (const record of records) {
    const { key, value, version } = record;
    const sameVersion = remember(valueOf, JSON.stringify([key, version]), record);
    if (sameVersion.value !== value) {
      violations.push({
        invariant: 'I7',
        key,
        message: `version ${version} is ${JSON.stringify(sameVersion.value)} to ${sameVersion.observer} and ${JSON.stringify(value)} to ${record.observer}`,
      });
    }
    if (value === null) continue;
    const sameValue = remember(versionOf, JSON.stringify([key, value]), record);
    if (compareVersions(sameValue.version, version) !== 0) {
      violations.push({
        invariant: 'I7',
        key,
        message: `${JSON.stringify(value)} was applied twice: @${sameValue.version} to ${sameValue.observer}, @${version} to ${record.observer}`,
      });
    }
  }
  return violations;
}

/** A write of a value that nobody else writes, and what became of it. */
export interface PromotedWrite {
  readonly key: string;
  readonly value: string;
  /** That of its receipt, if it says so; null: nobody knows. */
  readonly version: Version | null;
}

/** One committed change of a region. */
export interface CommittedChange {
  readonly key: string;
  readonly value: string | null;
  readonly version: Version;
  /** In the log. */
  readonly index: number;
}

/** I7: what was written in a region is committed there at most once, and at the version that its receipt tells. */
export function checkCommittedOnce(
  writes: readonly PromotedWrite[],
  committed: readonly CommittedChange[],
  { mayRepeat = false }: { mayRepeat?: boolean } = {},
): Violation[] {
  const changes = new Map<string, CommittedChange[]>();
  for (const change of committed) {
    const name = `${change.key}=${change.value}`;
    const others = changes.get(name);
    if (others === undefined) changes.set(name, [change]);
    else others.push(change);
  }
  const violations: Violation[] = [];
  for (const { key, value, version } of writes) {
    const found = changes.get(`${key}=${value}`) ?? [];
    if (found.length > 1 && !mayRepeat) {
      const places = found.map(({ index }) => index).join(', ');
      violations.push({
        invariant: 'I7',
        key,
        message: `${key}=${value} was committed ${found.length} times, at ${places}`,
      });
    }
    if (version !== null && found[0] !== undefined && found[0].version !== version)
      violations.push({
        invariant: 'I7',
        key,
        message: `the receipt of ${key}=${value} says ${version}, the log says ${found[0].version}`,
      });
  }
  return violations;
}

/** One increment of a counter, negative ones included. */
export interface Addition {
  readonly key: string;
  readonly amount: number;
  readonly outcome: 'applied' | 'noEffect' | 'undecided';
}

/** I7 for counters: the total has each applied increment once, and each undecided one at most once. */
export function checkCounterTotals(additions: readonly Addition[], totals: ReadonlyMap<string, number>): Violation[] {
  const violations: Violation[] = [];
  for (const key of new Set([...additions.map((addition) => addition.key), ...totals.keys()])) {
    const total = totals.get(key) ?? 0;
    const { min, max } = possibleTotals(additions.filter((addition) => addition.key === key));
    if (total >= min && total <= max) continue;
    const wanted = min === max ? `${min}` : `${min} to ${max}`;
    violations.push({ invariant: 'I7', key, message: `the counter is ${total}, its increments make ${wanted}` });
  }
  return violations;
}

function possibleTotals(additions: readonly Addition[]): { min: number; max: number } {
  const range = { min: 0, max: 0 };
  for (const { amount, outcome } of additions) {
    if (outcome === 'noEffect') continue;
    if (outcome === 'applied' || amount < 0) range.min += amount;
    if (outcome === 'applied' || amount > 0) range.max += amount;
  }
  return range;
}

function remember<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  map.set(key, value);
  return value;
}
