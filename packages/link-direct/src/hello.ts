import type { IncomingHttpHeaders } from 'node:http';
import { isName, utf8Encode, type NodeId, type RegionId } from '@skerry/base';

/** Raised with every change of the hello or of the layout of messages. Both sides must have the same one. */
export const linkProtocolVersion = 5;

/** Where the peer listener of a node takes links. */
export const linkPath = '/link';

/** What each side says of itself, as JSON in the header {@link helloHeader} of the upgrade and of its answer. */
export interface LinkHello {
  readonly linkProtocolVersion: number;
  readonly cluster: string;
  readonly region: RegionId;
  readonly node: NodeId;
  readonly partitionCount: number;
  /** The largest frame that it takes. */
  readonly frameBytesMax: number;
}

export const helloHeader = 'x-skerry-link';
/** The region that whoever dials means to reach. */
export const wantedHeader = 'x-skerry-link-wanted';
/** In the answer to an upgrade that is refused: `CODE: detail`. */
export const refusalHeader = 'x-skerry-link-refusal';

export type LinkRefusalCode =
  | 'MALFORMED_HELLO'
  | 'PROTOCOL_VERSION'
  | 'WRONG_CLUSTER'
  | 'WRONG_REGION'
  | 'WRONG_PARTITION_COUNT'
  /** This side does not know the region that calls; it may learn of it. */
  | 'UNKNOWN_REGION'
  | 'CUT'
  | 'OVERLOADED'
  | 'STOPPING'
  /** No answer, or none of a link. */
  | 'UNREACHABLE';

export interface LinkRefusal {
  readonly code: LinkRefusalCode;
  readonly detail: string;
}

/** The other side's hello, or why it is none or not one for this cluster. Which region it is of is left to the caller. */
export function readHello(headers: IncomingHttpHeaders, own: LinkHello): LinkHello | LinkRefusal {
  const raw = parseObject(headers[helloHeader]);
  if (raw === null) return { code: 'MALFORMED_HELLO', detail: 'no hello of a link' };
  const { linkProtocolVersion: version, cluster, region, node, partitionCount, frameBytesMax } = raw;
  // First, since the other fields may be those of another version.
  if (version !== own.linkProtocolVersion) {
    return { code: 'PROTOCOL_VERSION', detail: `${printable(version)}, here ${own.linkProtocolVersion}` };
  }
  const isWhole =
    isText(cluster) && isText(region) && isText(node) && isCount(partitionCount) && isCount(frameBytesMax);
  if (!isWhole || !isName(region) || !isName(node) || Object.keys(raw).length !== Object.keys(own).length)
    return { code: 'MALFORMED_HELLO', detail: 'the hello lacks a field or has an unknown one' };
  if (cluster !== own.cluster) return { code: 'WRONG_CLUSTER', detail: `${printable(cluster)}, here ${own.cluster}` };
  if (partitionCount !== own.partitionCount)
    return { code: 'WRONG_PARTITION_COUNT', detail: `${partitionCount}, here ${own.partitionCount}` };
  return raw as unknown as LinkHello;
}

/** Why the other side refused the upgrade, as it says. */
export function readRefusal(headers: IncomingHttpHeaders, status: number): LinkRefusal {
  const text = headers[refusalHeader];
  const at = typeof text === 'string' ? text.indexOf(': ') : -1;
  if (typeof text !== 'string' || at < 1)
    return { code: 'UNREACHABLE', detail: `no link there: HTTP status ${status}` };
  return {
    code: text.slice(0, at) as LinkRefusalCode,
    detail: `says the other side: ${printable(text.slice(at + 2))}`,
  };
}

/** WebSocket close code of every end that has a reason of this package; the reason is `CODE: detail`. */
export const linkCloseCode = 4_000;

/** A close reason: at most 123 bytes of UTF-8 (RFC 6455, section 5.5.1). */
export function closeReason(code: string, detail: string): string {
  let reason = `${code}: ${detail}`;
  while (utf8Encode(reason).length > 123) reason = reason.slice(0, -1);
  return reason;
}

function parseObject(text: string | string[] | undefined): Record<string, unknown> | null {
  if (typeof text !== 'string') return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

/** Fit for a header, a log and a close reason. */
function printable(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.replaceAll(/[^\u0020-\u007e]/g, '?').slice(0, 200);
}
