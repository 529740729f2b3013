import type { StorageRange, StorageReader, StorageRecord, StorageSource, StorageView } from '@skerry/replica';

/** EIO on a read. The production server stops at whatever its replica throws, as it does when the system ends it by SIGBUS. */
export class ReadFailure extends Error {
  override readonly name = 'ReadFailure';
}

/** What a process reads its storage through: one of the next reads may fail, also in the middle of a range. */
export class FailingReads implements StorageSource {
  readonly #source: StorageSource;
  #left: number | null = null;
  /** False while others than the process read, as the judges do. */
  isProcess = false;

  constructor(source: StorageSource) {
    this.#source = source;
  }

  /** Fails after so many more records that the process reads; null: does not. */
  failAfter(reads: number | null): void {
    this.#left = reads;
  }

  get(key: string): Uint8Array | undefined {
    this.#read();
    return this.#source.get(key);
  }

  scan(range: StorageRange): Iterable<StorageRecord> {
    return this.#scan(this.#source, range);
  }

  view(): StorageView {
    const view = this.#source.view();
    return {
      get: (key) => {
        this.#read();
        return view.get(key);
      },
      scan: (range) => this.#scan(view, range),
      close: () => view.close(),
    };
  }

  *#scan(reader: StorageReader, range: StorageRange): Iterable<StorageRecord> {
    this.#read();
    for (const record of reader.scan(range)) {
      yield record;
      this.#read();
    }
  }

  #read(): void {
    if (this.#left === null || !this.isProcess || this.#left-- > 0) return;
    this.#left = null;
    throw new ReadFailure('EIO on a read');
  }
}
