import { assert } from '@skerry/base';
import { entryBytes } from './entry-bytes.ts';
import { EntryDeque } from './entry-deque.ts';
import { PersistQueue } from './persist-queue.ts';
import { logIndex, type Entry, type LogIndex, type LogReader, type SnapshotMeta, type Term } from './types.ts';

export interface RaftLogOptions {
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly entriesCachedBytesMax: number;
}

/**
 * The log as this node believes it to be: what is durable (read through the owner's LogReader), what was handed
 * out to persist, and what will be. Invariants:
 * 1. base <= applied <= delivered <= commit <= lastIndex
 * 2. durable <= handed <= lastIndex
 * 3. Every entry beyond `durable` is in the cache, and the reader is asked only for what lies before the cache.
 */
export class RaftLog {
  /** Outstanding persists; here, because replacing entries changes what their acknowledgements mean. */
  readonly persists: PersistQueue = new PersistQueue();
  readonly #reader: LogReader;
  readonly #cachedBytesMax: number;
  /** The log's tail: everything not durable, and recent entries before that. */
  readonly #cache: EntryDeque;
  /** The position before the first entry available, and its term. */
  #base: LogIndex;
  #baseTerm: Term;
  #handed: LogIndex;
  #durable: LogIndex;
  #commit: LogIndex;
  #delivered: LogIndex;
  #applied: LogIndex;
  /** Data handed out as committed and not yet reported as applied: (last index, bytes) per output. */
  readonly #applying = new Map<LogIndex, number>();
  #applyingBytes = 0;
  /** Received and not yet handed out to persist. */
  #snapshotNext: SnapshotMeta | null = null;
  /** A received snapshot is not durable yet; committed entries after it wait. */
  #snapshotInstalling = false;

  constructor(reader: LogReader, options: RaftLogOptions) {
    this.#reader = reader;
    this.#cachedBytesMax = options.entriesCachedBytesMax;
    this.#base = logIndex(reader.firstIndex() - 1);
    const baseTerm = this.#base === 0 ? (0 as Term) : reader.term(this.#base);
    assert(baseTerm !== undefined, 'the log reader does not know the term of its snapshot', { base: this.#base });
    this.#baseTerm = baseTerm;
    const last = logIndex(Math.max(reader.lastIndex(), this.#base));
    this.#cache = new EntryDeque(logIndex(last + 1));
    this.#handed = last;
    this.#durable = last;
    this.#applied = options.applied;
    this.#delivered = options.applied;
    this.#commit = logIndex(Math.max(options.commit, options.applied));
    assert(this.#base <= this.#applied && this.#commit <= last, 'restored log does not reach from applied to commit', {
      base: this.#base,
      applied: this.#applied,
      commit: this.#commit,
      last,
    });
  }

  get firstIndex(): LogIndex {
    return (this.#base + 1) as LogIndex;
  }

  get lastIndex(): LogIndex {
    return (this.#cache.end - 1) as LogIndex;
  }

  get lastTerm(): Term {
    return this.termAt(this.lastIndex);
  }

  get commit(): LogIndex {
    return this.#commit;
  }

  /** Entries up to here were handed out as committed. */
  get delivered(): LogIndex {
    return this.#delivered;
  }

  get applied(): LogIndex {
    return this.#applied;
  }

  get durable(): LogIndex {
    return this.#durable;
  }

  get snapshotInstalling(): boolean {
    return this.#snapshotInstalling;
  }

  /** Something is waiting to be handed out to persist. */
  get persistDue(): boolean {
    return this.#handed < this.lastIndex || this.#snapshotNext !== null;
  }

  /** Undefined: compacted, or beyond the end. */
  term(index: LogIndex): Term | undefined {
    if (index >= this.#cache.first && index < this.#cache.end) return this.#cache.at(index).term;
    if (index === this.#base) return this.#baseTerm;
    if (index < this.#base || index >= this.#cache.end) return undefined;
    return this.#reader.term(index);
  }

  /** The term at an index that must be available. */
  termAt(index: LogIndex): Term {
    const found = this.term(index);
    assert(found !== undefined, 'no term for a log index', { index, base: this.#base, end: this.#cache.end });
    return found;
  }

  /** Section 5.4.1: is a log that ends in (index, term) at least as up-to-date as this one? */
  isUpToDate(index: LogIndex, term: Term): boolean {
    const lastTerm = this.lastTerm;
    return term > lastTerm || (term === lastTerm && index >= this.lastIndex);
  }

  /**
   * The last index of `from` to `index` whose term is at most `term`; null if there is none. Terms never decrease
   * along a log, so a binary search finds it. Both sides of a rejected append use it (section 5.3, last part) to
   * skip a whole term at a time.
   */
  lastIndexAtTerm(term: Term, from: LogIndex, index: LogIndex): LogIndex | null {
    let low = from - 1;
    let high: number = index;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.termAt(middle as LogIndex) <= term) low = middle;
      else high = middle - 1;
    }
    return low < from ? null : (low as LogIndex);
  }

  /** A proposal of this node as leader. */
  append(entry: Entry): void {
    this.#cache.push(entry);
  }

  /**
   * Entries of a leader, following a position where both logs match. What is there already stays; the first
   * conflict replaces everything from there on (section 5.3).
   */
  appendFromLeader(entries: readonly Entry[]): void {
    let i = 0;
    while (i < entries.length) {
      const entry = entries[i] as Entry;
      if (this.term(entry.index) !== entry.term) break;
      i++;
    }
    if (i === entries.length) return;
    const from = (entries[i] as Entry).index;
    if (from <= this.lastIndex) this.#truncateFrom(from);
    for (; i < entries.length; i++) this.#cache.push(entries[i] as Entry);
  }

  /** Entries of `from` to `toExclusive`, at least one, cut off at `bytesMax`. */
  entries(from: LogIndex, toExclusive: LogIndex, bytesMax: number): Entry[] {
    assert(from > this.#base && from < toExclusive && toExclusive <= this.#cache.end, 'entries are not available', {
      from,
      toExclusive,
      base: this.#base,
      end: this.#cache.end,
    });
    const cachedFrom = this.#cache.first;
    if (from < cachedFrom) {
      const read = this.#reader.entries(from, Math.min(toExclusive, cachedFrom) as LogIndex, bytesMax);
      assert(read[0]?.index === from, 'the log reader lost an entry', { from, got: read[0]?.index });
      if (from + read.length < cachedFrom) return read;
      return this.#addCached(read, toExclusive, bytesMax);
    }
    const found = [this.#cache.at(from)];
    return this.#addCached(found, toExclusive, bytesMax);
  }

  /** Extends `found`, which is not empty, from the cache. */
  #addCached(found: Entry[], toExclusive: LogIndex, bytesMax: number): Entry[] {
    let bytes = 0;
    for (const entry of found) bytes += entryBytes(entry);
    for (
      let index = ((found.at(-1) as Entry).index + 1) as LogIndex;
      index < toExclusive;
      index = (index + 1) as LogIndex
    ) {
      const entry = this.#cache.at(index);
      bytes += entryBytes(entry);
      if (bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  /** Never goes back. */
  commitTo(index: LogIndex): boolean {
    if (index <= this.#commit) return false;
    assert(index <= this.lastIndex, 'committed beyond the log: was it truncated or lost?', {
      index,
      last: this.lastIndex,
    });
    this.#commit = index;
    return true;
  }

  /** True if committed entries can be handed out now. */
  deliverable(bytesMax: number): boolean {
    return (
      this.#delivered < this.#commit &&
      !this.#snapshotInstalling &&
      (this.#applyingBytes === 0 || this.#applyingBytes < bytesMax)
    );
  }

  /** Hands out the next committed entries; a config entry ends the batch. */
  deliver(bytesMax: number): Entry[] {
    if (!this.deliverable(bytesMax)) return [];
    const batch = this.entries(logIndex(this.#delivered + 1), logIndex(this.#commit + 1), bytesMax);
    const config = batch.findIndex((entry) => entry.kind === 'config');
    if (config !== -1) batch.length = config + 1;
    let bytes = 0;
    for (const entry of batch) bytes += entryBytes(entry);
    this.#delivered = (batch.at(-1) as Entry).index;
    this.#applying.set(this.#delivered, bytes);
    this.#applyingBytes += bytes;
    return batch;
  }

  /** True if a configuration change is committed and not in force yet. */
  configUndelivered(): boolean {
    let from = logIndex(this.#delivered + 1);
    while (from <= this.#commit) {
      const batch = this.entries(from, logIndex(this.#commit + 1), 1 << 20);
      if (batch.some((entry) => entry.kind === 'config')) return true;
      from = logIndex(from + batch.length);
    }
    return false;
  }

  appliedTo(index: LogIndex): void {
    assert(index <= this.#delivered, 'applied what was never handed out', { index, delivered: this.#delivered });
    if (index <= this.#applied) return;
    this.#applied = index;
    for (const [last, bytes] of this.#applying) {
      if (last > index) break;
      this.#applying.delete(last);
      this.#applyingBytes -= bytes;
    }
  }

  /** The owner removed entries up to `index`. */
  compactTo(index: LogIndex): void {
    assert(index <= this.#applied, 'compacted beyond applied', { index, applied: this.#applied });
    if (index <= this.#base) return;
    this.#baseTerm = this.termAt(index);
    this.#base = index;
    while (this.#cache.count > 0 && this.#cache.first <= index) this.#cache.shift();
  }

  /** The log becomes the snapshot and nothing after it. */
  resetTo(snapshot: SnapshotMeta): void {
    assert(snapshot.index > this.#commit, 'snapshot is behind commit', { index: snapshot.index, commit: this.#commit });
    this.persists.replacedFrom(logIndex(1));
    this.#cache.reset(logIndex(snapshot.index + 1));
    this.#base = snapshot.index;
    this.#baseTerm = snapshot.term;
    this.#handed = snapshot.index;
    this.#durable = 0 as LogIndex;
    this.#commit = snapshot.index;
    this.#delivered = snapshot.index;
    this.#applying.clear();
    this.#applyingBytes = 0;
    this.#snapshotNext = snapshot;
    this.#snapshotInstalling = true;
  }

  /** What to persist now; it counts as handed out. */
  handOut(): { entries: Entry[]; snapshot: SnapshotMeta | null } {
    const snapshot = this.#snapshotNext;
    this.#snapshotNext = null;
    const entries =
      this.#handed < this.lastIndex ? this.entries(logIndex(this.#handed + 1), this.#cache.end, Infinity) : [];
    this.#handed = this.lastIndex;
    return { entries, snapshot };
  }

  /** A persist became durable that reaches to `index`; `snapshot` if it installed the newest snapshot. */
  durableTo(index: LogIndex, snapshot: boolean): void {
    if (snapshot && index > 0) {
      this.#snapshotInstalling = false;
      this.#applied = this.#delivered;
    }
    if (index > this.#durable) this.#durable = index;
    while (this.#cache.count > 0 && this.#cache.bytes > this.#cachedBytesMax && this.#cache.first <= this.#durable)
      this.#cache.shift();
  }

  /** The owner's newest snapshot, if the log continues from it. */
  snapshot(): SnapshotMeta | null {
    const meta = this.#reader.snapshot();
    return meta === null || meta.index < this.#base ? null : meta;
  }

  #truncateFrom(index: LogIndex): void {
    assert(index > this.#commit, 'a committed entry would be replaced', { index, commit: this.#commit });
    this.persists.replacedFrom(index);
    this.#cache.truncateFrom(index);
    if (this.#handed >= index) this.#handed = (index - 1) as LogIndex;
    if (this.#durable >= index) this.#durable = (index - 1) as LogIndex;
  }
}
