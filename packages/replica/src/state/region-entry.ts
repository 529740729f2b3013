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
  const writer = new ByteWriter(128);
  writer.varint(entry.effects.length);
  for (const { key, op } of entry.effects) {
    writer.text(key);
    encodeOperation(writer, op);
  }
  writer.varint(entry.settled.length);
  for (const dot of entry.settled) encodeDot(writer, dot);
  return writer.finish();
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
