import { randomFloat, type NodeId, type Random } from '@skerry/base';
import {
  logIndex,
  Raft,
  simpleConfig,
  term,
  type Entry,
  type LogIndex,
  type LogReader,
  type Message,
  type Output,
  type Persist,
  type RaftOptions,
  type SnapshotMeta,
  type Term,
} from '@skerry/raft';

/** A server of a virtual cluster: the production algorithm, with a disk and a clock that are told what to do. */
export class VirtualServer {
  readonly id: NodeId;
  readonly raft: Raft;
  readonly #log: MemoryLog;
  readonly #effects: Effects;

  constructor(options: RaftOptions, { voters, entries, effects }: VirtualServerOptions) {
    this.id = options.id;
    this.#effects = effects;
    this.#log = new MemoryLog(entries);
    this.raft = new Raft(options, this.#log, {
      hardState: { term: term(1), vote: null, commit: logIndex(0) },
      config: simpleConfig(voters),
      applied: logIndex(0),
    });
  }

  /** Does what is due after an event. */
  run(): void {
    for (let output = this.raft.takeOutput(); output !== null; output = this.raft.takeOutput()) this.#obey(output);
  }

  #obey({ persist, messages, messagesAfterPersist, committed }: Output): void {
    for (const message of messages) this.#effects.send(message);
    const last = committed.at(-1);
    if (last !== undefined) this.raft.applied(last.index);
    if (persist === null && messagesAfterPersist.length === 0) return;
    // In order after what is being written, also where this output writes nothing itself.
    this.#effects.sync(this, () => {
      if (persist !== null) {
        this.#log.write(persist);
        this.raft.persisted(persist.id);
      }
      for (const message of messagesAfterPersist) this.#effects.send(message);
    });
  }
}

export interface Effects {
  readonly send: (message: Message) => void;
  /** Calls `done` when the disk of `server` has synced all that it was told before, in the same order. */
  readonly sync: (server: VirtualServer, done: () => void) => void;
}

interface VirtualServerOptions {
  readonly voters: readonly NodeId[];
  /** Durable from the beginning. */
  readonly entries: readonly Entry[];
  readonly effects: Effects;
}

/** Uniform from `min` to `max` milliseconds. */
export function delayMs(random: Random, { min, max }: { readonly min: number; readonly max: number }): number {
  return min + randomFloat(random) * (max - min);
}

class MemoryLog implements LogReader {
  readonly #entries: Entry[];

  constructor(entries: readonly Entry[]) {
    this.#entries = [...entries];
  }

  firstIndex(): LogIndex {
    return logIndex(1);
  }

  lastIndex(): LogIndex {
    return logIndex(this.#entries.length);
  }

  term(index: LogIndex): Term | undefined {
    return index === 0 ? term(0) : this.#entries[index - 1]?.term;
  }

  entries(from: LogIndex, toExclusive: LogIndex): Entry[] {
    return this.#entries.slice(from - 1, toExclusive - 1);
  }

  snapshot(): SnapshotMeta | null {
    return null;
  }

  write({ entries }: Persist): void {
    const first = entries[0];
    if (first !== undefined) this.#entries.splice(first.index - 1, Infinity, ...entries);
  }
}
