import { ByteReader, ByteWriter, type ClientId, type NodeId, type PartitionId, type ReplicaId } from '@skerry/base';
import { compareDots, compareStamps, type Dot } from '@skerry/crdt';
import { BySequence } from './by-sequence.ts';
import { pendingKeys, type PendingKeys } from './keys.ts';
import { decodePromote, encodeCommand } from './state/command.ts';
import { readNode } from './state/fields.ts';
import type { Promotion } from './state/promotion.ts';
import type { Turn } from './turn.ts';

/** A quorum-less write that this node holds durably and that is not committed, as far as it knows. */
export interface PendingWrite {
  readonly write: Promotion;
  readonly client: ClientId;
  readonly sequence: number;
  /** Name of the node that accepted it. */
  readonly origin: NodeId;
  /** The command that promotes it: encoded once, for the disk, the other nodes and the log. */
  readonly command: Uint8Array;
}

/** What one turn brought: one record, which goes with the last of its writes. */
interface Pack {
  readonly key: string;
  /** The record; empty until the turn is over. */
  bytes: Uint8Array;
  /** Writes of it that are not settled. */
  left: number;
}

/** The pack of the turn at hand. */
interface OpenPack {
  readonly pack: Pack;
  readonly writer: ByteWriter;
  readonly writes: Held[];
  readonly runs: (() => void)[];
}

export class Held implements PendingWrite {
  readonly write: Promotion;
  readonly client: ClientId;
  readonly sequence: number;
  readonly origin: NodeId;
  /** When this node got it; monotonic clock, 0 after a restart. */
  readonly heldSinceMs: number;
  readonly pack: Pack;
  /** Where in the pack the command stands. */
  readonly start: number;
  readonly end: number;
  /**
   * False while the write is not on this node's disk: nobody may learn of it here yet. After a crash the dot of one that this
   * node accepted would name another write.
   */
  durable: boolean;
  /** It is settled; this node holds it no more. */
  released = false;
  /** When it was last handed to a leader; null: not since the leader changed. */
  promotionSentMs: number | null = null;
  /** Nodes that said they hold it durably; null: none. */
  #holders: Set<NodeId> | null = null;

  constructor(
    { write, client, sequence, origin }: Omit<PendingWrite, 'command'>,
    place: { pack: Pack; start: number; end: number; durable: boolean; heldSinceMs: number },
  ) {
    this.write = write;
    this.client = client;
    this.sequence = sequence;
    this.origin = origin;
    this.heldSinceMs = place.heldSinceMs;
    this.pack = place.pack;
    this.start = place.start;
    this.end = place.end;
    this.durable = place.durable;
  }

  /** Once the turn that brought it is over. */
  get command(): Uint8Array {
    return this.pack.bytes.subarray(this.start, this.end);
  }

  /** Of the write in memory and in a message, about. */
  get bytes(): number {
    return 192 + this.write.key.length + this.end - this.start;
  }

  /** How many other nodes hold it, as far as is known. */
  get holderCount(): number {
    return this.#holders?.size ?? 0;
  }

  isHeldBy(node: NodeId): boolean {
    return this.#holders?.has(node) === true;
  }

  addHolder(node: NodeId): void {
    this.#holders ??= new Set();
    this.#holders.add(node);
  }
}

interface OfKey {
  /** In order of stamp. */
  readonly held: Held[];
  /** How many of them write something else than a register. */
  typed: number;
  /** How many were accepted by other nodes. */
  foreign: number;
}

/** A pack is cut here: what is settled of it stays on the disk until all of it is. */
const packBytesMax = 256 * 1_024;
const noneHeld: readonly Held[] = [];

/** The pending writes of one partition: durable records, all of them indexed in memory (their number is limited). */
export class PendingWrites {
  readonly #keys: PendingKeys;
  readonly #turn: Turn;
  /** Called with what has become durable, before anybody is told. */
  readonly #onDurable: (writes: readonly Held[]) => void;
  /** By replica and sequence; of each replica in the order in which they came. */
  readonly #byDot: Map<ReplicaId, Map<number, Held>> = new Map();
  readonly #byKey: Map<string, OfKey> = new Map();
  readonly #byWrite: BySequence<Held> = new BySequence();
  /** Accepted by other nodes. */
  readonly #foreign: Set<Held> = new Set();
  /** Two copies of one write were held at once, since there was last nothing. */
  #hasCopies = false;
  #count = 0;
  #bytes = 0;
  #open: OpenPack | null = null;
  #nextPack = 1;
  #packBytes = 0;

  constructor(partition: PartitionId, turn: Turn, onDurable: (writes: readonly Held[]) => void) {
    this.#keys = pendingKeys(partition);
    this.#turn = turn;
    this.#onDurable = onDurable;
    const found: Held[] = [];
    for (const { key, value } of turn.store.scan({ from: this.#keys.from, to: this.#keys.to })) {
      this.#nextPack = this.#keys.numberOf(key) + 1;
      found.push(...heldOf({ key, bytes: value.slice(), left: 0 }));
    }
    found.sort((a, b) => compareDots(a.write.op.dot, b.write.op.dot));
    for (const held of found) if (this.find(held.write.op.dot) === null) this.#index(held);
    for (const { pack } of found) if (pack.left === 0) turn.store.deferDeleteDirect(pack.key);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** No more can be held. */
  isFull(limits: { readonly pendingCountMax: number; readonly pendingBytesMax: number }): boolean {
    return this.#count >= limits.pendingCountMax || this.#bytes >= limits.pendingBytesMax;
  }

  /** In no particular order across origins; in dot order for each. */
  *all(): Generator<Held, void, undefined> {
    for (const ofReplica of this.#byDot.values()) yield* ofReplica.values();
  }

  /** Those that other nodes accepted. */
  foreign(): ReadonlySet<Held> {
    return this.#foreign;
  }

  /** In order of stamp. */
  ofKey(key: string): readonly Held[] {
    return this.#byKey.get(key)?.held ?? noneHeld;
  }

  /** True if one of the key was accepted by another node. */
  isForeign(key: string): boolean {
    return (this.#byKey.get(key)?.foreign ?? 0) > 0;
  }

  /** True if the last of the key is all that counts of them: they write registers, each another one. */
  isLastOnly(key: string): boolean {
    return !this.#hasCopies && this.#byKey.get(key)?.typed === 0;
  }

  keysWith(prefix: string): string[] {
    return Array.from(this.#byKey.keys()).filter((key) => key.startsWith(prefix));
  }

  find({ replica, sequence }: Dot): Held | null {
    return this.#byDot.get(replica)?.get(sequence) ?? null;
  }

  /** The copy of a retried write, if this node accepted it before. */
  findWrite(client: ClientId, sequence: number): Held | null {
    return this.#byWrite.get({ client, sequence }) ?? null;
  }

  /** Holds a write of this node, whose dot is new, from now on; its record enters the next batch. */
  hold(pending: Omit<PendingWrite, 'command'> & { readonly answeredBelow: number }): Held {
    return this.#hold(pending, (writer) =>
      encodeCommand(writer, {
        kind: 'promote',
        id: { client: pending.client, sequence: pending.sequence, answeredBelow: pending.answeredBelow },
        write: pending.write,
      }),
    );
  }

  /** The same for one that another node sent; the message it came in is not kept. */
  holdReceived(received: PendingWrite): Held {
    const known = this.find(received.write.op.dot);
    if (known !== null) return known;
    const pending = decodePending(new ByteReader(pendingBytes(received)));
    return this.#hold(pending, (writer) => void writer.raw(pending.command));
  }

  /** Runs `run` once all that is held is durable. */
  whenDurable(run: () => void): void {
    if (this.#open === null) this.#turn.whenDurable(run);
    else this.#open.runs.push(run);
  }

  /** Puts what the turn brought into its batch. */
  flush(): void {
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    const { pack, writes, runs } = open;
    pack.bytes = open.writer.finish();
    this.#packBytes = pack.bytes.length;
    // What is settled by now need not be kept; those who wait for it wait for the rest of the batch.
    if (pack.left > 0) this.#turn.store.put(pack.key, pack.bytes);
    this.#turn.whenDurable(() => {
      for (const held of writes) held.durable = true;
      this.#onDurable(writes);
      for (const run of runs) run();
    });
  }

  /** Lets go of a settled write. The record goes with the applied state that settled the last of its pack, not before. */
  release(dot: Dot): Held | null {
    const ofReplica = this.#byDot.get(dot.replica);
    const held = ofReplica?.get(dot.sequence);
    if (ofReplica === undefined || held === undefined) return null;
    ofReplica.delete(dot.sequence);
    if (ofReplica.size === 0) this.#byDot.delete(dot.replica);
    held.released = true;
    this.#count--;
    this.#bytes -= held.bytes;
    this.#releaseOfKey(held);
    if (this.#byWrite.get(held) === held) this.#byWrite.delete(held);
    this.#foreign.delete(held);
    if (this.#count === 0) this.#hasCopies = false;
    held.pack.left--;
    if (held.pack.left === 0 && held.pack.bytes.length > 0) this.#turn.store.deferDeleteDirect(held.pack.key);
    return held;
  }

  #hold(pending: Omit<PendingWrite, 'command'>, encode: (writer: ByteWriter) => void): Held {
    if (this.#open !== null && this.#open.writer.length >= packBytesMax) this.flush();
    const { pack, writer, writes } = (this.#open ??= {
      pack: { key: this.#keys.pack(this.#nextPack++), bytes: new Uint8Array(0), left: 0 },
      writer: new ByteWriter(this.#packBytes),
      writes: [],
      runs: [],
    });
    writer.text(pending.origin);
    const start = writer.length;
    encode(writer);
    const heldSinceMs = this.#turn.now.monoMs;
    const held = new Held(pending, { pack, start, end: writer.length, durable: false, heldSinceMs });
    writes.push(held);
    this.#index(held);
    return held;
  }

  #index(held: Held): void {
    const { key, op } = held.write;
    held.pack.left++;
    this.#count++;
    this.#bytes += held.bytes;
    let ofReplica = this.#byDot.get(op.dot.replica);
    if (ofReplica === undefined) this.#byDot.set(op.dot.replica, (ofReplica = new Map()));
    ofReplica.set(op.dot.sequence, held);
    let ofKey = this.#byKey.get(key);
    if (ofKey === undefined) this.#byKey.set(key, (ofKey = { held: [], typed: 0, foreign: 0 }));
    let at = ofKey.held.length;
    while (at > 0 && compareStamps((ofKey.held[at - 1] as Held).write.op.stamp, op.stamp) > 0) at--;
    if (at === ofKey.held.length) ofKey.held.push(held);
    else ofKey.held.splice(at, 0, held);
    if (op.body.type !== 'register') ofKey.typed++;
    if (held.origin !== this.#turn.options.node) {
      ofKey.foreign++;
      this.#foreign.add(held);
    }
    if (this.#byWrite.get(held) !== undefined) this.#hasCopies = true;
    this.#byWrite.set(held, held);
  }

  #releaseOfKey(held: Held): void {
    const { key, op } = held.write;
    const ofKey = this.#byKey.get(key);
    if (ofKey === undefined) return;
    if (ofKey.held.length === 1) {
      this.#byKey.delete(key);
      return;
    }
    if (ofKey.held[0] === held) ofKey.held.shift();
    else ofKey.held.splice(ofKey.held.indexOf(held), 1);
    if (op.body.type !== 'register') ofKey.typed--;
    if (held.origin !== this.#turn.options.node) ofKey.foreign--;
  }
}

export function encodePending(writer: ByteWriter, { origin, command }: PendingWrite): void {
  writer.text(origin).raw(command);
}

/** Bytes inside the result are views of the input. */
export function decodePending(reader: ByteReader): PendingWrite {
  const origin = readNode(reader);
  const start = reader.offset;
  const { id, write } = decodePromote(reader);
  return { origin, client: id.client, sequence: id.sequence, write, command: reader.since(start) };
}

/** What stands in a record. */
function heldOf(pack: Pack): Held[] {
  const reader = new ByteReader(pack.bytes);
  const held: Held[] = [];
  while (reader.remaining > 0) {
    const pending = decodePending(reader);
    const end = reader.offset;
    held.push(new Held(pending, { pack, start: end - pending.command.length, end, durable: true, heldSinceMs: 0 }));
  }
  return held;
}

function pendingBytes(pending: PendingWrite): Uint8Array {
  const writer = new ByteWriter(64 + pending.command.length);
  encodePending(writer, pending);
  return writer.finish();
}
