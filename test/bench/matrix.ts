import type { SystemUnderTest } from './clusters/cluster.ts';
import type { Flags } from './flags.ts';
import type { Run } from './generator.ts';
import { MeasuredSystem } from './lib/measured-system.ts';
import { interleaved, type Series } from './lib/rounds.ts';
import { ratioByPairs } from './lib/statistics.ts';
import { textTable } from './lib/table.ts';
import { workloads, type WorkloadName } from './lib/workloads.ts';

/** All systems at one load. */
export interface MatrixResult {
  readonly workload: WorkloadName;
  readonly inFlight: number;
  readonly valueBytes: number;
  readonly keys: number;
  readonly distribution: string;
  readonly nodes: number;
  readonly series: readonly Series[];
}

/** Asked before each load of a long run. */
export interface Gate {
  /** False: there is no time left for it. */
  readonly begin: () => boolean;
  readonly end: () => void;
}

type MatrixOptions = Pick<
  Flags,
  'workloads' | 'inFlight' | 'valueBytes' | 'keys' | 'distributions' | 'nodes' | 'rounds' | 'seconds'
> &
  Pick<Flags, 'warmUpSeconds' | 'rate' | 'connections' | 'profile'> & {
    readonly folder: string;
    readonly quietMsMax?: number;
  };

/** Every workload at every load; systems are started anew for each number of keys and size of values. */
export async function measureMatrix(
  systems: readonly SystemUnderTest[],
  options: MatrixOptions,
  { say, gate = null }: { readonly say: (line: string) => void; readonly gate?: Gate | null },
): Promise<{ readonly results: MatrixResult[]; readonly leftOut: readonly string[] }> {
  const results: MatrixResult[] = [];
  const leftOut: string[] = [];
  for (const keys of options.keys) {
    for (const valueBytes of options.valueBytes) {
      const folder = `${options.folder}/${keys}-${valueBytes}`;
      const running: MeasuredSystem[] = [];
      try {
        for (const system of systems) {
          const measured = await MeasuredSystem.start(system, { ...options, folder, profileFolder: options.profile });
          running.push(measured);
          await measured.fill(keys, valueBytes);
        }
        for (const load of loadsOf(options)) {
          const name = `${load.workload}: ${load.inFlight} in flight, ${valueBytes} B, ${keys} keys, ${load.distribution}`;
          if (gate?.begin() === false) {
            leftOut.push(name);
            continue;
          }
          say(name);
          const run = runOf({ ...load, keys, valueBytes }, options);
          try {
            const series = await interleaved(running, options.rounds, run, say);
            results.push({ ...load, valueBytes, keys, nodes: options.nodes, series });
          } catch (error) {
            // In a long run the other loads can be measured all the same.
            if (gate === null) throw error;
            say(`FAILED: ${(error as Error).message}`);
            leftOut.push(`${name} (failed: ${(error as Error).message})`);
          }
          gate?.end();
        }
      } finally {
        await Promise.all(running.map((measured) => measured.stop()));
      }
    }
  }
  return { results, leftOut };
}

type Load = Pick<MatrixResult, 'workload' | 'inFlight'> & { readonly distribution: 'uniform' | 'zipf' };

export function loadsOf({
  workloads: names,
  distributions,
  inFlight,
}: Pick<MatrixOptions, 'workloads' | 'distributions' | 'inFlight'>): Load[] {
  return names.flatMap((workload) =>
    distributions.flatMap((distribution) => inFlight.map((count) => ({ workload, distribution, inFlight: count }))),
  );
}

function runOf(
  load: Load & { readonly keys: number; readonly valueBytes: number },
  { rate, seconds, warmUpSeconds }: MatrixOptions,
): Run {
  const common = { ...load, seed: 1 };
  if (rate === null) {
    return { ...common, kind: 'closed', warmUpMs: warmUpSeconds * 1_000, measureMs: seconds * 1_000 };
  }
  return { ...common, kind: 'open', steps: [{ callsPerSecond: rate, durationMs: seconds * 1_000 }], drainMs: 10_000 };
}

/** One line for each system and load, with the ratio of the first system to each of the others. */
export function matrixTable(results: readonly MatrixResult[], systems: readonly SystemUnderTest[]): string {
  const header = [
    'workload',
    'in flight',
    'value',
    'keys',
    'system',
    'calls/s (min to max)',
    'p50 ms',
    'p99 ms',
    'ratio',
    'durability',
  ];
  const rows = results.flatMap(({ workload, inFlight, valueBytes, keys, distribution, series }) =>
    series.map(({ system, perSecond, p50Ms, p99Ms, rounds }) => {
      const first = (series[0] as Series).rounds.map((round) => round.perSecond);
      const ratio = ratioByPairs(
        first,
        rounds.map((round) => round.perSecond),
      );
      const whole = (value: number): string => Math.round(value).toLocaleString('en');
      return [
        workloads[workload].summary,
        String(inFlight),
        `${valueBytes} B`,
        `${whole(keys)} ${distribution}`,
        system,
        `${whole(perSecond.median)} (${whole(perSecond.min)} to ${whole(perSecond.max)})`,
        p50Ms.median.toFixed(2),
        p99Ms.median.toFixed(2),
        system === series[0]?.system
          ? ''
          : `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`,
        systems.find(({ id }) => id === system)?.durability ?? '',
      ];
    }),
  );
  return textTable(header, rows);
}
