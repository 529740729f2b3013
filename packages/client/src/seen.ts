import { compareText } from '@skerry/base';

interface Seen {
  version: string;
  /** A quorum had it. Otherwise a node that answers "no such key" may only not know of it yet. */
  committed: boolean;
}

/**
 * The newest version that this client has seen or written of each key, so that local reads do not go back (I13). The keys
 * noted last are remembered, in two generations: what was not noted while the younger one filled up is forgotten.
 */
export class SeenVersions {
  /** Keys of a generation at most, so of both at least. */
  readonly #countMax: number;
  #younger: Map<string, Seen> = new Map();
  #older: Map<string, Seen> = new Map();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** An answer about `key`; `committed`: from the region's quorum, so it replaces older knowledge, deletions included. */
  note(key: string, version: string | null, committed: boolean): void {
    const young = this.#younger.get(key);
    const known = young ?? this.#older.get(key);
    if (version === null) {
      if (!committed || known?.committed !== true) return;
      this.#younger.delete(key);
      this.#older.delete(key);
      return;
    }
    if (known === undefined) {
      this.#remember(key, { version, committed });
      return;
    }
    // The usual read, of what did not change, leaves everything as it is.
    if (known.version === version) {
      known.committed ||= committed;
    } else if (compareText(known.version, version) < 0) {
      known.version = version;
      known.committed = committed;
    }
    if (young === undefined) this.#remember(key, known);
  }

  /** What was read is older than what was seen before. */
  isBehind(key: string, version: string | null): boolean {
    const known = this.#younger.get(key) ?? this.#older.get(key);
    if (known === undefined || known.version === version) return false;
    return version === null || compareText(version, known.version) < 0;
  }

  #remember(key: string, seen: Seen): void {
    if (this.#younger.size >= this.#countMax) {
      this.#older = this.#younger;
      this.#younger = new Map();
    }
    this.#younger.set(key, seen);
  }
}
