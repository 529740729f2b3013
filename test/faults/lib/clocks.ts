import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Asked of the program that comes with it, since its folder depends on the machine. */
function findLibrary(): string | null {
  const { stdout } = spawnSync('faketime', ['-f', '+1h', 'sh', '-c', 'echo $LD_PRELOAD'], { encoding: 'utf8' });
  const preloaded = (stdout ?? '').trim().split(/[\s:]+/);
  return preloaded.find((path) => path.includes('libfaketime')) ?? null;
}

const library = findLibrary();

export const hasFaketime: boolean = library !== null;

/** Wall clocks of nodes that can be set while they run. Their monotonic clocks stay right. */
export class Clocks {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** For the process of a node; nothing where there is no libfaketime. */
  env(node: string): Record<string, string> {
    if (library === null) return {};
    this.set(node, 0);
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#fileOf(node),
      // The file is read again after this many seconds.
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** Puts the clock of a node ahead of the true time, or behind it. */
  set(node: string, seconds: number): void {
    writeFileSync(this.#fileOf(node), `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }

  #fileOf(node: string): string {
    return join(this.#folder, `${node}.clock`);
  }
}
