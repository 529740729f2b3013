import { assertPresent, ByteReader, crc32, hashText, utf8Decode } from '@skerry/base';
import {
  ClampChecker,
  LeaderChecker,
  LogChecker,
  StateChecker,
  type LogPlace,
  type RegionLogChecker,
} from '@skerry/checkers';
import { decodeOperation, decodeStamp, dotToText, stampToText } from '@skerry/crdt';
import { decodeConfigState } from '@skerry/raft';
import { decodeChanges, resolveChange, withoutRuns, type Effects, type PeerMessage } from '@skerry/replica';
import { homeOf, type Machine } from './machine.ts';
import type { Plan } from './plan.ts';
import type { Sometimes } from './sometimes.ts';
import { headerFacts, type HeaderFacts } from './state-header.ts';
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
  readonly generations: readonly [GenerationHash, GenerationHash];
}

interface GenerationHash {
  readonly records: Map<string, number>;
  sum: number;
  header: HeaderFacts | null;
}

/**
 * Watches what the machines write and send, which no client sees, and tells the checkers of what must hold at every step:
 * one leader per term (I1), equal logs and committed changes (I2), equal state at equal applied index, region logs in order
 * and without gaps (I10), stamps within their limits.
 */
export class Observer {
  readonly violations: RunViolation[] = [];
  /** Every committed change that any node applied, by partition and index. */
  readonly committed: Committed[] = [];
  readonly #plan: Plan;
  readonly #position: () => number;
  /** By partition and index: before which event an entry was first written there. */
  readonly #writtenAt: Map<string, number> = new Map();
  readonly #sometimes: Sometimes;
  readonly #leaders: LeaderChecker = new LeaderChecker();
  readonly #logs: LogChecker = new LogChecker();
  readonly #states: StateChecker;
  readonly #clamps: ClampChecker = new ClampChecker();
  /** Of all regions. */
  readonly #regionLogs: RegionLogChecker;
  readonly #lastTerms: Map<number, number> = new Map();
  readonly #hashes: Map<string, StateHash> = new Map();
  /** By machine, partition and index: of the entry that it wrote there last, in which values of its feed stand. */
  readonly #entryData: Map<string, Uint8Array> = new Map();
  /** By client and sequence: the first dot that a quorum-less write was seen under. */
  readonly #copies: Map<string, string> = new Map();
  readonly #snapshotsUnderWay: Map<string, number> = new Map();

  constructor(plan: Plan, { explains, sometimes, position, regionLogs }: Shared) {
    this.#plan = plan;
    this.#sometimes = sometimes;
    this.#position = position;
    this.#states = new StateChecker({ explains });
    this.#regionLogs = regionLogs;
  }

  /** A process sent a message. */
  sent(machine: Machine, message: PeerMessage): void {
    if (message.kind === 'chunk') {
      this.#snapshotsUnderWay.set(`${message.partition}`, message.term);
      if (message.last) this.#snapshotsUnderWay.delete(`${message.partition}`);
    }
    if (message.kind !== 'raft') return;
    const { kind, term } = message.message;
    if (kind !== 'append' && kind !== 'commit' && kind !== 'heartbeat' && kind !== 'snapshot') return;
    const { partition } = message;
    const claim = this.#leaders.claims({ partition, term, node: machine.name });
    if (claim === 'known') return;
    if (claim !== 'first') return this.#judge(claim);
    const last = this.#lastTerms.get(partition);
    this.#lastTerms.set(partition, Math.max(last ?? 0, term));
    if (last !== undefined) this.#sometimes.saw('leader changed');
    if (this.#snapshotsUnderWay.delete(`${partition}`)) this.#sometimes.saw('leader changed during snapshot');
  }

  /** A process handed a batch to its disk. */
  written(machine: Machine, writes: Writes): void {
    for (const { key, value } of withoutRuns(writes)) {
      if (key.startsWith('s/')) {
        if (value === null) continue;
        const letter = key.charAt(letterAt);
        if (letter === 'o') this.#sometimes.saw('conflict recorded');
        if (letter === 'f')
          this.#feed(machine, {
            partition: partitionOf(key),
            index: Number.parseInt(key.slice(letterAt + 2), 16),
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
    let touched: Set<number> | null = null;
    for (const { key, value } of withoutRuns(writes)) {
      if (key.startsWith('r/') && key.endsWith('/gen')) {
        const partition = partitionOf(key);
        this.#hashOf(machine, partition).generation = value?.[0] ?? 0;
        (touched ??= new Set()).add(partition);
      }
      if (!key.startsWith('s/')) continue;
      const letter = key.charAt(letterAt);
      if (letter === 'f') continue;
      const partition = partitionOf(key);
      const generation = (key.charCodeAt(7) - 48) as 0 | 1;
      const rest = key.slice(letterAt);
      const state = this.#hashOf(machine, partition).generations[generation];
      if (letter === 'g' && value !== null)
        this.#regionLog({ node: folderOf(machine), partition, generation }, rest, value);
      if (rest !== 'h') put(state, rest, value === null ? 0 : crc32(value, hashText(rest)));
      else {
        state.header = value === null ? null : headerFacts(value);
        put(state, rest, state.header === null ? 0 : crc32(state.header.common, hashText(rest)));
        (touched ??= new Set()).add(partition);
      }
    }
    if (touched !== null) for (const partition of touched) this.#compareState(machine, partition);
  }

  crashed(_machine: Machine): void {}

  /** The disk is another one now. */
  wiped(machine: Machine): void {
    for (let partition = 0; partition < this.#plan.partitionCount; partition++)
      this.#hashes.delete(`${machine.name}/${partition}`);
  }

  /** Of the state that is in force, replicas that applied up to the same index hold the same records. */
  #compareState(machine: Machine, partition: number): void {
    const { generation, generations } = this.#hashOf(machine, partition);
    const { header, sum, records } = generations[generation as 0 | 1];
    if (header === null) return;
    const { applied, positions, reseededFor } = header;
    this.#judge(this.#states.holds({ partition, applied, node: machine.label, sum, records }));
    if (this.#plan.others.length > 0)
      this.#judge(
        this.#regionLogs.positions({ node: folderOf(machine), partition, generation }, positions, reseededFor),
      );
  }

  #regionLog(place: LogPlace, key: string, value: Uint8Array): void {
    const [, origin, first] = key.split('/');
    const reader = new ByteReader(value);
    const hashes: number[] = [];
    for (let left = reader.count(); left > 0; left--) hashes.push(crc32(reader.bytes()));
    this.#judge(
      this.#regionLogs.stored(place, {
        origin: Number.parseInt(origin ?? '', 16),
        first: Number.parseInt(first ?? '', 16),
        hashes,
      }),
    );
  }

  #hashOf(machine: Machine, partition: number): StateHash {
    const name = `${machine.name}/${partition}`;
    let state = this.#hashes.get(name);
    if (state === undefined) {
      state = { generation: 0, generations: [emptyGeneration(), emptyGeneration()] };
      this.#hashes.set(name, state);
    }
    return state;
  }

  #entry(machine: Machine, key: string, value: Uint8Array | null): void {
    if (value === null) return;
    // The record begins with a hash chain, which differs where logs start at different places.
    const body = value.subarray(4);
    const reader = new ByteReader(body);
    const index = reader.varint();
    const term = reader.varint();
    const partition = partitionOf(key);
    const place = `${partition}/${index}`;
    if (!this.#writtenAt.has(place)) this.#writtenAt.set(place, this.#position());
    const kind = reader.u8();
    const data = reader.bytes();
    this.#entryData.set(`${machine.name}/${place}`, data);
    this.#noteClamp({ partition, index }, kind, data);
    this.#judge(this.#logs.entry({ partition, index, term, hash: crc32(body), node: machine.label }));
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

  /** The limit for stamps that the leader put into an entry. */
  #noteClamp(place: { partition: number; index: number }, kind: number, data: Uint8Array): void {
    if (kind === 1 && decodeConfigState(new ByteReader(data)).votersOutgoing.length > 0)
      this.#sometimes.saw('joint configuration');
    if (kind !== 0) return;
    const batch = new ByteReader(data);
    if (batch.remaining === 0) return;
    batch.u8();
    batch.u48();
    this.#clamps.limited({ ...place, limitMs: batch.u48() });
  }

  #feed(machine: Machine, { partition, index, value }: { partition: number; index: number; value: Uint8Array }): void {
    const applied = this.#logs.applied({ partition, index, hash: crc32(value), node: machine.label });
    if (applied === 'known') return;
    if (applied !== 'first') return this.#judge(applied);
    const limitMs = this.#clamps.limitAt(partition, index);
    const entry = (): Uint8Array =>
      assertPresent(this.#entryData.get(`${machine.name}/${partition}/${index}`), 'an entry was written', { index });
    for (const stored of decodeChanges(value)) {
      const { key, stamp, typed, value: bytes } = resolveChange(stored, entry);
      const version = stampToText(stamp);
      const { wallMs } = stamp;
      const tooFar = this.#clamps.committed({ partition, index, key, wallMs, version, limitMs });
      // Stamps of other regions may lie ahead, and raise those of this one, also where they change nothing.
      if (this.#plan.others.length === 0) this.#judge(tooFar);
      this.committed.push({
        partition,
        index,
        key,
        value: bytes === null ? null : utf8Decode(bytes),
        version,
        home: homeOf(stamp.replica),
        typed,
        afterAt: this.#writtenAt.get(`${partition}/${index}`) ?? 0,
        beforeAt: this.#position(),
      });
    }
  }

  #judge(violation: RunViolation | null): void {
    if (violation !== null) this.violations.push(violation);
  }
}

/** Keys of applied state are `s/PPPP/G/`, then a letter: see replica's `keys.ts`. */
const letterAt = 9;

function partitionOf(key: string): number {
  return Number.parseInt(key.slice(2, 6), 16);
}

/** What lasts from one start of the process to the next. */
function folderOf({ name, incarnation }: Machine): string {
  return `${name}#${incarnation}`;
}

function emptyGeneration(): GenerationHash {
  return { records: new Map(), sum: 0, header: null };
}

function put(state: GenerationHash, key: string, hash: number): void {
  state.sum = (state.sum + hash - (state.records.get(key) ?? 0)) | 0;
  if (hash === 0) state.records.delete(key);
  else state.records.set(key, hash);
}
