import { assert, replicaIdMax, type ByteReader, type ByteWriter, type ReplicaId } from '@skerry/base';

/**
 * A reading of a hybrid logical clock (Kulkarni, Demirbas et al. 2014): wall milliseconds (48 bits), a counter that
 * orders readings within one of them (16 bits), and the replica that took the reading. Totally ordered in that
 * sequence. The pair (wallMs, counter) alone already satisfies Lamport's clock condition; the replica only breaks ties.
 */
export interface Stamp {
  readonly wallMs: number;
  readonly counter: number;
  readonly replica: ReplicaId;
}

export const stampWallMsMax: number = 2 ** 48 - 1;
export const stampCounterMax: number = 2 ** 16 - 1;
/** Length of {@link encodeStamp}. */
export const stampBytes = 14;

/** Below every stamp that a clock issues. */
export const stampZero: Stamp = { wallMs: 0, counter: 0, replica: 0 as ReplicaId };

export function compareStamps(a: Stamp, b: Stamp): number {
  return a.wallMs - b.wallMs || a.counter - b.counter || a.replica - b.replica;
}

export function equalStamps(a: Stamp, b: Stamp): boolean {
  return compareStamps(a, b) === 0;
}

export function stampMax(a: Stamp, b: Stamp): Stamp {
  return compareStamps(a, b) >= 0 ? a : b;
}

/** 14 bytes, big-endian: they sort bytewise like {@link compareStamps}. */
export function encodeStamp(w: ByteWriter, s: Stamp): void {
  assert(s.wallMs >= 0 && s.wallMs <= stampWallMsMax, 'wallMs exceeds 48 bits', { wallMs: s.wallMs });
  assert(s.counter >= 0 && s.counter <= stampCounterMax, 'counter exceeds 16 bits', { counter: s.counter });
  w.u48(s.wallMs).u16(s.counter).u48(s.replica);
}

/** Every 14 bytes are a stamp. */
export function decodeStamp(r: ByteReader): Stamp {
  const wallMs = r.u48();
  const counter = r.u16();
  return { wallMs, counter, replica: r.u48() as ReplicaId };
}

/** 28 lower-case hex digits that sort like {@link compareStamps}: what users see as `version`. */
export function stampToText(s: Stamp): string {
  return wallText(s.wallMs) + hex(s.counter, 4) + replicaText(s.replica);
}

const wallText = remembering12();
const replicaText = remembering12();

/** Twelve hex digits. Stamps of one batch mostly share their millisecond and their replica, so the text of the last number is kept. */
export function remembering12(): (value: number) => string {
  let last = -1;
  let text = '';
  return (value) => {
    if (value !== last) {
      text = hex(value, 12);
      last = value;
    }
    return text;
  };
}

/** Inverse of {@link stampToText}; null for anything else. */
export function stampFromText(t: string): Stamp | null {
  if (t.length !== 2 * stampBytes) return null;
  const wallMs = hexNumber(t, 0, 12);
  const counter = hexNumber(t, 12, 16);
  const replica = hexNumber(t, 16, 28);
  return wallMs < 0 || counter < 0 || replica < 0 ? null : { wallMs, counter, replica: replica as ReplicaId };
}

/** Of lower-case digits; -1 if others are among them. Clients do this for every answer. */
function hexNumber(text: string, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) {
    const unit = text.charCodeAt(i);
    const digit = unit <= 0x39 ? unit - 0x30 : unit >= 0x61 ? unit - 0x57 : -1;
    if (digit < 0 || digit > 15) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/**
 * The reading of `replica` that follows `floor`: at `nowMs` if that is later, else the next counter of the floor's
 * millisecond. A counter that overflows carries into `wallMs`. The counter moves on even where a larger replica id
 * would suffice, so that (wallMs, counter) keeps Lamport's clock condition by itself.
 *
 * A `nowMs` with a fraction, before 1970 or past 48 bits is brought into range: a broken clock must not stop a node.
 */
export function stampAfter(floor: Stamp, nowMs: number, replica: ReplicaId): Stamp {
  assert(!Number.isNaN(nowMs) && replica >= 0 && replica <= replicaIdMax, 'bad clock reading', { nowMs, replica });
  const wallMs = Math.min(Math.max(Math.floor(nowMs), 0), stampWallMsMax);
  if (wallMs > floor.wallMs) return { wallMs, counter: 0, replica };
  if (floor.counter < stampCounterMax) return { wallMs: floor.wallMs, counter: floor.counter + 1, replica };
  // Only an unclamped stamp of a foreign clock gets here; whoever admits stamps clamps them first (clampStamp).
  assert(floor.wallMs < stampWallMsMax, 'the clock is exhausted', { wallMs: floor.wallMs, counter: floor.counter });
  return { wallMs: floor.wallMs + 1, counter: 0, replica };
}

/**
 * DESIGN 3.3: the final stamp of a write, at most `limitMs` whatever the writer's clock said, so that one write from
 * a clock in the future cannot win for ever. `floor` is the last result for the same replica (null for the first):
 * the result lies above it, which keeps the order of that replica's writes when several are clamped to one limit.
 *
 * Order beats the limit: where the floor already lies at or above the limit (65,536 clamped writes in one
 * millisecond, or a new leader whose clock is behind), the result exceeds it by what the order needs and no more.
 */
export function clampStamp(stamp: Stamp, limitMs: number, floor: Stamp | null): Stamp {
  const limit = Math.min(Math.max(Math.floor(limitMs), 0), stampWallMsMax);
  const clamped = stamp.wallMs <= limit ? stamp : { wallMs: limit, counter: 0, replica: stamp.replica };
  if (floor === null || compareStamps(clamped, floor) > 0) return clamped;
  return stampAfter(floor, 0, stamp.replica);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
