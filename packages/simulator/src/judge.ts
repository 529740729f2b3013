import type { RegionId } from '@skerry/base';
import {
  checkAppliedOnce,
  checkConsistentWrites,
  checkConvergence,
  checkDeletedByTime,
  checkLinearizable,
  checkOutcomes,
  checkOwnWrites,
  checkQuorumlessWrites,
  checkSessions,
  factsOf,
  type Dump,
  type DumpEntry,
  type Facts,
  type History,
  type VersionRecord,
} from '@skerry/checkers';
import type { ListEntry } from '@skerry/replica';
import { textOf } from './clients/caller.ts';
import type { Arrival, Entry, Journal } from './clients/journal.ts';
import { judgeCommitted, judgeDiscarded, judgeLosers, judgeRefused, type Conflict } from './judge-conflicts.ts';
import { checkMerges, isTyped } from './judge-merges.ts';
import type { Machine } from './machine.ts';
import type { Committed } from './observer.ts';
import type { System } from './system.ts';
import type { RunViolation } from './violation.ts';
import type { World } from './world.ts';

export interface Verdict {
  readonly violations: readonly RunViolation[];
  readonly unknown: readonly string[];
}

const stepsMax = 20_000_000;

/** Holds what the clients saw, and what the nodes hold in the end, against the invariants. */
export function judge(system: System, journal: Journal): Verdict {
  const violations: RunViolation[] = [];
  const unknown: string[] = [];
  const { worlds } = system;
  const conflicts = worlds.flatMap(conflictsOf);
  if (conflicts.some(({ reason }) => reason === 'rejected')) system.sometimes.saw('rejected');
  const node = ({ label }: Entry): string | undefined => dataFolderOf(label);
  for (const world of worlds) {
    const process = (entry: Entry): string | null => (entry.region === world.index ? entry.process : null);
    const linearizable = checkLinearizable(historyIn(world, journal, system.evicted), { stepsMax });
    if (linearizable === 'unknown') unknown.push(worlds.length === 1 ? 'I3' : `I3 in ${world.region}`);
    else violations.push(...linearizable);
    if (!system.evicted.has(world.region))
      violations.push(...checkDeletedByTime(factsOf(journal.history(process, node))));
    violations.push(...judgeCommitted(journal, world, { isReseeded: system.evicted.has(world.region) }));
  }

  const regions = new Map(worlds.map(({ region, index }) => [index, region] as const));
  const region = (entry: Entry): string => regions.get(entry.region) ?? '';
  const facts = settled(factsOf(journal.history(({ process }) => process, node, { region })), system);
  const lists = worlds.flatMap((world) =>
    [...world.machines.values()].flatMap((machine) => {
      const found = world.members.has(machine.name) ? listOf(machine) : null;
      return found === null ? [] : [{ node: machine.name, found }];
    }),
  );
  // Of a key on a lease nobody writes down the end, and an evicted region may have ended it in entries that it keeps no more.
  const isLeftOut = (key: string): boolean => isTyped(key) || (system.evicted.size > 0 && key.startsWith('lease-'));
  const dumps = lists.map(({ node, found }): Dump => ({
    node,
    entries: new Map(
      found.flatMap(({ key, value, version }): [string, DumpEntry][] =>
        isLeftOut(key) ? [] : [[key, { value: textOf(value), version }]],
      ),
    ),
  }));
  const committed = worlds.flatMap(({ observer }) => observer.committed).filter(({ key }) => !isTyped(key));
  const sightings = committed.map((change) => ({
    key: change.key,
    value: change.value,
    version: change.version,
    where: `the log at ${change.partition}/${change.index}`,
  }));
  violations.push(
    ...checkConsistentWrites(facts.writes, dumps),
    ...checkQuorumlessWrites(facts.writes, dumps),
    ...checkOutcomes(facts.writes, { sightings, dumps }),
    ...checkConvergence(facts.writes, dumps),
  );
  if (system.evicted.size === 0)
    violations.push(
      ...checkAppliedOnce(
        committed.map((change): VersionRecord => ({ ...change, observer: `the log at ${change.index}` })),
      ),
    );

  const isAlone = ({ copies }: Entry): boolean => copies === 1;
  // The other copy of a retried write was promoted: this node took it under a stamp of its own, by which it may lose here until then.
  const acknowledgedBy = (entry: Entry): string | undefined =>
    entry.retried && entry.accepted !== null && entry.accepted.version !== entry.receipt?.version
      ? undefined
      : node(entry);
  const local = factsOf(
    journal.history((entry) => (isAlone(entry) ? entry.process : null), acknowledgedBy, { region }),
  );
  violations.push(...checkOwnWrites(withFinalVersions(settled(local, system), journal)));
  const sessions = factsOf(
    journal.history(
      (entry) => (isAlone(entry) ? sessionAtNode(entry) : null),
      () => undefined,
      { region },
    ),
  );
  violations.push(...checkSessions(withFinalVersions(settled(sessions, system), journal)));
  if (worlds.length > 1) {
    const isPendingOf = pendingShown(journal, committed);
    const moving = factsOf(
      journal.history(
        (entry) =>
          isAlone(entry) && asksForSeen(entry) ? (isPendingOf(entry) ? aloneOf(entry) : entry.process) : null,
        () => undefined,
        { region },
      ),
    );
    violations.push(...checkSessions(withFinalVersions(settled(moving, system), journal)));
    violations.push(...judgeDiscarded(journal, { worlds, conflicts, dumps }));
  }

  noteRaces(system, journal);
  violations.push(
    ...judgeRefused(journal, sightings),
    ...judgeLosers(journal, conflicts),
    ...checkMerges(journal, { lists, conflicts }),
  );
  return { violations, unknown };
}

/**
 * What was written in a region that was evicted may have been taken late, under another stamp, or into a ledger; what was read
 * there may be gone. Only I12 speaks of that.
 */
function settled(facts: Facts, { evicted }: System): Facts {
  const isOut = (region: string | undefined): boolean => [...evicted].some((one) => one === region);
  return {
    reads: facts.reads.filter(({ region }) => !isOut(region)),
    writes: facts.writes.map((write) =>
      isOut(write.region) && write.outcome !== 'noEffect'
        ? { ...write, outcome: 'undecided', version: undefined, acknowledgedAt: Number.POSITIVE_INFINITY }
        : write,
    ),
  };
}

/** What a consistent call saw that went by two nodes, the one that answered may not have seen: it is in a session of its own. */
function sessionAtNode(entry: Entry): string {
  return entry.consistent && entry.retried ? aloneOf(entry) : `${entry.process}@${entry.label}`;
}

/** A session of this one call. */
function aloneOf({ process, call }: Entry): string {
  return `${process}, call ${call}`;
}

/**
 * Local reads that show what another session wrote without a quorum, while it is pending at that node: no token tells of it, so
 * another node of the region may not show it yet (docs/limits.md).
 */
function pendingShown(journal: Journal, committed: readonly Committed[]): (entry: Entry) => boolean {
  const settledAt = new Map<string, number>();
  for (const { key, value, beforeAt } of committed) {
    const name = `${key}=${value}`;
    settledAt.set(name, Math.min(beforeAt, settledAt.get(name) ?? beforeAt));
  }
  const writers = new Map<string, string>();
  for (const { input, consistent, process } of journal.entries)
    if (!consistent && input.op === 'set') writers.set(`${input.key}=${input.value}`, process);
  return ({ input, consistent, process, end }) => {
    const output = end?.output ?? null;
    if (consistent || end === null || output?.outcome !== 'read') return false;
    const name = `${input.key}=${output.value}`;
    const writer = writers.get(name);
    return writer !== undefined && writer !== process && (settledAt.get(name) ?? Number.POSITIVE_INFINITY) > end.at;
  };
}

function withoutVersions({ initial, events }: History): History {
  return {
    initial,
    events: events.map((event) =>
      event.kind === 'ok' ? { ...event, output: { ...event.output, version: undefined } } : event,
    ),
  };
}

/**
 * What a region's clients called there, and what came from other regions meanwhile. A region that is re-seeded after it was
 * evicted may go back to an earlier version, so versions say nothing there.
 */
export function historyIn(world: World, journal: Journal, evicted: ReadonlySet<RegionId>): History {
  const history = journal.history(
    (entry) => (entry.region === world.index ? entry.process : null),
    ({ label }) => dataFolderOf(label),
    { arrivals: arrivalsIn(world, journal, { evictions: evicted.size > 0 }) },
  );
  return evicted.has(world.region) ? withoutVersions(history) : history;
}

/** What came into a region from others, in its own log: by whom it was written tells the stamp. */
function arrivalsIn({ index, observer }: World, journal: Journal, { evictions }: { evictions: boolean }): Arrival[] {
  const keys = new Set(journal.entries.map(({ input }) => input.key));
  const seen = new Set<string>();
  const last = new Map<string, { readonly version: string; readonly isNull: boolean; readonly highest: string }>();
  // What an evicted region offers is a late write elsewhere: it may get another stamp, and comes back with that.
  const values = new Set<string>();
  const isMadeAnew = ({ key, value }: Committed): boolean => {
    const name = `${key}=${value}`;
    if (value === null || !evictions || values.has(name)) return value !== null && evictions;
    values.add(name);
    return false;
  };
  const passing = passingIn(observer.committed, journal, index);
  return observer.committed.flatMap((change): Arrival[] => {
    if (passing.has(change)) return [];
    const { key, version, value, home } = change;
    const before = last.get(key);
    const isNull = value === null;
    // A tombstone that was taken over once more changes nothing. A value that re-seeding took away goes under its own version.
    if (before?.version === version && before.isNull === isNull) return [];
    const highest = before === undefined || version > before.highest ? version : before.highest;
    last.set(key, { version, isNull, highest });
    // Its own once more: a region that was re-seeded gets back what it had sent.
    const name = `${key} ${version}`;
    const isOwn = home === index && !seen.has(name) && !isMadeAnew(change);
    seen.add(name);
    if (isOwn || !keys.has(key)) return [];
    // A delete of an evicted region that comes late, to where a later tombstone was collected: nothing was there, nor is. Several
    // such may come, each later than the one before.
    const isOverNothing = evictions && isNull && before?.isNull === true && version < before.highest;
    return [isOverNothing ? { ...change, version: undefined } : change];
  });
}

/**
 * Changes from elsewhere that one entry of the log made and the next one from elsewhere in the same entry took away: no time
 * passed between them, and nobody saw them. The order of a hundred of them would be looked for among all orders.
 */
function passingIn(committed: readonly Committed[], journal: Journal, region: number): ReadonlySet<Committed> {
  const seen = new Set(
    journal.entries.flatMap(({ input, end }) => {
      const output = end?.output ?? null;
      if (output === null || output.outcome === 'applied') return [];
      return [`${input.key}=${output.outcome === 'read' ? output.value : (output.current ?? null)}`];
    }),
  );
  const passing = new Set<Committed>();
  const last = new Map<string, Committed>();
  for (const change of committed) {
    const before = last.get(change.key);
    last.set(change.key, change);
    if (before === undefined || before.partition !== change.partition || before.index !== change.index) continue;
    if (before.home !== region && change.home !== region && !seen.has(`${before.key}=${before.value}`))
      passing.add(before);
  }
  return passing;
}

/** A local read shows a pending write with the stamp that it was accepted with; what counts is the one it got at last. */
function withFinalVersions(facts: Facts, journal: Journal): Facts {
  const finals = new Map<string, { final: string | undefined; accepted: string | null }>();
  for (const { input, receipt, accepted } of journal.entries) {
    if (accepted === null || input.op !== 'set') continue;
    finals.set(`${input.key}=${input.value}`, {
      final: (receipt?.state === 'promoted' ? receipt.version : null) ?? undefined,
      accepted: accepted.version,
    });
  }
  const reads = facts.reads.flatMap((read) => {
    const found = finals.get(`${read.key}=${read.value}`);
    if (found === undefined) return [read];
    // Shown with a stamp that was clamped later on, or as a copy of a retried write that turned out to be one: by that
    // stamp the node was right to take it for the latest.
    const isProvisional =
      read.version !== found.final && !(found.final === undefined && read.version === found.accepted);
    return isProvisional ? [] : [{ ...read, version: found.final }];
  });
  return { ...facts, reads };
}

/** A promotion while a consistent write of the same key was under way: the run got there. */
function noteRaces({ sometimes }: System, journal: Journal): void {
  const consistent = journal.entries.filter(
    (entry) => entry.consistent && entry.input.op !== 'get' && entry.end !== null,
  );
  for (const { consistent: isConsistent, input, accepted, end, region } of journal.entries) {
    if (isConsistent || accepted === null || end === null) continue;
    const races = consistent.some(
      (other) =>
        other.region === region &&
        other.input.key === input.key &&
        other.invokedAt < end.at &&
        (other.end?.at ?? 0) > accepted.at,
    );
    if (races) sometimes.saw('promotion racing a consistent write');
  }
}

/** A write, or a read that asks for what its session saw; a swap that is refused does not. */
function asksForSeen({ listed, end }: Entry): boolean {
  return !listed && end?.output?.outcome !== 'refused';
}

/** `n1#1` of `n1#1.3`: what survives a restart. */
function dataFolderOf(label: Entry['label']): string | undefined {
  return label?.slice(0, label.indexOf('.'));
}

/** All that a node shows. */
function listOf(machine: Machine): readonly ListEntry[] | null {
  const { replica, now } = machine;
  if (replica === null) return null;
  const handle = -1;
  replica.request(
    handle,
    {
      operation: { kind: 'list', prefix: '', after: '', limit: 1_000, consistent: false, keysOnly: false },
      timeoutMs: null,
    },
    now,
  );
  const answer = replica.flush(now)?.answers.find((one) => one.handle === handle)?.answer;
  return answer?.kind === 'list' ? answer.entries : null;
}

function conflictsOf({ machines, members, region }: World): Conflict[] {
  const machine = [...machines.values()].find(({ isUp, name }) => isUp && members.has(name));
  if (machine === undefined || machine.replica === null) return [];
  const found: Conflict[] = [];
  for (let before: { before?: string } | null = {}; before !== null;) {
    machine.replica.request(
      -2,
      { operation: { kind: 'conflicts', prefix: '', limit: 100_000, ...before }, timeoutMs: null },
      machine.now,
    );
    const answer = machine.replica.flush(machine.now)?.answers.find(({ handle }) => handle === -2)?.answer;
    if (answer?.kind !== 'conflicts') return [];
    for (const { key, loser, reason } of answer.entries)
      found.push({ region, key, loser: textOf(loser?.type === 'register' ? loser.value : null), reason });
    before = answer.next === null ? null : { before: answer.next };
  }
  return found;
}
