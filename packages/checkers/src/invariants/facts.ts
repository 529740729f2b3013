import { callsOf, type Call } from '../history/calls.ts';
import type { History } from '../history/events.ts';
import { compareVersions, type Version } from '../version.ts';

/**
 * One write as its client knows it. Two writes of one key are told apart by their values where versions are missing, so
 * test clients should write each value once.
 */
export interface WriteFact {
  readonly process: string;
  readonly node: string | undefined;
  readonly region: string | undefined;
  readonly key: string;
  /** What the key holds after it; null for a delete. */
  readonly value: string | null;
  /** That of the answer; of a quorum-less write the final one, once its receipt told it. */
  readonly version: Version | undefined;
  readonly consistent: boolean;
  /** `noEffect`: `notApplied` or `refused`. `undecided` includes calls that were never answered. */
  readonly outcome: 'applied' | 'accepted' | 'noEffect' | 'undecided';
  readonly invokedAt: number;
  /** When it was acknowledged: of a quorum-less write, by its node. Infinite if it was not. */
  readonly acknowledgedAt: number;
}

/** What one read, or one swap that was refused, saw. */
export interface ReadFact extends Seen {
  readonly process: string;
  readonly node: string | undefined;
  readonly region: string | undefined;
  readonly key: string;
  readonly consistent: boolean;
  /** The answer said that it may be older than what the session has seen. */
  readonly behind: boolean;
  readonly invokedAt: number;
  readonly returnedAt: number;
}

/** A value that somebody saw. Null is no such key, which need not have a version. */
export interface Seen {
  readonly value: string | null;
  readonly version: Version | undefined;
}

/** The final state of one node: every key with its committed value; null is a tombstone. */
export interface Dump {
  readonly node: string;
  readonly entries: ReadonlyMap<string, DumpEntry>;
}

export interface DumpEntry {
  readonly value: string | null;
  readonly version: Version;
}

/** A promise of section 6 of the design that was seen broken. An empty list of them is a pass. */
export interface Violation {
  /** `I1` to `I14`, or in a word what else must hold. */
  readonly invariant: string;
  /** The key that it is about, if it is about one. */
  readonly key?: string;
  readonly message: string;
}

export interface Facts {
  readonly writes: readonly WriteFact[];
  readonly reads: readonly ReadFact[];
}

/** Writes and reads of a recorded history. Appends are left out: what a key holds after one is not known from outside. */
export function factsOf(history: History): Facts {
  const writes: WriteFact[] = [];
  const reads: ReadFact[] = [];
  for (const call of callsOf(history)) {
    const write = writeFact(call);
    if (write !== null) writes.push(write);
    const read = readFact(call);
    if (read !== null) reads.push(read);
  }
  return { writes, reads };
}

/**
 * True if what was `seen` is `write` or something later. Versions decide; where one is missing, it is enough that somebody
 * wrote what was seen with a version that is not known to be below. So without versions much passes: only I3 judges that.
 * A quorum-less write that was fenced at another node is shown by the one that holds it until that hears of it; that it is
 * in no log and no dump, I8 says.
 */
export function coversWrite(seen: Seen, write: Seen & { readonly key: string }, writes: readonly WriteFact[]): boolean {
  // The write itself; a clamped stamp may by now be below the one it was accepted with.
  if (seen.value === write.value) return true;
  if (seen.version !== undefined && write.version !== undefined)
    return compareVersions(seen.version, write.version) > 0;
  return writes.some(
    (other) =>
      other.key === write.key &&
      other.value === seen.value &&
      (other.outcome !== 'noEffect' || !other.consistent) &&
      (other.version === undefined || write.version === undefined || compareVersions(other.version, write.version) > 0),
  );
}

/** Who may have written what was seen: long histories are too much to go through for each value. */
export class Writers {
  readonly #found = new Map<string, WriteFact[]>();

  constructor(writes: readonly WriteFact[]) {
    for (const write of writes) {
      const name = nameOf(write.key, write.value);
      const known = this.#found.get(name);
      if (known === undefined) this.#found.set(name, [write]);
      else known.push(write);
    }
  }

  of(key: string, value: string | null): readonly WriteFact[] {
    return this.#found.get(nameOf(key, value)) ?? [];
  }
}

function nameOf(key: string, value: string | null): string {
  return JSON.stringify([key, value]);
}

/** `"1" @7` */
export function showSeen(seen: Seen): string {
  const value = seen.value === null ? 'null' : JSON.stringify(seen.value);
  return seen.version === undefined ? value : `${value} @${seen.version}`;
}

function writeFact(call: Call): WriteFact | null {
  const { invoke, invokedAt, accepted, end } = call;
  const { input, process, node, region } = invoke;
  if (input.op === 'get' || input.op === 'append') return null;
  const value = input.op === 'set' ? input.value : input.op === 'swap' ? input.newValue : null;
  const consistent = invoke.consistent !== false;
  const base = { process, node, region, key: input.key, value, consistent, invokedAt };
  // A write that was superseded was acknowledged all the same, and whoever saw it in a local view saw rightly.
  if (accepted !== null) {
    const version = end.kind === 'ok' ? (end.output.version ?? accepted.version) : accepted.version;
    return { ...base, version, outcome: end.kind === 'ok' ? 'applied' : 'accepted', acknowledgedAt: accepted.at };
  }
  switch (end.kind) {
    case 'open':
      return { ...base, version: undefined, outcome: 'undecided', acknowledgedAt: Number.POSITIVE_INFINITY };
    case 'fail':
      return { ...base, version: undefined, outcome: 'noEffect', acknowledgedAt: Number.POSITIVE_INFINITY };
    case 'ok':
      if (end.output.outcome === 'applied')
        return { ...base, version: end.output.version, outcome: 'applied', acknowledgedAt: end.at };
      return { ...base, version: undefined, outcome: 'noEffect', acknowledgedAt: Number.POSITIVE_INFINITY };
  }
}

function readFact(call: Call): ReadFact | null {
  const { invoke, invokedAt, end } = call;
  if (end.kind !== 'ok') return null;
  const { output } = end;
  const seen = output.outcome === 'read' ? output.value : output.outcome === 'refused' ? output.current : undefined;
  if (seen === undefined) return null;
  const { process, node, region } = invoke;
  return {
    process,
    node,
    region,
    key: invoke.input.key,
    value: seen,
    version: output.version,
    consistent: invoke.consistent !== false,
    behind: output.outcome === 'read' && output.behind === true,
    invokedAt,
    returnedAt: end.at,
  };
}
