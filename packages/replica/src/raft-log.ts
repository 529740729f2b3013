import { assert, ByteReader, ByteWriter, crc32, type PartitionId } from '@skerry/base';
import {
  decodeEntry,
  decodeHardState,
  encodeEntry,
  encodeHardState,
  logIndex,
  term,
  type Entry,
  type HardState,
  type LogIndex,
  type LogReader,
  type SnapshotMeta,
  type Term,
} from '@skerry/raft';
import { raftKeys, type RaftKeys } from './keys.ts';
import { StorageCorruptError } from './ports/storage.ts';
import type { StagedStore } from './staged-store.ts';

/** Where the log starts: the last entry that is not in it any more. */
interface Base {
  readonly index: number;
  readonly term: number;
  /** Hash chain up to that entry. */
  readonly chain: number;
}

/**
 * Raft's log in storage. Each record carries a CRC-32 that continues that of the record before it, so that a record
 * which is rotten, missing or of an older life of its index breaks the chain. A broken chain is never cut off here: the
 * entries behind it may be committed, and only the node's peers still know them.
 */
export class RaftLog implements LogReader {
  readonly #store: StagedStore;
  readonly #keys: RaftKeys;
  readonly #newestSnapshot: () => SnapshotMeta | null;
  #base: Base;
  /** Chain and length in bytes of each entry from `base.index + 1` on. */
  #chains: number[] = [];
  #sizes: number[] = [];
  #terms: number[] = [];
  /** Entries before this offset of the arrays were compacted; they are cut off now and then. */
  #head = 0;
  #bytes = 0;

  /** Verifies the whole log. `initial` is where the log of a new node starts. */
  constructor(
    store: StagedStore,
    partition: PartitionId,
    {
      initial,
      newestSnapshot,
    }: { initial: { index: number; term: number }; newestSnapshot: () => SnapshotMeta | null },
  ) {
    this.#store = store;
    this.#keys = raftKeys(partition);
    this.#newestSnapshot = newestSnapshot;
    const record = store.get(this.#keys.log);
    this.#base = record === undefined ? { ...initial, chain: 0 } : decodeBase(record);
    this.#verify();
  }

  hardState(): HardState | null {
    const record = this.#store.get(this.#keys.hard);
    return record === undefined ? null : decodeHardState(new ByteReader(record));
  }

  putHardState(state: HardState): void {
    const writer = new ByteWriter(64);
    encodeHardState(writer, state);
    this.#store.put(this.#keys.hard, writer.finish());
  }

  firstIndex(): LogIndex {
    return logIndex(this.#base.index + 1);
  }

  lastIndex(): LogIndex {
    return logIndex(this.#base.index + this.#terms.length - this.#head);
  }

  get bytes(): number {
    return this.#bytes;
  }

  term(index: LogIndex): Term | undefined {
    if (index === this.#base.index) return term(this.#base.term);
    const found = this.#terms[this.#offset(index)];
    return index < this.#base.index || found === undefined ? undefined : term(found);
  }

  entries(from: LogIndex, toExclusive: LogIndex, bytesMax: number): Entry[] {
    assert(from >= this.firstIndex(), 'asked for a compacted entry', { from, first: this.firstIndex() });
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = from as number; index < toExclusive && index <= this.lastIndex(); index++) {
      const entry = this.#read(index);
      bytes += entry.data.length;
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  /** The entry, which must be there. */
  entry(index: LogIndex): Entry {
    assert(index >= this.firstIndex() && index <= this.lastIndex(), 'asked for an entry that is not in the log', {
      index,
    });
    return this.#read(index);
  }

  snapshot(): SnapshotMeta | null {
    return this.#newestSnapshot();
  }

  /** Writes entries; whatever stood from the first of them on is replaced. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(first.index > this.#base.index && first.index <= this.lastIndex() + 1, 'appended entries join the log', {
      index: first.index,
      last: this.lastIndex(),
    });
    const last = this.lastIndex();
    const cut = this.#offset(first.index);
    for (let offset = cut; offset < this.#sizes.length; offset++) this.#bytes -= this.#sizes[offset] as number;
    this.#chains.length = cut;
    this.#sizes.length = cut;
    this.#terms.length = cut;
    let chain = cut === this.#head ? this.#base.chain : (this.#chains[cut - 1] as number);
    for (const entry of entries) {
      const writer = new ByteWriter(entry.data.length + 32);
      encodeEntry(writer, entry);
      const body = writer.finish();
      chain = crc32(body, chain);
      this.#store.put(this.#keys.entry(entry.index), new ByteWriter(body.length + 4).u32(chain).raw(body).finish());
      this.#push(entry.term, chain, body.length);
    }
    for (let index = this.lastIndex() + 1; index <= last; index++) this.#store.delete(this.#keys.entry(index));
  }

  /** Drops entries up to and including `index`. */
  compact(index: LogIndex): void {
    if (index <= this.#base.index) return;
    assert(index <= this.lastIndex(), 'compaction beyond the log', { index, last: this.lastIndex() });
    const offset = this.#offset(index);
    const base = { index, term: this.#terms[offset] as number, chain: this.#chains[offset] as number };
    for (let gone = this.#base.index + 1; gone <= index; gone++) this.#store.delete(this.#keys.entry(gone));
    for (let i = this.#head; i <= offset; i++) this.#bytes -= this.#sizes[i] as number;
    this.#head = offset + 1;
    this.#setBase(base);
    if (this.#head < 4_096 || this.#head < this.#terms.length / 2) return;
    for (const list of [this.#terms, this.#chains, this.#sizes]) list.splice(0, this.#head);
    this.#head = 0;
  }

  /** The log starts anew behind an installed snapshot. */
  reset(meta: SnapshotMeta): void {
    for (let gone = this.#base.index + 1; gone <= this.lastIndex(); gone++) this.#store.delete(this.#keys.entry(gone));
    this.#terms = [];
    this.#chains = [];
    this.#sizes = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#setBase({ index: meta.index, term: meta.term, chain: 0 });
  }

  #setBase(base: Base): void {
    this.#base = base;
    this.#store.put(this.#keys.log, new ByteWriter(24).varint(base.index).varint(base.term).u32(base.chain).finish());
  }

  #offset(index: number): number {
    return this.#head + index - this.#base.index - 1;
  }

  #push(entryTerm: number, chain: number, size: number): void {
    this.#terms.push(entryTerm);
    this.#chains.push(chain);
    this.#sizes.push(size);
    this.#bytes += size;
  }

  #read(index: number): Entry {
    const record = this.#store.get(this.#keys.entry(index));
    if (record === undefined) throw this.#corrupt(index, 'is missing');
    return decodeEntry(new ByteReader(record.slice(4)));
  }

  #verify(): void {
    let index = this.#base.index;
    let chain = this.#base.chain;
    for (const { key, value } of this.#store.scan({ from: this.#keys.entry(index + 1), to: this.#keys.entriesTo })) {
      index++;
      if (key !== this.#keys.entry(index)) throw this.#corrupt(index, 'is missing');
      const reader = new ByteReader(value);
      const stored = reader.u32();
      const body = reader.raw(reader.remaining);
      chain = crc32(body, chain);
      if (stored !== chain) throw this.#corrupt(index, 'breaks the hash chain');
      this.#push(decodeEntry(new ByteReader(body)).term, chain, body.length);
    }
  }

  #corrupt(index: number, what: string): StorageCorruptError {
    return new StorageCorruptError(`log entry ${index} ${what}`, this.#keys.entry(index));
  }
}

function decodeBase(bytes: Uint8Array): Base {
  const reader = new ByteReader(bytes);
  return { index: reader.varint(), term: reader.varint(), chain: reader.u32() };
}
