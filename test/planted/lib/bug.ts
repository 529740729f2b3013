/** What is to find a planted bug. */
export type Bench =
  /** Worlds of the simulator, from seed 1 on, until one is judged broken. */
  | { readonly kind: 'simulator' }
  /** Random networks of raft alone, from seed 0 on: faults that the whole system makes too seldom. */
  | { readonly kind: 'raft' }
  /** Unit tests: files, from the repository's folder. */
  | { readonly kind: 'tests'; readonly files: readonly string[] };

/** One place of production code, and what stands there instead. `find` occurs exactly once in the file. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A bug that is planted into a copy of the sources, to see it found. */
export interface PlantedBug {
  readonly name: string;
  /** The bug in a sentence: what the code does wrong with it. */
  readonly what: string;
  readonly edits: readonly Edit[];
  readonly bench: Bench;
}

export const simulator: Bench = { kind: 'simulator' };
export const raft: Bench = { kind: 'raft' };

export function tests(...files: string[]): Bench {
  return { kind: 'tests', files };
}

export class PatchError extends Error {
  override readonly name = 'PatchError';
}

/** `text` with the edit made. Throws {@link PatchError} unless `find` is there exactly once. */
export function plant(text: string, { file, find, replace }: Edit): string {
  const parts = text.split(find);
  if (parts.length !== 2) {
    throw new PatchError(
      `${file} has ${parts.length - 1} places like this one, not one; the planted bug must follow the code:\n${find}`,
    );
  }
  return parts.join(replace);
}
