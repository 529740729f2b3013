import { ByteReader, ByteWriter, type ClientId, type NodeId, type PartitionId, type ReplicaId } from '@skerry/base';
import { compareStamps, dotToText, type Dot } from '@skerry/crdt';
import { pendingKeys, type PendingKeys } from './keys.ts';
import type { StagedStore } from './staged-store.ts';
import { decodePromotion, encodePromotion, type Promotion } from './state/promotion.ts';
import { readClient, readNode } from './state/fields.ts';

/** A quorum-less write that this node holds durably and that is not committed, as far as it knows. */
export interface PendingWrite {
  readonly write: Promotion;
  readonly client: ClientId;
  readonly sequence: number;
  /** Name of the node that accepted it. */
  readonly origin: NodeId;
}

export interface Held extends PendingWrite {
  readonly dotText: string;
  /** Of the write in memory and in a message, about. */
  readonly bytes: number;
  /** When this node got it; monotonic clock, 0 after a restart. */
  readonly heldSinceMs: number;
  /**
   * False while the write is not on this node's disk: nobody may learn of it here yet. After a crash the dot of one that this
   * node accepted would name another write.
   */
  durable: boolean;
  /** When it was last handed to a leader; null: not since the leader changed. */
  promotionSentMs: number | null;
  /** Nodes that said they hold it durably. */
  readonly holders: Set<NodeId>;
}

/** The pending writes of one partition: durable records, all of them indexed in memory (their number is limited). */
export class PendingWrites {
  readonly #keys: PendingKeys;
  readonly #store: StagedStore;
  readonly #byDot: Map<string, Held> = new Map();
  /** By key, in order of stamp. */
  readonly #byKey: Map<string, Held[]> = new Map();
  readonly #byWrite: Map<string, Held> = new Map();
  #bytes = 0;

  constructor(partition: PartitionId, store: StagedStore) {
    this.#keys = pendingKeys(partition);
    this.#store = store;
    for (const { value } of store.scan({ from: this.#keys.from, to: this.#keys.to })) {
      this.#index(decodePending(new ByteReader(value.slice())), 0, value.length);
    }
  }

  get count(): number {
    return this.#byDot.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** No more can be held. */
  isFull(limits: { readonly pendingCountMax: number; readonly pendingBytesMax: number }): boolean {
    return this.#byDot.size >= limits.pendingCountMax || this.#bytes >= limits.pendingBytesMax;
  }

  /** In no particular order across origins; in dot order for each. */
  all(): Iterable<Held> {
    return this.#byDot.values();
  }

  ofKey(key: string): readonly Held[] {
    return this.#byKey.get(key) ?? [];
  }

  keysWith(prefix: string): string[] {
    return Array.from(this.#byKey.keys()).filter((key) => key.startsWith(prefix));
  }

  find(dot: Dot): Held | null {
    return this.#byDot.get(dotToText(dot)) ?? null;
  }

  findByText(dotText: string): Held | null {
    return this.#byDot.get(dotText) ?? null;
  }

  /** The copy of a retried write, if this node accepted it before. */
  findWrite(client: ClientId, sequence: number): Held | null {
    return this.#byWrite.get(`${client}:${sequence}`) ?? null;
  }

  /** Holds a write from now on; its record enters the next batch. */
  hold(pending: PendingWrite, nowMs: number): Held {
    const known = this.find(pending.write.op.dot);
    if (known !== null) return known;
    const writer = new ByteWriter(sizeHint(pending));
    encodePending(writer, pending);
    const record = writer.finish();
    this.#store.put(this.#keys.of(pending.write.op.dot), record);
    return this.#index(pending, nowMs, record.length);
  }

  /** Lets go of a settled write. The record goes with the applied state that settled it, not before. */
  release(dot: Dot): Held | null {
    const dotText = dotToText(dot);
    const held = this.#byDot.get(dotText);
    if (held === undefined) return null;
    this.#byDot.delete(dotText);
    this.#bytes -= held.bytes;
    const ofKey = this.#byKey.get(held.write.key) ?? [];
    const rest = ofKey.filter((one) => one !== held);
    if (rest.length === 0) this.#byKey.delete(held.write.key);
    else this.#byKey.set(held.write.key, rest);
    const writeKey = `${held.client}:${held.sequence}`;
    if (this.#byWrite.get(writeKey) === held) this.#byWrite.delete(writeKey);
    this.#store.deferDelete(this.#keys.of(dot));
    return held;
  }

  /** Largest sequence held of `replica`; 0: none. */
  sequenceMax(replica: ReplicaId): number {
    let max = 0;
    for (const { write } of this.#byDot.values())
      if (write.op.dot.replica === replica) max = Math.max(max, write.op.dot.sequence);
    return max;
  }

  /** The leader changed: whatever was handed to the old one may be lost. */
  forgetSent(): void {
    for (const held of this.#byDot.values()) held.promotionSentMs = null;
  }

  #index(pending: PendingWrite, nowMs: number, recordBytes: number): Held {
    const dotText = dotToText(pending.write.op.dot);
    const bytes = 128 + pending.write.key.length + recordBytes;
    this.#bytes += bytes;
    const held: Held = {
      ...pending,
      dotText,
      bytes,
      heldSinceMs: nowMs,
      promotionSentMs: null,
      holders: new Set(),
      durable: true,
    };
    this.#byDot.set(dotText, held);
    const ofKey = this.#byKey.get(pending.write.key);
    if (ofKey === undefined) this.#byKey.set(pending.write.key, [held]);
    else {
      let at = ofKey.length;
      while (at > 0 && compareStamps((ofKey[at - 1] as Held).write.op.stamp, pending.write.op.stamp) > 0) at--;
      ofKey.splice(at, 0, held);
    }
    this.#byWrite.set(`${pending.client}:${pending.sequence}`, held);
    return held;
  }
}

export function encodePending(writer: ByteWriter, pending: PendingWrite): void {
  writer.text(pending.origin).text(pending.client).varint(pending.sequence);
  encodePromotion(writer, pending.write);
}

export function decodePending(reader: ByteReader): PendingWrite {
  return {
    origin: readNode(reader),
    client: readClient(reader),
    sequence: reader.varint(),
    write: decodePromotion(reader),
  };
}

/** The same write with memory of its own: one that was received is a view of its message. */
export function copyPending(pending: PendingWrite): PendingWrite {
  const writer = new ByteWriter(sizeHint(pending));
  encodePending(writer, pending);
  return decodePending(new ByteReader(writer.finish()));
}

function sizeHint({ write: { key, op } }: PendingWrite): number {
  const { body } = op;
  return 192 + 3 * key.length + (body.type === 'register' ? (body.value?.length ?? 0) : 0);
}
