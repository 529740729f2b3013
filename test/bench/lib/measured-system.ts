import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { processorMs } from '../../faults/lib/processor-time.ts';
import { pause, until } from '../../faults/lib/until.ts';
import type { RunningCluster, SystemUnderTest } from '../clusters/cluster.ts';
import type { Run } from '../generator.ts';
import { diskCounters, type DiskCounters } from './disk.ts';
import { GeneratorProcess } from './generator-process.ts';
import { Histogram } from './histogram.ts';
import type { LoadResult } from './load.ts';

/** What one measurement of one system found. */
export interface Measurement {
  readonly system: string;
  readonly perSecond: number;
  readonly latency: Percentiles;
  /** Milliseconds after it was due that a call was made; of open loops. */
  readonly latenessP99Ms: number | null;
  readonly completed: number;
  readonly failed: number;
  readonly firstError: string | null;
  readonly successes: readonly number[];
  /** Of open loops. */
  readonly p99MsPerSecond: readonly number[];
  /** Microseconds of processor time, all servers together. */
  readonly serverUsPerCall: number;
  readonly clientUsPerCall: number;
  /** Bytes to the disk, by everything on this machine. */
  readonly writtenPerCall: number;
  /** Syncs of the disk, all servers together; those that were made at once count once. */
  readonly flushesPerCall: number;
  /** 0 to 1. Near 1: the client was the bottleneck, and the system may be faster than measured. */
  readonly clientBusy: number;
}

export interface Percentiles {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Each server may use this much of a core before a measurement, in percent: what it does by itself. */
const quietPercentOfServer = 4;
const quietSampleMs = 250;
const defaultQuietMsMax = 20_000;

/** A system that runs, with the generator that puts load on it. */
export class MeasuredSystem {
  readonly system: SystemUnderTest;
  readonly cluster: RunningCluster;
  readonly #generator: GeneratorProcess;
  readonly #folder: string;
  readonly #quietMsMax: number;

  private constructor(system: SystemUnderTest, { cluster, generator, folder, quietMsMax }: Parts) {
    this.system = system;
    this.cluster = cluster;
    this.#generator = generator;
    this.#folder = folder;
    this.#quietMsMax = quietMsMax;
  }

  /** `profileFolder`: every process leaves a profile of its processor time there when it ends. */
  static async start(
    system: SystemUnderTest,
    { nodes, folder, connections, profileFolder, quietMsMax = defaultQuietMsMax }: StartMeasured,
  ): Promise<MeasuredSystem> {
    const home = join(folder, `${system.id}-${nodes}`);
    mkdirSync(home, { recursive: true });
    const nodeArgs = profileFolder === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
    const cluster = await system.start({ nodes, folder: home, nodeArgs });
    const generator = new GeneratorProcess(nodeArgs);
    const measured = new MeasuredSystem(system, { cluster, generator, folder: home, quietMsMax });
    await generator.tell({ order: 'open', target: { ...cluster.target, connections } }, 30_000);
    return measured;
  }

  async fill(keys: number, valueBytes: number): Promise<void> {
    await this.#generator.tell({ order: 'fill', keys, valueBytes, seed: 7, ...this.cluster.fillPace }, 900_000);
  }

  /** null: the system has no such call. Rejects when no call at all succeeded. */
  async measure(run: Run): Promise<Measurement | null> {
    return (await this.measureSteps(run))?.[0] ?? null;
  }

  /** One measurement of each step of an offered load, in turn. What the servers used is told of all steps together. */
  async measureSteps(run: Run): Promise<Measurement[] | null> {
    await this.quiet();
    let before: Used | null = null;
    let after = this.#used();
    const results = await this.#generator.tell({ order: 'run', run }, lengthMsOf(run) + 60_000, (edge) => {
      if (edge === 'open') before ??= this.#used();
      else after = this.#used();
    });
    if (results === null) return null;
    const calls = results.reduce((sum, { completed }) => sum + completed, 0);
    const firstError = results.find((result) => result.firstError !== null)?.firstError ?? null;
    if (calls === 0) throw new Error(`${this.system.id}: no call of '${run.workload}' succeeded: ${firstError}`);
    const used = differenceOf(after, before ?? after);
    return results.map((result) => ({
      system: this.system.id,
      perSecond: (result.completed * 1_000) / result.windowMs,
      latency: percentilesOf(result),
      latenessP99Ms: run.kind === 'open' ? Histogram.from(result.lateness).quantileMs(0.99) : null,
      completed: result.completed,
      failed: result.failed,
      firstError: result.firstError,
      successes: result.perSecond,
      p99MsPerSecond: result.p99MsPerSecond,
      serverUsPerCall: (used.processorMs * 1_000) / calls,
      clientUsPerCall: (result.processorMs * 1_000) / result.completed,
      writtenPerCall: used.writtenBytes / calls,
      flushesPerCall: used.flushes / calls,
      clientBusy: result.busy,
    }));
  }

  /** Waits until what the last load left to do is done, but not for ever: some systems always have something to do. */
  async quiet(): Promise<void> {
    const deadlineMs = performance.now() + this.#quietMsMax;
    const quietPercent = quietPercentOfServer * Math.max(3, this.cluster.processIds().length);
    await until(
      `${this.system.id} to be quiet`,
      async () => {
        const before = this.#used().processorMs;
        const startMs = performance.now();
        await pause(quietSampleMs);
        const percent = (100 * (this.#used().processorMs - before)) / (performance.now() - startMs);
        return percent < quietPercent || performance.now() > deadlineMs;
      },
      this.#quietMsMax + 20_000,
    );
  }

  async stop(): Promise<void> {
    await this.#generator.stop();
    await this.cluster.stop();
  }

  #used(): Used {
    const ids = this.cluster.processIds();
    return {
      processorMs: ids.reduce((sum, pid) => sum + processorMs(pid), 0),
      ...diskCounters(this.#folder),
    };
  }
}

interface Parts {
  readonly cluster: RunningCluster;
  readonly generator: GeneratorProcess;
  readonly folder: string;
  readonly quietMsMax: number;
}

interface Used extends DiskCounters {
  readonly processorMs: number;
}

function differenceOf(after: Used, before: Used): Used {
  return {
    processorMs: after.processorMs - before.processorMs,
    writtenBytes: after.writtenBytes - before.writtenBytes,
    flushes: after.flushes - before.flushes,
  };
}

function lengthMsOf(run: Run): number {
  if (run.kind === 'closed') return run.warmUpMs + run.measureMs;
  return run.drainMs + run.steps.reduce((sum, { durationMs }) => sum + durationMs, 0);
}

export interface StartMeasured {
  readonly nodes: number;
  readonly folder: string;
  readonly connections: number;
  readonly profileFolder: string | null;
  /** How long a measurement waits at most for what the last load left to do. Default 20 s. */
  readonly quietMsMax?: number;
}

export function percentilesOf({ latency }: Pick<LoadResult, 'latency'>): Percentiles {
  const histogram = Histogram.from(latency);
  return {
    meanMs: histogram.meanMs,
    p50Ms: histogram.quantileMs(0.5),
    p90Ms: histogram.quantileMs(0.9),
    p99Ms: histogram.quantileMs(0.99),
    p999Ms: histogram.quantileMs(0.999),
    maxMs: histogram.maxMs,
  };
}
