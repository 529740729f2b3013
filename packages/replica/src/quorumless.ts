import type { Asking } from './asking.ts';
import type { HybridClock } from '@skerry/crdt';
import { ByteReader, ByteWriter } from '@skerry/base';
import {
  decodeStamp,
  defaultLimits,
  encodeStamp,
  isTombstone,
  LimitError,
  prepareOperation,
  valueStamp,
  WrongTypeError,
  type Dot,
  type Operation,
  type Stamp,
  type ValueLimits,
  type WriteRequest,
} from '@skerry/crdt';
import { errorAnswer } from './answers.ts';
import { nodeRecordKey } from './keys.ts';
import { formatReceipt, versionOf } from './names.ts';
import type { Partition } from './partition.ts';
import type { Held } from './pending.ts';
import type { Answer, WriteId, WriteOperation } from './requests.ts';
import { readList } from './state/fields.ts';
import { updateRequestOf } from './state/write-request.ts';
import type { Turn } from './turn.ts';
import { viewOf } from './view.ts';

type QuorumlessOperation = Extract<WriteOperation, { kind: 'set' | 'delete' | 'update' }>;

/** Accepts writes without quorum (DESIGN section 3.1): a stamp above all that this node has seen, a dot, and a sync. */
export class Quorumless {
  readonly #turn: Turn;
  readonly #clock: HybridClock;
  /** By partition: dots of one partition leave no holes that dots of another one fill. */
  readonly #lastSequences: number[];
  readonly #limits: ValueLimits;
  /** Of this turn; null: none was given. */
  #lastStamp: Stamp | null = null;

  constructor(turn: Turn, clock: HybridClock) {
    this.#turn = turn;
    this.#clock = clock;
    this.#lastSequences = [];
    this.#limits = { ...defaultLimits, valueBytesMax: turn.options.limits.valueBytesMax };
    const record = turn.store.get(nodeRecordKey);
    if (record === undefined) return;
    const reader = new ByteReader(record);
    clock.observe(decodeStamp(reader));
    this.#lastSequences = readList(reader, (r) => r.varint());
  }

  accept(
    partition: Partition,
    {
      operation,
      id,
      timeoutMs,
      asking,
    }: {
      operation: QuorumlessOperation;
      id: WriteId;
      timeoutMs: number | null;
      asking: Asking;
    },
  ): void {
    const { answer } = asking;
    const again = partition.pending.findWrite(id.client, id.sequence);
    const before = again === null ? this.#settledBefore(partition, id) : null;
    if (before !== null) {
      this.#turn.whenDurable(() => answer(before));
      return;
    }
    if (again !== null) {
      this.#whenHeld(partition, again, { copies: operation.w ?? 1, timeoutMs, answer });
      return;
    }
    const { limits } = this.#turn.options;
    if (this.#turn.storageFull) return answer(errorAnswer('STORAGE_FULL', 'the disk of this node is full'));
    if (partition.pending.isFull(limits)) {
      return answer(errorAnswer('PENDING_FULL', `this node holds ${partition.pending.count} pending writes`));
    }
    const held = this.#hold(partition, operation, id);
    if (held === null) return answer({ kind: 'key', valid: true, timeout: false, value: null, version: null });
    if ('kind' in held) return answer(held);
    this.#whenHeld(partition, held, { copies: operation.w ?? 1, timeoutMs, answer });
  }

  /** Acknowledges the write once it is durable here and on as many other nodes as were asked for. */
  #whenHeld(
    partition: Partition,
    held: Held,
    { copies, timeoutMs, answer }: { copies: number; timeoutMs: number | null; answer: (value: Answer) => void },
  ): void {
    const { type } = held.write.op.body;
    // What it led to here is as of now; the rest is the same later, and short-lived then.
    const early = type === 'register' ? null : this.#accepted(partition, held);
    partition.pending.whenDurable(() => {
      const accepted = early ?? this.#accepted(partition, held);
      if (copies <= 1) return answer(accepted);
      partition.promotions.whenCopies(held, copies, () => answer(accepted));
      if (timeoutMs === null) return;
      this.#turn.at(this.#turn.now.monoMs + timeoutMs, () => {
        // It is held here and will be promoted, but fewer copies than wanted are known of.
        answer({ ...accepted, valid: false, timeout: true, outcome: 'undecided' });
      });
    });
  }

  /** null: there is nothing to do. */
  #hold(
    partition: Partition,
    operation: QuorumlessOperation,
    id: WriteId,
  ): Held | Extract<Answer, { kind: 'error' }> | null {
    const { node, replica } = this.#turn.options;
    const seen = partition.localView(operation.key);
    const request = requestOf(operation);
    if (request === null) return { kind: 'error', code: 'BAD_REQUEST', detail: 'not a context' };
    const stamp = this.#clock.next(this.#turn.clocks.wallMs());
    const dot: Dot = { replica, sequence: (this.#lastSequences[partition.id] ?? 0) + 1 };
    let op: Operation | null;
    try {
      op = prepareOperation(seen, partition.state.copies.renameContext(request), {
        dot,
        stamp,
        limits: this.#limits,
      });
    } catch (error) {
      if (error instanceof WrongTypeError) return { kind: 'error', code: 'WRONG_TYPE', detail: error.message };
      if (error instanceof LimitError || error instanceof RangeError)
        return { kind: 'error', code: 'LIMIT_EXCEEDED', detail: error.message };
      throw error;
    }
    if (op === null) return null;
    this.#used(partition.id, dot.sequence, stamp);
    const write = {
      key: operation.key,
      op,
      base: seen === null ? null : valueStamp(seen),
      baseDeleted: seen !== null && isTombstone(seen),
    };
    const { client, sequence, answeredBelow } = id;
    return partition.pending.hold({ client, sequence, answeredBelow, origin: node, write });
  }

  /** Dot and stamp are not used again, also after a restart with the clock set back. */
  #used(partition: number, sequence: number, stamp: Stamp): void {
    while (this.#lastSequences.length <= partition) this.#lastSequences.push(0);
    this.#lastSequences[partition] = sequence;
    this.#lastStamp = stamp;
  }

  /** With what was accepted in this turn. */
  flush(): void {
    const stamp = this.#lastStamp;
    if (stamp === null) return;
    this.#lastStamp = null;
    const writer = new ByteWriter(24);
    encodeStamp(writer, stamp);
    writer.varint(this.#lastSequences.length);
    for (const last of this.#lastSequences) writer.varint(last);
    this.#turn.store.put(nodeRecordKey, writer.finish());
  }

  /** A retry of a write that is promoted already. */
  #settledBefore(partition: Partition, id: WriteId): Answer | null {
    const session = partition.state.sessions.find(id.client);
    if (session === null || !session.done.has(id.sequence)) return null;
    const result = partition.state.resultOf(session, id);
    if (result?.kind !== 'promoted') return errorAnswer('SEQUENCE_ANSWERED', 'this write was answered before');
    const receipt = formatReceipt(this.#turn.options.region, partition.id, result.dot);
    return { kind: 'key', valid: true, timeout: false, value: null, version: versionOf(result.stamp), receipt };
  }

  #accepted(partition: Partition, { write }: Held): Extract<Answer, { kind: 'key' }> {
    const { body, dot, stamp } = write.op;
    const receipt = formatReceipt(this.#turn.options.region, partition.id, dot);
    const answer = {
      kind: 'key',
      valid: true,
      timeout: false,
      value: null,
      version: body.type === 'delete' ? null : versionOf(stamp),
      receipt,
    } as const;
    // What it led to here, where that is small.
    if (body.type === 'register' || body.type === 'delete' || body.type === 'set' || body.type === 'document')
      return answer;
    const view = viewOf(partition.localView(write.key));
    return view === null || view.type !== body.type ? answer : { ...answer, view };
  }
}

/** null: it names a context that is none. */
function requestOf(operation: QuorumlessOperation): WriteRequest | null {
  switch (operation.kind) {
    case 'set':
      return { type: 'register', value: operation.value };
    case 'delete':
      return { type: 'delete' };
    case 'update':
      return updateRequestOf(operation.change);
  }
}
