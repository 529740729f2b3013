import type { SystemUnderTest } from './clusters/cluster.ts';
import { measureElections } from './experiments/election.ts';
import { electionPlots, electionTable, rampPlots, rampTable } from './experiments/plots.ts';
import { measureRamp, type Ramp } from './experiments/ramp.ts';
import { figuresOf, figureTable } from './figures.ts';
import type { Flags } from './flags.ts';
import { findProgram } from './lib/programs.ts';
import type { Results } from './lib/results.ts';
import { fullLoads } from './full-loads.ts';
import { matrixTable, measureMatrix } from './matrix.ts';
import { measureFigures } from './quick.ts';

export interface ModeContext {
  readonly systems: readonly SystemUnderTest[];
  /** For data; removed at the end. */
  readonly folder: string;
  /** Under the titles of plots. */
  readonly subtitle: string;
  readonly say: (line: string) => void;
}

/** What `npm run bench` does, by its flags; each result as soon as it is there. */
export async function* runMode(flags: Flags, context: ModeContext): AsyncGenerator<Results, void, undefined> {
  if (flags.full) {
    yield await quick(flags, context);
    for (const [name, changes] of Object.entries(fullLoads))
      yield await matrix({ ...flags, ...changes }, context, name);
    const systems = context.systems.filter(({ id }) => id === 'skerry' || id === 'etcd');
    yield await ramp({ ...flags, seconds: 30 }, { ...context, systems });
    yield await election(flags, context);
  } else if (flags.experiment === 'ramp') yield await ramp(flags, context);
  else if (flags.experiment === 'election') yield await election(flags, context);
  else if (flags.quick) yield await quick(flags, context);
  else yield await matrix(flags, context, `loads-${flags.nodes}-nodes`);
}

/** The times are chosen so that all of it takes less than ten minutes on two cores. */
async function quick(flags: Flags, { systems, folder, say }: ModeContext): Promise<Results> {
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
    idleMs: 10_000,
  });
  const figures = figuresOf(found.findings);
  const { series, etcdOwnLoad, ramps } = found;
  return {
    name: 'figures',
    title: 'Figures',
    page: figureTable(figures),
    plots: {},
    isTimed: true,
    data: { figures, etcdOwnLoad, series, ramps },
  };
}

async function matrix(flags: Flags, { systems, folder, say }: ModeContext, name: string): Promise<Results> {
  const results = await measureMatrix(systems, { ...flags, folder: `${folder}/${name}` }, say);
  return {
    name,
    title: `Loads: ${name.replace('loads-', '').replaceAll('-', ' ')}`,
    page: matrixTable(results, systems),
    plots: {},
    isTimed: true,
    data: { results },
  };
}

/** The steps last 30 s each unless `--seconds` says otherwise. */
async function ramp(flags: Flags, { systems, folder, subtitle, say }: ModeContext): Promise<Results> {
  const ramps: Ramp[] = [];
  for (const system of systems) {
    say(`Ramp: ${system.label} on five nodes…`);
    ramps.push(await measureRamp(system, { stepMs: flags.seconds * 1_000, folder }));
  }
  const page = rampTable(ramps);
  return {
    name: 'ramp',
    title: 'Rising load on five nodes',
    page,
    plots: rampPlots(ramps, subtitle),
    isTimed: true,
    data: { ramps },
  };
}

async function election(flags: Flags, { folder, say, ...context }: ModeContext): Promise<Results> {
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
