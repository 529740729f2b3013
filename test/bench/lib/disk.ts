import { readFileSync, statSync } from 'node:fs';

/** What a disk has done since the system started, whoever asked it to; NaN where the system does not tell. */
export interface DiskCounters {
  readonly writtenBytes: number;
  /** Orders to make everything durable that was written before. */
  readonly flushes: number;
}

/** Unit of `/proc/diskstats`, whatever the disk's own. */
const sectorBytes = 512;

/**
 * Of the disk that holds `folder`. What processes are said to have written (`/proc/PID/io`) counts a large folio of the
 * page cache for each page in it: tens of times what goes to the disk.
 */
export function diskCounters(folder: string): DiskCounters {
  try {
    const { dev } = statSync(folder);
    return countersOf(readFileSync('/proc/diskstats', 'utf8'), dev);
  } catch {
    return { writtenBytes: Number.NaN, flushes: Number.NaN };
  }
}

/** Columns as in Documentation/admin-guide/iostats.rst of Linux; `device` as `stat` gives it. */
export function countersOf(diskstats: string, device: number): DiskCounters {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  for (const line of diskstats.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (Number(fields[0]) !== major || Number(fields[1]) !== minor) continue;
    return { writtenBytes: Number(fields[9]) * sectorBytes, flushes: Number(fields[18]) };
  }
  return { writtenBytes: Number.NaN, flushes: Number.NaN };
}
