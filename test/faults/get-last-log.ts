import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { besideSources } from './lib/beside-sources.ts';
import { withRegion, type Region } from './lib/region.ts';
import { judgeClaims } from './lib/judge-claims.ts';
import { journalsIn, totalOf, type CallersSpec, type Claim, type Journal } from './lib/log-journals.ts';
import { report, type Report, type Scenario, type ScenarioContext } from './lib/scenario.ts';
import { pause, until } from './lib/until.ts';

const processCount = 8;
const callersPerProcess = 8;
const server = 'this-machine';
const realLog = '/var/log/dpkg.log';
const growMs = 20;
const callersProgram = besideSources('log-callers.mjs');
/** About this far apart; a trial kills a process of callers and, every other time, a node. */
const killEveryMs = 300;

/** Done-line 7 of part 1. */
export const getLastLogCheck: Scenario = {
  name: 'get-last-log',
  summary: `${processCount * callersPerProcess} callers of getLastLog over a growing log; callers and nodes are killed at random`,
  trials: 60,
  run: (context) => withRegion({}, (region) => run(region, context)),
};

async function run(region: Region, { trials, say }: ScenarioContext): Promise<Report> {
  const log = new GrowingLog(join(region.folder, 'dpkg.log'));
  const claims = new Claims();
  const watching = new AbortController();
  const watched = claims.watch(region, watching.signal);
  const callers = Array.from({ length: processCount }, (_, index) => new CallerProcess(region, log.file, index));
  for (const caller of callers) caller.start();
  await until('the first records to be returned', () => claims.ranges.length > 0);
  const growing = setInterval(() => log.grow(), growMs);
  for (let trial = 1; trial <= trials; trial++) {
    const before = claims.ranges.length;
    await pause(killEveryMs * (0.5 + Math.random()));
    await until('records to be returned again', () => claims.ranges.length > before + 2);
    const caller = callers[trial % processCount] as CallerProcess;
    await caller.kill();
    caller.start();
    if (trial % 2 === 0) {
      const node = region.nodes[(trial / 2) % 3];
      await node?.kill();
      node?.start();
    }
    if (trial % 10 === 0) say(`kill ${trial}: ${log.lineCount} records, ${claims.returned} returned`);
  }
  clearInterval(growing);
  log.completeLine();
  await region.ready();
  await until('all records to be returned', () => claims.returned === log.lineCount, 60_000);
  await Promise.all(callers.map((caller) => caller.end()));
  watching.abort();
  await watched;
  return judge(log, claims, journalsIn(region.folder), trials);
}

/** A log that begins with this machine's own and goes on like it, several records a second with equal time stamps. */
class GrowingLog {
  readonly file: string;
  readonly #source: readonly string[];
  #next = 0;
  #openLine = '';
  lineCount = 0;

  constructor(file: string) {
    this.file = file;
    const real = existsSync(realLog) ? readFileSync(realLog, 'utf8').split('\n').slice(0, -1) : [];
    this.#source =
      real.length > 100
        ? real
        : Array.from(
            { length: 3_000 },
            (_, i) => `2026-01-01 00:00:0${i % 7} status installed package-${i % 900}:all 1.${i % 5}`,
          );
    writeFileSync(file, '');
    this.#append(1_000);
  }

  grow(): void {
    this.completeLine();
    this.#append(1 + Math.floor(Math.random() * 12));
    // Half a record, which is no record until its end is there.
    const line = this.#take();
    const cut = Math.floor(line.length / 2);
    appendFileSync(this.file, line.slice(0, cut));
    this.#openLine = line.slice(cut);
  }

  completeLine(): void {
    if (this.#openLine === '') return;
    appendFileSync(this.file, `${this.#openLine}\n`);
    this.#openLine = '';
    this.lineCount++;
  }

  get lines(): readonly string[] {
    return readFileSync(this.file, 'utf8').split('\n').slice(0, -1);
  }

  #append(count: number): void {
    appendFileSync(this.file, Array.from({ length: count }, () => `${this.#take()}\n`).join(''));
    this.lineCount += count;
  }

  #take(): string {
    return this.#source[this.#next++ % this.#source.length] as string;
  }
}

/** What the position in the cluster says: each of its changes gave one caller the records from one total to the next. */
class Claims {
  readonly ranges: Claim[] = [];
  readonly problems: string[] = [];
  returned = 0;

  async watch(region: Region, signal: AbortSignal): Promise<void> {
    const client = await region.client();
    try {
      for await (const { events, reset } of client.watch(`skerry/last-log/${server}`, {
        as: 'bytes',
        cursor: '',
        signal,
      })) {
        if (reset !== undefined && this.returned > 0)
          this.problems.push('the watch started over: a change may be missing');
        for (const { value } of events) if (value !== null) this.#note(totalOf(value));
      }
    } catch (error) {
      if (!signal.aborted) this.problems.push(`the watch ended: ${(error as Error).message}`);
    }
  }

  #note(total: number): void {
    if (total <= this.returned) this.problems.push(`the position went from ${this.returned} to ${total}`);
    this.ranges.push({ from: this.returned, to: total });
    this.returned = total;
  }
}

/** A process of callers; each of its lives writes journals of its own. */
class CallerProcess {
  readonly #region: Region;
  readonly #logFile: string;
  readonly #index: number;
  #life = 0;
  #child: ChildProcess | null = null;

  constructor(region: Region, logFile: string, index: number) {
    this.#region = region;
    this.#logFile = logFile;
    this.#index = index;
  }

  start(): void {
    const { nodes, folder } = this.#region;
    const at = (this.#index + this.#life) % nodes.length;
    const spec: CallersSpec = {
      endpoints: [...nodes.slice(at), ...nodes.slice(0, at)].map(({ clientUrl }) => clientUrl),
      server,
      logFile: this.#logFile,
      journalPrefix: join(folder, `journal-${this.#index}-${this.#life++}`),
      callers: callersPerProcess,
    };
    this.#child = spawn(process.execPath, [callersProgram, JSON.stringify(spec)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  async kill(): Promise<void> {
    await this.#stop('SIGKILL');
  }

  /** Each caller finishes its call. */
  async end(): Promise<void> {
    await this.#stop('SIGTERM');
  }

  async #stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }
}

function judge(log: GrowingLog, claims: Claims, journals: readonly Journal[], kills: number): Report {
  const { lines } = log;
  const { violations, calls, cutShort, lost } = judgeClaims({ lines, ranges: claims.ranges, journals });
  return report(
    [
      { name: 'callers at once', value: processCount * callersPerProcess, unit: 'count' },
      { name: 'kills of a process of callers', value: kills, unit: 'count' },
      { name: 'kills of a node', value: Math.floor(kills / 2), unit: 'count' },
      { name: 'records', value: lines.length, unit: 'count' },
      { name: 'calls answered', value: calls, unit: 'count' },
      { name: 'answers with records', value: claims.ranges.length, unit: 'count' },
      { name: 'callers killed in a call', value: cutShort, unit: 'count' },
      { name: 'answers that died with their caller', value: lost, unit: 'count' },
    ],
    [...claims.problems, ...violations].slice(0, 20),
  );
}
