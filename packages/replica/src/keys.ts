import type { ClientId, NodeId, PartitionId, ReplicaId } from '@skerry/base';

/**
 * Layout of the storage's key space. Partition numbers are 4, indices and times 12 hex digits, so that they sort.
 *
 * | key | record |
 * | --- | --- |
 * | `m/node` | last dot and stamp of this replica |
 * | `r/P/hard`, `r/P/log`, `r/P/gen` | raft's hard state; the point up to which the log was compacted; the active generation |
 * | `l/P/INDEX` | log entry with its hash chain |
 * | `w/P/NUMBER` | pending writes that this node got in one turn |
 * | `s/P/G/…` | applied state, generation G: `h` header, `k/KEY` value, `c/CLIENT` session, `c/CLIENT/SEQ` result, `x/TIME/CLIENT` and `z/TIME/CLIENT` sessions by activity, `e/LEASE` lease, `y/TIME/LEASE` lease expiry, `q/LEASE/KEY` key on a lease, `t/PAGE` receipts, `a/REPLICA/SEQ` copy of a retried write, `o/SEQ` conflict, `n/NODE` member, `f/INDEX` feed, `g/ORIGIN/SEQ` region log, `v/ORIGIN/SEQ/KEY` tombstones by the entry that made them, `b/PAGE` digests, `d/KEY` deletes that are forgotten while a region is out |
 * | `j/NUMBER` | run: changes of the applied state that are not in their place yet, see `runs.ts` |
 *
 * A snapshot is received into the other generation and becomes the state by one write of `r/P/gen`.
 */
export const nodeRecordKey = 'm/node';

export function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

export const runsFrom = 'j/';
export const runsTo = 'j0';

export function runKey(number: number): string {
  return `${runsFrom}${hex(number, 12)}`;
}

export interface RaftKeys {
  readonly hard: string;
  readonly log: string;
  readonly generation: string;
  readonly entry: (index: number) => string;
  readonly entriesFrom: string;
  readonly entriesTo: string;
}

export function raftKeys(partition: PartitionId): RaftKeys {
  const p = hex(partition, 4);
  return {
    hard: `r/${p}/hard`,
    log: `r/${p}/log`,
    generation: `r/${p}/gen`,
    entry: (index) => `l/${p}/${hex(index, 12)}`,
    entriesFrom: `l/${p}/`,
    entriesTo: `l/${p}0`,
  };
}

export interface PendingKeys {
  readonly from: string;
  readonly to: string;
  readonly pack: (number: number) => string;
  /** Inverse of `pack`. */
  readonly numberOf: (key: string) => number;
}

export function pendingKeys(partition: PartitionId): PendingKeys {
  const p = hex(partition, 4);
  return {
    from: `w/${p}/`,
    to: `w/${p}0`,
    pack: (number) => `w/${p}/${hex(number, 12)}`,
    numberOf: (key) => Number.parseInt(key.slice(7), 16),
  };
}

export interface StateKeys {
  /** All of this generation: from <= key < to. */
  readonly from: string;
  readonly to: string;
  readonly header: string;
  readonly userFrom: string;
  readonly userTo: string;
  readonly user: (key: string) => string;
  readonly session: (client: ClientId) => string;
  readonly result: (client: ClientId, sequence: number) => string;
  /** Sessions by last activity; those with quorum-less writes, which are kept longer, stand apart under `z`. */
  readonly sessionActive: (atMs: number, client: ClientId | '') => string;
  readonly sessionActiveQuorumless: (atMs: number, client: ClientId | '') => string;
  readonly lease: (lease: string) => string;
  readonly leaseExpiry: (atMs: number, lease: string) => string;
  readonly leaseKeysFrom: (lease: string) => string;
  readonly leaseKeysTo: (lease: string) => string;
  readonly leaseKey: (lease: string, key: string) => string;
  readonly receipts: (page: number) => string;
  readonly alias: (replica: ReplicaId, sequence: number) => string;
  readonly conflict: (order: number) => string;
  readonly member: (node: NodeId) => string;
  readonly feed: (index: number) => string;
  /** Entries of an origin's log from this number on. */
  readonly regionLog: (origin: ReplicaId, first: number) => string;
  readonly regionLogEnd: (origin: ReplicaId) => string;
  readonly tombstone: (origin: ReplicaId, sequence: number, key: string) => string;
  readonly digestPage: (page: number) => string;
  readonly grave: (key: string) => string;
  /** `x`, `y`, … : the range of one kind of record. */
  readonly range: (letter: string) => { from: string; to: string };
}

export function stateKeys(partition: PartitionId, generation: number): StateKeys {
  const base = `s/${hex(partition, 4)}/${generation}/`;
  return {
    from: base,
    to: `s/${hex(partition, 4)}/${generation}0`,
    header: `${base}h`,
    userFrom: `${base}k/`,
    userTo: `${base}k0`,
    user: (key) => `${base}k/${key}`,
    session: (client) => `${base}c/${client}`,
    result: (client, sequence) => `${base}c/${client}/${hex(sequence, 12)}`,
    sessionActive: (atMs, client) => `${base}x/${hex(atMs, 12)}/${client}`,
    sessionActiveQuorumless: (atMs, client) => `${base}z/${hex(atMs, 12)}/${client}`,
    lease: (lease) => `${base}e/${lease}`,
    leaseExpiry: (atMs, lease) => `${base}y/${hex(atMs, 12)}/${lease}`,
    leaseKeysFrom: (lease) => `${base}q/${lease}/`,
    leaseKeysTo: (lease) => `${base}q/${lease}0`,
    leaseKey: (lease, key) => `${base}q/${lease}/${key}`,
    receipts: (page) => `${base}t/${hex(page, 12)}`,
    alias: (replica, sequence) => `${base}a/${hex(replica, 12)}/${hex(sequence, 12)}`,
    conflict: (order) => `${base}o/${hex(order, 12)}`,
    member: (node) => `${base}n/${node}`,
    feed: (index) => `${base}f/${hex(index, 12)}`,
    regionLog: (origin, first) => `${base}g/${hex(origin, 12)}/${hex(first, 12)}`,
    regionLogEnd: (origin) => `${base}g/${hex(origin, 12)}0`,
    tombstone: (origin, sequence, key) => `${base}v/${hex(origin, 12)}/${hex(sequence, 12)}/${key}`,
    digestPage: (page) => `${base}b/${hex(page, 2)}`,
    grave: (key) => `${base}d/${key}`,
    range: (letter) => ({ from: `${base}${letter}/`, to: `${base}${letter}0` }),
  };
}

/** The first string above every string that starts with `prefix`; null when there is none. */
export function prefixEnd(prefix: string): string | null {
  const points = Array.from(prefix, (c) => c.codePointAt(0) as number);
  for (let i = points.length - 1; i >= 0; i--) {
    let next = (points[i] as number) + 1;
    if (next === 0xd800) next = 0xe000;
    if (next <= 0x10ffff) return String.fromCodePoint(...points.slice(0, i), next);
  }
  return null;
}
