import { ByteReader, ByteWriter } from '@skerry/base';
import { decodeDot, decodeOperation, encodeDot, encodeOperation, type Dot, type Operation } from '@skerry/crdt';
import { readList } from './fields.ts';

/** One operation on one key, with its final stamp: what takes effect in every region. */
export interface Effect {
  readonly key: string;
  readonly op: Operation;
}

/** One entry of a region log: what one command came to. Applied as a whole. */
export interface RegionEntry {
  readonly effects: readonly Effect[];
  /** Dots that are settled without an effect: nobody needs to wait for them. */
  readonly settled: readonly Dot[];
}

export function encodeRegionEntry(entry: RegionEntry): Uint8Array {
  return writerOf(entry).finish();
}

/** Entries as they come, then all of them as {@link encodeEntryList} gives them. */
export class EntryListWriter {
  #body: ByteWriter = new ByteWriter();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(entry: RegionEntry): void {
    writerOf(entry).finishInto(this.#body, 'bytes');
    this.#count++;
  }

  /** Begins anew. */
  take(): { readonly count: number; readonly record: Uint8Array } {
    const writer = new ByteWriter(this.#body.length + 8).varint(this.#count);
    this.#body.finishInto(writer, 'raw');
    const taken = { count: this.#count, record: writer.finish() };
    this.#body = new ByteWriter();
    this.#count = 0;
    return taken;
  }
}

function writerOf(entry: RegionEntry): ByteWriter {
  const writer = new ByteWriter(128);
  writer.varint(entry.effects.length);
  for (const { key, op } of entry.effects) {
    writer.text(key);
    encodeOperation(writer, op);
  }
  writer.varint(entry.settled.length);
  for (const dot of entry.settled) encodeDot(writer, dot);
  return writer;
}

/** Contents are views of `bytes`. */
export function decodeRegionEntry(bytes: Uint8Array): RegionEntry {
  const reader = new ByteReader(bytes);
  const effects = readList(reader, (r) => ({ key: r.text(), op: decodeOperation(r) }));
  const settled = readList(reader, decodeDot);
  reader.end();
  return { effects, settled };
}

/** Entries of a log that follow each other, as links and storage carry them. */
export function encodeEntryList(entries: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter(256);
  writer.varint(entries.length);
  for (const entry of entries) writer.bytes(entry);
  return writer.finish();
}

export function decodeEntryList(bytes: Uint8Array): Uint8Array[] {
  const reader = new ByteReader(bytes);
  const entries = readList(reader, (r) => r.bytes());
  reader.end();
  return entries;
}
