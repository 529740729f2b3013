import { compareText } from '@skerry/base';
import type { View } from '@skerry/client';
import type { Database, ListPage } from '../database.ts';
import { CliError, exitCode } from '../exit-code.ts';

export type Entry = ListPage['entries'][number];

/** Keys asked of a node at once; the node sends fewer where values are large. */
const pageLimit = 1_000;
/** For one page of one node: its disk may be slow, but it needs nobody else. */
export const callTimeoutMs = 5_000;

/** The local view of one node, in key order, a page ahead of its reader. */
export class EntryReader {
  readonly #db: Database;
  readonly #signal: AbortSignal;
  #page: readonly Entry[] = [];
  #at = 0;
  #ahead: Promise<ListPage> | null = null;
  #after: string | null = '';
  /** Why {@link fill} failed, if it did. */
  failure: unknown = null;

  constructor(db: Database, signal: AbortSignal) {
    this.#db = db;
    this.#signal = signal;
    this.#askAhead();
  }

  /** The entry to look at; undefined: read on with {@link fill}, or all is read. */
  get head(): Entry | undefined {
    return this.#page[this.#at];
  }

  get isAtEnd(): boolean {
    return this.head === undefined && this.#ahead === null;
  }

  advance(): void {
    this.#at++;
  }

  /** Takes the next page in, if the present one is used up. */
  async fill(): Promise<void> {
    try {
      await this.#fill();
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  async #fill(): Promise<void> {
    while (this.head === undefined && this.#ahead !== null) {
      const { entries, next, timeout } = await this.#ahead;
      this.#ahead = null;
      if (timeout) throw new CliError('a page did not come in time', exitCode.timeout);
      this.#page = entries;
      this.#at = 0;
      this.#after = next;
      this.#askAhead();
    }
  }

  #askAhead(): void {
    if (this.#after === null) return;
    const call = {
      blocking: false,
      timeoutMs: callTimeoutMs,
      signal: this.#signal,
      consistent: false,
      keysOnly: false,
    };
    this.#ahead = this.#db.list('', { ...call, after: this.#after, limit: pageLimit });
    // Awaited in `fill`, unless another node fails before.
    this.#ahead.catch(() => {});
  }
}

/**
 * Walks all readers in step, one page of each in memory, and reports every key that is not the same in all of them.
 * Answers the number of keys. `onPage` is told now and then how far it has come.
 */
export async function compareReaders(
  readers: readonly EntryReader[],
  onDiffering: (key: string) => void,
  onPage: (keyCount: number) => void,
): Promise<number> {
  let keyCount = 0;
  for (;;) {
    await Promise.all(readers.map((reader) => reader.fill()));
    const open = readers.filter((reader) => !reader.isAtEnd);
    if (open.length === 0) return keyCount;
    while (open.every(({ head }) => head !== undefined)) {
      const key = lowestKey(open);
      let isSame = open.length === readers.length;
      const first = open[0]?.head;
      for (const reader of open) {
        const { head } = reader;
        if (head?.key !== key) isSame = false;
        else {
          isSame &&= first !== undefined && sameEntry(first, head);
          reader.advance();
        }
      }
      keyCount++;
      if (!isSame) onDiffering(key);
    }
    onPage(keyCount);
  }
}

function lowestKey(readers: readonly EntryReader[]): string {
  let lowest = readers[0]?.head?.key ?? '';
  for (const { head } of readers)
    if (head !== undefined && head.key !== lowest && compareText(head.key, lowest) < 0) lowest = head.key;
  return lowest;
}

/** One key as one node has it; null: it has none. */
export async function readEntry(db: Database, key: string, signal: AbortSignal): Promise<Entry | null> {
  const call = { blocking: false, timeoutMs: callTimeoutMs, signal, consistent: false, keysOnly: false };
  // Of all keys with this prefix, the key itself is the first.
  const { entries, timeout } = await db.list(key, { ...call, after: '', limit: 1 });
  if (timeout) throw new CliError('an entry did not come in time', exitCode.timeout);
  const [entry] = entries;
  return entry === undefined || entry.key !== key ? null : entry;
}

/** The same version and the same value: replicas that agree have both. */
export function sameEntry(a: Entry | null, b: Entry | null): boolean {
  if (a === null || b === null) return a === b;
  return a.version === b.version && sameBytes(a.value, b.value) && sameView(a.view, b.view);
}

function sameView(a: View<Uint8Array> | undefined, b: View<Uint8Array> | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  switch (a.type) {
    case 'register':
      return b.type === 'register' && sameBytes(a.value, b.value);
    case 'multiRegister':
      return b.type === 'multiRegister' && a.context === b.context && sameLists(a.values, b.values);
    case 'counter':
      return b.type === 'counter' && a.total === b.total;
    case 'set':
      return b.type === 'set' && sameLists(a.elements, b.elements);
    case 'flag':
      return b.type === 'flag' && a.enabled === b.enabled;
    case 'document':
      return b.type === 'document' && sameLists(a.chunks, b.chunks);
  }
}

function sameLists(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((bytes, i) => sameBytes(bytes, b[i] ?? null));
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
}
