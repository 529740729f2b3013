import { assert } from '@skerry/base';
import type { NatsConnection } from '@nats-io/transport-node';

/** What a link to NATS may take. All are upper bounds; none may be zero. */
export interface NatsLinkLimits {
  /** Bytes of one frame or batch, also of one that arrives in parts. Larger ones are refused and counted. */
  readonly bytesMax: number;
  /** Bytes of one message; larger ones go in parts. The server's own `max_payload` bounds it too. */
  readonly partBytesMax: number;
  /** Bytes of frames handed to the connection and not yet taken by the server; beyond, frames are dropped. */
  readonly unsentBytesMax: number;
  /** Bytes of own entries that wait for the log; beyond, batches are dropped. */
  readonly publishQueueBytesMax: number;
  /** Messages sent to the log and not yet acknowledged. */
  readonly publishWindowMax: number;
  /** Messages asked of the log ahead of what has come. */
  readonly readWindowMax: number;
  /** The stream of this region: older messages go when it grows beyond. */
  readonly streamBytesMax: number;
  /** The stream of this region: older messages go. */
  readonly streamAgeMsMax: number;
  /** How long the stream knows a message again. */
  readonly duplicateWindowMs: number;
  /** Copies of this region's stream inside its NATS cluster: 1, or 3 or 5 on as many servers. */
  readonly streamReplicas: number;
}

const mib = 1024 * 1024;

export const defaultNatsLinkLimits: NatsLinkLimits = {
  bytesMax: 64 * mib,
  partBytesMax: mib / 2,
  unsentBytesMax: 16 * mib,
  publishQueueBytesMax: 64 * mib,
  publishWindowMax: 64,
  readWindowMax: 64,
  streamBytesMax: 1024 * mib,
  streamAgeMsMax: 24 * 60 * 60 * 1000,
  duplicateWindowMs: 2 * 60 * 1000,
  streamReplicas: 1,
};

export interface NatsLinkTiming {
  /** Between two pings of a region. */
  readonly pingMs: number;
  /** A ping is given up after it. */
  readonly pingTimeoutMs: number;
  /** So many pings in a row unanswered: the region is down. */
  readonly pingsMissedMax: number;
  /** Between checks that a reader has what its log holds. */
  readonly auditMs: number;
  /** Requests to the broker, its acknowledgements included. */
  readonly requestTimeoutMs: number;
  /** Pauses before something is tried again: the first, and the longest. */
  readonly retryMsMin: number;
  readonly retryMsMax: number;
}

export const defaultNatsLinkTiming: NatsLinkTiming = {
  pingMs: 500,
  pingTimeoutMs: 1000,
  pingsMissedMax: 3,
  auditMs: 2000,
  requestTimeoutMs: 3000,
  retryMsMin: 100,
  retryMsMax: 3000,
};

/** Subject and headers count as payload, too. */
const partOverheadBytes = 2048;

/** What one message may hold on this connection, in bytes. */
export function partBytesOf(connection: NatsConnection, limits: NatsLinkLimits): number {
  const payloadBytesMax = connection.info?.max_payload ?? Infinity;
  return Math.max(1, Math.min(limits.partBytesMax, payloadBytesMax - partOverheadBytes));
}

export function checkLimits(limits: NatsLinkLimits): void {
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isSafeInteger(value) && value > 0, 'a limit of the link is not a positive integer', { name, value });
  }
  const { partBytesMax, bytesMax, unsentBytesMax, publishQueueBytesMax } = limits;
  assert(partBytesMax <= bytesMax && bytesMax >= 1, 'parts larger than the whole', { partBytesMax, bytesMax });
  assert(partBytesMax <= unsentBytesMax, 'a part never fits', { partBytesMax, unsentBytesMax });
  assert(partBytesMax <= publishQueueBytesMax, 'a part never fits', { partBytesMax, publishQueueBytesMax });
}
