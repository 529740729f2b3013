import type { CallOptions, ConflictRecord, Database } from '../database.ts';

/** Records asked for at once; a node sends fewer where they are large. */
const pageLimit = 500;

type Reading = CallOptions & { readonly before?: string };

/** All records of keys with a prefix, the newest first, page by page. */
export async function* ledgerOf(db: Database, prefix: string, options: CallOptions): AsyncGenerator<ConflictRecord> {
  let page = await db.conflicts(prefix, { ...options, limit: pageLimit });
  for (;;) {
    yield* page.entries;
    if (page.next === null) return;
    page = await db.conflicts(prefix, { ...options, limit: pageLimit, before: page.next });
  }
}

/** The record of that id; null: there is none, or none any more. */
export async function recordOf(db: Database, id: string, options: CallOptions): Promise<ConflictRecord | null> {
  const { partition, number } = parseId(id);
  const { entries } = await db.conflicts('', { ...options, limit: 1, before: `${partition}:${number + 1}` });
  return entries.find((entry) => entry.id === id) ?? null;
}

function parseId(id: string): { readonly partition: number; readonly number: number } {
  const [partition = NaN, number = NaN] = id.split(':').map(Number);
  return { partition, number };
}

/**
 * What was recorded since the last call, each record once and none left out: the ledger of each partition is numbered
 * without gaps, and the pages are read back to where the last call ended. Numbers are those of one region, so in another
 * region the follower begins anew, with what is recorded from then on.
 */
export class LedgerFollower {
  readonly #db: Database;
  readonly #prefix: string;
  /** By partition, the highest number that was taken; missing: nothing was recorded there yet. */
  #taken: Map<number, number> | null = null;
  #region: string | null = null;

  constructor(db: Database, prefix: string) {
    this.#db = db;
    this.#prefix = prefix;
  }

  /** Begins behind what is there now; without it, the first call brings that too. */
  async skip(options: CallOptions): Promise<void> {
    this.#region = this.#db.region();
    const { entries, next } = await this.#db.conflicts(this.#prefix, { ...options, limit: 1 });
    this.#taken = new Map(positionsOf(next).map(([partition, below]) => [partition, below - 1]));
    for (const { partition, number } of entries.map(({ id }) => parseId(id))) this.#taken.set(partition, number);
  }

  /** The oldest first. `movedTo`: the calls are answered by another region now. */
  async take(
    options: CallOptions,
  ): Promise<{ readonly records: readonly ConflictRecord[]; readonly movedTo: string | null }> {
    this.#region ??= this.#db.region();
    const taken = new Map(this.#taken);
    const found: ConflictRecord[] = [];
    let reading: Reading | null = options;
    while (reading !== null) {
      const { entries, next } = await this.#db.conflicts(this.#prefix, { ...reading, limit: pageLimit });
      found.push(...entries.filter(({ id }) => this.#isNew(id)));
      const left = positionsOf(next).filter(([partition, below]) => below - 1 > (this.#taken?.get(partition) ?? -1));
      reading = left.length === 0 ? null : { ...options, before: left.map((position) => position.join(':')).join(',') };
    }
    const region = this.#db.region();
    if (region !== null && region !== this.#region) {
      // Some pages may be of the one region and some of the other.
      await this.skip(options);
      return { records: [], movedTo: region };
    }
    for (const { partition, number } of found.map(({ id }) => parseId(id))) {
      taken.set(partition, Math.max(number, taken.get(partition) ?? -1));
    }
    this.#taken = taken;
    return { records: found.toReversed(), movedTo: null };
  }

  #isNew(id: string): boolean {
    const { partition, number } = parseId(id);
    return number > (this.#taken?.get(partition) ?? -1);
  }
}

/** The parts of `next`: in which partitions there is more, and below which number. */
function positionsOf(next: string | null): [partition: number, below: number][] {
  if (next === null) return [];
  return next.split(',').map((part) => {
    const { partition, number } = parseId(part);
    return [partition, number];
  });
}
