import type { SystemUnderTest } from './clusters/cluster.ts';
import { rampRates } from './experiments/ramp.ts';
import type { Flags } from './flags.ts';
import { fullLoads, type Loads } from './full-loads.ts';
import { Agenda, type Item } from './lib/agenda.ts';
import type { Results } from './lib/results.ts';
import type { WorkloadName } from './lib/workloads.ts';
import { loadsOf, type Gate } from './matrix.ts';
import { election, flames, matrix, measureRamps, quick, rampResults, type ModeContext } from './modes.ts';
import { isFurtherVersion } from './systems.ts';

const flameWorkloads: readonly WorkloadName[] = ['set', 'get'];
const flameSeconds = 5;
/** What waits for the servers to rest may cost: with `--long` as much as by itself. */
const quietMsMaxShort = 3_000;

interface Part extends Item {
  /** The loads of it, which are items of their own. */
  readonly loads: readonly Item[];
  readonly run: (gate: Gate) => AsyncGenerator<Results, void, undefined>;
}

/** The table of figures, the experiments and the loads of `docs/benchmarks`, as far as `--minutes` go. */
export async function* full(flags: Flags, context: ModeContext): AsyncGenerator<Results, void, undefined> {
  const parts = partsOf(flags, context);
  const items = parts.flatMap((part) => [part, ...part.loads]);
  const agenda = new Agenda(items, flags.minutesMax, () => performance.now());
  const failed: string[] = [];
  const begin = (name: string): boolean => {
    const line = agenda.begin();
    context.say(line === null ? `LEFT OUT, as there is no time left: ${name}` : `\n=== ${line}`);
    return line !== null;
  };
  for (const part of parts) {
    let next = 0;
    let isBegun = begin(part.name);
    if (!isBegun) {
      part.loads.forEach(() => agenda.skip());
      continue;
    }
    const endBegun = (): void => {
      if (isBegun) agenda.end();
      isBegun = false;
    };
    const gate: Gate = {
      begin: () => {
        // What came before the first load was the start of the servers.
        endBegun();
        isBegun = begin(part.loads[next++]?.name ?? part.name);
        return isBegun;
      },
      end: endBegun,
    };
    try {
      yield* part.run(gate);
    } catch (error) {
      // What comes after it has nothing to do with it, and took long to come to.
      failed.push(part.name);
      context.say(`FAILED: ${part.name}: ${(error as Error).message}`);
      part.loads.slice(next).forEach(() => agenda.skip());
    }
    endBegun();
  }
  if (failed.length > 0) throw new Error(`not measured, as said above: ${failed.join(', ')}`);
}

function partsOf(flags: Flags, context: ModeContext): Part[] {
  const { long, rounds, rampSeconds: rampStepSeconds } = flags;
  const { systems } = context;
  const figures = {
    ...flags,
    parts: ['peers', 'size'] as const,
    ...(long ? { seconds: 3, warmUpSeconds: 1.5 } : { seconds: 2, warmUpSeconds: 1 }),
  };
  const ramped = systems.filter(({ id }) => id === 'skerry' || id === 'etcd');
  return [
    {
      name: 'the rising load and the table of figures',
      seconds:
        ramped.length * (rampRates.length * rampStepSeconds + 40) +
        rounds * 18 * (figures.seconds + figures.warmUpSeconds + 1) +
        150,
      loads: [],
      run: async function* () {
        const ramps = await measureRamps({ ...context, systems: ramped }, rampStepSeconds);
        yield rampResults(ramps, context);
        yield await quick(figures, context, ramps);
      },
    },
    {
      name: 'elections',
      seconds: 0.03 * flags.trials + 4 * flags.realTrials,
      loads: [],
      run: async function* () {
        yield await election(flags, context);
      },
    },
    {
      name: 'flame graphs',
      seconds: flameWorkloads.length * (flameSeconds + 12),
      loads: [],
      run: async function* () {
        for (const workload of flameWorkloads) yield await flames({ seconds: flameSeconds }, context, workload);
      },
    },
    ...Object.entries(fullLoads).map(([name, loads]) => loadsPart(name, loads, { flags, context })),
  ];
}

function loadsPart(
  name: string,
  loads: Loads,
  { flags, context }: { readonly flags: Flags; readonly context: ModeContext },
): Part {
  const systems = flags.long ? context.systems : context.systems.filter((system) => isMeasured(system, loads));
  const fillSeconds = Math.max(...loads.keys) / 25_000;
  return {
    name,
    seconds: systems.length * (3 + fillSeconds),
    loads: loadsOf(loads).map((load) => ({
      name: `${name}: ${load.workload}, ${load.inFlight} in flight`,
      seconds: countWith(load.workload, systems) * flags.rounds * (flags.seconds + flags.warmUpSeconds + 0.8),
    })),
    run: async function* (gate) {
      const quiet = flags.long ? {} : { quietMsMax: quietMsMaxShort };
      yield await matrix({ ...flags, ...loads, ...quiet }, { ...context, systems }, { name, gate });
    },
  };
}

/** Without `--long`: a server that syncs every one of a million keys would do nothing else; further versions show one load. */
function isMeasured(system: SystemUnderTest, { keys, workloads }: Loads): boolean {
  if (system.id.startsWith('nats-always') && keys.some((count) => count > 100_000)) return false;
  return !isFurtherVersion(system) || workloads === fullLoads['loads-all-workloads']?.workloads;
}

function countWith(workload: WorkloadName, systems: readonly SystemUnderTest[]): number {
  const isRare = workload === 'weak-set' || workload === 'add';
  return systems.filter(({ id }) => !isRare || id === 'skerry' || id.startsWith('redis')).length;
}
