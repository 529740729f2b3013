import {
  ByteReader,
  ByteWriter,
  DecodeError,
  partitionId,
  replicaId,
  type PartitionId,
  type RegionId,
  type ReplicaId,
} from '@skerry/base';
import { CausalContext, decodeStamp, encodeStamp, type Digest, type Stamp } from '@skerry/crdt';
import type { RegionDirectoryEntry } from '../replica-api.ts';
import { readList, readRegion, readValues, writeValues } from '../state/fields.ts';
import { readStage, reseedingStages, type ReseedingStage } from '../state/header.ts';
import { decodePositionList, encodePositionList, type OriginPosition } from '../state/region-log.ts';
import { TakenAway } from '../state/taken-away.ts';
import { decodeOut, decodeRegionNodes, encodeOut, encodeRegionNodes, type RegionOut } from '../state/region-record.ts';

/** A region that is to be re-seeded, and how far that is. */
export interface WaitingRegion {
  readonly region: RegionId;
  readonly stage: ReseedingStage;
}

/** A region as another one tells of it. */
export interface RegionNews {
  readonly region: RegionId;
  readonly urls: readonly string[];
  readonly evicted: boolean;
  readonly changedAt: Stamp;
}

/**
 * What the leaders of one partition in two regions say to each other (DESIGN section 4). All of it may be lost, repeated,
 * reordered and late.
 */
export type LinkMessage =
  | {
      readonly kind: 'heartbeat';
      /** The sender's own log; its length is its position in `positions`. */
      readonly origin: ReplicaId;
      readonly positions: readonly OriginPosition[];
      /** Of the state at these positions. */
      readonly digest: Digest;
      readonly wallMs: number;
      /** The last eviction after which the sender was re-seeded. */
      readonly reseededFor: Stamp;
      /** The one for which it is being re-seeded; null: it is not. */
      readonly reseedingFor: Stamp | null;
      /** The sender, the region that is to re-seed it, the one that is to re-seed that, and so on; empty: it waits for none. */
      readonly waits: readonly WaitingRegion[];
      /** Partition 0 tells who is there, and of which regions it knows. */
      readonly nodes: RegionDirectoryEntry['nodes'];
      readonly regions: readonly RegionNews[];
    }
  /** All before `from` is there: send what follows, and what will follow. `again`: from there, whatever was sent since. */
  | { readonly kind: 'pull'; readonly origin: ReplicaId; readonly from: number; readonly again: boolean }
  | {
      readonly kind: 'entries';
      readonly origin: ReplicaId;
      readonly region: RegionId;
      readonly first: number;
      readonly entries: readonly Uint8Array[];
    }
  /** What was pulled is not kept any more; the log begins at `first`. */
  | { readonly kind: 'trimmed'; readonly origin: ReplicaId; readonly first: number }
  /** The receiver's region was evicted: nothing of this log is taken any more, unless it is offered. */
  | {
      readonly kind: 'evicted';
      readonly origin: ReplicaId;
      readonly outSince: Stamp;
      /** Other regions that are out, and how much of each log is not wanted, be it applied or taken as an offer. */
      readonly out: readonly RegionId[];
      readonly taken: readonly OriginPosition[];
    }
  /** Entries that the receiver has not, of the sender's log or of another region's. */
  | {
      readonly kind: 'offer';
      readonly origin: ReplicaId;
      readonly region: RegionId;
      readonly first: number;
      readonly entries: readonly Uint8Array[];
    }
  /** `origin`, `reseededFor`: as in a heartbeat. */
  | {
      readonly kind: 'digestsAsk';
      readonly exchange: number;
      readonly origin: ReplicaId;
      readonly reseededFor: Stamp;
    }
  | {
      readonly kind: 'digests';
      readonly exchange: number;
      readonly sums: Uint8Array;
      readonly positions: readonly OriginPosition[];
      readonly context: CausalContext;
      /** See the state's header. */
      readonly takenAway: TakenAway;
      /** The last eviction after which that region was re-seeded. */
      readonly reseededFor: Stamp;
      /** No tombstone above this stamp was dropped there. */
      readonly collected: Stamp;
      /** Nor is it known of registers up to this one whether they were deleted later. */
      readonly buried: Stamp;
      /** Tombstones did not wait for these. */
      readonly out: readonly RegionOut[];
    }
  /** Keys above `after` in these buckets, and all that are tombstones. */
  | { readonly kind: 'keysAsk'; readonly exchange: number; readonly after: string; readonly buckets: readonly number[] }
  | {
      readonly kind: 'keys';
      readonly exchange: number;
      readonly positions: readonly OriginPosition[];
      readonly after: string;
      readonly keys: readonly { readonly key: string; readonly digest: Digest }[];
      /** Pass as `after` for the next; null: that was all. */
      readonly next: string | null;
    }
  | { readonly kind: 'valuesAsk'; readonly exchange: number; readonly keys: readonly string[] }
  /** The values of the first keys asked for, as many as fit; null: no such key. At these positions, which may be later ones. */
  | {
      readonly kind: 'values';
      readonly exchange: number;
      readonly positions: readonly OriginPosition[];
      readonly values: readonly { readonly key: string; readonly value: Uint8Array | null }[];
    }
  /** Deletes of keys above `after` that are forgotten over there while a region is out. */
  | { readonly kind: 'gravesAsk'; readonly exchange: number; readonly after: string }
  | {
      readonly kind: 'graves';
      readonly exchange: number;
      readonly positions: readonly OriginPosition[];
      readonly after: string;
      readonly graves: readonly { readonly key: string; readonly value: Uint8Array }[];
      readonly next: string | null;
    };

const version = 5;
const kinds = [
  'heartbeat',
  'pull',
  'entries',
  'trimmed',
  'evicted',
  'digestsAsk',
  'digests',
  'keysAsk',
  'keys',
  'valuesAsk',
  'values',
  'offer',
  'gravesAsk',
  'graves',
] as const satisfies readonly LinkMessage['kind'][];

export function encodeLinkFrame(partition: PartitionId, message: LinkMessage): Uint8Array {
  const writer = new ByteWriter(256);
  writer.u8(version).u16(partition).u8(kinds.indexOf(message.kind));
  switch (message.kind) {
    case 'heartbeat':
      writer.u48(message.origin);
      encodePositionList(writer, message.positions);
      encodeDigest(writer, message.digest);
      writer.u48(message.wallMs);
      encodeStamp(writer, message.reseededFor);
      writer.bool(message.reseedingFor !== null);
      if (message.reseedingFor !== null) encodeStamp(writer, message.reseedingFor);
      writer.varint(message.waits.length);
      for (const { region, stage } of message.waits) writer.text(region).u8(reseedingStages.indexOf(stage));
      encodeRegionNodes(writer, message.nodes);
      writer.varint(message.regions.length);
      for (const { region, urls, evicted, changedAt } of message.regions) {
        writer.text(region).varint(urls.length);
        for (const url of urls) writer.text(url);
        writer.bool(evicted);
        encodeStamp(writer, changedAt);
      }
      break;
    case 'pull':
      writer.u48(message.origin).varint(message.from).bool(message.again);
      break;
    case 'entries':
      writer.u48(message.origin).text(message.region).varint(message.first).varint(message.entries.length);
      for (const entry of message.entries) writer.bytes(entry);
      break;
    case 'trimmed':
      writer.u48(message.origin).varint(message.first);
      break;
    case 'evicted':
      encodeStamp(writer.u48(message.origin), message.outSince);
      writer.varint(message.out.length);
      for (const region of message.out) writer.text(region);
      encodePositionList(writer, message.taken);
      break;
    case 'digestsAsk':
      encodeStamp(writer.varint(message.exchange).u48(message.origin), message.reseededFor);
      break;
    case 'digests':
      writer.varint(message.exchange).bytes(message.sums);
      encodePositionList(writer, message.positions);
      message.context.encode(writer);
      message.takenAway.encode(writer);
      for (const stamp of [message.reseededFor, message.collected, message.buried]) encodeStamp(writer, stamp);
      encodeOut(writer, message.out);
      break;
    case 'offer':
      writer.u48(message.origin).text(message.region).varint(message.first).varint(message.entries.length);
      for (const entry of message.entries) writer.bytes(entry);
      break;
    case 'keysAsk':
      writer.varint(message.exchange).text(message.after).varint(message.buckets.length);
      for (const bucket of message.buckets) writer.varint(bucket);
      break;
    case 'keys':
      encodePositionList(writer.varint(message.exchange), message.positions);
      writer.text(message.after).varint(message.keys.length);
      for (const { key, digest } of message.keys) {
        writer.text(key);
        encodeDigest(writer, digest);
      }
      writer.bool(message.next !== null);
      if (message.next !== null) writer.text(message.next);
      break;
    case 'gravesAsk':
      writer.varint(message.exchange).text(message.after);
      break;
    case 'graves':
      encodePositionList(writer.varint(message.exchange), message.positions);
      writeValues(writer.text(message.after), message.graves);
      writer.bool(message.next !== null);
      if (message.next !== null) writer.text(message.next);
      break;
    case 'valuesAsk':
      writer.varint(message.exchange).varint(message.keys.length);
      for (const key of message.keys) writer.text(key);
      break;
    case 'values':
      writer.varint(message.exchange);
      encodePositionList(writer, message.positions);
      writer.varint(message.values.length);
      for (const { key, value } of message.values) {
        writer.text(key).bool(value !== null);
        if (value !== null) writer.bytes(value);
      }
      break;
  }
  return writer.finish();
}

/** The partition that a frame is for, so that it can be handed on unread; null: not a frame. */
export function partitionOfFrame(frame: Uint8Array): PartitionId | null {
  if (frame.length < 4 || frame[0] !== version) return null;
  return partitionId((frame[1] as number) * 256 + (frame[2] as number));
}

/** Throws DecodeError for anything that {@link encodeLinkFrame} does not make. Bytes are views into `frame`. */
export function decodeLinkFrame(frame: Uint8Array): LinkMessage {
  const reader = new ByteReader(frame);
  const found = reader.u8();
  if (found !== version) throw new DecodeError(`link frame of version ${found}`);
  reader.u16();
  const message = decodeMessage(reader);
  reader.end();
  return message;
}

function decodeMessage(reader: ByteReader): LinkMessage {
  const kind = kinds[reader.u8()];
  switch (kind) {
    case 'heartbeat':
      return {
        kind,
        origin: replicaId(reader.u48()),
        positions: decodePositionList(reader),
        digest: decodeDigest(reader),
        wallMs: reader.u48(),
        reseededFor: decodeStamp(reader),
        reseedingFor: reader.bool() ? decodeStamp(reader) : null,
        waits: readList(reader, (r) => ({ region: readRegion(r), stage: readStage(r) })),
        nodes: decodeRegionNodes(reader),
        regions: readList(reader, (r) => ({
          region: readRegion(r),
          urls: readList(r, (one) => one.text()),
          evicted: r.bool(),
          changedAt: decodeStamp(r),
        })),
      };
    case 'pull':
      return { kind, origin: replicaId(reader.u48()), from: reader.varint(), again: reader.bool() };
    case 'entries':
      return {
        kind,
        origin: replicaId(reader.u48()),
        region: readRegion(reader),
        first: reader.varint(),
        entries: readList(reader, (r) => r.bytes()),
      };
    case 'trimmed':
      return { kind, origin: replicaId(reader.u48()), first: reader.varint() };
    case 'evicted':
      return {
        kind,
        origin: replicaId(reader.u48()),
        outSince: decodeStamp(reader),
        out: readList(reader, readRegion),
        taken: decodePositionList(reader),
      };
    case 'digestsAsk':
      return {
        kind,
        exchange: reader.varint(),
        origin: replicaId(reader.u48()),
        reseededFor: decodeStamp(reader),
      };
    case 'digests':
      return {
        kind,
        exchange: reader.varint(),
        sums: reader.bytes(),
        positions: decodePositionList(reader),
        context: CausalContext.decode(reader),
        takenAway: TakenAway.decode(reader),
        reseededFor: decodeStamp(reader),
        collected: decodeStamp(reader),
        buried: decodeStamp(reader),
        out: decodeOut(reader),
      };
    case 'offer':
      return {
        kind,
        origin: replicaId(reader.u48()),
        region: readRegion(reader),
        first: reader.varint(),
        entries: readList(reader, (r) => r.bytes()),
      };
    case 'keysAsk':
      return { kind, exchange: reader.varint(), after: reader.text(), buckets: readList(reader, (r) => r.varint()) };
    case 'keys':
      return {
        kind,
        exchange: reader.varint(),
        positions: decodePositionList(reader),
        after: reader.text(),
        keys: readList(reader, (r) => ({ key: r.text(), digest: decodeDigest(r) })),
        next: reader.bool() ? reader.text() : null,
      };
    case 'valuesAsk':
      return { kind, exchange: reader.varint(), keys: readList(reader, (r) => r.text()) };
    case 'values':
      return {
        kind,
        exchange: reader.varint(),
        positions: decodePositionList(reader),
        values: readList(reader, (r) => ({ key: r.text(), value: r.bool() ? r.bytes() : null })),
      };
    case 'gravesAsk':
      return { kind, exchange: reader.varint(), after: reader.text() };
    case 'graves':
      return {
        kind,
        exchange: reader.varint(),
        positions: decodePositionList(reader),
        after: reader.text(),
        graves: readValues(reader),
        next: reader.bool() ? reader.text() : null,
      };
    default:
      throw new DecodeError('unknown kind of link message');
  }
}

function encodeDigest(writer: ByteWriter, digest: Digest): void {
  writer.u32(digest.high).u32(digest.low);
}

function decodeDigest(reader: ByteReader): Digest {
  return { high: reader.u32(), low: reader.u32() };
}
