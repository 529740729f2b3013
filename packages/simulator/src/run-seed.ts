import { hashText, SeededRandom } from '@skerry/base';
import type { Counts, Load } from './clients/caller.ts';
import { Client } from './clients/client.ts';
import { Journal } from './clients/journal.ts';
import { Faults } from './faults.ts';
import { judge } from './judge.ts';
import { LinkFaults } from './link-faults.ts';
import { becomeWhole } from './liveness.ts';
import { drawPlan, type Plan } from './plan.ts';
import { regionRandom, System } from './system.ts';
import type { RunViolation } from './violation.ts';
import { Watchers } from './watchers.ts';
import type { World } from './world.ts';

export interface RunOptions {
  /** Gets every line of the trace. */
  readonly sink?: (line: string) => void;
  /** Changes what the seed drew, to make a failing world smaller. */
  readonly adjust?: (plan: Plan) => Plan;
  /** Gets what is there when the run is over: to look closer at a failure. */
  readonly inspect?: (system: System, journal: Journal) => void;
}

export interface RunResult {
  readonly seed: number;
  readonly traceHash: string;
  readonly violations: readonly RunViolation[];
  /** What a checker could not decide within its limits: no pass. */
  readonly unknown: readonly string[];
  readonly operations: number;
  readonly simulatedMs: number;
  readonly sometimes: Readonly<Record<string, number>>;
  readonly plan: Plan;
}

/** Runs one world: a safety phase with faults, then all heals and everything must end and converge; then it is judged. */
export function runSeed(seed: number, options: RunOptions = {}): RunResult {
  const random = new SeededRandom(seed);
  const drawn = drawPlan(seed, random.fork());
  const plan = options.adjust?.(drawn) ?? drawn;
  const journal: Journal = new Journal(() => system.queue.nowMs);
  const system = new System(plan, random.fork(), { sink: options.sink ?? null, position: () => journal.position });
  const { queue } = system;
  const violations: RunViolation[] = [];
  const counts: Counts = { open: 0, nextValue: 1, stopped: false };
  const loads = system.worlds.map((world): Load => ({
    world,
    journal,
    twins: findTwins(plan.partitionCount),
    counts,
    keys: Array.from({ length: plan.keyCount }, (_, i) => `k${i + 1}`),
    onAnomaly: (invariant, message) => violations.push({ invariant, message }),
  }));
  try {
    const faults = system.worlds.map((world, region) => {
      for (const machine of world.machines.values()) world.start(machine);
      world.onWiped = (machine) => forsake(journal, `${machine.name}#${machine.incarnation - 1}.`);
      const own = region === 0 ? random : regionRandom(seed, 10 + region);
      const made = new Faults(world, own.fork());
      for (let i = 0; i < world.plan.clientCount; i++)
        new Client(region === 0 ? `c${i + 1}` : `r${region + 1}-c${i + 1}`, { loads, region }, own.fork());
      return made;
    });
    const { links } = system;
    const crash = (world: World): void => faults[world.index]?.crashAll();
    const linkFaults = links === null ? null : new LinkFaults(system, links, { random: regionRandom(seed, 20), crash });
    const watchers = new Watchers(system);
    while (queue.step(plan.safetyMs));
    counts.stopped = true;
    linkFaults?.heal();
    for (const one of faults) one.heal();
    const problem = becomeWhole(system, counts);
    if (problem !== null) violations.push({ invariant: 'liveness', message: problem });
    else violations.push(...watchers.check());
    noteRepairs(system);
  } catch (error) {
    violations.push({
      invariant: 'crash',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
  for (const { observer } of system.worlds) violations.push(...observer.violations);
  const verdict = violations.some(({ invariant }) => invariant === 'crash')
    ? { violations: [], unknown: [] }
    : judge(system, journal);
  violations.push(...verdict.violations);
  options.inspect?.(system, journal);
  for (const { invariant, message } of violations) system.trace.line(`violation ${invariant} ${message}`);
  return {
    seed,
    plan,
    violations,
    unknown: verdict.unknown,
    traceHash: system.trace.hash,
    operations: journal.callCount,
    simulatedMs: queue.nowMs,
    sometimes: system.sometimes.counts,
  };
}

/** What the regions had to do to agree, as far as their nodes still know. */
function noteRepairs({ machines, sometimes }: System): void {
  for (const { replica } of machines) {
    if ((replica?.metrics()['region_exchanges_total'] ?? 0) > 0) sometimes.saw('state exchanged');
    if (replica?.partitionsForTests.some(({ state }) => state.header.collected.wallMs > 0) === true)
      sometimes.saw('tombstone collected');
  }
}

/** What a lost data folder alone was known to hold may be lost. */
function forsake(journal: Journal, folder: string): void {
  for (const update of journal.updates) {
    if (
      !update.consistent &&
      update.acknowledgedAt !== null &&
      update.receipt === null &&
      update.label?.startsWith(folder) === true
    )
      update.forsaken = true;
  }
  for (const entry of journal.entries) {
    if (entry.accepted !== null && entry.receipt === null && entry.label?.startsWith(folder) === true)
      entry.forsaken = true;
  }
}

function findTwins(partitionCount: number): [string, string] | null {
  for (let i = 1; i < 100; i++) {
    if (hashText(`twin${i}`) % partitionCount === hashText('twin0') % partitionCount) return ['twin0', `twin${i}`];
  }
  return null;
}
