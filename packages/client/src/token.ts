import { ByteReader, ByteWriter, crc32, DecodeError, type ReplicaId } from '@skerry/base';
import { decodeDot, dotToText, encodeDot, type Dot } from '@skerry/crdt';
import type { Causality, SeenMessage } from '@skerry/protocol';
import { SkerryError } from './errors.ts';

/*
 * What a session has seen, so that it reads its own writes and never backwards, also at another node and in another
 * region (I13): by partition, up to which entry of each region's log, and which quorum-less writes of its own.
 */

/** Origins remembered per partition; beyond it the one that was raised longest ago goes. A region has one until it is founded anew. */
const originsMax = 64;
/** Own quorum-less writes remembered per partition until they are settled; beyond it the oldest goes. */
const dotsMax = 256;
const formatVersion = 1;

interface NodePartition {
  positions: ReadonlyMap<ReplicaId, number>;
  promoted: Dot;
  /** Writes of other nodes that this one has shown to have. */
  readonly confirmed: Set<string>;
  /** Answers that rest on this have been handed out. */
  folded: boolean;
  /** The version of the session's part that was found to be covered. */
  coveredVersion: number;
}

/** What the node at the other end of one connection has applied, as far as it has told. */
export class NodeSeen {
  readonly partitions: Map<number, NodePartition> = new Map();
  /** Partitions of which this node was asked for more than it could come up with in time. */
  readonly stuck: Set<number | null> = new Set();

  take({ partitions }: SeenMessage): void {
    for (const { partition, positions, promoted } of partitions) {
      const known = this.partitions.get(partition);
      this.partitions.set(partition, {
        positions: new Map(positions.map(({ origin, sequence }) => [origin, sequence])),
        promoted,
        confirmed: known?.confirmed ?? new Set(),
        folded: false,
        coveredVersion: known?.coveredVersion ?? -1,
      });
    }
  }

  /** Whether it has told that it has all of this. */
  has({ positions, dots }: Causality): boolean {
    const all = [...this.partitions.values()];
    return (
      positions.every(({ origin, sequence }) => all.some((part) => (part.positions.get(origin) ?? 0) >= sequence)) &&
      dots.every((dot) =>
        all.some(({ promoted, confirmed }) => dot.replica === promoted.replica || confirmed.has(dotToText(dot))),
      )
    );
  }

  /** The node has answered a read that asked for this, and did not say `behind`. */
  confirm(partition: number | null, { dots }: Causality): void {
    for (const [number, { confirmed }] of this.partitions) {
      if (partition === null || number === partition) for (const dot of dots) confirmed.add(dotToText(dot));
    }
  }
}

interface SessionPartition {
  readonly positions: Map<ReplicaId, number>;
  /** By text. */
  readonly dots: Map<string, Dot>;
  /** Raised with every change. */
  version: number;
}

export class SessionToken {
  /** Of the imported text; null: of any cluster. */
  readonly cluster: string | null;
  readonly #partitions: Map<number, SessionPartition>;

  /** Throws BAD_REQUEST for a text that {@link text} did not make. */
  constructor(text: string | null = null) {
    const { cluster, partitions } =
      text === null ? { cluster: null, partitions: new Map<number, SessionPartition>() } : decode(text);
    this.cluster = cluster;
    this.#partitions = partitions;
  }

  /** An answer that shows `partition` (null: all) as `node` has it was handed out. */
  fold(partition: number | null, node: NodeSeen): void {
    if (partition === null) {
      for (const number of node.partitions.keys()) this.#fold(number, node);
    } else {
      this.#fold(partition, node);
    }
  }

  /** A quorum-less write of this session was accepted. */
  wrote(partition: number, dot: Dot): void {
    const part = this.#of(partition);
    part.dots.set(dotToText(dot), dot);
    part.version++;
    const [oldest] = part.dots.keys();
    if (part.dots.size > dotsMax && oldest !== undefined) part.dots.delete(oldest);
  }

  /** It is decided, and `node` has applied what it came to. */
  settled(partition: number, dot: Dot, node: NodeSeen): void {
    if (this.#partitions.get(partition)?.dots.delete(dotToText(dot)) === true) this.#fold(partition, node);
  }

  /** Own writes that the node says are settled stand in its regions' logs now. */
  settleOwn(node: NodeSeen): void {
    for (const [partition, { promoted }] of node.partitions) {
      for (const dot of this.#partitions.get(partition)?.dots.values() ?? []) {
        if (dot.replica === promoted.replica && dot.sequence <= promoted.sequence) this.settled(partition, dot, node);
      }
    }
  }

  /** What `node` is not known to have of what was seen of `partition` (null: of all); null: nothing. */
  missing(partition: number | null, node: NodeSeen): Causality | null {
    const numbers = partition === null ? [...this.#partitions.keys()] : [partition];
    const parts = numbers.map((number) => this.#missing(number, node)).filter((part) => part !== null);
    if (parts.length > 0)
      return { positions: parts.flatMap(({ positions }) => positions), dots: parts.flatMap(({ dots }) => dots) };
    node.stuck.delete(partition);
    return null;
  }

  /** Opaque; for `connect({ token })` of another process. */
  text(cluster: string): string {
    const w = new ByteWriter().u8(formatVersion).text(cluster).varint(this.#partitions.size);
    for (const [partition, { positions, dots }] of this.#partitions) {
      w.varint(partition).varint(positions.size);
      for (const [origin, sequence] of positions) w.u48(origin).varint(sequence);
      w.varint(dots.size);
      for (const dot of dots.values()) encodeDot(w, dot);
    }
    const bytes = w.finish();
    const all = new ByteWriter().u32(crc32(bytes)).raw(bytes).finish();
    return btoa(String.fromCharCode(...all))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replaceAll('=', '');
  }

  #fold(partition: number, node: NodeSeen): void {
    const seen = node.partitions.get(partition);
    if (seen === undefined || seen.folded) return;
    seen.folded = true;
    const part = this.#of(partition);
    const wasCovered = seen.coveredVersion === part.version;
    for (const [origin, sequence] of seen.positions) {
      if ((part.positions.get(origin) ?? 0) >= sequence) continue;
      part.positions.delete(origin);
      part.positions.set(origin, sequence);
      part.version++;
    }
    while (part.positions.size > originsMax) part.positions.delete(part.positions.keys().next().value as ReplicaId);
    if (wasCovered) seen.coveredVersion = part.version;
  }

  #missing(partition: number, node: NodeSeen): Causality | null {
    const part = this.#partitions.get(partition);
    if (part === undefined) return null;
    const seen = node.partitions.get(partition);
    if (seen?.coveredVersion === part.version) return null;
    const positions = [...part.positions].filter(([origin, sequence]) => (seen?.positions.get(origin) ?? 0) < sequence);
    const dots = [...part.dots].filter(
      ([text, { replica }]) => replica !== seen?.promoted.replica && seen?.confirmed.has(text) !== true,
    );
    if (positions.length + dots.length > 0)
      return {
        positions: positions.map(([origin, sequence]) => ({ origin, sequence })),
        dots: dots.map(([, dot]) => dot),
      };
    if (seen !== undefined) seen.coveredVersion = part.version;
    return null;
  }

  #of(partition: number): SessionPartition {
    let part = this.#partitions.get(partition);
    if (part === undefined)
      this.#partitions.set(partition, (part = { positions: new Map(), dots: new Map(), version: 0 }));
    return part;
  }
}

function decode(text: string): { cluster: string; partitions: Map<number, SessionPartition> } {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
    const r = new ByteReader(bytes);
    if (r.u32() !== crc32(bytes.subarray(4))) throw new DecodeError('the checksum is wrong');
    const version = r.u8();
    if (version !== formatVersion) throw new DecodeError(`format ${version}`);
    const cluster = r.text();
    const partitions = new Map<number, SessionPartition>();
    for (let left = r.count(3); left > 0; left--) {
      const partition = r.varint();
      const positions = new Map(Array.from({ length: r.count(7) }, () => [r.u48() as ReplicaId, r.varint()] as const));
      const dots = new Map(Array.from({ length: r.count(7) }, () => decodeDot(r)).map((dot) => [dotToText(dot), dot]));
      partitions.set(partition, { positions, dots, version: 0 });
    }
    r.end();
    return { cluster, partitions };
  } catch (error) {
    // `atob` throws a DOMException.
    throw new SkerryError({
      code: 'BAD_REQUEST',
      detail: `not a session token: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
}
