import { replicaId, type ByteReader, type ByteWriter, type RegionId, type ReplicaId } from '@skerry/base';
import { decodeStamp, encodeStamp, type Stamp } from '@skerry/crdt';
import { readList, readNode, readRegion } from './fields.ts';
import type { RegionDirectoryEntry } from '../replica-api.ts';
import type { Positions } from './tombstones.ts';

/** What a region last said of itself, once this region has applied all that it had written by then. */
export interface RegionReport {
  /** Its own log, and how long it was. */
  readonly origin: ReplicaId;
  readonly head: number;
  /** Entries of all origins that it had applied, its own included. */
  readonly positions: Positions;
}

/** Another region as this partition knows it. */
export interface RegionRecord {
  readonly region: RegionId;
  /** Peer addresses from configuration or from the operator. */
  readonly urls: readonly string[];
  /** Partition 0 alone keeps these. */
  readonly nodes: RegionDirectoryEntry['nodes'];
  readonly evicted: boolean;
  /** When it was added or evicted last, in whichever region. */
  readonly changedAt: Stamp;
  /**
   * When it was evicted from this partition, until it was re-seeded after that: nothing of it is taken before, but what it
   * offers. null: it is one of those that count.
   */
  readonly outSince: Stamp | null;
  /** null: it has not told yet. */
  readonly report: RegionReport | null;
}

/** A region that was evicted, and does not count again yet. */
export interface RegionOut {
  readonly region: RegionId;
  readonly outSince: Stamp;
}

export function encodeOut(writer: ByteWriter, out: readonly RegionOut[]): void {
  writer.varint(out.length);
  for (const { region, outSince } of out) encodeStamp(writer.text(region), outSince);
}

export function decodeOut(reader: ByteReader): RegionOut[] {
  return readList(reader, (r) => ({ region: readRegion(r), outSince: decodeStamp(r) }));
}

export function encodeRegionRecord(writer: ByteWriter, record: RegionRecord): void {
  writer.text(record.region).varint(record.urls.length);
  for (const url of record.urls) writer.text(url);
  encodeRegionNodes(writer, record.nodes);
  writer.bool(record.evicted);
  encodeStamp(writer, record.changedAt);
  writer.bool(record.outSince !== null);
  if (record.outSince !== null) encodeStamp(writer, record.outSince);
  writer.bool(record.report !== null);
  if (record.report !== null) encodeReport(writer, record.report);
}

export function decodeRegionRecord(reader: ByteReader): RegionRecord {
  const region = readRegion(reader);
  const urls = readList(reader, (r) => r.text());
  const nodes = decodeRegionNodes(reader);
  const evicted = reader.bool();
  const changedAt = decodeStamp(reader);
  const outSince = reader.bool() ? decodeStamp(reader) : null;
  return { region, urls, nodes, evicted, changedAt, outSince, report: reader.bool() ? decodeReport(reader) : null };
}

export function encodeReport(writer: ByteWriter, report: RegionReport): void {
  writer.u48(report.origin).varint(report.head);
  encodePositions(writer, report.positions);
}

export function decodeReport(reader: ByteReader): RegionReport {
  return { origin: replicaId(reader.u48()), head: reader.varint(), positions: decodePositions(reader) };
}

export function encodePositions(writer: ByteWriter, positions: Positions): void {
  writer.varint(positions.size);
  for (const [origin, sequence] of [...positions].sort(([a], [b]) => a - b)) writer.u48(origin).varint(sequence);
}

export function decodePositions(reader: ByteReader): Map<ReplicaId, number> {
  return new Map(readList(reader, (r) => [replicaId(r.u48()), r.varint()] as const));
}

export function encodeRegionNodes(writer: ByteWriter, nodes: RegionDirectoryEntry['nodes']): void {
  writer.varint(nodes.length);
  for (const { node, peerUrl, clientUrl, adminUrl } of nodes)
    writer.text(node).text(peerUrl).text(clientUrl).text(adminUrl);
}

export function decodeRegionNodes(reader: ByteReader): RegionDirectoryEntry['nodes'] {
  return readList(reader, (r) => ({ node: readNode(r), peerUrl: r.text(), clientUrl: r.text(), adminUrl: r.text() }));
}
