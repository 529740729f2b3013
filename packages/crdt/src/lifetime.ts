import type { ByteReader, ByteWriter } from '@skerry/base';
import { compareStamps, decodeStamp, encodeStamp, stampMax, type Stamp } from './stamp.ts';

/**
 * When a value of an observed-remove type was last written and last deleted: two grow-only maxima, so they merge.
 * They decide whether a value without content (an empty set, a disabled flag, a counter after a reset) is there and
 * empty, or deleted; any write with a later stamp, a remove of an element too, makes it exist again, empty. Content that survives a delete, because the delete had not seen it, keeps the value there.
 */
export interface Lifetime {
  readonly writtenAt: Stamp | null;
  readonly deletedAt: Stamp | null;
}

export function written(stamp: Stamp): Lifetime {
  return { writtenAt: stamp, deletedAt: null };
}

export function deleted(stamp: Stamp): Lifetime {
  return { writtenAt: null, deletedAt: stamp };
}

export function mergeLifetimes(a: Lifetime, b: Lifetime): Lifetime {
  return { writtenAt: laterOf(a.writtenAt, b.writtenAt), deletedAt: laterOf(a.deletedAt, b.deletedAt) };
}

/** True if it was written after it was deleted. */
export function outlivesDelete({ writtenAt, deletedAt }: Lifetime): boolean {
  return writtenAt !== null && (deletedAt === null || compareStamps(writtenAt, deletedAt) > 0);
}

export function encodeLifetime(w: ByteWriter, lifetime: Lifetime): void {
  encodeOptionalStamp(w, lifetime.writtenAt);
  encodeOptionalStamp(w, lifetime.deletedAt);
}

export function decodeLifetime(r: ByteReader): Lifetime {
  const writtenAt = decodeOptionalStamp(r);
  return { writtenAt, deletedAt: decodeOptionalStamp(r) };
}

export function laterOf(a: Stamp | null, b: Stamp | null): Stamp | null {
  if (a === null || b === null) return a ?? b;
  return stampMax(a, b);
}

function encodeOptionalStamp(w: ByteWriter, stamp: Stamp | null): void {
  w.bool(stamp !== null);
  if (stamp !== null) encodeStamp(w, stamp);
}

function decodeOptionalStamp(r: ByteReader): Stamp | null {
  return r.bool() ? decodeStamp(r) : null;
}
