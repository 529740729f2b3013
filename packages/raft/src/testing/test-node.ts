import type { NodeId, Random } from '@skerry/base';
import {
  Raft,
  type ConfigState,
  type Entry,
  type LogIndex,
  type Message,
  type Output,
  type Persist,
  type RaftOptions,
  type ReadState,
} from '../index.ts';
import type { MemoryStorage } from './memory-storage.ts';

export const testTicks = { heartbeatTicks: 2, electionTicksMin: 10, electionTicksMax: 20 } as const;

export function testOptions(id: NodeId, random: Random, options: Partial<RaftOptions> = {}): RaftOptions {
  return {
    id,
    random,
    ...testTicks,
    appendBytesMax: 4096,
    inflightAppendsMax: 8,
    inflightBytesMax: 65_536,
    uncommittedBytesMax: 65_536,
    entriesCachedBytesMax: 1024,
    ...options,
  };
}

interface Unit {
  readonly persist: Persist | null;
  readonly messages: readonly Message[];
  readonly applied: LogIndex;
  readonly config: ConfigState;
}

/** An owner that keeps the contract of `Raft`, with a disk whose writes complete when the test says so. */
export class TestNode {
  readonly id: NodeId;
  readonly storage: MemoryStorage;
  readonly options: RaftOptions;
  raft: Raft;
  up = true;
  /** Applied since the process started; the durable position is the storage's. */
  applied: LogIndex;
  config: ConfigState;
  /** Everything applied in this life. */
  appliedEntries: Entry[] = [];
  readStates: ReadState[] = [];
  /** Outputs of this life, for tests that look at them. */
  outputs: Output[] = [];
  keepOutputs = true;
  /** Sent and not yet taken by the network. */
  outbox: Message[] = [];
  onOutput: (output: Output) => void = () => {};
  #units: Unit[] = [];

  constructor(options: RaftOptions, storage: MemoryStorage) {
    this.id = options.id;
    this.options = options;
    this.storage = storage;
    this.applied = storage.applied;
    this.config = storage.config;
    this.raft = new Raft(options, storage, storage.restored());
  }

  get persistsOutstanding(): number {
    return this.#units.length;
  }

  /** Does what the outputs say; persists stay outstanding. */
  run(): void {
    let count = 0;
    for (let output = this.raft.takeOutput(); output !== null; output = this.raft.takeOutput()) {
      // Nothing comes in meanwhile, so what is due is finite.
      if (count++ > 1000) throw new Error(`${this.id} has output without end`);
      if (this.keepOutputs) this.outputs.push(output);
      this.onOutput(output);
      this.outbox.push(...output.messages);
      this.#apply(output);
      if (output.persist !== null || this.#units.length > 0) {
        this.#units.push({
          persist: output.persist,
          messages: output.messagesAfterPersist,
          applied: this.applied,
          config: this.config,
        });
      } else {
        this.outbox.push(...output.messagesAfterPersist);
      }
    }
  }

  /** The oldest outstanding writes become durable. */
  sync(count = Infinity): void {
    for (let i = 0; i < count && this.#units.length > 0; i++) {
      const unit = this.#units.shift() as Unit;
      if (unit.persist !== null) this.storage.write(unit.persist);
      this.storage.writeApplied(unit.applied, unit.config);
      this.outbox.push(...unit.messages);
      if (unit.persist === null) continue;
      if (unit.persist.snapshot !== null) this.#installed(unit.persist.snapshot.index, unit.persist.snapshot.config);
      this.raft.persisted(unit.persist.id);
    }
  }

  crash(): void {
    this.up = false;
    this.#units = [];
    this.outbox = [];
  }

  restart(): void {
    this.crash();
    this.up = true;
    this.applied = this.storage.applied;
    this.config = this.storage.config;
    this.appliedEntries = [];
    this.readStates = [];
    this.outputs = [];
    this.raft = new Raft(this.options, this.storage, this.storage.restored());
  }

  /** Compacts storage up to `index`, as far as that is durable. */
  compact(index: LogIndex): void {
    const to = Math.min(index, this.storage.applied) as LogIndex;
    if (to <= this.storage.base.index) return;
    this.storage.compactTo(to);
    this.raft.compacted(to);
  }

  #apply(output: Output): void {
    for (const entry of output.committed) {
      if (entry.index !== this.applied + 1) throw new Error(`${this.id} applies ${entry.index} after ${this.applied}`);
      this.applied = entry.index;
      if (this.keepOutputs) this.appliedEntries.push(entry);
    }
    // The configuration of a snapshot comes into force here when the snapshot is durable.
    if (output.config !== null && !(output.persist !== null && output.persist.snapshot !== null))
      this.config = output.config;
    if (output.committed.length > 0) this.raft.applied(this.applied);
    this.readStates.push(...output.readStates);
  }

  #installed(index: LogIndex, config: ConfigState): void {
    if (index <= this.applied) return;
    this.applied = index;
    this.config = config;
  }
}
