import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import type { EncodedBatch } from './record.ts';

/** The one LMDB environment of a folder. Keys and values are bytes; LMDB orders keys byte by byte. */
export type Environment = RootDatabase<Uint8Array, Uint8Array>;

export const dataFileName = 'data.mdb';

/** Views that can be open at once; LMDB refuses more (MDB_READERS_FULL). */
const viewsMax = 1_024;

/** lmdb-js documents this option and does not declare it. */
const undeclared = { safeRestore: true };

/**
 * Opens the environment. The options that matter under faults (FAULTS.md section 1): no overlapping sync, or an EIO of
 * the sync leaves the rejected write readable; safeRestore, or a power cut loses acknowledged batches or ends in
 * SIGBUS; no write map, or a full disk ends in SIGBUS.
 */
export function openEnvironment(folder: string, mapBytes: number): Environment {
  return open<Uint8Array, Uint8Array>({
    path: join(folder, dataFileName),
    noSubdir: true,
    maxDbs: 1,
    maxReaders: viewsMax,
    mapSize: mapBytes,
    remapChunks: false,
    overlappingSync: false,
    ...undeclared,
    useWritemap: false,
    compression: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    // Each group is one explicit batch. The batches that lmdb-js makes of each turn of the event loop have a promise of
    // their own, which nobody can catch, so that every failed commit would be an unhandled rejection.
    eventTurnBatching: false,
  });
}

/** Error numbers of LMDB and of the system, as lmdb-js reports them in `code`. */
export const errorNumber = { eio: 5, enospc: 28, edquot: 122, mapFull: -30_792 } as const;

/** The number in an error that lmdb-js threw or rejected with, or null. */
export function errorNumberOf(error: unknown): number | null {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : null;
}

/** What LMDB says of a page that could not be written, and the bytes that it sets aside for that. */
const pageError = /Attempting to write page at position .*$/s;
const pageErrorBytes = 100;

/**
 * Whether LMDB can go on after a write that the system refused for want of space. Two of its errors are beyond repair:
 *
 * - lmdb-js 3.5.6 prints what it says of the page into 100 bytes (`mdb_page_flush`), and among the numbers are two that it
 *   never set. With large ones the text is longer, and what lies behind it in memory is overwritten.
 * - Without that text it was not a page of data: if it was the one that names the newest tree, LMDB takes no transaction
 *   any more (MDB_PANIC), and lmdb-js never answers the next one.
 */
export function survivesFullDisk(error: unknown): boolean {
  const text = pageError.exec((error as Error).message)?.[0];
  // Of a write that the disk took in part, LMDB says no more than EIO.
  if (text === undefined) return errorNumberOf(error) === errorNumber.eio;
  return text.length < pageErrorBytes;
}

/** Writes batches in one transaction; resolves after its sync. Rejects with the error that carries LMDB's number. */
export async function commitGroup(environment: Environment, group: readonly EncodedBatch[]): Promise<void> {
  if (group.every((batch) => batch.keys.length === 0)) return;
  try {
    await environment.batch(() => {
      for (const { keys, values } of group) {
        for (let i = 0; i < keys.length; i++) {
          const key = keys[i] as Uint8Array;
          const value = values[i] as Uint8Array | null;
          if (value === null) void environment.remove(key);
          else void environment.put(key, value);
        }
      }
    });
  } catch (error) {
    // lmdb-js rejects each write with a general error, and rejects `commitError`, one promise for all of them, with
    // the reason a moment later. Without this await that one would be an unhandled rejection.
    await (error as { readonly commitError?: Promise<never> }).commitError;
    throw error;
  }
}

export interface EnvironmentStats {
  readonly pageBytes: number;
  readonly recordCount: number;
  /** Pages in use by the tree, without those that are free for reuse. */
  readonly pagesUsed: number;
  readonly lastPage: number;
  readonly mapBytes: number;
}

export function environmentStats(environment: Environment): EnvironmentStats {
  const stats = environment.getStats() as {
    readonly pageSize: number;
    readonly entryCount: number;
    readonly treeBranchPageCount: number;
    readonly treeLeafPageCount: number;
    readonly overflowPages: number;
    readonly lastPageNumber: number;
    readonly mapSize: number;
  };
  return {
    pageBytes: stats.pageSize,
    recordCount: stats.entryCount,
    pagesUsed: stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages,
    lastPage: stats.lastPageNumber,
    mapBytes: stats.mapSize,
  };
}
