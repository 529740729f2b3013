import {
  DecodeError,
  replicaId,
  unreachable,
  ByteReader,
  ByteWriter,
  Slab,
  type ClientId,
  type NodeId,
  type RegionId,
  type ReplicaId,
} from '@skerry/base';
import { CausalContext, decodeDot, decodeStamp, encodeStamp, type Dot, type Stamp } from '@skerry/crdt';
import {
  readClient,
  readList,
  readNode,
  readOptionalBytes,
  readOptionalText,
  readRegion,
  readValues,
  writeOptionalBytes,
  writeOptionalText,
  writeValues,
} from './fields.ts';
import type { RegionDirectoryEntry } from '../replica-api.ts';
import { decodeRetention, encodeRetention, type Retention } from './retention.ts';
import type { Compare, TxnOperation } from '../requests.ts';
import {
  decodeOut,
  decodePositions,
  decodeRegionNodes,
  decodeReport,
  encodeOut,
  encodePositions,
  encodeRegionNodes,
  encodeReport,
  type RegionReport,
  type RegionOut,
} from './region-record.ts';
import { decodePositionList, encodePositionList, type OriginPosition } from './region-log.ts';
import { decodeMember, encodeMember, type MemberRecord } from './member-record.ts';
import { decodePromotion, encodePromotion, type Promotion } from './promotion.ts';
import { TakenAway } from './taken-away.ts';
import type { Positions } from './tombstones.ts';
import { decodeCompare, decodeTxnOperation, encodeCompare, encodeTxnOperation } from './txn-codec.ts';
import { decodeUpdateRequest, encodeUpdateRequest, type UpdateRequest } from './write-request.ts';

/** The (client, sequence) of a command and how far its client has been answered. */
export interface CommandId {
  readonly client: ClientId;
  readonly sequence: number;
  readonly answeredBelow: number;
}

/** What the log carries: deterministic input of the state machine. */
export type Command =
  | {
      readonly kind: 'set';
      readonly id: CommandId;
      readonly key: string;
      readonly value: Uint8Array;
      readonly lease: string | null;
    }
  | { readonly kind: 'delete'; readonly id: CommandId; readonly key: string }
  | {
      readonly kind: 'swap';
      readonly id: CommandId;
      readonly key: string;
      readonly newValue: Uint8Array | null;
      readonly oldValue: Uint8Array | null;
      readonly lease: string | null;
    }
  | {
      readonly kind: 'txn';
      readonly id: CommandId;
      readonly compares: readonly Compare[];
      readonly then: readonly TxnOperation[];
      readonly otherwise: readonly TxnOperation[];
    }
  | { readonly kind: 'update'; readonly id: CommandId; readonly key: string; readonly request: UpdateRequest }
  | { readonly kind: 'leaseGrant'; readonly id: CommandId; readonly lease: string; readonly ttlMs: number }
  | { readonly kind: 'leaseKeepAlive'; readonly id: CommandId; readonly lease: string }
  | { readonly kind: 'leaseRevoke'; readonly id: CommandId; readonly lease: string }
  | { readonly kind: 'promote'; readonly id: CommandId; readonly write: Promotion }
  /** Decides that `id` will not be applied any more, unless it already was. */
  | { readonly kind: 'fence'; readonly id: CommandId }
  /** Ends what is over by cluster time. It carries the leader's retention settings, so every replica uses the same. */
  | { readonly kind: 'expire'; readonly retention: Retention }
  /** A node tells its incarnation and addresses; partition 0 only. */
  | { readonly kind: 'announce'; readonly member: MemberRecord }
  /** The operator's will: partition 0 only. `replica` null keeps the recorded one. */
  | { readonly kind: 'memberSet'; readonly member: MemberRecord }
  | { readonly kind: 'memberRemove'; readonly node: NodeId }
  /** This partition's group takes the node in under this incarnation from now on. */
  | { readonly kind: 'admit'; readonly node: NodeId; readonly replica: ReplicaId }
  /** Entries of another origin's log, encoded, from number `first` on. Taken from the position that the state has. */
  | {
      readonly kind: 'remote';
      readonly region: RegionId;
      readonly origin: ReplicaId;
      readonly first: number;
      readonly entries: readonly Uint8Array[];
    }
  /**
   * Another region is there, or is evicted. Of two such commands the later `changedAt` counts, in all regions; null: now.
   * `nodes` is as the region told last, in partition 0; null: as known.
   */
  | {
      readonly kind: 'regionSet';
      readonly region: RegionId;
      readonly urls: readonly string[];
      readonly nodes: RegionDirectoryEntry['nodes'] | null;
      readonly evicted: boolean;
      readonly changedAt: Stamp | null;
    }
  /** What other regions have applied; and logs to cut off before `until` because they have grown too long. */
  | {
      readonly kind: 'retain';
      readonly reports: readonly { readonly region: RegionId; readonly report: RegionReport }[];
      readonly cuts: readonly { readonly origin: ReplicaId; readonly until: number }[];
    }
  /** Values of another region to merge, read there when it had applied `positions`. */
  | {
      readonly kind: 'mergeValues';
      readonly region: RegionId;
      readonly positions: Positions;
      readonly values: readonly { readonly key: string; readonly value: Uint8Array }[];
    }
  /** This region was evicted by `from`: it writes no more until it has that region's state. */
  | {
      readonly kind: 'reseed';
      readonly from: RegionId;
      readonly ended: ReplicaId;
      readonly outSince: Stamp;
      /** It goes first among regions that wait for each other (see {@link ReseedingStage}). */
      readonly yields: boolean;
    }
  /**
   * A region that was evicted at `outSince` takes its state from here, or has taken it elsewhere: what is applied from now on
   * waits for it again. `ended`: the log that it was known by here, where nobody was told that it was out; null: it is out.
   */
  | { readonly kind: 'seeding'; readonly region: RegionId; readonly outSince: Stamp; readonly ended: ReplicaId | null }
  /** A region that was evicted at `outSince` has been re-seeded. */
  | { readonly kind: 'reseeded'; readonly region: RegionId; readonly outSince: Stamp; readonly origin: ReplicaId }
  /** Entries of an ended log that its region had not sent: merged as late writes of this region. */
  | {
      readonly kind: 'offer';
      readonly region: RegionId;
      readonly origin: ReplicaId;
      readonly first: number;
      readonly entries: readonly Uint8Array[];
    }
  /**
   * Values of the region that this one is re-seeded from, in place of the own ones; null: it has no such key. It had applied
   * `positions`, and the dots of `context`. `graves`: deletes that are forgotten there.
   */
  | {
      readonly kind: 'replaceValues';
      readonly positions: Positions;
      readonly context: CausalContext;
      readonly values: readonly { readonly key: string; readonly value: Uint8Array | null }[];
      readonly graves: readonly { readonly key: string; readonly value: Uint8Array }[];
    }
  /** All that the other region had applied is merged here now. `replaces`: it is all that there is. */
  | {
      readonly kind: 'adopt';
      readonly origins: readonly OriginPosition[];
      readonly context: CausalContext;
      readonly takenAway: TakenAway;
      readonly collected: Stamp;
      readonly buried: Stamp;
      readonly replaces: boolean;
      /** Those that were out there. */
      readonly out: readonly RegionOut[];
    };

const codes = {
  set: 1,
  delete: 2,
  swap: 3,
  txn: 4,
  leaseGrant: 5,
  leaseKeepAlive: 6,
  leaseRevoke: 7,
  promote: 8,
  fence: 9,
  expire: 10,
  announce: 11,
  memberSet: 12,
  memberRemove: 13,
  admit: 14,
  remote: 15,
  regionSet: 16,
  retain: 17,
  mergeValues: 18,
  adopt: 19,
  update: 20,
  reseed: 21,
  offer: 22,
  replaceValues: 23,
  reseeded: 24,
  seeding: 25,
} as const satisfies Record<Command['kind'], number>;

const kindsByCode: readonly (Command['kind'] | undefined)[] = [undefined, ...(Object.keys(codes) as Command['kind'][])];

export function encodeCommand(writer: ByteWriter, command: Command): void {
  writer.u8(codes[command.kind]);
  if ('id' in command) {
    writer.text(command.id.client).varint(command.id.sequence).varint(command.id.answeredBelow);
  }
  switch (command.kind) {
    case 'set':
      writer.text(command.key).bytes(command.value);
      writeOptionalText(writer, command.lease);
      return;
    case 'delete':
      writer.text(command.key);
      return;
    case 'swap':
      writer.text(command.key);
      writeOptionalBytes(writer, command.newValue);
      writeOptionalBytes(writer, command.oldValue);
      writeOptionalText(writer, command.lease);
      return;
    case 'txn':
      writer.varint(command.compares.length);
      for (const compare of command.compares) encodeCompare(writer, compare);
      for (const branch of [command.then, command.otherwise]) {
        writer.varint(branch.length);
        for (const operation of branch) encodeTxnOperation(writer, operation);
      }
      return;
    case 'leaseGrant':
      writer.text(command.lease).varint(command.ttlMs);
      return;
    case 'leaseKeepAlive':
    case 'leaseRevoke':
      writer.text(command.lease);
      return;
    case 'promote':
      encodePromotion(writer, command.write);
      return;
    case 'announce':
    case 'memberSet':
      encodeMember(writer, command.member);
      return;
    case 'memberRemove':
      writer.text(command.node);
      return;
    case 'admit':
      writer.text(command.node).u48(command.replica);
      return;
    case 'expire':
      encodeRetention(writer, command.retention);
      return;
    case 'fence':
      return;
    case 'update':
      writer.text(command.key);
      encodeUpdateRequest(writer, command.request);
      return;
    case 'remote':
    case 'offer':
      writer.text(command.region).u48(command.origin).varint(command.first).varint(command.entries.length);
      for (const entry of command.entries) writer.bytes(entry);
      return;
    case 'regionSet':
      writer.text(command.region).varint(command.urls.length);
      for (const url of command.urls) writer.text(url);
      writer.bool(command.nodes !== null);
      if (command.nodes !== null) encodeRegionNodes(writer, command.nodes);
      writer.bool(command.evicted).bool(command.changedAt !== null);
      if (command.changedAt !== null) encodeStamp(writer, command.changedAt);
      return;
    case 'retain':
      writer.varint(command.reports.length);
      for (const { region, report } of command.reports) {
        writer.text(region);
        encodeReport(writer, report);
      }
      writer.varint(command.cuts.length);
      for (const { origin, until } of command.cuts) writer.u48(origin).varint(until);
      return;
    case 'mergeValues':
      writer.text(command.region);
      encodePositions(writer, command.positions);
      return writeValues(writer, command.values);
    case 'adopt':
      encodePositionList(writer, command.origins);
      command.context.encode(writer);
      command.takenAway.encode(writer);
      encodeStamp(writer, command.collected);
      encodeStamp(writer, command.buried);
      encodeOut(writer.bool(command.replaces), command.out);
      return;
    case 'reseed':
      encodeStamp(writer.text(command.from).u48(command.ended).bool(command.yields), command.outSince);
      return;
    case 'reseeded':
    case 'seeding':
      encodeStamp(writer.text(command.region), command.outSince);
      // No log has the name 0.
      writer.u48(command.kind === 'seeding' ? (command.ended ?? 0) : command.origin);
      return;
    case 'replaceValues':
      encodePositions(writer, command.positions);
      command.context.encode(writer);
      writer.varint(command.values.length);
      for (const { key, value } of command.values) writeOptionalBytes(writer.text(key), value);
      return writeValues(writer, command.graves);
    default:
      return unreachable(command);
  }
}

export function decodeCommand(reader: ByteReader): Command {
  const code = reader.u8();
  switch (code) {
    case codes.set:
      return {
        kind: 'set',
        id: readId(reader),
        key: reader.text(),
        value: reader.bytes(),
        lease: readOptionalText(reader),
      };
    case codes.delete:
      return { kind: 'delete', id: readId(reader), key: reader.text() };
    case codes.swap:
      return {
        kind: 'swap',
        id: readId(reader),
        key: reader.text(),
        newValue: readOptionalBytes(reader),
        oldValue: readOptionalBytes(reader),
        lease: readOptionalText(reader),
      };
    case codes.txn:
      return {
        kind: 'txn',
        id: readId(reader),
        compares: readList(reader, decodeCompare),
        then: readList(reader, decodeTxnOperation),
        otherwise: readList(reader, decodeTxnOperation),
      };
    case codes.leaseGrant:
      return { kind: 'leaseGrant', id: readId(reader), lease: reader.text(), ttlMs: reader.varint() };
    case codes.leaseKeepAlive:
      return { kind: 'leaseKeepAlive', id: readId(reader), lease: reader.text() };
    case codes.leaseRevoke:
      return { kind: 'leaseRevoke', id: readId(reader), lease: reader.text() };
    case codes.promote:
      return { kind: 'promote', id: readId(reader), write: decodePromotion(reader) };
    case codes.fence:
      return { kind: 'fence', id: readId(reader) };
    case codes.expire:
      return { kind: 'expire', retention: decodeRetention(reader) };
    case codes.announce:
      return { kind: 'announce', member: decodeMember(reader) };
    case codes.memberSet:
      return { kind: 'memberSet', member: decodeMember(reader) };
    case codes.memberRemove:
      return { kind: 'memberRemove', node: readNode(reader) };
    case codes.admit:
      return { kind: 'admit', node: readNode(reader), replica: replicaId(reader.u48()) };
    case codes.update:
      return { kind: 'update', id: readId(reader), key: reader.text(), request: decodeUpdateRequest(reader) };
    case codes.remote:
      return {
        kind: 'remote',
        region: readRegion(reader),
        origin: replicaId(reader.u48()),
        first: reader.varint(),
        entries: readList(reader, (r) => r.bytes()),
      };
    case codes.regionSet:
      return {
        kind: 'regionSet',
        region: readRegion(reader),
        urls: readList(reader, (r) => r.text()),
        nodes: reader.bool() ? decodeRegionNodes(reader) : null,
        evicted: reader.bool(),
        changedAt: reader.bool() ? decodeStamp(reader) : null,
      };
    case codes.retain:
      return {
        kind: 'retain',
        reports: readList(reader, (r) => ({ region: readRegion(r), report: decodeReport(r) })),
        cuts: readList(reader, (r) => ({ origin: replicaId(r.u48()), until: r.varint() })),
      };
    case codes.mergeValues:
      return {
        kind: 'mergeValues',
        region: readRegion(reader),
        positions: decodePositions(reader),
        values: readValues(reader),
      };
    case codes.adopt:
      return {
        kind: 'adopt',
        origins: decodePositionList(reader),
        context: CausalContext.decode(reader),
        takenAway: TakenAway.decode(reader),
        collected: decodeStamp(reader),
        buried: decodeStamp(reader),
        replaces: reader.bool(),
        out: decodeOut(reader),
      };
    case codes.reseed:
      return {
        kind: 'reseed',
        from: readRegion(reader),
        ended: replicaId(reader.u48()),
        yields: reader.bool(),
        outSince: decodeStamp(reader),
      };
    case codes.reseeded:
      return {
        kind: 'reseeded',
        region: readRegion(reader),
        outSince: decodeStamp(reader),
        origin: replicaId(reader.u48()),
      };
    case codes.seeding:
      return {
        kind: 'seeding',
        region: readRegion(reader),
        outSince: decodeStamp(reader),
        ended: replicaId(reader.u48()) || null,
      };
    case codes.offer:
      return {
        kind: 'offer',
        region: readRegion(reader),
        origin: replicaId(reader.u48()),
        first: reader.varint(),
        entries: readList(reader, (r) => r.bytes()),
      };
    case codes.replaceValues:
      return {
        kind: 'replaceValues',
        positions: decodePositions(reader),
        context: CausalContext.decode(reader),
        values: readList(reader, (r) => ({ key: r.text(), value: readOptionalBytes(r) })),
        graves: readValues(reader),
      };
    default:
      throw new DecodeError(`unknown command ${code}`);
  }
}

/** Kind and id of an encoded command, without decoding the rest; null if it has no id. */
export function commandHead(
  bytes: Uint8Array,
): { readonly kind: Command['kind']; readonly client: ClientId; readonly sequence: number } | null {
  const reader = new ByteReader(bytes);
  const kind = kindsByCode[reader.u8()];
  if (kind === undefined) throw new DecodeError('unknown command');
  if (codes[kind] >= codes.expire && kind !== 'update') return null;
  return { kind, client: readClient(reader), sequence: reader.varint() };
}

/** The dot of an encoded promotion, without decoding the rest; null for any other command. */
export function promotedDot(bytes: Uint8Array): Dot | null {
  if (bytes[0] !== codes.promote) return null;
  const reader = new ByteReader(bytes);
  reader.u8();
  readId(reader);
  reader.text();
  return decodeDot(reader);
}

/** A promotion, which anything else is not. */
export function decodePromote(reader: ByteReader): { readonly id: CommandId; readonly write: Promotion } {
  if (reader.u8() !== codes.promote) throw new DecodeError('not a promotion');
  return { id: readId(reader), write: decodePromotion(reader) };
}

/** They are held until they are applied. */
const slab = new Slab();

export function commandBytes(command: Command): Uint8Array {
  const writer = new ByteWriter(sizeHint(command));
  encodeCommand(writer, command);
  return writer.finish(slab);
}

/** Room for the large ones, so that they are not copied while the writer grows. */
function sizeHint(command: Command): number {
  if (command.kind === 'set') return 192 + command.value.length;
  if (command.kind !== 'promote') return 192;
  const { body } = command.write.op;
  return 192 + (body.type === 'register' ? (body.value?.length ?? 0) : 0);
}

function readId(reader: ByteReader): CommandId {
  return { client: readClient(reader), sequence: reader.varint(), answeredBelow: reader.varint() };
}
