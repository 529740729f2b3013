import { assert, type NodeId } from '@skerry/base';
import {
  logIndex,
  simpleConfig,
  term,
  type ConfigState,
  type Entry,
  type HardState,
  type LogIndex,
  type LogReader,
  type Persist,
  type RaftRestored,
  type SnapshotMeta,
  type Term,
} from '../index.ts';

/** What survives a crash. It holds exactly what was made durable, so it can be handed to a new `Raft`. */
export class MemoryStorage implements LogReader {
  hardState: HardState = { term: term(0), vote: null, commit: logIndex(0) };
  applied: LogIndex = logIndex(0);
  config: ConfigState;
  /** The last entry that was compacted away or covered by a snapshot. */
  base: { index: LogIndex; term: Term } = { index: logIndex(0), term: term(0) };
  log: Entry[] = [];
  /** False: a snapshot cannot be made now. */
  snapshotReady = true;

  constructor(voters: readonly NodeId[], learners: readonly NodeId[] = []) {
    this.config = simpleConfig(voters, learners);
  }

  restored(): RaftRestored {
    return { hardState: this.hardState, config: this.config, applied: this.applied };
  }

  firstIndex(): LogIndex {
    return logIndex(this.base.index + 1);
  }

  lastIndex(): LogIndex {
    return logIndex(this.base.index + this.log.length);
  }

  term(index: LogIndex): Term | undefined {
    return index === this.base.index ? this.base.term : this.log[index - this.base.index - 1]?.term;
  }

  entries(from: LogIndex, toExclusive: LogIndex, bytesMax: number): Entry[] {
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of this.log.slice(from - this.base.index - 1, toExclusive - this.base.index - 1)) {
      bytes += entry.data.length;
      if (bytes > bytesMax && found.length > 0) break;
      found.push(entry);
    }
    return found;
  }

  snapshot(): SnapshotMeta | null {
    const at = this.term(this.applied);
    return this.snapshotReady && at !== undefined && this.applied > 0
      ? { index: this.applied, term: at, config: this.config }
      : null;
  }

  /** Makes one persist durable. */
  write(persist: Persist): void {
    if (persist.hardState !== null) this.hardState = persist.hardState;
    if (persist.snapshot !== null) {
      const { index, term: snapshotTerm, config } = persist.snapshot;
      this.base = { index, term: snapshotTerm };
      this.log = [];
      this.applied = index;
      this.config = config;
    }
    const first = persist.entries[0];
    if (first === undefined) return;
    assert(first.index <= this.lastIndex() + 1 && first.index > this.base.index, 'a persist leaves a gap in the log', {
      first: first.index,
      last: this.lastIndex(),
    });
    this.log.length = first.index - this.base.index - 1;
    for (const entry of persist.entries) this.log.push(entry);
  }

  /** Makes the applied state durable, unless it would overtake the log. */
  writeApplied(index: LogIndex, config: ConfigState): void {
    if (index > this.lastIndex() || index < this.applied) return;
    this.applied = index;
    this.config = config;
  }

  compactTo(index: LogIndex): void {
    const at = this.term(index);
    if (at === undefined || index <= this.base.index) return;
    assert(index <= this.applied, 'compacted what is not applied', { index, applied: this.applied });
    this.log = this.log.slice(index - this.base.index);
    this.base = { index, term: at };
  }
}
