import { ByteReader, ByteWriter, replicaId, toHex, type ReplicaId } from '@skerry/base';
import {
  applyOperation,
  CausalContext,
  compactValue,
  decodeOperation,
  decodeValue,
  encodeOperation,
  encodeValue,
  HybridClock,
  mergeValues,
  multiRegisterValues,
  prepareOperation,
  WrongTypeError,
  type Discarded,
  type Operation,
  type Value,
  type WriteRequest,
} from '../index.ts';

/** One write of a run with what its writer had seen: the full history that the naive models judge by. */
export interface HistoryEntry {
  readonly index: number;
  readonly writer: number;
  readonly request: WriteRequest;
  readonly operation: Operation;
  /** Indexes of the writes that the writer had seen. */
  readonly saw: ReadonlySet<number>;
}

/** A multi-value write that answers what its writer reads at that moment. */
export type PlannedRequest =
  | WriteRequest
  | { readonly type: 'multiRegister'; readonly value: Uint8Array; readonly context: 'read' };

export type Step =
  | {
      readonly do: 'write';
      readonly at: number;
      readonly request: PlannedRequest;
      readonly skipDots: number;
      readonly skewMs: number;
    }
  /** Hands over the next operations that are causally ready, `pick` choosing among them, some of them twice. */
  | { readonly do: 'deliver'; readonly at: number; readonly pick: number; readonly twice: boolean }
  | { readonly do: 'merge'; readonly at: number; readonly from: number }
  | { readonly do: 'compact'; readonly at: number };

interface Member {
  state: Value | null;
  readonly seen: Set<number>;
  readonly clock: HybridClock;
  readonly replica: ReplicaId;
  sequence: number;
}

/** Replicas of one key that write concurrently, with causal delivery of operations and merges of states in between. */
export class Cluster {
  readonly history: HistoryEntry[] = [];
  readonly members: Member[];
  /** Every state that any replica was ever in. */
  readonly states: Value[] = [];
  readonly discarded: Discarded[] = [];
  #nowMs = 1_000;

  constructor(size: number) {
    this.members = Array.from({ length: size }, (_, i) => {
      const replica = replicaId(i + 1);
      return { state: null, seen: new Set(), clock: new HybridClock(replica), replica, sequence: 0 };
    });
  }

  run(steps: readonly Step[]): this {
    for (const step of steps) this.step(step);
    return this;
  }

  step(step: Step): void {
    const member = this.member(step.at);
    switch (step.do) {
      case 'write':
        this.#nowMs += 1;
        this.write(step.at, step.request, { skipDots: step.skipDots, skewMs: step.skewMs });
        return;
      case 'deliver': {
        const ready = this.#ready(member);
        const entry = ready[step.pick % Math.max(1, ready.length)];
        if (entry === undefined) return;
        this.#receive(member, entry);
        if (step.twice) this.#receive(member, entry);
        return;
      }
      case 'merge': {
        const from = this.member(step.from);
        if (from === member || from.state === null) return;
        this.#become(member, member.state === null ? from.state : this.#note(mergeValues(member.state, from.state)));
        for (const index of from.seen) member.seen.add(index);
        return;
      }
      case 'compact':
        if (member.state !== null) this.#become(member, compactValue(member.state, this.seenDots(member)));
    }
  }

  write(at: number, planned: PlannedRequest, { skipDots = 0, skewMs = 0 } = {}): Operation | null {
    const member = this.member(at);
    const request: WriteRequest =
      planned.type === 'multiRegister' && planned.context === 'read'
        ? { ...planned, context: multiRegisterValues(member.state)?.context ?? null }
        : (planned as WriteRequest);
    for (const index of member.seen) member.clock.observe(this.history[index]!.operation.stamp);
    const sequence = member.sequence + 1 + skipDots;
    let operation: Operation | null;
    try {
      const stamp = member.clock.next(this.#nowMs + skewMs);
      operation = prepareOperation(member.state, request, { dot: { replica: member.replica, sequence }, stamp });
    } catch (error) {
      if (error instanceof WrongTypeError) return null;
      throw error;
    }
    if (operation === null) return null;
    member.sequence = sequence;
    const entry = { index: this.history.length, writer: at, request, operation, saw: new Set(member.seen) };
    this.history.push(entry);
    this.#receive(member, entry);
    return operation;
  }

  /** Every replica receives all that it has not seen, each in another causal order. */
  settle(): void {
    for (const [i, member] of this.members.entries()) {
      for (let ready = this.#ready(member); ready.length > 0; ready = this.#ready(member)) {
        this.#receive(member, ready[(i * 7) % ready.length]!);
      }
    }
  }

  /** One round of state exchange, which also levels what compactions rounded up. */
  exchange(): void {
    const all = this.members.map(({ state }) => state).filter((state) => state !== null);
    const joined = all.length === 0 ? null : all.reduce((a, b) => mergeValues(a, b).state);
    for (const member of this.members) {
      if (joined !== null && member.state !== null) member.state = mergeValues(member.state, joined).state;
    }
  }

  member(at: number): Member {
    return this.members[at % this.members.length]!;
  }

  /** The dots up to which a replica has seen every write of another, rounded over dots of other keys. */
  seenDots(member: Member): CausalContext {
    const context = CausalContext.empty();
    for (const { replica } of this.members) {
      const issued = this.history.filter((entry) => entry.operation.dot.replica === replica);
      const firstUnseen = issued.findIndex((entry) => !member.seen.has(entry.index));
      const last = issued.at(firstUnseen < 0 ? -1 : firstUnseen - 1);
      if (firstUnseen !== 0 && last !== undefined) context.addRange(replica, 1, last.operation.dot.sequence);
    }
    return context;
  }

  #ready(member: Member): HistoryEntry[] {
    return this.history.filter(({ index, saw }) => {
      if (member.seen.has(index)) return false;
      for (const before of saw) if (!member.seen.has(before)) return false;
      return true;
    });
  }

  #receive(member: Member, entry: HistoryEntry): void {
    this.#become(member, this.#note(applyOperation(member.state, viaBytes(entry.operation))));
    member.seen.add(entry.index);
  }

  #note(result: { state: Value; discarded: readonly Discarded[] }): Value {
    this.discarded.push(...result.discarded);
    return result.state;
  }

  #become(member: Member, state: Value): void {
    member.state = state;
    this.states.push(state);
  }
}

/** Operations travel in their encoded form, as in production. */
function viaBytes(operation: Operation): Operation {
  return operationFromBytes(operationBytes(operation));
}

export function operationBytes(operation: Operation): Uint8Array {
  const w = new ByteWriter();
  encodeOperation(w, operation);
  return w.finish();
}

export function operationFromBytes(bytes: Uint8Array): Operation {
  const r = new ByteReader(bytes);
  const operation = decodeOperation(r);
  r.end();
  return operation;
}

export function valueBytes(value: Value): Uint8Array {
  const w = new ByteWriter();
  encodeValue(w, value);
  return w.finish();
}

export function valueFromBytes(bytes: Uint8Array): Value {
  const r = new ByteReader(bytes);
  const value = decodeValue(r);
  r.end();
  return value;
}

/** Equal texts mean equal states. */
export function stateText(value: Value | null): string {
  return value === null ? 'none' : toHex(valueBytes(value));
}
