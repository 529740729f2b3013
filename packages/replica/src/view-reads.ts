import { firstAsk, type Asking } from './asking.ts';
import type { NodeId } from '@skerry/base';
import { applyOperation, compareStamps, mergeValues, type Value } from '@skerry/crdt';
import { readAnswer, timedOutRead } from './answers.ts';
import type { Partition } from './partition.ts';
import type { PeerMessage } from './peer-message.ts';
import type { ValueType } from './requests.ts';
import type { Turn } from './turn.ts';

interface Ask {
  readonly key: string;
  readonly copies: number;
  readonly heard: Set<NodeId>;
  /** The views heard of, merged. */
  view: Value | null;
  readonly type: ValueType | null;
  readonly asking: Asking;
}

/** Reads that merge the local views of `r` nodes (DESIGN section 3.2); pending writes they bring are kept: read repair. */
export class ViewReads {
  readonly #turn: Turn;
  readonly #asks: Map<number, Ask> = new Map();
  #nextAsk: number;

  constructor(turn: Turn) {
    this.#turn = turn;
    this.#nextAsk = firstAsk(turn);
  }

  read(
    partition: Partition,
    {
      key,
      type,
      copies,
      timeoutMs,
      asking,
    }: { key: string; type: ValueType | null; copies: number; timeoutMs: number | null; asking: Asking },
  ): void {
    const number = this.#nextAsk++;
    const ask: Ask = {
      key,
      copies,
      heard: new Set([this.#turn.options.node]),
      view: partition.shownView(key),
      type,
      asking,
    };
    this.#asks.set(number, ask);
    this.#ask(partition, number);
    // Peers that come up later are asked too; a lost question is repeated.
    const again = (): void => {
      if (!this.#asks.has(number)) return;
      if (!asking.isOpen()) {
        this.#asks.delete(number);
        return;
      }
      this.#ask(partition, number);
      this.#turn.at(this.#turn.now.monoMs + 200, again);
    };
    this.#turn.at(this.#turn.now.monoMs + 200, again);
    if (timeoutMs === null) return;
    this.#turn.at(this.#turn.now.monoMs + timeoutMs, () => {
      if (this.#asks.delete(number)) asking.answer(timedOutRead);
    });
  }

  asked(partition: Partition, from: NodeId, { ask, key }: Extract<PeerMessage, { kind: 'viewAsk' }>): void {
    const committed = partition.state.read(key);
    this.#turn.send(from, {
      kind: 'view',
      partition: partition.id,
      ask,
      writes: partition.pending.ofKey(key).filter(({ durable }) => durable),
      committed: committed?.value ?? null,
    });
  }

  answered(partition: Partition, from: NodeId, message: Extract<PeerMessage, { kind: 'view' }>): void {
    if (message.writes.length > 0) partition.promotions.receivePush(from, message.writes);
    const ask = this.#asks.get(message.ask);
    if (ask === undefined) return;
    ask.heard.add(from);
    ask.view = merged(merged(ask.view, partition.shownView(ask.key)), message.committed);
    // A write of this node's own that a crash could undo is shown to nobody; those of others are durable with them.
    const own = partition.pending
      .ofKey(ask.key)
      .filter(({ durable, origin }) => durable || origin !== this.#turn.options.node);
    const writes = [...own, ...message.writes].sort((a, b) => compareStamps(a.write.op.stamp, b.write.op.stamp));
    const { copies, header } = partition.state;
    for (const op of copies.distinct(writes, ask.view)) ask.view = applyOperation(ask.view, op, header.context).state;
    if (ask.heard.size < ask.copies) return;
    this.#asks.delete(message.ask);
    ask.asking.answer(readAnswer(ask.view, ask.type));
  }

  #ask(partition: Partition, number: number): void {
    const ask = this.#asks.get(number);
    if (ask === undefined) return;
    for (const peer of this.#turn.connected) {
      if (!ask.heard.has(peer))
        this.#turn.send(peer, { kind: 'viewAsk', partition: partition.id, ask: number, key: ask.key });
    }
  }
}

function merged(a: Value | null, b: Value | null): Value | null {
  return a === null || b === null ? (a ?? b) : mergeValues(a, b).state;
}
