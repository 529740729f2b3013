import type { Asking } from './asking.ts';
import type { NodeId } from '@skerry/base';
import { compareStamps, type Stamp } from '@skerry/crdt';
import { readAnswer, timedOutRead } from './answers.ts';
import type { LocalView, Partition } from './partition.ts';
import type { PeerMessage } from './peer-message.ts';
import type { Turn } from './turn.ts';

interface Ask {
  readonly key: string;
  readonly copies: number;
  readonly heard: Set<NodeId>;
  best: LocalView | null;
  readonly asking: Asking;
}

/** Reads that merge the local views of `r` nodes (DESIGN section 3.2); pending writes they bring are kept: read repair. */
export class ViewReads {
  readonly #turn: Turn;
  readonly #asks: Map<number, Ask> = new Map();
  #nextAsk = 1;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  read(partition: Partition, { key, copies, timeoutMs, asking }: { key: string; copies: number; timeoutMs: number | null; asking: Asking }): void {
    const number = this.#nextAsk++;
    const ask: Ask = { key, copies, heard: new Set([this.#turn.options.node]), best: partition.localView(key), asking };
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
      kind: 'view', partition: partition.id, ask, writes: partition.pending.ofKey(key).filter(({ durable }) => durable),
      committed: committed === null ? null : { value: committed.value, stamp: committed.stamp },
    });
  }

  answered(partition: Partition, from: NodeId, message: Extract<PeerMessage, { kind: 'view' }>): void {
    if (message.writes.length > 0) partition.promotions.receivePush(from, message.writes);
    const ask = this.#asks.get(message.ask);
    if (ask === undefined) return;
    ask.heard.add(from);
    let best = later(ask.best, partition.localView(ask.key));
    for (const { write } of message.writes) best = later(best, { value: write.value, stamp: write.stamp, dot: write.dot });
    if (message.committed !== null) {
      const value = message.committed.value === null ? null : message.committed.value.slice();
      best = later(best, { value, stamp: message.committed.stamp, dot: null });
    }
    ask.best = best;
    if (ask.heard.size < ask.copies) return;
    this.#asks.delete(message.ask);
    ask.asking.answer(readAnswer(ask.best));
  }

  #ask(partition: Partition, number: number): void {
    const ask = this.#asks.get(number);
    if (ask === undefined) return;
    for (const peer of this.#turn.connected) {
      if (!ask.heard.has(peer)) this.#turn.send(peer, { kind: 'viewAsk', partition: partition.id, ask: number, key: ask.key });
    }
  }
}

function later(a: LocalView | null, b: { readonly value: Uint8Array | null; readonly stamp: Stamp; readonly dot: LocalView['dot'] } | null): LocalView | null {
  if (a === null || b === null) return a ?? b;
  return compareStamps(a.stamp, b.stamp) >= 0 ? a : b;
}
