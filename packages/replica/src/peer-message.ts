import {
  ByteReader,
  ByteWriter,
  DecodeError,
  partitionId,
  type ClientId,
  type NodeId,
  type PartitionId,
  type RegionId,
} from '@skerry/base';
import { decodeDot, decodeValue, encodeDot, encodeValue, type Dot, type Value } from '@skerry/crdt';
import {
  decodeMessage,
  decodeSnapshotMeta,
  encodeMessage,
  encodeSnapshotMeta,
  type Message,
  type SnapshotMeta,
} from '@skerry/raft';
import { decodePending, encodePending, type PendingWrite } from './pending.ts';
import { readClient, readList, readNode, readRegion } from './state/fields.ts';

/** What a partition takes itself: not of the node as such, and no read of a key. */
export type PartitionMessage = Exclude<
  PeerMessage,
  { kind: 'peerState' | 'clockAsk' | 'clock' | 'view' | 'viewAsk' | 'read' | 'readAsk' }
>;

/** What the nodes of a region say to each other. All may be lost, repeated and, across connections, reordered. */
export type PeerMessage =
  | { readonly kind: 'raft'; readonly partition: PartitionId; readonly message: Message }
  /** Encoded commands for the leader to put in its log, in this order. */
  | {
      readonly kind: 'forward';
      readonly partition: PartitionId;
      /** Names this forward in a refusal. 0: no refusal is wanted. */
      readonly number: number;
      readonly commands: readonly Uint8Array[];
    }
  /** The receiver of a forward did not put these commands in a log and never will on account of that forward. */
  | {
      readonly kind: 'forwardRefused';
      readonly partition: PartitionId;
      readonly number: number;
      readonly ids: readonly { readonly client: ClientId; readonly sequence: number }[];
    }
  /** Pending writes to hold. */
  | { readonly kind: 'push'; readonly partition: PartitionId; readonly writes: readonly PendingWrite[] }
  /** These are held durably here, or are settled. */
  | { readonly kind: 'pushed'; readonly partition: PartitionId; readonly dots: readonly Dot[] }
  /** A local view for a read that asked for several; answered with pending writes and the committed value. */
  | { readonly kind: 'viewAsk'; readonly partition: PartitionId; readonly ask: number; readonly key: string }
  | {
      readonly kind: 'view';
      readonly partition: PartitionId;
      readonly ask: number;
      readonly writes: readonly PendingWrite[];
      readonly committed: Value | null;
    }
  /** A read for the leader to serve in the place of a node that cannot; answered with the committed value. */
  | { readonly kind: 'readAsk'; readonly partition: PartitionId; readonly ask: number; readonly key: string }
  | {
      readonly kind: 'read';
      readonly partition: PartitionId;
      readonly ask: number;
      readonly applied: number;
      readonly value: Value | null;
    }
  /** A piece of a snapshot: records in key order, numbered from 0. */
  | {
      readonly kind: 'chunk';
      readonly partition: PartitionId;
      /** Term of the sender's raft when it began. */
      readonly term: number;
      readonly meta: SnapshotMeta;
      readonly transfer: number;
      readonly number: number;
      readonly last: boolean;
      /** Keys without the part that names partition and generation. */
      readonly records: readonly { readonly key: string; readonly value: Uint8Array }[];
    }
  /** `number` is staged durably. -1: this transfer is refused, start again later. */
  | { readonly kind: 'chunked'; readonly partition: PartitionId; readonly transfer: number; readonly number: number }
  | { readonly kind: 'transfer'; readonly partition: PartitionId; readonly to: NodeId | null }
  /** A frame of another region for the leader of the partition; `note`: from the leader, for those who follow. */
  | {
      readonly kind: 'relay';
      readonly partition: PartitionId;
      readonly region: RegionId;
      readonly frame: Uint8Array;
      readonly note: boolean;
    }
  /** Asks for the wall clock; `sentMs` is the asker's own and comes back. */
  | { readonly kind: 'clockAsk'; readonly sentMs: number }
  | { readonly kind: 'clock'; readonly sentMs: number; readonly wallMs: number }
  | { readonly kind: 'peerState'; readonly storageFull: boolean };

const kinds = [
  'raft',
  'forward',
  'forwardRefused',
  'push',
  'pushed',
  'viewAsk',
  'view',
  'chunk',
  'chunked',
  'transfer',
  'peerState',
  'relay',
  'clockAsk',
  'clock',
  'readAsk',
  'read',
] as const satisfies readonly PeerMessage['kind'][];

/** All messages of a turn for one peer. */
export function encodePeerFrame(messages: readonly PeerMessage[]): Uint8Array {
  const writer = new ByteWriter(512);
  writer.varint(messages.length);
  for (const message of messages) encodePeerMessage(writer, message);
  return writer.finish();
}

/** Throws DecodeError for anything that {@link encodePeerFrame} does not make. Bytes are views into `bytes`. */
export function decodePeerFrame(bytes: Uint8Array): PeerMessage[] {
  const reader = new ByteReader(bytes);
  const messages = readList(reader, decodePeerMessage);
  reader.end();
  return messages;
}

function encodePeerMessage(writer: ByteWriter, message: PeerMessage): void {
  writer.u8(kinds.indexOf(message.kind));
  if (message.kind === 'peerState') {
    writer.bool(message.storageFull);
    return;
  }
  if (message.kind === 'clockAsk' || message.kind === 'clock') {
    writer.varint(message.sentMs);
    if (message.kind === 'clock') writer.varint(message.wallMs);
    return;
  }
  writer.u16(message.partition);
  switch (message.kind) {
    case 'raft':
      encodeMessage(writer, message.message);
      return;
    case 'forward':
      writer.varint(message.number).varint(message.commands.length);
      for (const command of message.commands) writer.bytes(command);
      return;
    case 'forwardRefused':
      writer.varint(message.number).varint(message.ids.length);
      for (const id of message.ids) writer.text(id.client).varint(id.sequence);
      return;
    case 'push':
      writer.varint(message.writes.length);
      for (const write of message.writes) encodePending(writer, write);
      return;
    case 'pushed':
      writer.varint(message.dots.length);
      for (const dot of message.dots) encodeDot(writer, dot);
      return;
    case 'viewAsk':
    case 'readAsk':
      writer.varint(message.ask).text(message.key);
      return;
    case 'read':
      writer
        .varint(message.ask)
        .varint(message.applied)
        .bool(message.value !== null);
      if (message.value !== null) writer.bytes(valueBytes(message.value));
      return;
    case 'view':
      writer.varint(message.ask).varint(message.writes.length);
      for (const write of message.writes) encodePending(writer, write);
      writer.bool(message.committed !== null);
      if (message.committed === null) return;
      writer.bytes(valueBytes(message.committed));
      return;
    case 'chunk':
      writer.varint(message.term);
      encodeSnapshotMeta(writer, message.meta);
      writer.varint(message.transfer).varint(message.number).bool(message.last).varint(message.records.length);
      for (const { key, value } of message.records) writer.text(key).bytes(value);
      return;
    case 'chunked':
      writer.varint(message.transfer).varint(message.number + 1);
      return;
    case 'relay':
      writer.text(message.region).bytes(message.frame).bool(message.note);
      return;
    case 'transfer':
      writer.bool(message.to !== null);
      if (message.to !== null) writer.text(message.to);
      return;
  }
}

function decodePeerMessage(reader: ByteReader): PeerMessage {
  const kind = kinds[reader.u8()];
  if (kind === undefined) throw new DecodeError('unknown kind of peer message');
  if (kind === 'peerState') return { kind, storageFull: reader.bool() };
  if (kind === 'clockAsk') return { kind, sentMs: reader.varint() };
  if (kind === 'clock') return { kind, sentMs: reader.varint(), wallMs: reader.varint() };
  const partition = partitionId(reader.u16());
  switch (kind) {
    case 'raft':
      return { kind, partition, message: decodeMessage(reader) };
    case 'forward':
      return { kind, partition, number: reader.varint(), commands: readList(reader, (r) => r.bytes()) };
    case 'forwardRefused':
      return {
        kind,
        partition,
        number: reader.varint(),
        ids: readList(reader, (r) => ({ client: readClient(r), sequence: r.varint() })),
      };
    case 'push':
      return { kind, partition, writes: readList(reader, decodePending) };
    case 'pushed':
      return { kind, partition, dots: readList(reader, decodeDot) };
    case 'viewAsk':
    case 'readAsk':
      return { kind, partition, ask: reader.varint(), key: reader.text() };
    case 'read':
      return {
        kind,
        partition,
        ask: reader.varint(),
        applied: reader.varint(),
        value: reader.bool() ? decodeValue(new ByteReader(reader.bytes().slice())) : null,
      };
    case 'view': {
      const ask = reader.varint();
      const writes = readList(reader, decodePending);
      if (!reader.bool()) return { kind, partition, ask, writes, committed: null };
      // Kept by whoever asked, while the message is a view of a frame.
      return { kind, partition, ask, writes, committed: decodeValue(new ByteReader(reader.bytes().slice())) };
    }
    case 'chunk':
      return {
        kind,
        partition,
        term: reader.varint(),
        meta: decodeSnapshotMeta(reader),
        transfer: reader.varint(),
        number: reader.varint(),
        last: reader.bool(),
        records: readList(reader, (r) => ({ key: r.text(), value: r.bytes() })),
      };
    case 'chunked':
      return { kind, partition, transfer: reader.varint(), number: reader.varint() - 1 };
    case 'relay':
      return { kind, partition, region: readRegion(reader), frame: reader.bytes(), note: reader.bool() };
    case 'transfer':
      return { kind, partition, to: reader.bool() ? readNode(reader) : null };
  }
}

function valueBytes(value: Value): Uint8Array {
  const writer = new ByteWriter(128);
  encodeValue(writer, value);
  return writer.finish();
}
