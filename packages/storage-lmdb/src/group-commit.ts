import { channel } from 'node:diagnostics_channel';
import { StorageFailedError } from '@skerry/replica';
import type { EncodedBatch } from './record.ts';

export interface GroupCommitOptions {
  /** Writes the batches, in order, as one transaction and resolves once it is synced. Rejects: nothing was written. */
  readonly commit: (group: readonly EncodedBatch[]) => Promise<void>;
  /** Whether a commit failed only for want of space, so that trying again makes sense. */
  readonly isOutOfSpace: (error: unknown, group: GroupSize) => boolean;
  /** Whether a group of this size fits for certain now, as far as can be known; a cheap check before each commit. */
  readonly mayFit: (group: GroupSize) => boolean;
  /** True: a group waits for space. False: it was committed. */
  readonly onStalled: (stalled: boolean) => void;
  readonly limits: GroupCommitLimits;
}

export interface GroupSize {
  /** Of keys and values. */
  readonly bytes: number;
  readonly records: number;
}

export interface GroupCommitLimits {
  /** Submits are taken into one transaction up to this many bytes; a larger one goes alone. */
  readonly groupBytesMax: number;
  /** Wait before the first retry after a full disk; doubles up to the maximum. */
  readonly retryMsMin: number;
  readonly retryMsMax: number;
  /**
   * A transaction that took so many submits or more shows that they come faster than the disk syncs. The next one then
   * begins at least `gatherMs` after it began, so that more may join: each costs two syncs and some pages, whatever is in it.
   */
  readonly gatherSubmits: number;
  readonly gatherMs: number;
}

export const defaultGroupCommitLimits: GroupCommitLimits = {
  groupBytesMax: 8 * 1_024 * 1_024,
  retryMsMin: 50,
  retryMsMax: 1_000,
  gatherSubmits: 3,
  gatherMs: 4,
};

export interface GroupCommitStats {
  readonly syncCount: number;
  /** Duration of the last transaction: writing, commit and sync. */
  readonly lastSyncMs: number;
  /** Bytes of keys and values that were committed. */
  readonly bytesWritten: number;
  readonly batchesWaiting: number;
}

/**
 * Told on {@link commitChannel} of each transaction that was committed. Times by `performance.now()`, so that whoever
 * listens can lay them beside what else happened in the process.
 */
export interface CommitMessage {
  readonly startMs: number;
  readonly endMs: number;
  readonly bytes: number;
  readonly records: number;
}

/** A diagnostics channel of Node; costs nothing while nobody listens. */
export const commitChannel = 'skerry:storage:commit';
const commits = channel(commitChannel);

interface Waiting {
  readonly batch: EncodedBatch;
  readonly submittedMs: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Group commit. One transaction is under way at a time; all that is submitted meanwhile goes into the next. A second
 * transaction must not be handed to LMDB before the first is settled: if the first then met a full disk, the second
 * could succeed and the order would be broken.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  /** In order of submission, those of the transaction under way included. */
  #waiting: Waiting[] = [];
  /** Settles when nothing waits any more; null while nothing is under way. */
  #running: Promise<void> | null = null;
  /** True from a commit that met a full disk to the next that succeeds. */
  #stalled = false;
  #closing = false;
  #failure: StorageFailedError | null = null;
  #endBackOff: (() => void) | null = null;
  #syncCount = 0;
  #lastSyncMs = 0;
  #lastBeganMs = 0;
  #lastSubmits = 0;
  #bytesWritten = 0;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  submit(batch: EncodedBatch): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#closing) return Promise.reject(new StorageFailedError('the storage is closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, submittedMs: performance.now(), resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** For how long the oldest submit has been waiting; 0 when none is. */
  pendingForMs(): number {
    const oldest = this.#waiting[0];
    return oldest === undefined ? 0 : performance.now() - oldest.submittedMs;
  }

  stats(): GroupCommitStats {
    return {
      syncCount: this.#syncCount,
      lastSyncMs: this.#lastSyncMs,
      bytesWritten: this.#bytesWritten,
      batchesWaiting: this.#waiting.length,
    };
  }

  /** Tries again at once if a full disk made it wait. */
  retryNow(): void {
    this.#endBackOff?.();
  }

  /** Commits what was submitted, then refuses more. What a full disk still holds up is rejected after one more try. */
  async close(): Promise<void> {
    this.#closing = true;
    this.retryNow();
    await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // The rest of the caller's stack may submit more for the same transaction.
    const { gatherMs, gatherSubmits } = this.#options.limits;
    let retryMs = this.#options.limits.retryMsMin;
    while (this.#waiting.length > 0) {
      const gatherUntilMs = this.#lastBeganMs + gatherMs;
      if (this.#lastSubmits >= gatherSubmits && !this.#closing && performance.now() < gatherUntilMs)
        await this.#pause(gatherUntilMs - performance.now());
      const group = this.#groupThatFits();
      const outOfSpace = group === null || (await this.#tryCommit(group));
      if (!outOfSpace) {
        retryMs = this.#options.limits.retryMsMin;
        continue;
      }
      this.#setStalled(true);
      if (this.#closing) this.#fail(new StorageFailedError('closed while the disk was full'));
      else await this.#pause(retryMs);
      retryMs = Math.min(retryMs * 2, this.#options.limits.retryMsMax);
    }
    this.#running = null;
  }

  /** null: not even the first submit fits. */
  #groupThatFits(): readonly EncodedBatch[] | null {
    const group = this.#takeGroup();
    if (this.#options.mayFit(sizeOf(group))) return group;
    const first = group.slice(0, 1);
    return group.length > 1 && this.#options.mayFit(sizeOf(first)) ? first : null;
  }

  /** The next transaction, which stays in the queue until it is settled. After a full disk: one submit, the least that could fit. */
  #takeGroup(): readonly EncodedBatch[] {
    const group: EncodedBatch[] = [];
    let bytes = 0;
    for (const { batch } of this.#waiting) {
      if (group.length > 0 && (this.#stalled || bytes + batch.bytes > this.#options.limits.groupBytesMax)) break;
      group.push(batch);
      bytes += batch.bytes;
    }
    return group;
  }

  /** Returns true if the group has to be tried again when there is space. Any other failure is final. */
  async #tryCommit(group: readonly EncodedBatch[]): Promise<boolean> {
    const size = sizeOf(group);
    const startedMs = performance.now();
    this.#lastBeganMs = startedMs;
    this.#lastSubmits = group.length;
    try {
      await this.#options.commit(group);
    } catch (error) {
      if (this.#options.isOutOfSpace(error, size)) return true;
      this.#fail(new StorageFailedError(`commit failed: ${describe(error)}`, { cause: error }));
      return false;
    }
    const endMs = performance.now();
    this.#lastSyncMs = endMs - startedMs;
    if (commits.hasSubscribers) commits.publish({ startMs: startedMs, endMs, ...size } satisfies CommitMessage);
    this.#syncCount += 1;
    this.#bytesWritten += size.bytes;
    const durable = this.#waiting.splice(0, group.length);
    this.#setStalled(false);
    for (const { resolve } of durable) resolve();
    return false;
  }

  #setStalled(stalled: boolean): void {
    if (this.#stalled === stalled) return;
    this.#stalled = stalled;
    this.#options.onStalled(stalled);
  }

  /** Until {@link retryNow}, at most. */
  async #pause(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      timer.unref();
      this.#endBackOff = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endBackOff = null;
  }

  #fail(failure: StorageFailedError): void {
    this.#failure = failure;
    const lost = this.#waiting;
    this.#waiting = [];
    for (const { reject } of lost) reject(failure);
  }
}

function sizeOf(group: readonly EncodedBatch[]): GroupSize {
  let bytes = 0;
  let records = 0;
  for (const batch of group) {
    bytes += batch.bytes;
    records += batch.keys.length;
  }
  return { bytes, records };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
