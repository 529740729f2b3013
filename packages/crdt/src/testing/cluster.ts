import { ByteReader, ByteWriter, replicaId, toHex, type ReplicaId } from '@skerry/base';
import {
  applyOperation,
  CausalContext,
  compactValue,
  confirmOperation,
  decodeOperation,
  decodeValue,
  encodeOperation,
  encodeValue,
  HybridClock,
  isTombstone,
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
  /** Those that stand before it in its replica's log: of a write that waits there, what had been seen when its turn came. */
  readonly after: ReadonlySet<number>;
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
  | { readonly do: 'compact'; readonly at: number }
  /** A write that only its writer sees, until it is promoted. */
  | { readonly do: 'hold'; readonly at: number; readonly request: PlannedRequest; readonly skipDots: number }
  /** Increments may overtake each other, `pick` choosing. */
  | { readonly do: 'promote'; readonly at: number; readonly pick: number }
  /** Forgets a tombstone that is stable. */
  | { readonly do: 'collect'; readonly at: number }
  /** All that is promoted goes to all. */
  | { readonly do: 'deliverAll' }
  | { readonly do: 'settle' };

interface Member {
  state: Value | null;
  /** Writes that wait for their promotion, in order. */
  held: HistoryEntry[];
  readonly seen: Set<number>;
  readonly clock: HybridClock;
  readonly replica: ReplicaId;
  /** Names what it holds. */
  readonly holder: ReplicaId;
  sequence: number;
  heldSequence: number;
}

/** Replicas of one key that write concurrently, with causal delivery of operations and merges of states in between. */
export class Cluster {
  readonly history: HistoryEntry[] = [];
  readonly members: Member[];
  /** Every state that any replica was ever in. */
  readonly states: Value[] = [];
  readonly discarded: Discarded[] = [];
  /** How many tombstones were forgotten. */
  collected = 0;
  readonly #rejected = new Set<number>();
  #nowMs = 1_000;

  constructor(size: number) {
    this.members = Array.from({ length: size }, (_, i) => {
      const replica = replicaId(i + 1);
      const names = { replica, holder: replicaId(size + i + 1), sequence: 0, heldSequence: 0 };
      return { state: null, held: [], seen: new Set(), clock: new HybridClock(replica), ...names };
    });
  }

  run(steps: readonly Step[]): this {
    for (const step of steps) this.step(step);
    return this;
  }

  step(step: Step): void {
    if (step.do === 'settle') return this.settle();
    if (step.do === 'deliverAll') return this.#deliverAll();
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
        return;
      case 'hold':
        this.#nowMs += 1;
        this.write(step.at, step.request, { skipDots: step.skipDots, held: true });
        return;
      case 'promote':
        this.#promote(member, step.pick);
        return;
      case 'collect':
        if (member.state === null || !isTombstone(member.state) || !this.#isStable(member)) return;
        member.state = null;
        this.collected++;
    }
  }

  write(at: number, planned: PlannedRequest, { skipDots = 0, skewMs = 0, held = false } = {}): Operation | null {
    const member = this.member(at);
    const request: WriteRequest =
      planned.type === 'multiRegister' && planned.context === 'read'
        ? { ...planned, context: multiRegisterValues(this.#view(member))?.context ?? null }
        : (planned as WriteRequest);
    for (const index of member.seen) member.clock.observe(this.history[index]!.operation.stamp);
    const sequence = (held ? member.heldSequence : member.sequence) + 1 + skipDots;
    const dot = { replica: held ? member.holder : member.replica, sequence };
    let operation: Operation | null;
    try {
      const stamp = member.clock.next(this.#nowMs + skewMs);
      operation = prepareOperation(held ? this.#view(member) : member.state, request, { dot, stamp });
    } catch (error) {
      if (error instanceof WrongTypeError) return null;
      throw error;
    }
    if (operation === null) return null;
    if (held) member.heldSequence = sequence;
    else member.sequence = sequence;
    const saw = new Set(member.seen);
    if (held) for (const { index } of member.held) saw.add(index);
    const entry = { index: this.history.length, writer: at, request, operation, saw, after: new Set(member.seen) };
    this.history.push(entry);
    if (held) member.held.push(entry);
    else this.#receive(member, entry);
    return operation;
  }

  /** What a writer sees whose writes wait. */
  #view(member: Member): Value | null {
    return member.held.reduce<Value | null>(
      (state, { operation }) => applyOperation(state, operation, this.seenDots(member)).state,
      member.state,
    );
  }

  /** What the member has held for the longest takes no effect. */
  reject(at: number): void {
    const entry = this.member(at).held.shift();
    if (entry !== undefined) this.#rejected.add(entry.index);
  }

  #promote(member: Member, pick: number): void {
    const isIncrement = ({ operation: { body } }: HistoryEntry): boolean =>
      body.type === 'counter' && body.action === 'add';
    const until = member.held.findIndex((entry) => !isIncrement(entry));
    const ready = until < 0 ? member.held.length : Math.max(1, until);
    const entry = member.held[pick % Math.max(1, ready)];
    if (entry === undefined) return;
    member.held = member.held.filter((other) => other !== entry);
    const operation = confirmOperation(entry.operation, member.state);
    const promoted = { ...entry, operation, after: new Set(member.seen) };
    this.history[entry.index] = promoted;
    this.#receive(member, promoted);
  }

  /** All have seen all that it has, and it has seen what the others wrote before they had. */
  #isStable({ seen }: Member): boolean {
    const hasAll = (others: ReadonlySet<number>): boolean => [...seen].every((index) => others.has(index));
    return (
      this.members.every((other) => hasAll(other.seen)) &&
      this.#promoted().every(({ index, after }) => seen.has(index) || hasAll(after))
    );
  }

  #promoted(): HistoryEntry[] {
    const held = new Set(this.members.flatMap((member) => member.held.map(({ index }) => index)));
    return this.history.filter(({ index }) => !held.has(index) && !this.#rejected.has(index));
  }

  /** Every replica receives all that it has not seen, each in another causal order. */
  settle(): void {
    for (const member of this.members) while (member.held.length > 0) this.#promote(member, 0);
    this.#deliverAll();
  }

  #deliverAll(): void {
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
      if (joined !== null) member.state = member.state === null ? joined : mergeValues(member.state, joined).state;
    }
  }

  member(at: number): Member {
    return this.members[at % this.members.length]!;
  }

  /** The dots that a replica has seen; up to where it has seen every write of another, rounded over dots of other keys. */
  seenDots(member: Member): CausalContext {
    const context = CausalContext.empty();
    for (const replica of this.members.flatMap(({ replica, holder }) => [replica, holder])) {
      const issued = this.history.filter((entry) => entry.operation.dot.replica === replica);
      const firstUnseen = issued.findIndex((entry) => !member.seen.has(entry.index));
      const last = issued.at(firstUnseen < 0 ? -1 : firstUnseen - 1);
      if (firstUnseen !== 0 && last !== undefined) context.addRange(replica, 1, last.operation.dot.sequence);
      for (const { index, operation } of issued) if (member.seen.has(index)) context.add(operation.dot);
    }
    return context;
  }

  #ready(member: Member): HistoryEntry[] {
    return this.#promoted().filter(({ index, after }) => {
      if (member.seen.has(index)) return false;
      for (const before of after) if (!member.seen.has(before)) return false;
      return true;
    });
  }

  #receive(member: Member, entry: HistoryEntry): void {
    const applied = member.seen.has(entry.index) ? null : this.seenDots(member);
    this.#become(member, this.#note(applyOperation(member.state, viaBytes(entry.operation), applied)));
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
