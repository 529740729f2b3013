import { clientId, nodeId, partitionId, regionId, replicaId, utf8Encode } from '@skerry/base';
import {
  applyOperation,
  CausalContext,
  isTombstone,
  prepareOperation,
  valueStamp,
  type Value,
  type WriteRequest,
} from '@skerry/crdt';
import { simpleConfig } from '@skerry/raft';
import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../ports/memory-storage.ts';
import { StagedStore } from '../staged-store.ts';
import { viewOf } from '../view.ts';
import type { Command } from './command.ts';
import type { Promotion } from './promotion.ts';
import { StateMachine } from './state-machine.ts';

const writer = replicaId(5);
const [x, y] = [utf8Encode('x'), utf8Encode('y')] as const;

/** A region of one, which forgets a tombstone as soon as it is there. */
class Machine {
  readonly state: StateMachine;
  #index = 1;

  constructor() {
    this.state = new StateMachine(new StagedStore(new MemoryStorage()), {
      region: regionId('r1'),
      partition: partitionId(0),
      generation: 0,
      initial: { config: simpleConfig([nodeId('n1')]), applied: 1, term: 1 },
    });
  }

  promote(write: Promotion): void {
    const { replica, sequence } = write.op.dot;
    const client = clientId(replica.toString(16).padStart(32, '0'));
    this.#apply({ kind: 'promote', id: { client, sequence, answeredBelow: 0 }, write });
    this.#apply({
      kind: 'expire',
      retention: {
        sessionIdleMs: 1e9,
        sessionIdleQuorumlessMs: 1e9,
        receiptCountMax: 1_000,
        ledgerCountMax: 1_000,
        ledgerAgeMs: 1e9,
        tombstoneKeepMs: 0,
      },
    });
  }

  #apply(command: Command): void {
    const index = ++this.#index;
    const wallMs = 1_000 + index;
    this.state.apply(index, 1, {
      wallMs,
      clampMs: 1e6,
      clusterMs: 10 * index,
      replica: replicaId(1),
      valueBytesMax: 1_000_000,
      commands: [command],
    });
  }

  /** What is shown of the key. */
  shown(): unknown {
    const view = viewOf(this.state.read('k')?.value ?? null);
    return view !== null && 'context' in view ? { ...view, context: '' } : view;
  }

  receipt(sequence: number): string | undefined {
    return this.state.receipts.find({ replica: writer, sequence })?.state;
  }
}

/** Writes of one key, each by a writer who saw those before; the first by another node. */
function writesOf(requests: readonly WriteRequest[]): Promotion[] {
  let seen: Value | null = null;
  return requests.flatMap((request, index) => {
    const replica = index === 0 ? replicaId(9) : writer;
    const op = prepareOperation(seen, request, {
      dot: { replica, sequence: index + 1 },
      stamp: { wallMs: 100 + index, counter: 0, replica },
    });
    if (op === null) return [];
    const base = seen === null ? null : valueStamp(seen);
    const write = { key: 'k', op, base, baseDeleted: seen !== null && isTombstone(seen) };
    seen = applyOperation(seen, op).state;
    return [write];
  });
}

function ordersOf<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, at) => ordersOf(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

const seen = (...sequences: number[]): CausalContext =>
  CausalContext.of(sequences.map((sequence) => ({ replica: sequence === 1 ? replicaId(9) : writer, sequence })));
const sibling = (value: Uint8Array, ...replaced: number[]): WriteRequest => ({
  type: 'multiRegister',
  value,
  context: seen(...replaced),
});
const chunk: WriteRequest = { type: 'document', action: 'change', bytes: x, operations: 1 };
const compaction: WriteRequest = { type: 'document', action: 'compact', bytes: y, operations: 2, context: seen(1, 2) };
const add = (element: Uint8Array): WriteRequest => ({ type: 'set', action: 'add', element });
const enable: WriteRequest = { type: 'flag', action: 'enable' };
const remove: WriteRequest = { type: 'delete' };

const cases: readonly [string, readonly WriteRequest[]][] = [
  [
    'a register',
    [
      { type: 'register', value: x },
      { type: 'register', value: y },
      { type: 'register', value: x },
    ],
  ],
  ['a register that was deleted', [{ type: 'register', value: x }, remove, { type: 'register', value: y }]],
  ['siblings', [sibling(x), sibling(y, 1), sibling(x, 2)]],
  ['elements', [add(x), add(x), add(x), add(y)]],
  ['a flag', [enable, enable, enable]],
  ['a document', [chunk, chunk, compaction]],
  ['a counter', [1, 2, 3].map((amount) => ({ type: 'counter', action: 'add', amount }))],
];

describe('pending writes of one node, promoted in whatever order, each after tombstones were forgotten', () => {
  it.each(cases)('of %s: nothing comes back that a later one deleted (I11)', (_, requests) => {
    const [first, ...rest] = writesOf([...requests, remove]) as [Promotion, ...Promotion[]];
    for (const order of ordersOf(rest)) {
      const machine = new Machine();
      for (const write of [first, ...order]) machine.promote(write);
      const sequences = order.map(({ op }) => op.dot.sequence);
      expect([sequences, machine.shown()]).toEqual([sequences, null]);
    }
  });

  it.each(cases)('of %s: come to the same as in their order (I9, I12)', (_, requests) => {
    const [first, ...rest] = writesOf(requests) as [Promotion, ...Promotion[]];
    const shown = (order: readonly Promotion[]): unknown => {
      const machine = new Machine();
      for (const write of [first, ...order]) machine.promote(write);
      return machine.shown();
    };
    for (const order of ordersOf(rest)) expect(shown(order)).toEqual(shown(rest));
  });

  it('say superseded of one that was taken away, and keep it in the ledger (I12)', () => {
    const [first, second, third] = writesOf([...(cases[0]?.[1].slice(0, 2) ?? []), remove]) as [
      Promotion,
      Promotion,
      Promotion,
    ];
    const machine = new Machine();
    for (const write of [first, third]) machine.promote(write);
    const { next } = machine.state.header.conflicts;
    machine.promote(second);
    expect([2, 3].map((sequence) => machine.receipt(sequence))).toEqual(['superseded', 'promoted']);
    expect(machine.state.header.conflicts.next).toBe(next + 1);
  });
});
