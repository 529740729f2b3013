import { InvariantError } from '@skerry/base';
import { StorageCorruptError, StorageFailedError } from '@skerry/replica';

/**
 * Why a node had to stop at once. It has answered nothing since; its process must end with `exitCode`, and what it held
 * is recovered by the restart.
 */
export interface Fatal {
  readonly kind: 'invariant' | 'storageFailed' | 'storageCorrupt';
  readonly exitCode: number;
  /** What happened and what to do, for the operator. */
  readonly message: string;
  readonly cause: unknown;
}

/** Exit codes of a node's process, after BSD's sysexits. */
export const exitCodes = {
  /** EX_DATAERR: a stored record is not what was written; rebuild the node from its peers. */
  storageCorrupt: 65,
  /** EX_SOFTWARE: a bug in Skerry. */
  invariant: 70,
  /** EX_IOERR: the disk failed; restart once it works. */
  storageFailed: 74,
  /** EX_CONFIG: the configuration cannot be used. */
  config: 78,
} as const;

/** Whatever is not a known failure of storage is a bug. */
export function fatalOf(cause: unknown): Fatal {
  if (cause instanceof StorageCorruptError) {
    return {
      kind: 'storageCorrupt',
      exitCode: exitCodes.storageCorrupt,
      message: `stored data is corrupt at ${cause.where}: ${cause.message}. Rebuild this node from its peers: skerry server --rebuild`,
      cause,
    };
  }
  if (cause instanceof StorageFailedError) {
    return {
      kind: 'storageFailed',
      exitCode: exitCodes.storageFailed,
      message: `the disk failed: ${cause.message}. Nothing was answered since; restart the node once the disk works`,
      cause,
    };
  }
  const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  const kind = cause instanceof InvariantError ? 'a broken invariant' : 'an unexpected error';
  return { kind: 'invariant', exitCode: exitCodes.invariant, message: `${kind} stopped the node: ${what}`, cause };
}
