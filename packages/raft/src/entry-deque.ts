import { assert } from '@skerry/base';
import { entryBytes } from './entry-bytes.ts';
import { logIndex, type Entry, type LogIndex } from './types.ts';

/** Entries of consecutive indexes, in a ring, so that both ends grow and shrink without moving the rest. */
export class EntryDeque {
  #ring: (Entry | undefined)[] = Array.from({ length: 64 });
  /** Where in the ring the entry `#first` is. */
  #head = 0;
  #count = 0;
  /** Index of the first entry; with no entries, of the next one pushed. */
  #first: LogIndex;
  #bytes = 0;

  constructor(first: LogIndex) {
    this.#first = first;
  }

  get first(): LogIndex {
    return this.#first;
  }

  /** One past the last entry. */
  get end(): LogIndex {
    return (this.#first + this.#count) as LogIndex;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The entry at `index`, which must be in `first` to `end - 1`. */
  at(index: LogIndex): Entry {
    const offset = index - this.#first;
    assert(offset >= 0 && offset < this.#count, 'entry is not cached', {
      index,
      first: this.#first,
      count: this.#count,
    });
    return this.#ring[(this.#head + offset) & (this.#ring.length - 1)] as Entry;
  }

  push(entry: Entry): void {
    assert(entry.index === this.end, 'entries must be dense', { index: entry.index, end: this.end });
    if (this.#count === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#count) & (this.#ring.length - 1)] = entry;
    this.#count++;
    this.#bytes += entryBytes(entry);
  }

  shift(): void {
    assert(this.#count > 0, 'shift of an empty deque');
    const entry = this.#ring[this.#head] as Entry;
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#first = logIndex(this.#first + 1);
    this.#count--;
    this.#bytes -= entryBytes(entry);
  }

  /** Drops everything from `index` on. An `index` before the first entry moves the deque there. */
  truncateFrom(index: LogIndex): void {
    if (index <= this.#first) {
      this.reset(index);
      return;
    }
    while (this.end > index) {
      this.#count--;
      const at = (this.#head + this.#count) & (this.#ring.length - 1);
      this.#bytes -= entryBytes(this.#ring[at] as Entry);
      this.#ring[at] = undefined;
    }
  }

  /** Drops everything; the next entry pushed is `first`. */
  reset(first: LogIndex): void {
    this.#ring = Array.from({ length: 64 });
    this.#head = 0;
    this.#count = 0;
    this.#bytes = 0;
    this.#first = first;
  }

  #grow(): void {
    const size = this.#ring.length;
    const grown: (Entry | undefined)[] = Array.from({ length: size * 2 });
    for (let i = 0; i < size; i++) grown[i] = this.#ring[(this.#head + i) & (size - 1)];
    this.#ring = grown;
    this.#head = 0;
  }
}
