import { ByteReader, crc32, hashText, utf8Decode, type NodeId } from '@skerry/base';
import { decodeOperation, decodeStamp, dotToText, stampToText } from '@skerry/crdt';
import { decodeConfigState } from '@skerry/raft';
import { withoutRuns, type Effects, type PeerMessage } from '@skerry/replica';
import { homeOf, type Machine } from './machine.ts';
import type { Plan } from './plan.ts';
import type { Sometimes } from './sometimes.ts';
import { headerFacts } from './state-header.ts';
import type { Shared } from './system.ts';
import type { RunViolation } from './violation.ts';

type Writes = NonNullable<Effects['batch']>['writes'];

/** A committed change of a key, as some node's feed of changes has it. */
export interface Committed {
  readonly partition: number;
  readonly index: number;
  readonly key: string;
  readonly value: string | null;
  readonly version: string;
  /** Index of the region where it was written. */
  readonly home: number;
  /** The value is of another type than the register; `value` is null. */
  readonly typed: boolean;
  /** Positions among the events that clients saw: it took effect between these. */
  readonly afterAt: number;
  readonly beforeAt: number;
}

/** The durable applied state of one node and partition. */
interface StateHash {
  generation: number;
  /** By generation: hash of each record by key, and their sum. */
  readonly generations: [Map<string, number>, Map<string, number>];
  readonly sums: [number, number];
}

/**
 * Watches what the machines write and send, which no client sees: one leader per term (I1), equal logs and committed
 * changes (I2), equal state at equal applied index, each value applied once (I7).
 */
export class Observer {
  readonly violations: RunViolation[] = [];
  /** Every committed change that any node applied, by partition and index. */
  readonly committed: Committed[] = [];
  readonly #plan: Plan;
  readonly #position: () => number;
  /** By partition and index: before which event an entry was first written there. */
  readonly #writtenAt: Map<string, number> = new Map();
  /** Keep what it takes to say which records differ. */
  readonly #explains: boolean;
  readonly #sometimes: Sometimes;
  readonly #leaders: Map<string, NodeId> = new Map();
  readonly #lastTerms: Map<number, number> = new Map();
  readonly #feeds: Map<string, { readonly hash: number; readonly node: string }> = new Map();
  readonly #states: Map<
    string,
    { readonly sum: number; readonly node: string; readonly records: ReadonlyMap<string, number> | null }
  > = new Map();
  readonly #hashes: Map<string, StateHash> = new Map();
  readonly #entries: Map<string, { readonly hash: number; readonly node: string }> = new Map();
  /** By partition and index: the limit for stamps. */
  readonly #clamps: Map<string, number> = new Map();
  /** By partition: of the stamps committed so far. */
  readonly #highestWallMs: Map<number, number> = new Map();
  /** By client and sequence: the first dot that a quorum-less write was seen under. */
  readonly #copies: Map<string, string> = new Map();
  readonly #snapshotsUnderWay: Map<string, number> = new Map();

  constructor(plan: Plan, { explains, sometimes, position }: Shared) {
    this.#explains = explains;
    this.#plan = plan;
    this.#sometimes = sometimes;
    this.#position = position;
  }

  /** A process sent a message. */
  sent(machine: Machine, message: PeerMessage): void {
    if (message.kind === 'chunk') {
      this.#snapshotsUnderWay.set(`${message.partition}`, message.term);
      if (message.last) this.#snapshotsUnderWay.delete(`${message.partition}`);
    }
    if (message.kind !== 'raft') return;
    const { kind, term } = message.message;
    if (kind !== 'append' && kind !== 'heartbeat' && kind !== 'snapshot') return;
    const name = `${message.partition}/${term}`;
    const leader = this.#leaders.get(name);
    if (leader === undefined) {
      this.#leaders.set(name, machine.name);
      const last = this.#lastTerms.get(message.partition);
      this.#lastTerms.set(message.partition, Math.max(last ?? 0, term));
      if (last !== undefined) this.#sometimes.saw('leader changed');
      if (this.#snapshotsUnderWay.delete(`${message.partition}`)) this.#sometimes.saw('leader changed during snapshot');
    } else if (leader !== machine.name) {
      this.#violate('I1', `${leader} and ${machine.name} both lead partition ${message.partition} in term ${term}`);
    }
  }

  /** A process handed a batch to its disk. */
  written(machine: Machine, writes: Writes): void {
    for (const { key, value } of withoutRuns(writes)) {
      if (key.startsWith('s/')) {
        const [, partition, , letter, index] = key.split('/');
        if (letter === 'o' && value !== null) this.#sometimes.saw('conflict recorded');
        if (letter === 'f' && value !== null)
          this.#feed(machine, {
            partition: Number.parseInt(partition ?? '', 16),
            index: Number.parseInt(index ?? '', 16),
            value,
          });
      } else if (key.startsWith('r/') && key.endsWith('/gen')) this.#sometimes.saw('snapshot installed');
      else if (key.startsWith('r/') && key.endsWith('/log')) this.#sometimes.saw('log compacted');
      else if (key.startsWith('w/') && value !== null) this.#pending(key, value);
      else if (key.startsWith('l/')) this.#entry(machine, key, value);
    }
  }

  /** A batch became durable. */
  durable(machine: Machine, writes: Writes): void {
    const touched = new Set<number>();
    for (const { key, value } of withoutRuns(writes)) {
      if (key.startsWith('r/') && key.endsWith('/gen')) {
        this.#hashOf(machine, Number.parseInt(key.slice(2, 6), 16)).generation = value?.[0] ?? 0;
        touched.add(Number.parseInt(key.slice(2, 6), 16));
      }
      if (!key.startsWith('s/')) continue;
      const partition = Number.parseInt(key.slice(2, 6), 16);
      const generation = key.charCodeAt(7) - 48;
      const rest = key.slice(9);
      if (rest.startsWith('f/')) continue;
      this.#put(this.#hashOf(machine, partition), { generation: generation as 0 | 1, rest, value });
      if (rest === 'h') touched.add(partition);
    }
    for (const partition of touched) this.#compareState(machine, partition);
  }

  crashed(_machine: Machine): void {}

  /** The disk is another one now. */
  wiped(machine: Machine): void {
    for (let partition = 0; partition < this.#plan.partitionCount; partition++)
      this.#hashes.delete(`${machine.name}/${partition}`);
  }

  #put(
    state: StateHash,
    { generation, rest, value }: { generation: 0 | 1; rest: string; value: Uint8Array | null },
  ): void {
    const hashes = state.generations[generation];
    const old = hashes.get(rest) ?? 0;
    const hash = value === null ? 0 : crc32(rest === 'h' ? headerFacts(value).common : value, hashText(rest));
    if (value === null) hashes.delete(rest);
    else hashes.set(rest, hash);
    state.sums[generation] = (state.sums[generation] + hash - old) | 0;
  }

  /** Replicas that applied up to the same index hold the same records. */
  #compareState(machine: Machine, partition: number): void {
    const state = this.#hashOf(machine, partition);
    const generation = state.generation as 0 | 1;
    const header = machine.storage.get(`s/${partition.toString(16).padStart(4, '0')}/${generation}/h`);
    if (header === undefined) return;
    const { applied } = headerFacts(header);
    const sum = state.sums[generation];
    const name = `${partition}/${applied}`;
    const other = this.#states.get(name);
    const hashes = state.generations[generation];
    if (other === undefined) {
      this.#states.set(name, { sum, node: machine.label, records: this.#explains ? new Map(hashes) : null });
    } else if (other.sum !== sum) {
      const which = other.records === null ? '' : `: ${differing(hashes, other.records).join(', ')}`;
      this.#violate(
        'state',
        `${machine.label} and ${other.node} applied partition ${partition} up to ${applied} and hold different records${which}`,
      );
    }
  }

  #hashOf(machine: Machine, partition: number): StateHash {
    const name = `${machine.name}/${partition}`;
    let state = this.#hashes.get(name);
    if (state === undefined) {
      state = { generation: 0, generations: [new Map(), new Map()], sums: [0, 0] };
      this.#hashes.set(name, state);
    }
    return state;
  }

  /** Log matching: an entry of one index and term is the same everywhere. */
  #entry(machine: Machine, key: string, value: Uint8Array | null): void {
    if (value === null) return;
    // The record begins with a hash chain, which differs where logs start at different places.
    const body = value.subarray(4);
    const reader = new ByteReader(body);
    const index = reader.varint();
    const term = reader.varint();
    const name = `${key.slice(2, 6)}/${index}/${term}`;
    const hash = crc32(body);
    const place = `${Number.parseInt(key.slice(2, 6), 16)}/${index}`;
    if (!this.#writtenAt.has(place)) this.#writtenAt.set(place, this.#position());
    this.#noteClamp(place, reader);
    const other = this.#entries.get(name);
    if (other === undefined) this.#entries.set(name, { hash, node: machine.label });
    else if (other.hash !== hash)
      this.#violate('I2', `${machine.label} and ${other.node} have different entries at partition/index/term ${name}`);
  }

  /** Writes that are held pending; a retry may have been accepted by a second node. */
  #pending(key: string, value: Uint8Array): void {
    const reader = new ByteReader(value);
    while (reader.remaining > 0) {
      reader.text();
      reader.u8();
      // A client counts its writes in each partition.
      const name = `${key.slice(2, 6)}:${reader.text()}:${reader.varint()}`;
      reader.varint();
      reader.text();
      const dot = dotToText(decodeOperation(reader).dot);
      if (reader.u8() > 0) decodeStamp(reader);
      const first = this.#copies.get(name);
      if (first === undefined) this.#copies.set(name, dot);
      else if (first !== dot) this.#sometimes.saw('two copies of a retried write');
    }
  }

  /** The limit for stamps that the leader put into an entry; entries of several terms may have stood there. */
  #noteClamp(name: string, entry: ByteReader): void {
    const kind = entry.u8();
    const data = entry.bytes();
    if (kind === 1 && decodeConfigState(new ByteReader(data)).votersOutgoing.length > 0)
      this.#sometimes.saw('joint configuration');
    if (kind !== 0) return;
    const batch = new ByteReader(data);
    if (batch.remaining === 0) return;
    batch.u8();
    batch.u48();
    this.#clamps.set(name, Math.max(this.#clamps.get(name) ?? 0, batch.u48()));
  }

  #feed(machine: Machine, { partition, index, value }: { partition: number; index: number; value: Uint8Array }): void {
    const name = `${partition}/${index}`;
    const hash = crc32(value);
    const other = this.#feeds.get(name);
    if (other !== undefined) {
      if (other.hash !== hash)
        this.#violate('I2', `${machine.label} and ${other.node} applied different changes at ${name}`);
      return;
    }
    this.#feeds.set(name, { hash, node: machine.label });
    const reader = new ByteReader(value);
    const highest = Math.max(this.#highestWallMs.get(partition) ?? 0, this.#clamps.get(name) ?? 0);
    for (let left = reader.count(); left > 0; left--) {
      const key = reader.text();
      const stamp = decodeStamp(reader);
      // A stamp that counted on from the highest may have carried into the next millisecond.
      const home = homeOf(stamp.replica);
      // Stamps of other regions may lie ahead, and raise those of this one, also where they change nothing.
      if (this.#plan.others.length === 0 && stamp.wallMs > highest + 1)
        this.#violate(
          'clamp',
          `${key} got the stamp ${stampToText(stamp)} at ${name}, ${stamp.wallMs - highest} ms beyond the leader's limit`,
        );
      this.#highestWallMs.set(partition, Math.max(this.#highestWallMs.get(partition) ?? 0, stamp.wallMs));
      const typed = reader.bool();
      const bytes = reader.bool() ? reader.bytes() : null;
      this.committed.push({
        partition,
        index,
        key,
        value: bytes === null ? null : utf8Decode(bytes),
        version: stampToText(stamp),
        home,
        typed,
        afterAt: this.#writtenAt.get(name) ?? 0,
        beforeAt: this.#position(),
      });
    }
  }

  #violate(invariant: string, message: string): void {
    this.violations.push({ invariant, message });
  }
}

function differing(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => a.get(key) !== b.get(key))
    .sort()
    .map((key) => `${key} ${a.has(key) ? (b.has(key) ? 'in both' : 'only here') : 'only there'}`);
}
