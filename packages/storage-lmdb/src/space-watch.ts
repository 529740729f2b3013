import { statfsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

/** Free bytes that this user may fill on the file system of `path`; null where the system does not tell. */
export function freeBytes(path: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return null;
  }
}

export interface SpaceWatchOptions {
  readonly folder: string;
  /** Below this many free bytes the disk counts as nearly full. */
  readonly reserveBytes: number;
  readonly pollMs: number;
  /** Called after each look at the disk. */
  readonly onFree: (freeBytes: number) => void;
}

/** Looks at the free space now and then, off the event loop, without keeping the process alive. */
export class SpaceWatch {
  readonly #options: SpaceWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #looking = false;

  constructor(options: SpaceWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), options.pollMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#looking) return; // A hung disk may not answer; one question is enough.
    this.#looking = true;
    try {
      const { bavail, bsize } = await statfs(this.#options.folder);
      this.#options.onFree(bavail * bsize);
    } catch {
      // The file system does not tell; a full disk is then noticed by the commit that meets it.
    } finally {
      this.#looking = false;
    }
  }
}
