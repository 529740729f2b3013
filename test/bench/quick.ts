import type { SystemUnderTest } from './clusters/cluster.ts';
import { etcdOwnLoad, type OwnLoad } from './clusters/etcd-own-load.ts';
import { measureIdle } from './experiments/idle.ts';
import { ownMemoryMiB } from './experiments/memory.ts';
import { measureRamp, type Ramp } from './experiments/ramp.ts';
import type { FigureId, Finding, Findings } from './figures.ts';
import type { Run } from './generator.ts';
import { MeasuredSystem, type Measurement } from './lib/measured-system.ts';
import { interleaved, seriesOf, type Series } from './lib/rounds.ts';
import { ratioByPairs } from './lib/statistics.ts';
import type { QuickPart } from './quick-parts.ts';
import type { WorkloadName } from './lib/workloads.ts';

export interface QuickOptions {
  readonly parts: readonly QuickPart[];
  readonly systems: readonly SystemUnderTest[];
  /** null: etcd is measured through its Node client alone. */
  readonly etcdctl: string | null;
  readonly folder: string;
  readonly rounds: number;
  readonly measureMs: number;
  readonly warmUpMs: number;
  /** Of each rate of the ramp. */
  readonly rampStepMs: number;
  readonly idleMs: number;
  readonly say: (line: string) => void;
}

export interface QuickResult {
  readonly findings: Findings;
  readonly series: Readonly<Record<string, readonly Series[]>>;
  readonly etcdOwnLoad: OwnLoad | null;
  readonly ramps: readonly Ramp[];
}

const valueBytes = 256;
const fewKeys = 10_000;
const manyKeys = 1_000_000;
const nodes = 3;

/** Everything that the table of figures needs, and nothing else. */
export async function measureFigures(options: QuickOptions): Promise<QuickResult> {
  const results: Results = { findings: {}, series: {}, etcdOwnLoad: null, ramps: [] };
  for (const part of options.parts) await measurers[part](options, results);
  return results;
}

const measurers: Readonly<Record<QuickPart, (options: QuickOptions, results: Results) => Promise<void>>> = {
  peers: besidePeers,
  size: withSize,
  ramp: onFiveNodes,
};

interface Results {
  readonly findings: Findings;
  readonly series: Record<string, Series[]>;
  etcdOwnLoad: OwnLoad | null;
  readonly ramps: Ramp[];
}

/** What one figure compares: of ours, and of theirs. */
interface Comparison {
  readonly id: FigureId;
  readonly peer: string;
  readonly workload: WorkloadName;
  readonly inFlight: number;
}

const comparisons: readonly Comparison[] = [
  { id: 'set-vs-etcd', peer: 'etcd', workload: 'set', inFlight: 256 },
  { id: 'set-vs-nats-always', peer: 'nats-always', workload: 'set', inFlight: 256 },
  { id: 'set-vs-nats-default', peer: 'nats-default', workload: 'set', inFlight: 256 },
  { id: 'get-vs-etcd', peer: 'etcd', workload: 'get', inFlight: 256 },
  { id: 'weak-set-vs-redis-always', peer: 'redis-always', workload: 'weak-set', inFlight: 256 },
  { id: 'local-get-vs-redis', peer: 'redis-always', workload: 'local-get', inFlight: 256 },
  { id: 'single-set-latency-vs-etcd', peer: 'etcd', workload: 'set', inFlight: 1 },
];

/** All systems run at the same time, and one at a time has work: so one load follows the other within seconds. */
async function besidePeers(options: QuickOptions, results: Results): Promise<void> {
  const { systems, folder, rounds, say } = options;
  const wanted = systems.filter(({ id }) => id === 'skerry' || comparisons.some(({ peer }) => peer === id));
  const running: MeasuredSystem[] = [];
  /** Why a load could not be measured. */
  const failures = new Map<string, string>();
  try {
    for (const system of wanted) {
      say(`Starting ${system.label} ${system.version}…`);
      const measured = await MeasuredSystem.start(system, { nodes, folder, connections: 1, profileFolder: null });
      running.push(measured);
      await measured.fill(fewKeys, valueBytes);
    }
    const skerry = running.find(({ system }) => system.id === 'skerry');
    if (skerry === undefined) throw new Error('the table of figures needs Skerry itself');
    say('Waiting a minute until the nodes have settled…');
    results.findings.idle = idleFinding(await measureIdle(skerry, options.idleMs));
    for (const { workload, inFlight } of distinctLoads()) {
      const peers = comparisons.filter((one) => one.workload === workload && one.inFlight === inFlight);
      const participants = running.filter(
        (measured) => measured === skerry || peers.some(({ peer }) => peer === measured.system.id),
      );
      say(`${workload}, ${inFlight} in flight`);
      const run = runOf(options, { workload, inFlight, keys: fewKeys });
      try {
        results.series[`${workload}-${inFlight}`] = await interleaved(participants, rounds, run, say);
      } catch (error) {
        // The figures of other loads stand.
        failures.set(`${workload}-${inFlight}`, (error as Error).message);
        say(`FAILED: ${(error as Error).message}`);
      }
    }
    // Last, as what it writes and deletes slows etcd down for minutes.
    const etcd = running.find(({ system }) => system.id === 'etcd');
    if (etcd !== undefined && options.etcdctl !== null) {
      say('etcd with its own generator, etcdctl check perf…');
      results.etcdOwnLoad = await etcdOwnLoad(options.etcdctl, etcd.cluster.target.endpoints);
      say(`etcdctl check perf --load=${results.etcdOwnLoad.load}: ${results.etcdOwnLoad.writesPerSecond} writes/s`);
    }
    for (const { id, peer, workload, inFlight } of comparisons) {
      const series = results.series[`${workload}-${inFlight}`] ?? [];
      const failure = failures.get(`${workload}-${inFlight}`);
      results.findings[id] =
        failure === undefined ? compared(id, series, peer, results.etcdOwnLoad) : { value: null, note: failure };
    }
  } finally {
    await Promise.all(running.map((measured) => measured.stop()));
  }
}

function distinctLoads(): { workload: WorkloadName; inFlight: number }[] {
  const loads = new Map(
    comparisons.map(({ workload, inFlight }) => [`${workload} ${inFlight}`, { workload, inFlight }]),
  );
  return [...loads.values()];
}

function runOf(
  { warmUpMs, measureMs }: QuickOptions,
  { workload, inFlight, keys }: { readonly workload: WorkloadName; readonly inFlight: number; readonly keys: number },
): Run {
  return {
    workload,
    inFlight,
    keys,
    valueBytes,
    distribution: 'uniform',
    seed: 1,
    kind: 'closed',
    warmUpMs,
    measureMs,
  };
}

/** Ours to theirs, round by round; of throughputs, and of median latencies for a single caller. */
function compared(id: FigureId, series: readonly Series[], peer: string, ownLoad: OwnLoad | null): Finding {
  const ours = series.find(({ system }) => system === 'skerry');
  const theirs = series.find(({ system }) => system === peer);
  if (ours === undefined) return { value: null, note: 'Skerry was not measured' };
  if (theirs === undefined) return { value: null, note: `${peer} is not installed` };
  const notes = [busyNote(ours), busyNote(theirs), failedNote(ours), failedNote(theirs)].filter((note) => note !== '');
  const valueOf = ({ perSecond, latency }: Measurement): number =>
    id === 'single-set-latency-vs-etcd' ? latency.p50Ms : perSecond;
  let others = theirs.rounds.map(valueOf);
  if (id === 'set-vs-etcd') {
    const own = ownLoad?.writesPerSecond ?? 0;
    if (ownLoad === null) notes.push('etcd through its Node client alone: there is no etcdctl');
    else if (others.some((value) => value < own)) notes.push(`etcd's figure is that of etcdctl check perf, ${own}/s`);
    others = others.map((value) => Math.max(value, own));
  }
  const spread = ratioByPairs(ours.rounds.map(valueOf), others);
  return { value: spread.median, spread, note: notes.join('; ') };
}

/** Above this the event loop of the generator has no room left, whatever the servers could do. */
const busyMax = 0.95;

function busyNote({ system, rounds }: Series): string {
  const busy = Math.max(...rounds.map(({ clientBusy }) => clientBusy));
  return busy < busyMax ? '' : `the client was the bottleneck of ${system} (${Math.round(busy * 100)} % busy)`;
}

function failedNote({ system, rounds }: Series): string {
  const failed = rounds.reduce((sum, round) => sum + round.failed, 0);
  return failed === 0 ? '' : `${failed} calls of ${system} failed`;
}

function idleFinding(percents: readonly number[]): Finding {
  return {
    value: Math.max(...percents),
    note: `the busiest of ${percents.map((percent) => percent.toFixed(1)).join(', ')}, a minute after the last call`,
  };
}

/** Two clusters of Skerry, one with few keys and one with many, each measured in turn. */
async function withSize(options: QuickOptions, { findings, series }: Results): Promise<void> {
  const { systems, rounds, say } = options;
  const skerry = systems.find(({ id }) => id === 'skerry') as SystemUnderTest;
  const running: MeasuredSystem[] = [];
  try {
    for (const keys of [manyKeys, fewKeys]) {
      say(`Starting Skerry with ${keys} keys…`);
      const folder = `${options.folder}/${keys}-keys`;
      const measured = await MeasuredSystem.start(
        { ...skerry, id: `skerry-${keys}` },
        { nodes, folder, connections: 1, profileFolder: null },
      );
      running.push(measured);
      await measured.fill(keys, valueBytes);
      await measured.quiet();
    }
    const [many, few] = running as [MeasuredSystem, MeasuredSystem];
    const found = new Map<MeasuredSystem, Measurement[]>([
      [many, []],
      [few, []],
    ]);
    for (let round = 1; round <= rounds; round++) {
      for (const [measured, measurements] of found) {
        const keys = measured === many ? manyKeys : fewKeys;
        const [one] = await interleaved([measured], 1, runOf(options, { workload: 'set', inFlight: 256, keys }), say);
        measurements.push(...(one?.rounds ?? []));
      }
    }
    const perSecond = (measured: MeasuredSystem): number[] => (found.get(measured) ?? []).map((one) => one.perSecond);
    const spread = ratioByPairs(perSecond(many), perSecond(few));
    findings['set-with-size'] = { value: spread.median, spread };
    await many.quiet();
    const memory = many.cluster.processIds().map(ownMemoryMiB);
    findings.heap = {
      value: Math.max(...memory),
      note: `the largest of ${memory.map((value) => value.toFixed(0)).join(', ')} after the load`,
    };
    series['set-with-size'] = [...found].map(([{ system }, measurements]) => seriesOf(system.id, measurements));
  } finally {
    await Promise.all(running.map((measured) => measured.stop()));
  }
}

async function onFiveNodes({ systems, folder, rampStepMs, say }: QuickOptions, results: Results): Promise<void> {
  const skerry = systems.find(({ id }) => id === 'skerry') as SystemUnderTest;
  say('Ramp on five nodes…');
  const ramp = await measureRamp(skerry, { stepMs: rampStepMs, folder });
  results.ramps.push(ramp);
  Object.assign(results.findings, rampFindings(ramp));
}

export function rampFindings({ steps, stepMs }: Ramp): Findings {
  const top = steps.at(-1);
  if (top === undefined) return {};
  const { latency, latenessP99Ms } = top.measurement;
  const note = `${stepMs / 1_000} s at each rate; the generator was ${(latenessP99Ms ?? 0).toFixed(1)} ms late at p99`;
  return {
    'ramp-success': { value: top.succeededShare, note },
    'ramp-p99': { value: latency.p99Ms, note: 'of those that succeeded' },
  };
}
