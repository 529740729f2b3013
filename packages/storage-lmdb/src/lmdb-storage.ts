import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  Storage,
  StorageCorruptError,
  StorageEvents,
  StorageRange,
  StorageRecord,
  StorageView,
  StorageWrite,
} from '@skerry/replica';
import {
  commitGroup,
  dataFileName,
  environmentStats,
  errorNumber,
  errorNumberOf,
  type Environment,
  survivesFullDisk,
} from './environment.ts';
import { GroupCommit, type GroupCommitLimits, type GroupSize } from './group-commit.ts';
import type { StorageIdentity } from './identity.ts';
import { LmdbReader } from './lmdb-reader.ts';
import { encodeBatch } from './record.ts';
import { Scrubber, type ScrubProgress } from './scrub.ts';
import { freeBytes, SpaceWatch } from './space-watch.ts';

export interface StorageStats {
  readonly recordCount: number;
  /** Bytes of pages in use; the file is larger by what is free for reuse. */
  readonly bytesUsed: number;
  readonly fileBytes: number;
  /** Address space that is mapped; costs no memory. */
  readonly mapBytes: number;
  readonly syncCount: number;
  readonly lastSyncMs: number;
  readonly bytesWritten: number;
  readonly batchesWaiting: number;
}

export interface LmdbStorageParts {
  readonly folder: string;
  readonly environment: Environment;
  readonly identity: StorageIdentity;
  readonly events: StorageEvents;
  readonly mapBytesMax: number;
  readonly reserveBytes: number;
  readonly spacePollMs: number;
  readonly groupCommitLimits: GroupCommitLimits;
  /** Where the check at opening stopped; the scrubber goes on from there. */
  readonly scrubFrom: string;
  readonly unlock: () => void;
}

/** The identity lies among the records and is none of the replica's. */
const ownRecordCount = 1;

/**
 * A group is only handed to LMDB when it fits even if it takes all these: two bytes for each of its own, a leaf page and
 * part of a branch page for each record, and some for the list of free pages. LMDB survives most writes that the disk
 * refuses, but not all: see {@link survivesFullDisk}.
 */
const spacePerByte = 2;
const spacePerRecord = 6 * 1_024;
const spacePerGroup = 256 * 1_024;

/** The replica's storage port on LMDB; made by `openStorage`. */
export class LmdbStorage implements Storage {
  readonly identity: StorageIdentity;
  readonly folder: string;
  readonly #parts: LmdbStorageParts;
  readonly #reader: LmdbReader;
  readonly #commits: GroupCommit;
  readonly #spaceWatch: SpaceWatch;
  readonly #scrubber: Scrubber;
  /** Ends each open view; LMDB must not be closed under one. */
  readonly #openViews: Set<() => void> = new Set();
  /** A group waits for space. */
  #stalled = false;
  /** Less than the reserve is left, on the disk or below `mapBytesMax`. */
  #nearlyFull = false;
  #reportedFull = false;
  #closed: Promise<void> | null = null;

  constructor(parts: LmdbStorageParts) {
    this.#parts = parts;
    this.identity = parts.identity;
    this.folder = parts.folder;
    this.#reader = new LmdbReader(parts.environment, this.#onCorrupt, null);
    this.#scrubber = new Scrubber(this.#reader, parts.scrubFrom);
    this.#commits = new GroupCommit({
      commit: (group) => commitGroup(parts.environment, group),
      isOutOfSpace: (error, size) => this.#isOutOfSpace(error, size),
      mayFit: (size) => this.#mayFit(size),
      onStalled: (stalled) => {
        this.#stalled = stalled;
        this.#reportFull();
      },
      limits: parts.groupCommitLimits,
    });
    this.#spaceWatch = new SpaceWatch({
      folder: parts.folder,
      pollMs: parts.spacePollMs,
      onFree: (free) => this.#onFree(free),
    });
    const free = freeBytes(parts.folder);
    if (free !== null) this.#onFree(free);
  }

  get(key: string): Uint8Array | undefined {
    return this.#reader.get(key);
  }

  scan(range: StorageRange): Iterable<StorageRecord> {
    return this.#reader.scan(range);
  }

  view(): StorageView {
    // Views of one moment share a transaction, which counts its users: each view must say that it is done, and once.
    const transaction = this.#parts.environment.useReadTransaction();
    const close = (): void => {
      if (this.#openViews.delete(close)) transaction.done();
    };
    this.#openViews.add(close);
    const reader = new LmdbReader(this.#parts.environment, this.#onCorrupt, transaction);
    return { get: (key) => reader.get(key), scan: (range) => reader.scan(range), close };
  }

  submit(batch: readonly StorageWrite[]): Promise<void> {
    return this.#commits.submit(encodeBatch(batch));
  }

  /** For how long the oldest submit has been waiting for its sync: grows when the disk hangs or is full. 0: none waits. */
  pendingForMs(): number {
    return this.#commits.pendingForMs();
  }

  async stats(): Promise<StorageStats> {
    const { pageBytes, pagesUsed, recordCount, mapBytes } = environmentStats(this.#parts.environment);
    const { size } = await stat(join(this.folder, dataFileName));
    return {
      recordCount: recordCount - ownRecordCount,
      bytesUsed: pagesUsed * pageBytes,
      fileBytes: size,
      mapBytes,
      ...this.#commits.stats(),
    };
  }

  /**
   * Checks the next records for at most about `budgetMs`, going on where the last call stopped; called in the
   * background over and over. A record that is damaged is reported to the events and thrown, as on any read.
   */
  scrub(options: { readonly budgetMs: number }): ScrubProgress {
    return this.#scrubber.scrub(options.budgetMs);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#spaceWatch.close();
    await this.#commits.close();
    for (const closeView of this.#openViews) closeView();
    await this.#parts.environment.close();
    this.#parts.unlock();
  }

  readonly #onCorrupt = (problem: StorageCorruptError): void => {
    this.#parts.events.onCorrupt(problem);
  };

  /**
   * LMDB reports a write that the disk took only in part as EIO, which is usual for the write that fills the disk; so
   * EIO counts as a full disk when the disk is full. Even if it was the sync that failed: nothing of the transaction
   * is referred to by then, and the retry writes all its pages anew.
   */
  #isOutOfSpace(error: unknown, size: GroupSize): boolean {
    const number = errorNumberOf(error);
    if (number === errorNumber.mapFull) return true;
    // Else this process must end before it does anything with its memory; one that is started anew looks for space first.
    const isFull =
      number === errorNumber.enospc ||
      number === errorNumber.edquot ||
      (number === errorNumber.eio && !this.#mayFit(size));
    return isFull && survivesFullDisk(error);
  }

  #mayFit({ bytes, records }: GroupSize): boolean {
    // Local file systems answer this from memory, also while the disk itself hangs.
    const free = freeBytes(this.folder);
    return free === null || free >= spacePerGroup + bytes * spacePerByte + records * spacePerRecord;
  }

  #onFree(free: number): void {
    const { pageBytes, pagesUsed } = environmentStats(this.#parts.environment);
    const left = Math.min(free, this.#parts.mapBytesMax - pagesUsed * pageBytes);
    const { reserveBytes } = this.#parts;
    // It takes a quarter more to be over, so that one write does not switch to and fro.
    this.#nearlyFull = left < (this.#nearlyFull ? reserveBytes * 1.25 : reserveBytes);
    if (this.#stalled && !this.#nearlyFull) this.#commits.retryNow();
    this.#reportFull();
  }

  #reportFull(): void {
    const full = this.#stalled || this.#nearlyFull;
    if (full === this.#reportedFull) return;
    this.#reportedFull = full;
    this.#parts.events.onFull(full);
  }
}
