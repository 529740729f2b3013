import type { Now, Replica } from '@skerry/replica';

/** What the server needs of a replica; tests put a scripted one in its place. */
export type ReplicaLike = Pick<
  Replica,
  | 'request'
  | 'cancel'
  | 'watchReady'
  | 'receive'
  | 'peerUp'
  | 'peerDown'
  | 'receiveFrame'
  | 'receiveEntries'
  | 'published'
  | 'regionUp'
  | 'regionDown'
  | 'restTicks'
  | 'tick'
  | 'durable'
  | 'setStorageFull'
  | 'flush'
  | 'clusterNowMs'
  | 'seen'
  | 'regions'
  | 'conflictCounts'
  | 'status'
  | 'metrics'
  | 'prepareStop'
>;

/** Reads both clocks. */
export type ReadClocks = () => Now;

export function readClocks(): Now {
  return { wallMs: Date.now(), monoMs: performance.now() };
}
