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
  readonly pollMs: number;
  /** Called after each look at the disk. */
  readonly onFree: (freeBytes: number) => void;
}

/** Looks at the free space now and then, off the event loop, without keeping the process alive. */
export class SpaceWatch {
  readonly #options: SpaceWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #looking = false;
  #closed = false;

  constructor(options: SpaceWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), options.pollMs);
    this.#timer.unref();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#looking) return; // A hung disk may not answer; one question is enough.
    this.#looking = true;
    // Where the file system does not tell, the commit that meets a full disk notices it.
    const space = await statfs(this.#options.folder).catch(() => null);
    this.#looking = false;
    if (space !== null && !this.#closed) this.#options.onFree(space.bavail * space.bsize);
  }
}
