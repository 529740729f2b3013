import {
  checkAppliedOnce,
  checkConsistentWrites,
  checkConvergence,
  checkCounterTotals,
  checkDeletedStaysDeleted,
  checkOutcomes,
  checkOwnWrites,
  checkQuorumlessWrites,
  checkSessions,
  factsOf,
  type Dump,
  type Facts,
  type Sighting,
  type Violation,
} from '@skerry/checkers';
import type { CallerRound } from './callers.ts';
import { differences, linearizabilityProblems } from './judge.ts';

export interface FinalState {
  /** Of every node that runs, when all has settled. */
  readonly dumps: readonly Dump[];
  /** The counters, as each node shows them. */
  readonly totals: readonly { readonly node: string; readonly totals: ReadonlyMap<string, number> }[];
}

const shownMax = 20;

/** Judges what callers were told against what the nodes hold in the end, by the checkers that judge the simulator. */
export function judgeCallers(round: CallerRound, { dumps, totals }: FinalState): string[] {
  const facts = byKey(factsOf(round.history));
  const local = byKey(factsOf(round.local));
  return [
    ...round.problems,
    ...linearizabilityProblems(round.history),
    ...checkAppliedOnce(round.versions).map(text),
    ...[...facts, ...local].flatMap(([key, ofKey]) => keyProblems(ofKey, dumpsOfKey(dumps, key), round)),
    ...differences(dumps),
    ...totals.flatMap(({ node, totals: found }) =>
      checkCounterTotals(round.additions, found).map((violation) => `${text(violation)}, at ${node}`),
    ),
  ].slice(0, shownMax);
}

/** What else than I3 is to be said of one key. */
function keyProblems(facts: Facts, dumps: readonly Dump[], { versions }: CallerRound): string[] {
  const { writes, reads } = facts;
  const key = writes[0]?.key ?? reads[0]?.key;
  const sightings: Sighting[] = [
    ...reads.map((read) => ({ ...read, where: `a read by ${read.process}` })),
    ...versions.filter((one) => one.key === key).map((one) => ({ ...one, where: 'a watch' })),
  ];
  return [
    ...checkConsistentWrites(writes, dumps),
    ...checkQuorumlessWrites(writes, dumps),
    ...checkOwnWrites(facts),
    ...checkSessions(facts),
    ...checkOutcomes(writes, { sightings, dumps }),
    ...checkConvergence(writes, dumps),
    ...checkDeletedStaysDeleted(facts, dumps),
  ].map(text);
}

/** Each checker compares each write with all others: only those of its own key matter. */
function byKey({ writes, reads }: Facts): Map<string, Facts> {
  const found = new Map<string, { writes: Facts['writes'][number][]; reads: Facts['reads'][number][] }>();
  const of = (key: string): { writes: Facts['writes'][number][]; reads: Facts['reads'][number][] } => {
    const known = found.get(key) ?? { writes: [], reads: [] };
    found.set(key, known);
    return known;
  };
  for (const write of writes) of(write.key).writes.push(write);
  for (const read of reads) of(read.key).reads.push(read);
  return found;
}

function dumpsOfKey(dumps: readonly Dump[], key: string): Dump[] {
  return dumps.map(({ node, entries }) => {
    const entry = entries.get(key);
    return { node, entries: new Map(entry === undefined ? [] : [[key, entry]]) };
  });
}

function text({ invariant, message, key }: Violation): string {
  return `${invariant}, key ${key}: ${message}`;
}
