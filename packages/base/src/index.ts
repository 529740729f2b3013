export { assert, assertPresent, InvariantError, unreachable, type AssertDetails } from './assert.ts';
export {
  clientId,
  isClientId,
  isName,
  nodeId,
  partitionId,
  regionId,
  replicaId,
  replicaIdMax,
  type Branded,
  type ClientId,
  type NodeId,
  type PartitionId,
  type RegionId,
  type ReplicaId,
} from './ids.ts';
export {
  ByteReader,
  ByteWriter,
  Slab,
  compareBytes,
  DecodeError,
  emptyBytes,
  equalBytes,
  fromHex,
  toHex,
} from './bytes.ts';
export { asciiText, compareText, isWellFormed, utf8Decode, utf8Encode, utf8Length } from './text.ts';
export { crc32, hashText } from './hash.ts';
export { NumberTable } from './number-table.ts';
export {
  randomChance,
  randomFloat,
  randomHex,
  randomInt,
  randomPick,
  randomShuffle,
  SeededRandom,
  type Random,
} from './random.ts';
