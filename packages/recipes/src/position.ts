import { ByteReader, ByteWriter, crc32, DecodeError, hashText, utf8Encode } from '@skerry/base';

/**
 * How far a log has been returned, in a form that finds the place again in a log that has grown, whose beginning has
 * been rotated away, or of which the caller holds an older copy.
 *
 * Line numbers alone break with rotation, and time stamps with two records of one second. So the position is a number
 * of records together with what they were: hashes of the first records (has the beginning gone?) and of the last
 * {@link tailMax} that were returned (where do they end now?).
 */
export interface LogPosition {
  /** Records returned so far, over all rotations. For people. */
  readonly total: number;
  /** Records before the position, in the log as the last caller saw it. */
  readonly length: number;
  /** Hash of each of the first records of the log as the last caller saw it. */
  readonly head: readonly number[];
  /** Hash of each of the last records before the position, in order. */
  readonly tail: readonly number[];
}

const headMax = 32;
/** A caller whose copy is older than this many records, across a rotation, cannot be told from one with a new log. */
export const tailMax = 512;
const formatVersion = 1;

export const positionStart: LogPosition = { total: 0, length: 0, head: [], tail: [] };

/** The records of a log, each hashed when it is first asked for. */
export class HashedLog {
  readonly records: readonly string[];
  readonly #hashes: number[] = [];

  constructor(records: readonly string[]) {
    this.records = records;
  }

  get length(): number {
    return this.records.length;
  }

  /** 53 bits of two unlike functions. */
  hashAt(index: number): number {
    const known = this.#hashes[index];
    if (known !== undefined) return known;
    const record = this.records[index] as string;
    const hash = hashText(record) * 2 ** 21 + (crc32(utf8Encode(record)) >>> 11);
    this.#hashes[index] = hash;
    return hash;
  }

  hashes(from: number, to: number): number[] {
    return Array.from({ length: Math.max(0, to - from) }, (_, i) => this.hashAt(from + i));
  }
}

/**
 * Index in `log` of the first record that was not returned before: 0 if none of them was, `log.length` if all were.
 *
 * Where the log repeats itself so exactly that several places fit (hundreds of equal records across a rotation), the
 * earliest is taken: then records may be returned twice, and none is lost. A new log is taken for an older copy as long
 * as all of its records equal the first ones of the log before it, which records with time stamps do not.
 */
export function findPosition(log: HashedLog, position: LogPosition): number {
  const { length, head, tail } = position;
  if (tail.length === 0) return 0;
  // The usual case, and a caller with an older copy: the log has only grown at its end.
  const headFits = head.slice(0, log.length).every((hash, index) => log.hashAt(index) === hash);
  if (headFits && fits(length)) return Math.min(length, log.length);

  // The beginning changed: lay the tail over every place where it shares records with the log, longest overlap first.
  let best = { end: 0, overlap: 0 };
  for (let end = 1; end < log.length + tail.length; end++) {
    const overlap = Math.min(end, log.length) - Math.max(0, end - tail.length);
    if (overlap > best.overlap && fits(end)) best = { end, overlap };
  }
  return Math.min(best.end, log.length);

  /** Whether the tail, ending before index `end`, agrees with every record that it covers. */
  function fits(end: number): boolean {
    const start = end - tail.length;
    for (let index = Math.min(end, log.length) - 1; index >= Math.max(0, start); index--) {
      if (log.hashAt(index) !== tail[index - start]) return false;
    }
    return true;
  }
}

/** The position behind the last record of `log`, of which those from `from` on are returned now. */
export function positionAfter(log: HashedLog, from: number, before: LogPosition): LogPosition {
  const fresh = log.hashes(Math.max(from, log.length - tailMax), log.length);
  return {
    total: before.total + log.length - from,
    length: log.length,
    head: log.hashes(0, Math.min(headMax, log.length)),
    tail: [...before.tail, ...fresh].slice(-tailMax),
  };
}

export function encodePosition({ total, length, head, tail }: LogPosition): Uint8Array {
  const writer = new ByteWriter(32 + 8 * (head.length + tail.length)).u8(formatVersion).varint(total).varint(length);
  for (const hashes of [head, tail]) {
    writer.varint(hashes.length);
    for (const hash of hashes) writer.u32(Math.floor(hash / 2 ** 21)).u32(hash % 2 ** 21);
  }
  return writer.finish();
}

/** Throws DecodeError on anything that {@link encodePosition} does not make. */
export function decodePosition(bytes: Uint8Array): LogPosition {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== formatVersion) throw new DecodeError(`position of format ${version}, expected ${formatVersion}`);
  const total = reader.varint();
  const length = reader.varint();
  const hashes = (): number[] => Array.from({ length: reader.count(8) }, () => reader.u32() * 2 ** 21 + reader.u32());
  const position = { total, length, head: hashes(), tail: hashes() };
  reader.end();
  return position;
}
