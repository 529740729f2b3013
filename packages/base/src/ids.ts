import { assert } from './assert.ts';

declare const brand: unique symbol;
/** A primitive that the compiler keeps apart from others of the same representation. */
export type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Name of a node, unique in its region: `region-1-2`. Also its id in raft messages. */
export type NodeId = Branded<string, 'NodeId'>;
/** Name of a region, unique in the system: `region-1`. */
export type RegionId = Branded<string, 'RegionId'>;
/** A fixed slice of the key space: 0 to Q-1. */
export type PartitionId = Branded<number, 'PartitionId'>;
/**
 * One life of one data folder, as a 48-bit number drawn at random when the folder is made. Stamps and dots carry
 * it, so a wiped folder never comes back under an id whose sequence numbers were already used.
 */
export type ReplicaId = Branded<number, 'ReplicaId'>;
/** A client session: 16 random bytes in lower-case hex (32 characters). */
export type ClientId = Branded<string, 'ClientId'>;

const namePattern = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;

/** True if `text` can name a node or a region: 1 to 64 of `[A-Za-z0-9._-]`, no punctuation at either end. */
export function isName(text: string): boolean {
  return namePattern.test(text);
}

export function nodeId(text: string): NodeId {
  assert(isName(text), 'not a node name', { text });
  return text as NodeId;
}

export function regionId(text: string): RegionId {
  assert(isName(text), 'not a region name', { text });
  return text as RegionId;
}

export function partitionId(value: number): PartitionId {
  assert(Number.isInteger(value) && value >= 0 && value < 65_536, 'not a partition id', { value });
  return value as PartitionId;
}

export const replicaIdMax: number = 2 ** 48 - 1;

export function replicaId(value: number): ReplicaId {
  assert(Number.isInteger(value) && value >= 0 && value <= replicaIdMax, 'not a replica id', { value });
  return value as ReplicaId;
}

const clientIdPattern = /^[0-9a-f]{32}$/;

export function isClientId(text: string): text is ClientId {
  return text.length === 32 && clientIdPattern.test(text);
}

export function clientId(text: string): ClientId {
  assert(isClientId(text), 'not a client id', { text });
  return text;
}
