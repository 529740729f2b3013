import { readFileSync } from 'node:fs';

/**
 * Memory of a process that is its own: heap, stacks, buffers. Pages of files, the memory map of the store among them,
 * are the system's cache and go when they are wanted. MiB; NaN where the system does not tell.
 */
export function ownMemoryMiB(pid: number): number {
  try {
    return anonymousMiB(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return Number.NaN;
  }
}

export function anonymousMiB(status: string): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1_024;
}
