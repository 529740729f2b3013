import type { NodeId } from '@skerry/base';
import { firstAsk, type Asking } from './asking.ts';
import { readAnswer } from './answers.ts';
import type { Partition } from './partition.ts';
import type { PeerMessage } from './peer-message.ts';
import type { ValueType } from './requests.ts';
import type { Turn } from './turn.ts';

interface Ask {
  readonly key: string;
  readonly type: ValueType | null;
  readonly asking: Asking;
}

const againMs = 300;

/**
 * Consistent reads of a node that cannot follow the log, because its disk is full: the leader reads in its stead, at a
 * linearizable point of its own.
 */
export class LeaderReads {
  readonly #turn: Turn;
  readonly #asks: Map<number, Ask> = new Map();
  #nextAsk: number;

  constructor(turn: Turn) {
    this.#turn = turn;
    this.#nextAsk = firstAsk(turn);
  }

  /** The leader may change, or the question be lost: it is asked again until there is an answer or nobody wants one. */
  read(partition: Partition, { key, type, asking }: { key: string; type: ValueType | null; asking: Asking }): void {
    const ask = this.#nextAsk++;
    this.#asks.set(ask, { key, type, asking });
    const step = (): void => {
      if (!this.#asks.has(ask)) return;
      if (!asking.isOpen()) {
        this.#asks.delete(ask);
        return;
      }
      if (partition.leader !== null && !partition.isLeader)
        this.#turn.send(partition.leader, { kind: 'readAsk', partition: partition.id, ask, key });
      this.#turn.at(this.#turn.now.monoMs + againMs, step);
    };
    step();
  }

  asked(partition: Partition, from: NodeId, { ask, key }: Extract<PeerMessage, { kind: 'readAsk' }>): void {
    if (!partition.isLeader) return;
    const serve = (): void => {
      const { state } = partition;
      this.#turn.send(from, {
        kind: 'read',
        partition: partition.id,
        ask,
        applied: state.applied,
        value: state.read(key)?.value ?? null,
      });
    };
    partition.gates.wait(
      partition.pending.ofKey(key),
      () => partition.linearize({ isOpen: () => true, serve }),
      () => partition.isLeader,
    );
  }

  answered(partition: Partition, { ask: number, value, applied }: Extract<PeerMessage, { kind: 'read' }>): void {
    const ask = this.#asks.get(number);
    if (ask === undefined) return;
    this.#asks.delete(number);
    partition.readAhead.note(ask.key, value, applied);
    ask.asking.answer(readAnswer(value, ask.type));
  }
}
