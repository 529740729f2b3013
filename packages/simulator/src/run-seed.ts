import { hashText, SeededRandom } from '@skerry/base';
import type { Load } from './clients/caller.ts';
import { Client } from './clients/client.ts';
import { leaseTtlMsMax } from './clients/leases.ts';
import { Journal } from './clients/journal.ts';
import { Faults } from './faults.ts';
import { judge } from './judge.ts';
import { drawPlan, type Plan } from './plan.ts';
import type { RunViolation } from './violation.ts';
import { World } from './world.ts';

export interface RunOptions {
  /** Gets every line of the trace. */
  readonly sink?: (line: string) => void;
  /** Changes what the seed drew, to make a failing world smaller. */
  readonly adjust?: (plan: Plan) => Plan;
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

/** How long a healed world may take to become whole. */
const livenessMsMax = 60_000;
const settleEveryMs = 50;
/** After that, applied state is on every disk. */
const restMs = 300;
/** Within so long after its time a lease is over, and its keys are gone from every node. */
const leaseSlackMs = 1_500;

/** Runs one world: a safety phase with faults, then all heals and everything must end and converge; then it is judged. */
export function runSeed(seed: number, options: RunOptions = {}): RunResult {
  const random = new SeededRandom(seed);
  const drawn = drawPlan(seed, random.fork());
  const plan = options.adjust?.(drawn) ?? drawn;
  const world = new World(plan, random.fork(), options.sink ?? null);
  const journal = new Journal(() => world.queue.nowMs);
  const violations: RunViolation[] = [];
  const load = makeLoad(world, journal, violations);
  try {
    for (const machine of world.machines.values()) world.start(machine);
    world.onWiped = (machine) => forsake(journal, `${machine.name}#${machine.incarnation - 1}.`);
    const faults = new Faults(world, random.fork());
    for (let i = 0; i < plan.clientCount; i++) new Client(`c${i + 1}`, load, random.fork());
    while (world.queue.step(plan.safetyMs));
    load.stopped = true;
    faults.heal();
    const problem = becomeWhole(world, load);
    if (problem !== null) violations.push({ invariant: 'liveness', message: problem });
  } catch (error) {
    violations.push({ invariant: 'crash', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
  violations.push(...world.observer.violations);
  const verdict = violations.some(({ invariant }) => invariant === 'crash') ? { violations: [], unknown: [] } : judge(world, journal);
  violations.push(...verdict.violations);
  for (const { invariant, message } of violations) world.trace.line(`violation ${invariant} ${message}`);
  return {
    seed, plan, violations, unknown: verdict.unknown, traceHash: world.trace.hash, operations: journal.entries.length,
    simulatedMs: world.queue.nowMs, sometimes: world.sometimes.counts,
  };
}

function makeLoad(world: World, journal: Journal, violations: RunViolation[]): Load {
  const { plan } = world;
  return {
    world, journal, twins: findTwins(plan.partitionCount), open: 0, nextValue: 1, stopped: false,
    keys: Array.from({ length: plan.keyCount }, (_, i) => `k${i + 1}`),
    onAnomaly: (invariant, message) => violations.push({ invariant, message }),
  };
}

/** What a lost data folder alone was known to hold may be lost. */
function forsake(journal: Journal, folder: string): void {
  for (const entry of journal.entries) {
    if (entry.accepted !== null && entry.receipt === null && entry.label?.startsWith(folder) === true) entry.forsaken = true;
  }
}

function findTwins(partitionCount: number): [string, string] | null {
  for (let i = 1; i < 100; i++) {
    if (hashText(`twin${i}`) % partitionCount === hashText('twin0') % partitionCount) return ['twin0', `twin${i}`];
  }
  return null;
}

/** Runs until nothing is open and all nodes agree; says what is not so when time is over. */
function becomeWhole(world: World, load: Load): string | null {
  const endMs = world.queue.nowMs + livenessMsMax;
  let problem: string | null = 'nothing was looked at';
  while (problem !== null && world.queue.nowMs < endMs) {
    runFor(world, settleEveryMs);
    problem = load.open > 0 ? `${load.open} calls are open` : unsettled(world);
  }
  if (problem === null) {
    runFor(world, restMs + (world.plan.operations.includes('lease') ? leaseTtlMsMax + leaseSlackMs : 0));
    problem = unsettled(world);
  }
  return problem === null ? null : `after ${livenessMsMax} ms without faults ${problem}\n${describeNodes(world)}`;
}

function runFor(world: World, ms: number): void {
  const endMs = world.queue.nowMs + ms;
  while (world.queue.step(endMs));
}

function unsettled(world: World): string | null {
  const { plan } = world;
  for (let partition = 0; partition < plan.partitionCount; partition++) {
    const states = [...world.machines.values()].flatMap((machine) => {
      if (!world.members.has(machine.name)) return [];
      const found = machine.replica?.status().partitions[partition];
      return found === undefined ? [] : [found];
    });
    const leader = states.find(({ role }) => role === 'leader');
    if (leader === undefined) return `partition ${partition} has no leader`;
    if (leader.voters.length !== world.members.size || leader.learners.length > 0) return `partition ${partition} has not the members it should have`;
    if (states.some(({ applied }) => applied !== leader.lastIndex)) return `partition ${partition} is not applied everywhere`;
    if (states.some(({ pending }) => pending > 0)) return `partition ${partition} has pending writes`;
  }
  return null;
}

function describeNodes(world: World): string {
  return [...world.machines.values()].map((machine) => `${machine.label} ${JSON.stringify(machine.replica?.status().partitions)} ${JSON.stringify(machine.replica?.metrics())}`).join('\n');
}
