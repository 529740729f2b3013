import { readFileSync } from 'node:fs';

/** Clock ticks of `/proc` in a second: fixed by the ABI of Linux, whatever the kernel's own rate. */
const ticksPerSecond = 100;

/** Processor time that a process has used so far, in all its threads, milliseconds; NaN where it is not told. */
export function processorMs(pid: number | null): number {
  try {
    // The second field is a name in brackets that may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond;
  } catch {
    return Number.NaN;
  }
}
