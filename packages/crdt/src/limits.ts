/** Bounds on one key's value. They are checked when a write is prepared; a merge never fails for a limit. */
export interface ValueLimits {
  /** Bytes of all content of a value: a register, all siblings, all elements, all chunks of a document. */
  readonly valueBytesMax: number;
  /** Concurrent values of a multi-value register; a write beyond it evicts those with the lowest stamps. */
  readonly siblingsMax: number;
  /** Increments of a counter that are kept one by one because no prefix holds them yet (see `compactValue`). */
  readonly unfoldedIncrementsMax: number;
  /** Ranges of dots in a causal context (see `compactValue`). */
  readonly contextRangesMax: number;
  /** Chunks of a document between compactions. */
  readonly documentChunksMax: number;
  /** Automerge operations in a document's history: what it costs to load, whatever its size (automerge #705). */
  readonly documentOperationsMax: number;
}

export const defaultLimits: ValueLimits = {
  valueBytesMax: 512 * 1024,
  siblingsMax: 16,
  unfoldedIncrementsMax: 4096,
  contextRangesMax: 4096,
  documentChunksMax: 1024,
  documentOperationsMax: 100_000,
};

/** A write would exceed a limit. An operating failure: the write is refused and leaves no trace. */
export class LimitError extends Error {
  override readonly name = 'LimitError';
  readonly limit: keyof ValueLimits;

  constructor(limit: keyof ValueLimits, actual: number, max: number) {
    super(`${limit}: ${actual} exceeds ${max}`);
    this.limit = limit;
  }
}

/** Throws {@link LimitError} if `actual` exceeds the limit. */
export function checkLimit(limits: ValueLimits, limit: keyof ValueLimits, actual: number): void {
  if (actual > limits[limit]) throw new LimitError(limit, actual, limits[limit]);
}
