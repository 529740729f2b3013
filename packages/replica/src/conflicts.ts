import type { Partition } from './partition.ts';
import type { Answer, ConflictEntry, ReadOperation } from './requests.ts';
import { conflictEntry, decodeConflict } from './state/ledger.ts';
import type { ConflictCount } from './state/losers.ts';
import { viewBytes } from './view.ts';

/** Values in one page: a page is one message. */
const pageBytes = 1_024 * 1_024;

type ConflictsOperation = Extract<ReadOperation, { kind: 'conflicts' }>;

/** The conflict ledgers of all partitions as this node has applied them, page by page, and what was recorded since its start. */
export class Conflicts {
  readonly #partitions: readonly Partition[];
  readonly #counts: Map<string, { count: number; readonly conflict: ConflictCount }> = new Map();

  constructor(partitions: readonly Partition[]) {
    this.#partitions = partitions;
  }

  count(conflict: ConflictCount): void {
    const name = `${conflict.reason} ${conflict.loserRegion} ${conflict.winnerRegion}`;
    const known = this.#counts.get(name);
    if (known === undefined) this.#counts.set(name, { count: 1, conflict });
    else known.count++;
  }

  /** By reason and pair of regions. */
  counts(): {
    readonly reason: string;
    readonly loserRegion: string;
    readonly winnerRegion: string;
    readonly count: number;
  }[] {
    return Array.from(this.#counts.values(), ({ count, conflict }) => ({
      reason: conflict.reason,
      loserRegion: conflict.loserRegion ?? '',
      winnerRegion: conflict.winnerRegion ?? '',
      count,
    }));
  }

  /**
   * Newest first, and of each partition in falling order of its numbers without gaps, also where clocks went backwards: so
   * `next` tells exactly what is left.
   */
  page({ prefix, limit, before }: ConflictsOperation): Answer {
    const from = before === undefined ? null : positionsOf(before);
    if (before !== undefined && from === null)
      return { kind: 'error', code: 'BAD_REQUEST', detail: 'before is PARTITION:NUMBER, separated by commas' };
    const heads = this.#partitions
      .filter(({ id }) => from === null || from.has(id))
      .map((partition) => new LedgerReader(partition, prefix, from?.get(partition.id) ?? Number.MAX_SAFE_INTEGER));
    const entries: ConflictEntry[] = [];
    let bytes = 0;
    while (entries.length < limit && bytes < pageBytes) {
      const newest = heads.reduce<LedgerReader | null>(
        (best, one) => (one.head !== null && one.head.timeMs > (best?.head?.timeMs ?? -1) ? one : best),
        null,
      );
      if (newest === null || newest.head === null) break;
      entries.push(newest.head);
      bytes += newest.head.key.length + viewBytes(newest.head.loser) + viewBytes(newest.head.winner);
      newest.advance();
    }
    const left = heads.flatMap(({ partition, head, number }) =>
      head === null ? [] : [`${partition.id}:${number + 1}`],
    );
    return { kind: 'conflicts', entries, next: left.length === 0 ? null : left.join(',') };
  }
}

/** One partition's records from the newest on. */
class LedgerReader {
  readonly partition: Partition;
  head: ConflictEntry | null = null;
  /** Of `head`. */
  number = 0;
  readonly #prefix: string;
  readonly #records: Iterator<{ readonly number: number; readonly record: Uint8Array }>;

  constructor(partition: Partition, prefix: string, below: number) {
    this.partition = partition;
    this.#prefix = prefix;
    this.#records = partition.state.conflictsBelow(below)[Symbol.iterator]();
    this.advance();
  }

  advance(): void {
    for (let next = this.#records.next(); next.done !== true; next = this.#records.next()) {
      const { number, record } = next.value;
      const conflict = decodeConflict(record);
      if (!conflict.key.startsWith(this.#prefix)) continue;
      this.head = conflictEntry(conflict, this.partition.id, number);
      this.number = number;
      return;
    }
    this.head = null;
  }
}

/** Below which number to read each partition; null: malformed. */
function positionsOf(text: string): Map<number, number> | null {
  const positions = new Map<number, number>();
  for (const part of text.split(',')) {
    const match = /^(\d{1,5}):(\d{1,15})$/.exec(part);
    if (match === null) return null;
    positions.set(Number(match[1]), Number(match[2]));
  }
  return positions;
}
