/**
 * The storage port: an ordered map from text keys to bytes with atomic batches. `storage-lmdb` implements it for real
 * disks, {@link MemoryStorage} for tests and the simulator. Both pass the suite in `../testing/storage-suite.ts`.
 *
 * Keys are well-formed strings of at most {@link storageKeyBytesMax} UTF-8 bytes, ordered by code point (the order of
 * their UTF-8 bytes). Values are opaque bytes. A reader sees durable batches only: never a part of a batch, never a
 * batch before an earlier one. What was submitted and is not yet durable, the replica remembers itself.
 */
export interface StorageReader {
  /** The durable value, valid at least until the next call of any method of this port; copy it to keep it longer. */
  get(key: string): Uint8Array | undefined;
  /** Records with from <= key < to in key order (`reverse`: from the high end down), at most `limit` if given. */
  scan(range: StorageRange): Iterable<StorageRecord>;
}

export interface StorageRange {
  readonly from: string;
  /** Exclusive. */
  readonly to: string;
  readonly limit?: number;
  readonly reverse?: boolean;
}

export interface StorageRecord {
  readonly key: string;
  /** As for {@link StorageReader.get}: copy it to keep it. */
  readonly value: Uint8Array;
}

/** One change: a value to put, or null to delete the key (no error if it is not there). */
export interface StorageWrite {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** A consistent view of one moment; close it, since an open view keeps old pages from being reused. */
export interface StorageView extends StorageReader {
  close(): void;
}

export interface StorageSource extends StorageReader {
  view(): StorageView;
}

export interface Storage extends StorageSource {
  /**
   * Writes a batch atomically, after all batches submitted before it, and resolves once it is synced to disk. Calls
   * are pipelined: submit the next without waiting. Later writes of one batch to the same key win.
   *
   * A full disk does not reject: the batch stays queued, in order, and is tried again until there is space
   * ({@link StorageEvents.onFull} tells). Any other failure rejects with {@link StorageFailedError}: this and every
   * later batch is lost for this process, which must stop, answer nothing more and recover by restart, because after a
   * failed sync nobody knows what is on disk.
   */
  submit(batch: readonly StorageWrite[]): Promise<void>;
  close(): Promise<void>;
}

export interface StorageEvents {
  /** True: no space, writes are stalled (or there is less than the reserve left). False: there is space again. */
  onFull(full: boolean): void;
  /** A read met a record whose checksum does not match. The node must stop and be rebuilt from its peers. */
  onCorrupt(problem: StorageCorruptError): void;
}

/** The disk failed in a way after which its content is unknown until the folder is opened anew. */
export class StorageFailedError extends Error {
  override readonly name = 'StorageFailedError';
}

/** A record, page or file is not what was written. `where` names file and key or offset. */
export class StorageCorruptError extends Error {
  override readonly name = 'StorageCorruptError';
  readonly where: string;
  constructor(message: string, where: string) {
    super(message);
    this.where = where;
  }
}

export const storageKeyBytesMax = 1_200;
