import { clientId, nodeId, partitionId, replicaId, utf8Encode } from '@skerry/base';
import type { Dot } from '@skerry/crdt';
import { expect, it } from 'vitest';
import { PendingWrites, type Held } from './pending.ts';
import { MemoryStorage } from './ports/memory-storage.ts';
import { defaultLimits, defaultTiming, type ReplicaOptions } from './replica-api.ts';
import { StagedStore } from './staged-store.ts';
import { Turn } from './turn.ts';

const replica = replicaId(7);
const options = { node: nodeId('n1'), timing: defaultTiming, limits: defaultLimits } as ReplicaOptions;

/** One node's disk over several lives of its process. */
class Node {
  readonly storage: MemoryStorage = new MemoryStorage();
  turn: Turn = this.#newTurn();
  pending: PendingWrites = this.#open();
  durable: Held[] = [];

  restart(): void {
    this.storage.crash();
    this.turn = this.#newTurn();
    this.pending = this.#open();
    this.durable = [];
  }

  hold(sequence: number): Held {
    return this.pending.hold({
      client: clientId('0'.repeat(32)),
      sequence,
      answeredBelow: 1,
      origin: nodeId('n1'),
      write: {
        key: `k${sequence}`,
        op: {
          dot: this.dot(sequence),
          stamp: { wallMs: 1_000 + sequence, counter: 0, replica },
          body: { type: 'register', value: utf8Encode(`v${sequence}`), replaces: null },
        },
        base: null,
      },
    });
  }

  dot(sequence: number): Dot {
    return { replica, sequence };
  }

  /** The end of a turn, with the applied state if `saves`, and the sync. */
  sync({ saves = false } = {}): void {
    this.pending.flush();
    if (saves) this.turn.store.promoteDeferred();
    const batch = this.turn.store.takeBatch();
    if (batch === null) return;
    this.storage.enqueue(batch.writes);
    this.storage.flushOne();
    this.turn.durable(batch.id);
  }

  records(): string[] {
    return [...this.storage.scan({ from: '', to: '\uffff' })].map(({ key }) => key);
  }

  #newTurn(): Turn {
    return new Turn(options, new StagedStore(this.storage), { monoMs: 0, wallMs: 0 });
  }

  #open(): PendingWrites {
    return new PendingWrites(partitionId(0), this.turn, (writes) => this.durable.push(...writes));
  }
}

it('I5: what one turn brought is one record, and all of it is there after a crash', () => {
  const node = new Node();
  for (const sequence of [1, 2, 3]) node.hold(sequence);
  node.sync();
  expect(node.records()).toHaveLength(1);
  node.hold(4);
  node.sync();
  expect(node.records()).toHaveLength(2);
  node.restart();
  expect([...node.pending.all()].map(({ write }) => write.key)).toEqual(['k1', 'k2', 'k3', 'k4']);
  expect(node.pending.count).toBe(4);
});

it('tells that a write is held when it is durable, and not before', () => {
  const node = new Node();
  const held = node.hold(1);
  let told = 0;
  node.pending.whenDurable(() => told++);
  node.pending.flush();
  const batch = node.turn.store.takeBatch();
  expect([held.durable, told, node.durable.length]).toEqual([false, 0, 0]);
  // A retry of it comes while the batch is on its way.
  node.pending.whenDurable(() => told++);
  expect(told).toBe(0);
  node.turn.durable(batch?.id ?? 0);
  expect([held.durable, told, node.durable.length]).toEqual([true, 2, 1]);
});

it('I5, I7: a record goes with the state that settled the last of its writes, not before', () => {
  const node = new Node();
  for (const sequence of [1, 2]) node.hold(sequence);
  node.sync();
  node.pending.release(node.dot(1));
  node.sync({ saves: true });
  expect(node.records()).toHaveLength(1);
  // The settled one comes back with its record; whoever knows that it is settled lets go of it again.
  node.restart();
  expect(node.pending.count).toBe(2);
  node.pending.release(node.dot(1));
  node.pending.release(node.dot(2));
  node.sync();
  expect(node.records()).toHaveLength(1);
  node.sync({ saves: true });
  expect(node.records()).toEqual([]);
});

it('numbers records on where it stopped', () => {
  const node = new Node();
  node.hold(1);
  node.sync();
  node.restart();
  node.hold(2);
  node.sync();
  node.restart();
  expect(node.pending.count).toBe(2);
});

it('keeps nothing of a write that was settled in the turn that brought it', () => {
  const node = new Node();
  node.hold(1);
  node.pending.release(node.dot(1));
  node.sync({ saves: true });
  expect(node.records()).toEqual([]);
});

it('hands out the command of a write as it was encoded, before and after a crash', () => {
  const node = new Node();
  const held = [node.hold(1), node.hold(2)];
  node.sync();
  const before = held.map(({ command }) => Array.from(command));
  node.restart();
  expect([...node.pending.all()].map(({ command }) => Array.from(command))).toEqual(before);
});
