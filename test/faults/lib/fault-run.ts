import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeHistory } from '@skerry/checkers';
import { Callers, type CallerRound, type CallersOptions } from './callers.ts';
import { dumpsOf } from './judge.ts';
import { judgeCallers } from './judge-callers.ts';
import { withRegion, type Region, type RegionOptions } from './region.ts';
import { withLastWords } from './last-words.ts';
import { spread, type Figure, type Report, type Scenario, type ScenarioContext } from './scenario.ts';
import { pause } from './until.ts';

/** One way to hurt a region. */
export interface Hurt {
  readonly name: string;
  /** How long it lasts before it is healed. Milliseconds, default 1,000. */
  readonly lastsMs?: number;
  /** Makes the fault and returns how to undo it. By then the region must be able to answer again. */
  readonly make: (scene: Scene) => Promise<Heal>;
}

export type Heal = () => Promise<void>;

export interface Scene {
  readonly region: Region;
  readonly callers: Callers;
  readonly trial: number;
  /** The variant for `npm test`. */
  readonly short: boolean;
  readonly say: (line: string) => void;
  /** Something happened that need not have: counted, and wanted at least once in a full run. */
  readonly sometimes: (event: string) => void;
  /** What did not hold beyond what the callers were told. */
  readonly problem: (what: string) => void;
}

export interface FaultRun {
  readonly hurts: readonly Hurt[];
  /** Events that a full run must have met; `CallerRound.counts` and {@link Scene.sometimes} both tell them. */
  readonly wanted: readonly string[];
  readonly region?: RegionOptions;
  /** What does not hold beyond that region when a trial is over. */
  readonly afterwards?: (prefix: string) => Promise<string[]>;
  readonly callers?: CallersOptions;
}

/** Below this, a trial says nothing: it is void, and made once more. */
export const callsPerSecondMin = 100;
/** As many void trials in a run make it fail: the machine is busy with other things. */
export const voidTrialsMax = 10;
interface Pace {
  readonly warmUpMs: number;
  /** A fault lasts so long at most. */
  readonly lastsMsMax: number;
  /** How long the callers go on after all of them are served again. */
  readonly afterMs: number;
}

const fullPace: Pace = { warmUpMs: 300, lastsMsMax: Number.POSITIVE_INFINITY, afterMs: 400 };
/** For `npm test`, where other tests may run beside it: no trial is void. */
const shortPace: Pace = { warmUpMs: 50, lastsMsMax: 1_500, afterMs: 50 };

/** A scenario that hurts one region in the ways of `run`, one after the other, round and round. */
export function faultScenario(
  { name, summary, trials }: Pick<Scenario, 'name' | 'summary' | 'trials'>,
  run: FaultRun,
): Scenario {
  return {
    name,
    summary,
    trials,
    run: (context) =>
      withRegion(run.region ?? {}, (region) => hurtAgainAndAgain(region, run, { ...context, fullTrials: trials })),
  };
}

export type FaultContext = ScenarioContext & {
  /** From so many trials on, every wanted event must have happened. */
  readonly fullTrials: number;
};

/** Each trial: callers begin, the fault comes, lasts and is healed, every caller is served again, and all is judged. */
export async function hurtAgainAndAgain(
  region: Region,
  { hurts, wanted, afterwards, callers: options = {} }: FaultRun,
  { trials, fullTrials, only, short = false, say }: FaultContext,
): Promise<Report> {
  const tally = new Tally(short ? 0 : callsPerSecondMin);
  const pace = short ? shortPace : fullPace;
  const chosen = hurts.filter(({ name }) => only === undefined || name.includes(only));
  if (chosen.length === 0) throw new Error(`no way to hurt is named so: ${only}`);
  const callers = await Callers.connect(region, options);
  let attempts = 0;
  for (let trial = 1; trial <= trials && tally.voids < voidTrialsMax;) {
    attempts++;
    const hurt = chosen[(trial - 1) % chosen.length] as Hurt;
    const problems: string[] = [];
    const scene: Scene = {
      region,
      callers,
      trial,
      short,
      say,
      sometimes: (event) => tally.event(event),
      problem: (what) => problems.push(what),
    };
    const fail = (): void => {
      const lines = problems.map((problem) => `trial ${trial}, ${hurt.name}: ${problem}`);
      tally.violations.push(...lines);
      for (const line of lines) say(`VIOLATED: ${line}`);
    };
    try {
      const round = await oneTrial(scene, { hurt, tally, pace, prefix: `t${attempts}/` });
      problems.push(
        ...judgeCallers(round, {
          dumps: await dumpsOf(region, round.prefix),
          totals: await callers.totals(round.prefix),
        }),
      );
      problems.push(...((await afterwards?.(round.prefix)) ?? []));
      if (problems.length > 0) keepHistories(round, region);
      const counts = tally.note(round);
      const rate = `${round.calls} calls, ${Math.round(round.calls / round.seconds)} per second`;
      say(`trial ${trial}, ${hurt.name}: ${rate}, ${problems.length} violations${counts ? '' : '; void, once more'}`);
      fail();
      if (counts) trial++;
    } catch (error) {
      // The region may be in any state: this was the last trial, and what was found before it is told too.
      problems.push(`${withLastWords(error as Error, region).message}\n${await region.describe()}`);
      fail();
      return tally.report(wanted);
    }
  }
  if (trials >= fullTrials && only === undefined) tally.require(wanted);
  return tally.report(wanted);
}

async function oneTrial(
  scene: Scene,
  {
    hurt,
    tally,
    pace,
    prefix,
  }: { readonly hurt: Hurt; readonly tally: Tally; readonly pace: Pace; readonly prefix: string },
): Promise<CallerRound> {
  const { region, callers } = scene;
  await callers.begin(prefix);
  await pause(pace.warmUpMs);
  const before = await termOf(region);
  const heal = await hurt.make(scene);
  await pause(Math.min(hurt.lastsMs ?? 1_000, pace.lastsMsMax));
  await heal();
  const healedMs = performance.now();
  tally.served.push((await callers.everyone(healedMs)) - healedMs);
  await region.ready();
  await pause(pace.afterMs);
  const round = await callers.end();
  await region.settled();
  if ((await termOf(region)) > before) tally.event('another leader');
  return round;
}

/** For whoever looks into a violation: `skerry check history` reads them, too. */
function keepHistories({ prefix, history, local }: CallerRound, { folder }: Region): void {
  const name = prefix.replace('/', '');
  writeFileSync(join(folder, `${name}-consistent.jsonl`), encodeHistory(history));
  writeFileSync(join(folder, `${name}-local.jsonl`), encodeHistory(local));
}

async function termOf(region: Region): Promise<number> {
  const statuses = await Promise.all(region.running.map((node) => node.status()));
  return Math.max(0, ...statuses.flatMap((status) => status?.partitions.map(({ term }) => term) ?? []));
}

/** What all trials came to. */
export class Tally {
  readonly violations: string[] = [];
  /** From the healing until every caller was served again. */
  readonly served: number[] = [];
  readonly #events = new Map<string, number>();
  readonly #callsPerSecondMin: number;
  #calls = 0;
  #voids = 0;
  #slowest = Number.POSITIVE_INFINITY;

  constructor(perSecondMin = callsPerSecondMin) {
    this.#callsPerSecondMin = perSecondMin;
  }

  event(what: string, times = 1): void {
    this.#events.set(what, (this.#events.get(what) ?? 0) + times);
  }

  /** False if the round is void: its calls count for nothing, what it violated counts all the same. */
  note({ calls, seconds, counts }: Pick<CallerRound, 'calls' | 'seconds' | 'counts'>): boolean {
    const perSecond = calls / seconds;
    if (perSecond < this.#callsPerSecondMin) {
      this.#voids++;
      if (this.#voids === voidTrialsMax)
        this.violations.push(
          `${voidTrialsMax} trials were void: less than ${callsPerSecondMin} calls per second, ${perSecond.toFixed(0)} in the last`,
        );
      return false;
    }
    this.#calls += calls;
    for (const [what, times] of counts) this.event(what, times);
    this.#slowest = Math.min(this.#slowest, perSecond);
    return true;
  }

  get voids(): number {
    return this.#voids;
  }

  require(wanted: readonly string[]): void {
    for (const what of wanted)
      if (!this.#events.has(what))
        this.violations.push(`it never happened: ${what}; the check did not do what it is for`);
  }

  report(wanted: readonly string[]): Report {
    const events = new Map([...wanted.map((what) => [what, 0] as const), ...this.#events]);
    const figures: Figure[] = [
      { name: 'calls answered', value: this.#calls, unit: 'count' },
      { name: 'calls per second, least of a trial', value: this.#slowest, unit: 'per second' },
      { name: 'void trials, made once more', value: this.#voids, unit: 'count' },
      ...spread('healed, until every caller is served', this.served),
      ...[...events].map(([what, value]) => ({ name: `sometimes: ${what}`, value, unit: 'count' as const })),
    ];
    return { figures, violations: this.violations.slice(0, 30) };
  }
}
