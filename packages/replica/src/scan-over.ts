import { compareText } from '@skerry/base';
import type { StorageRange, StorageReader, StorageRecord } from './ports/storage.ts';

/**
 * The records of `under` in a range, overlaid: of each of the keys in `over`, which are those of the range in order, counts
 * what `valueOf` says (null: it is deleted). Lazy: `valueOf` is asked when its key's turn has come.
 */
export function* scanOver(
  under: Pick<StorageReader, 'scan'>,
  range: StorageRange,
  over: readonly string[],
  valueOf: (key: string) => Uint8Array | null,
): Iterable<StorageRecord> {
  if (over.length === 0) {
    yield* under.scan(range);
    return;
  }
  const { from, to, limit = Number.POSITIVE_INFINITY, reverse = false } = range;
  const sign = reverse ? -1 : 1;
  const keys = reverse ? over.toReversed() : over;
  let count = 0;
  let at = 0;
  for (const record of under.scan({ from, to, reverse })) {
    while (at < keys.length && sign * compareText(keys[at] as string, record.key) < 0) {
      const key = keys[at++] as string;
      const value = valueOf(key);
      if (value === null) continue;
      if (count++ >= limit) return;
      yield { key, value };
    }
    if (count >= limit) return;
    if (at < keys.length && keys[at] === record.key) continue;
    count++;
    yield record;
  }
  for (; at < keys.length && count < limit; at++) {
    const key = keys[at] as string;
    const value = valueOf(key);
    if (value === null) continue;
    count++;
    yield { key, value };
  }
}
