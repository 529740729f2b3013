import type { Run } from '../generator.ts';
import type { MeasuredSystem, Measurement } from './measured-system.ts';
import { spreadOf, type Spread } from './statistics.ts';

/** What one system showed at one load, over all rounds. */
export interface Series {
  readonly system: string;
  readonly rounds: readonly Measurement[];
  readonly perSecond: Spread;
  readonly p50Ms: Spread;
  readonly p99Ms: Spread;
}

/**
 * Each round measures all systems one after the other (A B C, A B C, …), so that what changes on the machine in the
 * course of a run changes it for all. A system that has no such call is left out.
 */
export async function interleaved(
  systems: readonly MeasuredSystem[],
  rounds: number,
  run: Run,
  say: (line: string) => void,
): Promise<Series[]> {
  const found = new Map<string, Measurement[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const system of systems) {
      const measurement = await system.measure({ ...run, seed: run.seed + round });
      if (measurement === null) continue;
      say(`round ${round}: ${describe(measurement)}`);
      found.set(system.system.id, [...(found.get(system.system.id) ?? []), measurement]);
    }
  }
  return [...found].map(([system, measurements]) => seriesOf(system, measurements));
}

export function seriesOf(system: string, rounds: readonly Measurement[]): Series {
  return {
    system,
    rounds,
    perSecond: spreadOf(rounds.map(({ perSecond }) => perSecond)),
    p50Ms: spreadOf(rounds.map(({ latency }) => latency.p50Ms)),
    p99Ms: spreadOf(rounds.map(({ latency }) => latency.p99Ms)),
  };
}

/** One line for people. */
export function describe(measurement: Measurement): string {
  const { system, perSecond, latency, serverUsPerCall, clientUsPerCall, clientBusy } = measurement;
  const { writtenPerCall, flushesPerCall } = measurement;
  const parts = [
    `${system.padEnd(14)} ${Math.round(perSecond).toLocaleString('en').padStart(8)}/s`,
    `p50 ${latency.p50Ms.toFixed(2)} p99 ${latency.p99Ms.toFixed(2)} max ${latency.maxMs.toFixed(0)} ms`,
    `processor per call: servers ${serverUsPerCall.toFixed(0)} µs, client ${clientUsPerCall.toFixed(0)} µs`,
    `disk ${Math.round(writtenPerCall)} B and ${flushesPerCall.toFixed(3)} syncs`,
    `client ${Math.round(100 * clientBusy)} % busy`,
  ];
  if (measurement.failed > 0) parts.push(`${measurement.failed} FAILED: ${measurement.firstError}`);
  return parts.join(', ');
}
