import {
  checkAcknowledgedWrites, checkAppliedOnce, checkConvergence, checkLinearizable, checkOutcomes, checkOwnWrites, checkSessions,
  factsOf, type Dump, type DumpEntry, type Facts, type VersionRecord,
} from '@skerry/checkers';
import { textOf } from './clients/caller.ts';
import type { Entry, Journal } from './clients/journal.ts';
import { checkDeleted, checkLedger, checkPromotedOnce, type Conflict } from './judge-conflicts.ts';
import type { Machine } from './machine.ts';
import type { RunViolation } from './violation.ts';
import type { World } from './world.ts';

export interface Verdict {
  readonly violations: readonly RunViolation[];
  readonly unknown: readonly string[];
}

const stepsMax = 2_000_000;

/** Holds what the clients saw, and what the nodes hold in the end, against the invariants. */
export function judge(world: World, journal: Journal): Verdict {
  const violations: RunViolation[] = [];
  const unknown: string[] = [];
  const region = journal.history(({ process }) => process, ({ label }) => dataFolderOf(label));
  const linearizable = checkLinearizable(region, { stepsMax });
  if (linearizable === 'unknown') unknown.push('I3');
  else violations.push(...linearizable);

  const facts = factsOf(region);
  const dumps = [...world.machines.values()].flatMap((machine) => {
    const found = world.members.has(machine.name) ? dump(machine) : null;
    return found === null ? [] : [found];
  });
  const { committed } = world.observer;
  const sightings = committed.map((change) => ({ key: change.key, value: change.value, version: change.version, where: `the log at ${change.partition}/${change.index}` }));
  violations.push(...checkAcknowledgedWrites(facts.writes, dumps), ...checkOutcomes(facts.writes, { sightings, dumps }));
  violations.push(...checkConvergence(facts.writes, dumps), ...checkDeleted(facts));
  violations.push(...checkAppliedOnce(committed.map((change): VersionRecord => ({ ...change, observer: `the log at ${change.index}` }))));

  const local = factsOf(journal.history((entry) => (entry.copies > 1 ? null : entry.process), ({ label }) => dataFolderOf(label)));
  violations.push(...checkOwnWrites(withFinalVersions(local, journal)));
  const sessions = factsOf(journal.history((entry) => (entry.copies > 1 ? null : `${entry.process}@${entry.label}`), () => undefined));
  violations.push(...checkSessions(withFinalVersions(sessions, journal)));

  noteRaces(world, journal);
  violations.push(...checkPromotedOnce(journal, committed), ...checkLedger(journal, conflictsOf(world)));
  return { violations, unknown };
}

/** A local read shows a pending write with the stamp that it was accepted with; what counts is the one it got at last. */
function withFinalVersions(facts: Facts, journal: Journal): Facts {
  const finals = new Map<string, { final: string | undefined; accepted: string | null }>();
  for (const { input, receipt, accepted } of journal.entries) {
    if (accepted === null || input.op !== 'set') continue;
    finals.set(`${input.key}=${input.value}`, { final: (receipt?.state === 'promoted' ? receipt.version : null) ?? undefined, accepted: accepted.version });
  }
  const reads = facts.reads.flatMap((read) => {
    const found = finals.get(`${read.key}=${read.value}`);
    if (found === undefined) return [read];
    // Shown with a stamp that was clamped later on, or as a copy of a retried write that turned out to be one: by that
    // stamp the node was right to take it for the latest.
    const isProvisional = read.version !== found.final && !(found.final === undefined && read.version === found.accepted);
    return isProvisional ? [] : [{ ...read, version: found.final }];
  });
  return { ...facts, reads };
}

/** A promotion while a consistent write of the same key was under way: the run got there. */
function noteRaces(world: World, journal: Journal): void {
  const consistent = journal.entries.filter((entry) => entry.consistent && entry.input.op !== 'get' && entry.end !== null);
  for (const { consistent: isConsistent, input, accepted, end } of journal.entries) {
    if (isConsistent || accepted === null || end === null) continue;
    const races = consistent.some((other) => other.input.key === input.key && other.invokedAt < end.at && (other.end?.at ?? 0) > accepted.at);
    if (races) world.sometimes.saw('promotion racing a consistent write');
  }
}

/** `n1#1` of `n1#1.3`: what survives a restart. */
function dataFolderOf(label: Entry['label']): string | undefined {
  return label?.slice(0, label.indexOf('.'));
}

function dump(machine: Machine): Dump | null {
  const { replica, now } = machine;
  if (replica === null) return null;
  const handle = -1;
  replica.request(handle, { operation: { kind: 'list', prefix: '', after: '', limit: 1_000, consistent: false, keysOnly: false }, timeoutMs: null }, now);
  const answer = replica.flush(now)?.answers.find((one) => one.handle === handle)?.answer;
  if (answer?.kind !== 'list') return null;
  return { node: machine.name, entries: new Map(answer.entries.map(({ key, value, version }): [string, DumpEntry] => [key, { value: textOf(value), version }])) };
}

function conflictsOf(world: World): Conflict[] {
  const machine = [...world.machines.values()].find(({ isUp, name }) => isUp && world.members.has(name));
  if (machine === undefined || machine.replica === null) return [];
  const found: Conflict[] = [];
  for (let before: { before?: string } | null = {}; before !== null; ) {
    machine.replica.request(-2, { operation: { kind: 'conflicts', prefix: '', limit: 100_000, ...before }, timeoutMs: null }, machine.now);
    const answer = machine.replica.flush(machine.now)?.answers.find(({ handle }) => handle === -2)?.answer;
    if (answer?.kind !== 'conflicts') return [];
    for (const { key, loser, reason } of answer.entries) found.push({ key, loser: textOf(loser?.type === 'register' ? loser.value : null), reason });
    before = answer.next === null ? null : { before: answer.next };
  }
  return found;
}
