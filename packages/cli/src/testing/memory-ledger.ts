import type { ConflictPage } from '@skerry/client';
import type { ConflictRecord } from '../database.ts';

/** A ledger with the paging of a node. */
export class MemoryLedger {
  readonly #partitions = new Map<number, ConflictRecord[]>();
  /** Records of a page at most, whatever is asked for. */
  pageMax = Number.POSITIVE_INFINITY;
  /** Called after each page, before it is handed over. */
  afterPage: () => void = () => {};

  /** Numbered by itself; what is left out stands for some value or other. */
  add(record: Partial<ConflictRecord> = {}, partition = 0): ConflictRecord {
    const records = this.#partitions.get(partition) ?? [];
    const full: ConflictRecord = {
      id: `${partition}:${records.length}`,
      key: 'k',
      reason: 'superseded',
      loser: null,
      loserVersion: '1',
      loserStamp: null,
      loserRegion: null,
      winner: null,
      winnerVersion: '2',
      winnerStamp: null,
      winnerRegion: null,
      timeMs: 0,
      ...record,
    };
    this.#partitions.set(partition, [...records, full]);
    return full;
  }

  page(
    prefix: string,
    { limit, before }: { readonly limit: number; readonly before?: string },
  ): ConflictPage<Uint8Array> {
    const below =
      before === undefined
        ? null
        : new Map(before.split(',').map((part) => part.split(':').map(Number) as [number, number]));
    const heads = [...this.#partitions]
      .filter(([partition]) => below === null || below.has(partition))
      .map(([partition, records]) => ({
        partition,
        left: records
          .map((record, number) => ({ record, number }))
          .filter(
            ({ record, number }) => number < (below?.get(partition) ?? Infinity) && record.key.startsWith(prefix),
          ),
      }));
    const entries: ConflictRecord[] = [];
    while (entries.length < Math.min(limit, this.pageMax)) {
      const [newest] = heads
        .filter(({ left }) => left.length > 0)
        .sort((a, b) => (b.left.at(-1)?.record.timeMs ?? 0) - (a.left.at(-1)?.record.timeMs ?? 0));
      const next = newest?.left.pop();
      if (next === undefined) break;
      entries.push(next.record);
    }
    const rest = heads
      .filter(({ left }) => left.length > 0)
      .map(({ partition, left }) => `${partition}:${(left.at(-1)?.number ?? 0) + 1}`);
    this.afterPage();
    return { entries, next: rest.length === 0 ? null : rest.join(',') };
  }
}
