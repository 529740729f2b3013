import type { SystemUnderTest } from './clusters/cluster.ts';
import { measureElections } from './experiments/election.ts';
import { measureFlames } from './experiments/flame.ts';
import { electionPlots, electionTable, rampPlots, rampTable } from './experiments/plots.ts';
import { measureRamp, type Ramp } from './experiments/ramp.ts';
import { figuresOf, figureTable } from './figures.ts';
import type { Flags } from './flags.ts';
import { findProgram } from './lib/programs.ts';
import type { Results } from './lib/results.ts';
import { describe } from './lib/rounds.ts';
import type { WorkloadName } from './lib/workloads.ts';
import { matrixTable, measureMatrix, type Gate } from './matrix.ts';
import { measureFigures, rampFindings } from './quick.ts';

export interface ModeContext {
  readonly systems: readonly SystemUnderTest[];
  /** For data; removed at the end. */
  readonly folder: string;
  /** Under the titles of plots. */
  readonly subtitle: string;
  readonly say: (line: string) => void;
}

/** The times of `--quick` are chosen so that all of it takes less than ten minutes on two cores. */
export async function quick(
  flags: Flags,
  { systems, folder, say }: ModeContext,
  ramps: readonly Ramp[] = [],
): Promise<Results> {
  const { parts, rounds, seconds, warmUpSeconds } = flags;
  const found = await measureFigures({
    parts,
    rounds,
    systems,
    folder,
    say,
    etcdctl: findProgram('etcdctl', null, 'version')?.path ?? null,
    measureMs: seconds * 1_000,
    warmUpMs: warmUpSeconds * 1_000,
    rampStepMs: 10_000,
    idleMs: 20_000,
  });
  const own = ramps.find(({ system }) => system === 'skerry');
  const figures = figuresOf({ ...found.findings, ...(own === undefined ? {} : rampFindings(own)) });
  const { series, etcdOwnLoad } = found;
  return {
    name: 'figures',
    title: 'Figures',
    page: figureTable(figures),
    plots: {},
    isTimed: true,
    data: { figures, etcdOwnLoad, series, ramps: [...found.ramps, ...ramps] },
  };
}

/** `gate`: of a long run, which may leave loads out. */
export async function matrix(
  flags: Flags & { readonly quietMsMax?: number },
  { systems, folder, say }: ModeContext,
  { name, gate = null }: { readonly name: string; readonly gate?: Gate | null },
): Promise<Results> {
  const { results, leftOut } = await measureMatrix(systems, { ...flags, folder: `${folder}/${name}` }, { say, gate });
  const absent =
    leftOut.length === 0 ? '' : `\n\nLeft out, for lack of time unless it says otherwise: ${leftOut.join('; ')}.`;
  return {
    name,
    title: `Loads: ${name.replace('loads-', '').replaceAll('-', ' ')}`,
    page: `${matrixTable(results, systems)}${absent}`,
    plots: {},
    isTimed: true,
    data: { results, leftOut },
  };
}

export async function flames(
  { seconds }: Pick<Flags, 'seconds'>,
  { systems, folder, subtitle }: ModeContext,
  workload: WorkloadName,
): Promise<Results> {
  const skerry = systems.find(({ id }) => id === 'skerry');
  if (skerry === undefined) throw new Error('flame graphs are drawn of Skerry alone');
  const { measurement, plots } = await measureFlames(skerry, { workload, seconds, folder, subtitle });
  return {
    name: `flame-${workload}`,
    title: `Where the time goes: ${workload}`,
    page: `${describe(measurement)}\n\nThe profiler costs time too. Of the processes' whole life, waiting left out.`,
    plots,
    isTimed: true,
    data: { measurement },
  };
}

/** The steps last 30 s each unless `--seconds` says otherwise. */
export async function ramp(flags: Flags, context: ModeContext): Promise<Results> {
  return rampResults(await measureRamps(context, flags.seconds), context);
}

export async function measureRamps({ systems, folder, say }: ModeContext, stepSeconds: number): Promise<Ramp[]> {
  const ramps: Ramp[] = [];
  for (const system of systems) {
    say(`Ramp: ${system.label} on five nodes…`);
    ramps.push(await measureRamp(system, { stepMs: stepSeconds * 1_000, folder }));
  }
  return ramps;
}

export function rampResults(ramps: readonly Ramp[], { subtitle }: ModeContext): Results {
  return {
    name: 'ramp',
    title: 'Rising load on five nodes',
    page: rampTable(ramps),
    plots: rampPlots(ramps, subtitle),
    isTimed: true,
    data: { ramps },
  };
}

export async function election(
  flags: Pick<Flags, 'trials' | 'realTrials'>,
  { folder, say, ...context }: ModeContext,
): Promise<Results> {
  const { trials, realTrials } = flags;
  const isTimed = realTrials > 0;
  const subtitle = isTimed ? context.subtitle : `production code under virtual time; ${trials} trials each`;
  const elections = await measureElections({
    trials,
    trialsOfEqual: Math.ceil(trials / 10),
    realTrials,
    folder,
    say,
  });
  return {
    name: 'elections',
    title: 'Elections',
    page: electionTable(elections),
    plots: electionPlots(elections, subtitle),
    isTimed,
    data: { elections },
  };
}
