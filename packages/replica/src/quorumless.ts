import type { Asking } from './asking.ts';
import type { HybridClock } from '@skerry/crdt';
import { ByteReader, ByteWriter } from '@skerry/base';
import { decodeStamp, encodeStamp, type Dot } from '@skerry/crdt';
import { errorAnswer } from './answers.ts';
import { nodeRecordKey } from './keys.ts';
import { formatReceipt } from './names.ts';
import { versionOf, type Partition } from './partition.ts';
import type { Held } from './pending.ts';
import type { Answer, WriteId, WriteOperation } from './requests.ts';
import type { Turn } from './turn.ts';

type QuorumlessOperation = Extract<WriteOperation, { kind: 'set' | 'delete' }>;

/** Accepts writes without quorum (DESIGN section 3.1): a stamp above all that this node has seen, a dot, and a sync. */
export class Quorumless {
  readonly #turn: Turn;
  readonly #clock: HybridClock;
  #lastSequence: number;

  constructor(turn: Turn, clock: HybridClock) {
    this.#turn = turn;
    this.#clock = clock;
    const record = turn.store.get(nodeRecordKey);
    if (record === undefined) {
      this.#lastSequence = 0;
      return;
    }
    const reader = new ByteReader(record);
    this.#lastSequence = reader.varint();
    clock.observe(decodeStamp(reader));
  }

  accept(partition: Partition, { operation, id, timeoutMs, asking }: {
    operation: QuorumlessOperation;
    id: WriteId;
    timeoutMs: number | null;
    asking: Asking;
  }): void {
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
    held.durable = false;
    this.#whenHeld(partition, held, { copies: operation.w ?? 1, timeoutMs, answer });
  }

  /** Acknowledges the write once it is durable here and on as many other nodes as were asked for. */
  #whenHeld(partition: Partition, held: Held, { copies, timeoutMs, answer }: { copies: number; timeoutMs: number | null; answer: (value: Answer) => void }): void {
    const accepted = this.#accepted(partition, held);
    this.#turn.whenDurable(() => {
      held.durable = true;
      partition.promotions.added();
      if (copies <= 1) return answer(accepted);
      partition.promotions.whenCopies(held, copies, () => answer(accepted));
      if (timeoutMs === null) return;
      this.#turn.at(this.#turn.now.monoMs + timeoutMs, () => {
        // It is held here and will be promoted, but fewer copies than wanted are known of.
        answer({ ...accepted, valid: false, timeout: true, outcome: 'undecided' });
      });
    });
  }

  #hold(partition: Partition, operation: QuorumlessOperation, id: WriteId): Held {
    const { node, replica } = this.#turn.options;
    const seen = partition.localView(operation.key);
    const stamp = this.#clock.next(this.#turn.now.wallMs);
    const dot: Dot = { replica, sequence: ++this.#lastSequence };
    const writer = new ByteWriter(24).varint(dot.sequence);
    encodeStamp(writer, stamp);
    this.#turn.store.put(nodeRecordKey, writer.finish());
    return partition.pending.hold(
      {
        client: id.client,
        sequence: id.sequence,
        origin: node,
        write: {
          dot, stamp, key: operation.key, value: operation.kind === 'set' ? operation.value : null,
          base: seen === null ? null : { stamp: seen.stamp, dot: seen.dot },
        },
      },
      this.#turn.now.monoMs,
    );
  }

  /** A retry of a write that is promoted already. */
  #settledBefore(partition: Partition, id: WriteId): Answer | null {
    const session = partition.state.sessions.find(id.client);
    if (session === null || !session.done.has(id.sequence)) return null;
    const result = session.results.get(id.sequence)?.result;
    if (result?.kind !== 'promoted') return errorAnswer('SEQUENCE_ANSWERED', 'this write was answered before');
    const receipt = formatReceipt(this.#turn.options.region, partition.id, result.dot);
    return { kind: 'key', valid: true, timeout: false, value: null, version: versionOf(result.stamp), receipt };
  }

  #accepted(partition: Partition, { write }: Held): Extract<Answer, { kind: 'key' }> {
    const receipt = formatReceipt(this.#turn.options.region, partition.id, write.dot);
    return { kind: 'key', valid: true, timeout: false, value: null, version: write.value === null ? null : versionOf(write.stamp), receipt };
  }
}
