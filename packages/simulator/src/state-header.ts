import { ByteReader } from '@skerry/base';
import { CausalContext, decodeStamp, stampToText } from '@skerry/crdt';
import type { LogPosition } from '@skerry/checkers';
import { decodeConfigState } from '@skerry/raft';

/** What the record that heads a partition's applied state says. */
export interface HeaderFacts {
  readonly applied: number;
  /** The part that all replicas share: all but where the node's own feed of changes begins. */
  readonly common: Uint8Array;
  /** How far each origin's log was applied, and from where on it is kept. */
  readonly positions: readonly LogPosition[];
  /** Changes with each re-seeding. */
  readonly reseededFor: string;
}

/** A second reading of the record, apart from the code that writes it; it breaks loudly when the layout changes. */
export function headerFacts(bytes: Uint8Array): HeaderFacts {
  const reader = new ByteReader(bytes);
  reader.u8();
  const applied = reader.varint();
  reader.varint();
  decodeConfigState(reader);
  reader.u48();
  decodeStamp(reader);
  CausalContext.decode(reader);
  for (let left = reader.count(); left > 0; left--) {
    reader.u48();
    decodeStamp(reader);
  }
  reader.u48();
  reader.u48();
  for (let left = 4; left > 0; left--) reader.varint();
  const before = reader.offset;
  reader.varint();
  const after = reader.offset;
  for (let left = reader.count(); left > 0; left--) {
    reader.text();
    reader.u48();
  }
  reader.u48();
  reader.varint();
  const positions: LogPosition[] = [];
  for (let left = reader.count(); left > 0; left--) {
    const origin = reader.u48();
    reader.text();
    const position = { origin, applied: reader.varint(), first: reader.varint() };
    positions.push(position);
    reader.varint();
    reader.varint();
    reader.bool();
    if (reader.bool()) skipPositions(reader);
  }
  for (let left = reader.count(); left > 0; left--) skipRegion(reader);
  for (let left = reader.count(); left > 0; left--) {
    reader.u48();
    reader.text();
  }
  decodeStamp(reader);
  reader.varint();
  if (reader.bool()) {
    reader.u8();
    reader.text();
    reader.u48();
    reader.varint();
    decodeStamp(reader);
  }
  const reseededFor = stampToText(decodeStamp(reader));
  skipTakenAway(reader);
  reader.varint();
  decodeStamp(reader);
  reader.end();
  const common = new Uint8Array(before + bytes.length - after);
  common.set(bytes.subarray(0, before));
  common.set(bytes.subarray(after), before);
  return { applied, common, positions, reseededFor };
}

/** A region: where it is, its nodes, whether it was evicted, and what it reported last. */
function skipRegion(reader: ByteReader): void {
  reader.text();
  for (let left = reader.count(); left > 0; left--) reader.text();
  for (let left = reader.count(); left > 0; left--) for (let fields = 4; fields > 0; fields--) reader.text();
  reader.bool();
  decodeStamp(reader);
  if (reader.bool()) decodeStamp(reader);
  if (!reader.bool()) return;
  reader.u48();
  reader.varint();
  skipPositions(reader);
}

/** How far some logs go. */
function skipPositions(reader: ByteReader): void {
  for (let left = reader.count(); left > 0; left--) {
    reader.u48();
    reader.varint();
  }
}

/** What was taken away and has not been here: dots, then by key how far increments of each replica are gone. */
function skipTakenAway(reader: ByteReader): void {
  CausalContext.decode(reader);
  for (let left = reader.count(); left > 0; left--) {
    reader.text();
    skipPositions(reader);
  }
}
