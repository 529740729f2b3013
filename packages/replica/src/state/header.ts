import { ByteReader, ByteWriter, DecodeError, replicaId, type NodeId, type ReplicaId } from '@skerry/base';
import { CausalContext, decodeStamp, encodeStamp, stampZero, type Stamp } from '@skerry/crdt';
import { decodeConfigState, encodeConfigState, type ConfigState } from '@skerry/raft';
import { readNode } from './command.ts';

/** The facts of a partition's applied state that are not under a key of their own; one record, written with the data. */
export interface StateHeader {
  /** Index and term of the last entry that the state contains. */
  applied: number;
  term: number;
  /** The group's members as of `applied`. */
  config: ConfigState;
  /** Largest cluster time seen in an entry. */
  clusterMs: number;
  /** Above every stamp in the state. */
  clock: Stamp;
  /** Dots that were promoted; each takes effect once. */
  context: CausalContext;
  /** Last stamp that was clamped, by replica: keeps a node's own writes in order. */
  clampFloors: Map<ReplicaId, Stamp>;
  /** Sessions born before this and not known were forgotten: nobody knows what they did. */
  sessionHorizonMs: number;
  sessionQuorumlessHorizonMs: number;
  /** Receipts and conflicts are numbered from `first` to `next - 1`. */
  receipts: { first: number; next: number };
  conflicts: { first: number; next: number };
  /** The feed has all changes of entries from here on. */
  feedFirst: number;
  /** The incarnation under which each node was taken into this group. */
  admitted: Map<NodeId, ReplicaId>;
}

export function emptyHeader(config: ConfigState, applied: number, term: number): StateHeader {
  return {
    applied, term, config, clusterMs: 0, clock: stampZero, context: CausalContext.empty(), clampFloors: new Map(),
    sessionHorizonMs: 0, sessionQuorumlessHorizonMs: 0, receipts: { first: 0, next: 0 }, conflicts: { first: 0, next: 0 },
    feedFirst: applied + 1, admitted: new Map(),
  };
}

const version = 1;

export function encodeHeader(header: StateHeader): Uint8Array {
  const writer = new ByteWriter(256);
  writer.u8(version).varint(header.applied).varint(header.term);
  encodeConfigState(writer, header.config);
  writer.u48(header.clusterMs);
  encodeStamp(writer, header.clock);
  header.context.encode(writer);
  writer.varint(header.clampFloors.size);
  for (const [replica, stamp] of header.clampFloors) {
    writer.u48(replica);
    encodeStamp(writer, stamp);
  }
  writer.u48(header.sessionHorizonMs).u48(header.sessionQuorumlessHorizonMs);
  for (const { first, next } of [header.receipts, header.conflicts]) writer.varint(first).varint(next);
  writer.varint(header.feedFirst).varint(header.admitted.size);
  for (const [node, replica] of header.admitted) writer.text(node).u48(replica);
  return writer.finish();
}

export function decodeHeader(bytes: Uint8Array): StateHeader {
  const reader = new ByteReader(bytes.slice());
  const found = reader.u8();
  if (found !== version) throw new DecodeError(`state header of version ${found}`);
  const applied = reader.varint();
  const term = reader.varint();
  const config = decodeConfigState(reader);
  const clusterMs = reader.u48();
  const clock = decodeStamp(reader);
  const context = CausalContext.decode(reader);
  const clampFloors = new Map<ReplicaId, Stamp>();
  for (let left = reader.count(); left > 0; left--) clampFloors.set(replicaId(reader.u48()), decodeStamp(reader));
  const sessionHorizonMs = reader.u48();
  const sessionQuorumlessHorizonMs = reader.u48();
  const receipts = { first: reader.varint(), next: reader.varint() };
  const conflicts = { first: reader.varint(), next: reader.varint() };
  const feedFirst = reader.varint();
  const admitted = new Map<NodeId, ReplicaId>();
  for (let left = reader.count(); left > 0; left--) admitted.set(readNode(reader), replicaId(reader.u48()));
  reader.end();
  return {
    applied, term, config, clusterMs, clock, context, clampFloors, sessionHorizonMs, sessionQuorumlessHorizonMs, receipts,
    conflicts, feedFirst, admitted,
  };
}
