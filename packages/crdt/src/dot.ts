import { DecodeError, type ByteReader, type ByteWriter, type ReplicaId } from '@skerry/base';
import { remembering12 } from './stamp.ts';

/** Names one write for ever: the `sequence`-th write (from 1) of a replica. */
export interface Dot {
  readonly replica: ReplicaId;
  readonly sequence: number;
}

/** Least length of {@link encodeDot}; bounds what a decoder allocates. */
export const dotBytesMin = 7;

/** By replica, then by sequence. */
export function compareDots(a: Dot, b: Dot): number {
  return a.replica - b.replica || a.sequence - b.sequence;
}

export function equalDots(a: Dot, b: Dot): boolean {
  return a.sequence === b.sequence && a.replica === b.replica;
}

/** `<replica, 12 hex digits>-<sequence, decimal>`. */
export function dotToText(d: Dot): string {
  return `${replicaText(d.replica)}-${d.sequence}`;
}

const replicaText = remembering12();

/** Inverse of {@link dotToText}; null for anything else. */
export function dotFromText(text: string): Dot | null {
  const match = /^([0-9a-f]{12})-([1-9][0-9]{0,15})$/.exec(text);
  if (match === null) return null;
  const sequence = Number(match[2]);
  if (!Number.isSafeInteger(sequence)) return null;
  return { replica: Number.parseInt(match[1] as string, 16) as ReplicaId, sequence };
}

export function encodeDot(w: ByteWriter, d: Dot): void {
  w.u48(d.replica).varint(d.sequence);
}

export function decodeDot(r: ByteReader): Dot {
  const replica = r.u48() as ReplicaId;
  const sequence = r.varint();
  if (sequence === 0) throw new DecodeError('a dot sequence starts from 1');
  return { replica, sequence };
}
