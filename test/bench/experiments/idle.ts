import { processorMs } from '../../faults/lib/processor-time.ts';
import { pause } from '../../faults/lib/until.ts';
import type { MeasuredSystem } from '../lib/measured-system.ts';

/** V8 gives back what a load needed in two collections, some 20 and 40 s after it. */
const settleMs = 60_000;

/** Percent of a core that each server of a settled cluster uses while nobody asks it anything: a minute after the last call. */
export async function measureIdle(measured: MeasuredSystem, measureMs: number): Promise<number[]> {
  await measured.quiet();
  await pause(settleMs);
  const ids = measured.cluster.processIds();
  const before = ids.map(processorMs);
  const startMs = performance.now();
  await pause(measureMs);
  const elapsedMs = performance.now() - startMs;
  return ids.map((pid, index) => (100 * (processorMs(pid) - (before[index] as number))) / elapsedMs);
}
