import { judgeHistory } from '@skerry/checkers';
import { historyIn } from './judge.ts';
import { withEvictions } from './plan-regions.ts';
import { runSeed, type RunResult } from './run-seed.ts';
import { parseRegression, replay, shrinkSeed, type Regression } from './shrink.ts';
import { sometimesNames } from './sometimes.ts';

/** What the runner needs of its host. */
export interface Host {
  readonly print: (line: string) => void;
  /** Beside the result: with `-o json` that is all there is on the standard output. */
  readonly note: (line: string) => void;
  /** Milliseconds from any origin. */
  readonly elapsedMs: () => number;
  /** Milliseconds of processor time that this process has used: what a rate per core is made of, whoever else computes. */
  readonly processorMs: () => number;
  /** For seeds that nobody named. */
  readonly freshSeed: () => number;
  /** Of the sources that run; null if nobody knows. */
  readonly commit: () => string | null;
  /** Paths are from the repository's folder. */
  readonly readFile: (path: string) => string;
  readonly writeFile: (path: string, text: string) => void;
}

/** What `-o json` prints. `violations` and `unknown` count seeds, `sometimes` says how often each event was seen. */
export interface SimSummary {
  seeds: number;
  violations: number;
  unknown: number;
  operations: number;
  simulatedSeconds: number;
  seconds: number;
  sometimes: Record<string, number>;
  processorSeconds: number;
  /** On one core, by processor time: of all worlds, and as if all took as long as the median one. */
  seedsPerMinute: number;
  medianSeedsPerMinute: number;
}

interface Settings {
  readonly seed: number | null;
  readonly first: number | null;
  readonly seeds: number;
  readonly timeMs: number;
  readonly json: boolean;
  readonly trace: boolean;
  readonly evictions: boolean;
  readonly shrink: boolean;
  readonly replay: string | null;
}

export const usage = `usage: sim [--seeds N] [--first N] [--seed N [--trace]] [--time 10m] [--evictions] [-o json]
       sim --shrink --seed N [--time 2m]
       sim --replay FILE [--trace]
  --seeds N   run N worlds, from --first or from a fresh seed on
  --seed N    run this one
  --trace     print its trace
  --time T    go on with fresh seeds for so long: 30s, 10m, 2h
  --evictions evict regions in every world that has several, not in some of them only
  --shrink    make the broken world of a seed smaller, for so long at most, and write regressions/seed-N.json
  --replay F  run the world of such a file
  -o json     one object instead of lines`;

/** Runs worlds until their number or time is over. 0: no violation and nothing left undecided; 1: some; 2: bad usage. */
export function main(argv: readonly string[], host: Host): number {
  if (argv.includes('--help')) {
    host.print(usage);
    return 0;
  }
  const settings = parse(argv);
  if (settings === null) return misused(host);
  if (settings.replay !== null) return replayFile(settings.replay, settings, host);
  if (settings.shrink) return settings.seed === null ? misused(host) : shrinkOne(settings.seed, settings, host);
  const startMs = host.elapsedMs();
  const first = settings.seed ?? settings.first ?? host.freshSeed();
  const summary: SimSummary = {
    seeds: 0,
    violations: 0,
    unknown: 0,
    operations: 0,
    simulatedSeconds: 0,
    seconds: 0,
    sometimes: Object.fromEntries(sometimesNames.map((name) => [name, 0])),
    processorSeconds: 0,
    seedsPerMinute: 0,
    medianSeedsPerMinute: 0,
  };
  const isOver = (): boolean =>
    settings.timeMs > 0
      ? host.elapsedMs() - startMs >= settings.timeMs
      : summary.seeds >= (settings.seed === null ? settings.seeds : 1);
  const runOptions = {
    ...(settings.trace ? { sink: host.print } : {}),
    ...(settings.evictions ? { adjust: withEvictions } : {}),
  };
  const worldsMs: number[] = [];
  for (let seed = first; !isOver(); seed++) {
    const fromMs = host.processorMs();
    add(summary, runSeed(seed, runOptions), settings, host);
    worldsMs.push(host.processorMs() - fromMs);
  }
  summary.seconds = (host.elapsedMs() - startMs) / 1_000;
  addRates(summary, worldsMs);
  if (settings.json) host.print(JSON.stringify(summary));
  else printSummary(summary, first, host);
  return summary.violations + summary.unknown === 0 ? 0 : 1;
}

function addRates(summary: SimSummary, worldsMs: readonly number[]): void {
  const perMinute = (ms: number): number => (ms === 0 ? 0 : Math.round(60_000 / ms));
  const sumMs = worldsMs.reduce((a, b) => a + b, 0);
  summary.processorSeconds = sumMs / 1_000;
  summary.seedsPerMinute = perMinute(sumMs / Math.max(1, worldsMs.length));
  summary.medianSeedsPerMinute = perMinute([...worldsMs].sort((a, b) => a - b)[worldsMs.length >> 1] ?? 0);
}

function misused({ print }: Host): number {
  print(usage);
  return 2;
}

const shrinkMsMax = 60_000;

/** Shrinks one broken world and writes it where tests replay it; 1, as it is broken. */
function shrinkOne(seed: number, { timeMs, evictions }: Settings, host: Host): number {
  const endMs = host.elapsedMs() + (timeMs > 0 ? timeMs : shrinkMsMax);
  const found = shrinkSeed(seed, {
    isOver: () => host.elapsedMs() >= endMs,
    onStep: host.print,
    ...(evictions ? { adjust: withEvictions } : {}),
  });
  if (found === null) {
    host.print(`seed ${seed} breaks nothing`);
    return 0;
  }
  const name = `regressions/seed-${seed}`;
  host.writeFile(`${name}.json`, `${JSON.stringify(found, null, 2)}\n`);
  host.print(`${found.invariant}: ${found.message}`);
  if (found.invariant === 'I3') drawHistory(found, name, host);
  host.print(`npm run sim -- --replay ${name}.json`);
  return 1;
}

/** The smallest part of what the clients saw that is no linearizable history, as a timeline. */
function drawHistory(regression: Regression, name: string, host: Host): void {
  replay(regression, {
    inspect: ({ worlds, evicted }, journal) => {
      const verdict = worlds
        .map((world) => judgeHistory(historyIn(world, journal, evicted)))
        .find((one) => one.verdict === 'violated');
      if (verdict?.verdict !== 'violated') return;
      host.print(verdict.counterexample.text);
      host.writeFile(`${name}.txt`, `${verdict.counterexample.explanation}\n\n${verdict.counterexample.text}`);
      host.writeFile(`${name}.svg`, verdict.counterexample.svg);
    },
  });
}

/** 0: nothing is broken in it any more. */
function replayFile(path: string, { trace }: Settings, host: Host): number {
  const regression = parseRegression(host.readFile(path));
  const { violations, unknown } = replay(regression, trace ? { sink: host.print } : {});
  for (const { invariant, message } of violations) host.print(`${path}: ${invariant}: ${message}`);
  for (const what of unknown) host.print(`${path}: ${what} could not be decided`);
  if (violations.length + unknown.length > 0) return 1;
  host.print(`${path}: breaks nothing`);
  return 0;
}

function add(summary: SimSummary, result: RunResult, { json, evictions }: Settings, host: Host): void {
  const print = json ? host.note : host.print;
  summary.seeds++;
  summary.operations += result.operations;
  summary.simulatedSeconds += result.simulatedMs / 1_000;
  for (const [name, count] of Object.entries(result.sometimes))
    summary.sometimes[name] = (summary.sometimes[name] ?? 0) + count;
  const { seed, violations, unknown } = result;
  if (violations.length > 0) summary.violations++;
  if (unknown.length > 0) summary.unknown++;
  if (violations.length + unknown.length === 0) return;
  for (const { invariant, message } of violations.slice(0, 5)) print(`seed ${seed}: ${invariant}: ${message}`);
  if (violations.length > 5) print(`seed ${seed}: and ${violations.length - 5} more`);
  for (const what of unknown) print(`seed ${seed}: ${what} could not be decided`);
  const rerun = `npm run sim -- --seed ${seed}${evictions ? ' --evictions' : ''}`;
  const at = host.commit();
  print(
    `${rerun}${at === null ? '' : `   # at commit ${at}`}${violations.length > 0 ? `   # smaller: ${rerun} --shrink` : ''}`,
  );
}

function printSummary(summary: SimSummary, first: number, { print }: Host): void {
  const { seeds, violations, unknown, operations, simulatedSeconds, seconds } = summary;
  for (const [name, count] of Object.entries(summary.sometimes)) print(`${String(count).padStart(9)}  ${name}`);
  print(
    `${seeds} seeds from ${first}: ${violations} with violations, ${unknown} undecided; ${operations} operations in ${Math.round(simulatedSeconds)} simulated and ${seconds.toFixed(1)} real seconds`,
  );
  const perSecond = (count: number): string => (seconds === 0 ? '–' : (count / seconds).toFixed(0));
  print(
    `${perSecond(60 * seeds)} seeds a minute, ${perSecond(operations)} operations and ${perSecond(simulatedSeconds)} simulated seconds a second; by processor time (${summary.processorSeconds.toFixed(1)} s) ${summary.seedsPerMinute} seeds a minute and core, ${summary.medianSeedsPerMinute} if all were like the median world`,
  );
}

function parse(argv: readonly string[]): Settings | null {
  let settings: Settings = {
    seed: null,
    first: null,
    seeds: 20,
    timeMs: 0,
    json: false,
    trace: false,
    evictions: false,
    shrink: false,
    replay: null,
  };
  for (let i = 0; i < argv.length; i++) {
    const name = argv[i];
    if (name === '--trace' || name === '--shrink' || name === '--evictions') {
      settings = { ...settings, [name.slice(2)]: true };
      continue;
    }
    const value = argv[++i];
    if (value === undefined) return null;
    if (name === '--replay') {
      settings = { ...settings, replay: value };
      continue;
    }
    const number = Number(value);
    if (name === '-o' && (value === 'json' || value === 'table')) settings = { ...settings, json: value === 'json' };
    else if (name === '--time') {
      const match = /^([0-9]+)(s|m|h)$/.exec(value);
      if (match === null) return null;
      settings = {
        ...settings,
        timeMs: Number(match[1]) * { s: 1_000, m: 60_000, h: 3_600_000 }[match[2] as 's' | 'm' | 'h'],
      };
    } else if (!Number.isSafeInteger(number) || number < 0) return null;
    else if (name === '--seed') settings = { ...settings, seed: number };
    else if (name === '--first') settings = { ...settings, first: number };
    else if (name === '--seeds') settings = { ...settings, seeds: number };
    else return null;
  }
  return settings;
}
