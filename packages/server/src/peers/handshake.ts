import { isName, type NodeId, type RegionId, replicaId, replicaIdMax, type ReplicaId, utf8Encode } from '@skerry/base';
import { z } from 'zod';

/**
 * Raised with every change of the hello, of the layout of peer frames, of the commands in the log, and of the records of the
 * applied state, which snapshots carry. Both sides must have the same one.
 */
export const peerProtocolVersion = 7;

/** What the first frame of each side says, as JSON text; every later frame is binary. */
export interface PeerHello {
  readonly peerProtocolVersion: number;
  readonly cluster: string;
  readonly region: RegionId;
  readonly node: NodeId;
  /** The incarnation: one life of one data folder. */
  readonly replica: ReplicaId;
  readonly partitionCount: number;
  /** Drawn at every start. A node that comes with another one has been restarted, so older connections to it are dead. */
  readonly process: string;
}

export type PeerRefusalCode =
  | 'MALFORMED_FRAME'
  | 'PROTOCOL_VERSION'
  | 'WRONG_CLUSTER'
  | 'WRONG_REGION'
  | 'WRONG_NODE'
  | 'WRONG_PARTITION_COUNT'
  | 'WRONG_INCARNATION'
  | 'DUPLICATE'
  | 'TIMEOUT'
  | 'STOPPING';

export interface PeerRefusal {
  readonly code: PeerRefusalCode;
  readonly detail: string;
}

const helloSchema = z.strictObject({
  peerProtocolVersion: z.int(),
  cluster: z.string(),
  region: z.string().refine(isName),
  node: z.string().refine(isName),
  replica: z.int().min(0).max(replicaIdMax),
  partitionCount: z.int().min(1),
  process: z.string().regex(/^[0-9a-f]{16}$/),
});

/** Of a hello whose other fields are those of another version. */
const versionSchema = z.object({ peerProtocolVersion: z.int() });

/** The other side's hello, or why it is refused; what only the caller knows (who was dialled, incarnations) is left to it. */
export function readHello(text: string, own: PeerHello): PeerHello | PeerRefusal {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { code: 'MALFORMED_FRAME', detail: 'the hello is not JSON' };
  }
  const version = versionSchema.safeParse(json);
  if (version.success && version.data.peerProtocolVersion !== peerProtocolVersion) {
    return { code: 'PROTOCOL_VERSION', detail: `${version.data.peerProtocolVersion}, here ${peerProtocolVersion}` };
  }
  const parsed = helloSchema.safeParse(json);
  if (!parsed.success) return { code: 'MALFORMED_FRAME', detail: 'the hello lacks a field or has an unknown one' };
  const hello = { ...parsed.data, replica: replicaId(parsed.data.replica) } as PeerHello;
  if (hello.cluster !== own.cluster) return { code: 'WRONG_CLUSTER', detail: `${hello.cluster}, here ${own.cluster}` };
  if (hello.region !== own.region) return { code: 'WRONG_REGION', detail: `${hello.region}, here ${own.region}` };
  if (hello.node === own.node) return { code: 'WRONG_NODE', detail: `two nodes are named ${own.node}` };
  if (hello.partitionCount !== own.partitionCount) {
    return { code: 'WRONG_PARTITION_COUNT', detail: `${hello.partitionCount}, here ${own.partitionCount}` };
  }
  return hello;
}

/** WebSocket close code of every refusal; the reason tells which. */
export const refusalCloseCode = 4_000;

/** A close reason: at most 123 bytes of UTF-8 (RFC 6455, section 5.5.1). */
export function closeReason(code: string, detail: string): string {
  let reason = `${code}: ${detail}`;
  while (utf8Encode(reason).length > 123) reason = reason.slice(0, -1);
  return reason;
}
