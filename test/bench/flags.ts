import { parseArgs } from 'node:util';
import type { Distribution } from './lib/keys.ts';
import { quickParts, type QuickPart } from './quick-parts.ts';
import { workloadNames, workloads, type WorkloadName } from './lib/workloads.ts';

export const usage = `usage: npm run bench -- [--only skerry,redis-always,…] [--workload set,get,…] [options]

  --quick               the table of figures, in less than ten minutes; takes --only, --rounds, --seconds
  --part NAMES          of --quick: peers (beside the others, and idle), size, ramp; default all
  --full                the table of figures, the experiments, and every load that docs/benchmarks names; --seconds and
                        --warm-up are of the loads (0.8 and 0.4)
  --minutes N           of --full: what would end later is left out, and named; default 35
  --ramp-seconds N      of --full: of each rate of the rising load; default 30
  --long                with --full: 5 s for each measurement, and no limit: hours
  --experiment ramp     five nodes, 2,500, 5,000 and 10,000 sets a second offered, for --seconds (30) each;
                        --only skerry,etcd unless told
  --experiment election leaders crash: --trials (1000) in the simulator for each range of timeouts, and
                        --real-trials (50; 0: none) with real processes
  --experiment flame    flame graphs of each node and of the client, for --workload and --seconds (5)
  --readme              measures nothing: puts what docs/benchmarks holds into the README; --save docs/benchmarks does so too
  --save FOLDER         also writes results there: JSON, a page, plots; docs/benchmarks has those that count
  --only SYSTEMS        of those that are installed; default all
  --workload NAMES      default set,get
  --in-flight N,…       calls open at once; default 256
  --value BYTES,…       default 256
  --keys N,…            default 10000
  --distribution NAMES  uniform, zipf; default uniform
  --nodes N             of systems that are clusters; default 3
  --rounds N            each measures all systems, one after the other; default 3
  --seconds N           of one measurement; default 5, with --quick 3
  --warm-up SECONDS     before each of them; default 2, with --quick 1.5
  --rate N              open loop: so many calls a second, latency from when each was due
  --connections N       of the load generator; default 1
  --data FOLDER         where the servers keep their data; default a temporary folder
  --profile FOLDER      every process of Skerry and of the generators leaves a .cpuprofile there
  --etcd PATH, --nats-server PATH, --redis-server PATH
                        another build than the one that is installed
  --install-peers       installs those that are missing first (apt-get, as root)
  -o json|table         default table
  --list                the workloads and the systems that are installed

Workloads:
${workloadNames.map((name) => `  ${name.padEnd(12)} ${workloads[name].summary}`).join('\n')}
`;

export interface Flags {
  readonly only: readonly string[] | null;
  readonly workloads: readonly WorkloadName[];
  readonly inFlight: readonly number[];
  readonly valueBytes: readonly number[];
  readonly keys: readonly number[];
  readonly distributions: readonly Distribution[];
  readonly nodes: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly parts: readonly QuickPart[];
  readonly rate: number | null;
  readonly connections: number;
  readonly data: string | null;
  readonly profile: string | null;
  readonly etcd: string | null;
  readonly natsServer: string | null;
  readonly redisServer: string | null;
  readonly installPeers: boolean;
  readonly quick: boolean;
  readonly full: boolean;
  readonly experiment: 'ramp' | 'election' | 'flame' | null;
  readonly long: boolean;
  /** null: no limit. */
  readonly minutesMax: number | null;
  readonly rampSeconds: number;
  readonly readme: boolean;
  readonly trials: number;
  readonly realTrials: number;
  readonly save: string | null;
  readonly json: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

const options = {
  quick: { type: 'boolean', default: false },
  full: { type: 'boolean', default: false },
  long: { type: 'boolean', default: false },
  minutes: { type: 'string' },
  'ramp-seconds': { type: 'string', default: '30' },
  readme: { type: 'boolean', default: false },
  only: { type: 'string' },
  workload: { type: 'string', default: 'set,get' },
  'in-flight': { type: 'string', default: '256' },
  value: { type: 'string', default: '256' },
  keys: { type: 'string', default: '10000' },
  distribution: { type: 'string', default: 'uniform' },
  nodes: { type: 'string', default: '3' },
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string' },
  'warm-up': { type: 'string' },
  part: { type: 'string' },
  experiment: { type: 'string' },
  trials: { type: 'string', default: '1000' },
  'real-trials': { type: 'string', default: '50' },
  save: { type: 'string' },
  rate: { type: 'string' },
  connections: { type: 'string', default: '1' },
  data: { type: 'string' },
  profile: { type: 'string' },
  etcd: { type: 'string' },
  'nats-server': { type: 'string' },
  'redis-server': { type: 'string' },
  'install-peers': { type: 'boolean', default: false },
  output: { type: 'string', short: 'o', default: 'table' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Throws with a sentence for people. */
export function readFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({ args: [...args], options });
  if (values.output !== 'json' && values.output !== 'table') throw new Error('-o takes json or table');
  const experiment =
    values.experiment === undefined
      ? null
      : oneOf('--experiment', values.experiment, ['ramp', 'election', 'flame'] as const);
  if ((values.long || values.minutes !== undefined) && !values.full)
    throw new Error('--long and --minutes go with --full');
  const isShort = values.full && !values.long;
  return {
    experiment,
    long: values.long,
    minutesMax: values.minutes === undefined ? (isShort ? 35 : null) : countOf('--minutes', values.minutes),
    rampSeconds: countOf('--ramp-seconds', values['ramp-seconds']),
    readme: values.readme,
    trials: countOf('--trials', values.trials),
    realTrials: secondsOf('--real-trials', values['real-trials']),
    save: values.save ?? null,
    only: values.only === undefined ? defaultSystems(experiment) : listOf(values.only),
    workloads: listOf(values.workload).map((name) => oneOf('--workload', name, workloadNames)),
    inFlight: listOf(values['in-flight']).map((text) => countOf('--in-flight', text)),
    valueBytes: listOf(values.value).map((text) => countOf('--value', text)),
    keys: listOf(values.keys).map((text) => countOf('--keys', text)),
    distributions: listOf(values.distribution).map((name) =>
      oneOf('--distribution', name, ['uniform', 'zipf'] as const),
    ),
    nodes: countOf('--nodes', values.nodes),
    rounds: countOf('--rounds', values.rounds),
    seconds: lengthOf('--seconds', values.seconds ?? (isShort ? '0.8' : defaultSeconds(values))),
    warmUpSeconds: secondsOf('--warm-up', values['warm-up'] ?? (isShort ? '0.4' : values.quick ? '1.5' : '2')),
    parts:
      values.part === undefined ? quickParts : listOf(values.part).map((name) => oneOf('--part', name, quickParts)),
    rate: values.rate === undefined ? null : countOf('--rate', values.rate),
    connections: countOf('--connections', values.connections),
    data: values.data ?? null,
    profile: values.profile ?? null,
    etcd: values.etcd ?? null,
    natsServer: values['nats-server'] ?? null,
    redisServer: values['redis-server'] ?? null,
    installPeers: values['install-peers'],
    quick: values.quick,
    full: values.full,
    json: values.output === 'json',
    list: values.list,
    help: values.help,
  };
}

/** null: all. */
function defaultSystems(experiment: Flags['experiment']): readonly string[] | null {
  if (experiment === 'ramp') return ['skerry', 'etcd'];
  return experiment === null ? null : ['skerry'];
}

/** The table of figures has less time for each measurement; the ramp is one measurement. */
function defaultSeconds({ quick, experiment }: { readonly quick: boolean; readonly experiment?: string }): string {
  if (experiment === 'ramp') return '30';
  return quick ? '3' : '5';
}

function listOf(text: string): string[] {
  return text.split(',').map((part) => part.trim());
}

function countOf(flag: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`${flag} takes a number above 0, not "${text}"`);
  return Number(text);
}

function lengthOf(flag: string, text: string): number {
  const seconds = secondsOf(flag, text);
  if (seconds === 0) throw new Error(`${flag} takes a number above 0, not "${text}"`);
  return seconds;
}

function secondsOf(flag: string, text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new Error(`${flag} takes seconds, not "${text}"`);
  return Number(text);
}

function oneOf<T extends string>(flag: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === text);
  if (found === undefined) throw new Error(`${flag} takes ${allowed.join(', ')}, not "${text}"`);
  return found;
}
