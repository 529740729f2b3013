import { compareText } from '@skerry/base';

interface Seen {
  readonly version: string;
  /** A quorum had it. Otherwise a node that answers "no such key" may only not know of it yet. */
  readonly committed: boolean;
}

/** The newest version that this client has seen or written of each key, so that local reads do not go back (I13). */
export class SeenVersions {
  readonly #keys = new Map<string, Seen>();
  readonly #countMax: number;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** An answer about `key`; `committed`: from the region's quorum, so it replaces older knowledge, deletions included. */
  note(key: string, version: string | null, committed: boolean): void {
    const known = this.#keys.get(key);
    if (version === null) {
      if (committed && known?.committed === true) this.#keys.delete(key);
      return;
    }
    if (known !== undefined && compareText(known.version, version) > 0) return;
    this.#keys.delete(key);
    this.#keys.set(key, { version, committed });
    if (this.#keys.size <= this.#countMax) return;
    const [oldest] = this.#keys.keys();
    if (oldest !== undefined) this.#keys.delete(oldest);
  }

  /** What was read is older than what was seen before. */
  isBehind(key: string, version: string | null): boolean {
    const known = this.#keys.get(key);
    if (known === undefined) return false;
    return version === null || compareText(version, known.version) < 0;
  }
}
