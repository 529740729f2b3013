import type { PartitionId, RegionId } from '@skerry/base';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { LogBatch, LogOrigin } from '@skerry/replica';
import { originHex } from '../names.ts';
import type { Part } from '../parts.ts';

/** One message of a log: what its headers say. Entry numbers are decimal, the origin twelve hex digits. */
export interface LogHeader {
  readonly first: number;
  readonly last: number;
  readonly offset: number;
  readonly total: number;
}

const firstName = 'Skerry-First';
const lastName = 'Skerry-Last';
const originName = 'Skerry-Origin';
/** `offset/total` in bytes; absent when the message holds the whole batch. */
const partName = 'Skerry-Part';

export function logHeaders(batch: LogBatch, part: Part): MsgHdrs {
  const made = headers();
  made.set(firstName, String(batch.first));
  made.set(lastName, String(batch.last));
  made.set(originName, originHex(batch.origin));
  if (part.bytes.length !== part.total) made.set(partName, `${part.offset}/${part.total}`);
  return made;
}

/** By this the stream knows a message again. The same for an old and a new leader that publish the same range. */
export function messageId(batch: LogBatch, part: Part): string {
  const range = `${originHex(batch.origin)}-${batch.partition}-${batch.first}-${batch.last}`;
  return `${range}-${part.offset}-${part.bytes.length}-${part.total}`;
}

/** null: not a message of that log. */
export function readLogHeader(found: MsgHdrs | undefined, bytes: number, origin: LogOrigin): LogHeader | null {
  if (found === undefined || found.get(originName) !== originHex(origin.origin)) return null;
  const first = decimal(found.get(firstName));
  const last = decimal(found.get(lastName));
  if (first === null || last === null || first < 1 || last < first) return null;
  if (!found.has(partName)) return { first, last, offset: 0, total: bytes };
  const [offset = null, total = null] = found.get(partName).split('/').map(decimal);
  return offset === null || total === null ? null : { first, last, offset, total };
}

function decimal(text: string): number | null {
  const value = Number(text);
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(value) ? value : null;
}

/** Where a log lies: one subject in the stream of its region. */
export interface LogAddress extends LogOrigin {
  readonly partition: PartitionId;
  readonly region: RegionId;
}

export function addressKey({ region, partition, origin }: LogAddress): string {
  return `${partition} ${originHex(origin)} ${region}`;
}
