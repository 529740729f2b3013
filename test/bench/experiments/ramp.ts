import type { SystemUnderTest } from '../clusters/cluster.ts';
import type { Run } from '../generator.ts';
import { MeasuredSystem, type Measurement } from '../lib/measured-system.ts';

/** Offered transactions (consistent sets of 256 bytes) a second, one after the other. */
export const rampRates = [2_500, 5_000, 10_000] as const;
const nodes = 5;
const keys = 10_000;
const valueBytes = 256;
/** Answers that come later than this after the end of a step count as failed. */
const drainMs = 10_000;
/** Of one generator, so that no limit of one connection is what is measured. */
const connections = 8;

export interface RampOptions {
  /** Of each rate. */
  readonly stepMs: number;
  readonly folder: string;
}

/** What one system made of the ramp. */
export interface Ramp {
  readonly system: string;
  readonly stepMs: number;
  readonly steps: readonly RampStep[];
  /** Successes in each second since the beginning, by when they were answered. */
  readonly successes: readonly number[];
  /** Of the calls that were due in each second; null: none succeeded. */
  readonly p99Ms: readonly (number | null)[];
}

export interface RampStep {
  readonly offeredPerSecond: number;
  readonly succeededShare: number;
  readonly measurement: Measurement;
}

/** Five nodes, a rising load that does not wait for answers, latency from when each call was due. */
export async function measureRamp(system: SystemUnderTest, { stepMs, folder }: RampOptions): Promise<Ramp> {
  const measured = await MeasuredSystem.start(system, { nodes, folder, connections, profileFolder: null });
  try {
    await measured.fill(keys, valueBytes);
    const load = { workload: 'set', keys, valueBytes, distribution: 'uniform', seed: 1 } as const;
    await measured.measure({ ...load, kind: 'closed', inFlight: 32, warmUpMs: 500, measureMs: 2_500 });
    const run: Run = {
      ...load,
      kind: 'open',
      steps: rampRates.map((callsPerSecond) => ({ callsPerSecond, durationMs: stepMs })),
      drainMs,
    };
    const measurements = (await measured.measureSteps(run)) as Measurement[];
    return rampOf(system.id, stepMs, measurements);
  } finally {
    await measured.stop();
  }
}

export function rampOf(system: string, stepMs: number, measurements: readonly Measurement[]): Ramp {
  const seconds = stepMs / 1_000;
  const successes: number[] = [];
  const p99Ms: (number | null)[] = [];
  measurements.forEach(({ successes: ofStep, p99MsPerSecond }, step) => {
    ofStep.forEach((count, second) => {
      const index = step * seconds + second;
      successes[index] = (successes[index] ?? 0) + count;
    });
    for (let second = 0; second < seconds; second++) {
      const value = p99MsPerSecond[second];
      p99Ms[step * seconds + second] = value === undefined || !Number.isFinite(value) ? null : value;
    }
  });
  const steps = measurements.map((measurement, step) => ({
    offeredPerSecond: rampRates[step] as number,
    succeededShare: measurement.completed / (measurement.completed + measurement.failed),
    measurement,
  }));
  return { system, stepMs, steps, successes, p99Ms };
}
