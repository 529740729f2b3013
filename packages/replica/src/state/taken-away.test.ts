import { ByteReader, ByteWriter, DecodeError, replicaId, utf8Encode } from '@skerry/base';
import {
  applyOperation,
  CausalContext,
  compactValue,
  counterTotal,
  mergeValues,
  prepareOperation,
  type Dot,
  type Operation,
  type Value,
  type WriteRequest,
} from '@skerry/crdt';
import { describe, expect, it } from 'vitest';
import { leftOf, takenAway, TakenAway, takesUnseen } from './taken-away.ts';

const bytes = utf8Encode('a');
/** Not the first of its replica, or a counter would have it in its sum at once. */
const dotOf = (write: number): Dot => ({ replica: replicaId(write), sequence: 10 * write });

/** What the last of these writes takes away, each by a writer who saw the ones before; as numbers of writes. */
function takenByLast(requests: readonly WriteRequest[], prepare = (state: Value): Value => state): number[] {
  let state: Value | null = null;
  let taken: readonly Dot[] = [];
  requests.forEach((request, index) => {
    const write = index + 1;
    const seen: Value | null = state === null ? null : prepare(state);
    const stamp = { wallMs: write, counter: 0, replica: replicaId(write) };
    const op = prepareOperation(seen, request, { dot: dotOf(write), stamp });
    if (op === null) throw new Error('nothing to do');
    taken = takenAway(op.body);
    state = applyOperation(seen, op).state;
  });
  return taken.map(({ replica, sequence }) => {
    expect(sequence).toBe(10 * replica);
    return replica;
  });
}

const register: WriteRequest = { type: 'register', value: bytes };
const sibling = (...context: number[]): WriteRequest => ({
  type: 'multiRegister',
  value: bytes,
  context: CausalContext.of(context.map(dotOf)),
});
const add: WriteRequest = { type: 'counter', action: 'add', amount: 1 };
const addElement: WriteRequest = { type: 'set', action: 'add', element: bytes };
const addOther: WriteRequest = { type: 'set', action: 'add', element: utf8Encode('b') };
const enable: WriteRequest = { type: 'flag', action: 'enable' };
const change: WriteRequest = { type: 'document', action: 'change', bytes, operations: 1 };
const remove: WriteRequest = { type: 'delete' };

describe('what a write takes away', () => {
  it.each<[string, readonly WriteRequest[], readonly number[]]>([
    ['a first register: nothing', [register], []],
    ['a register over another: that one', [register, register], [1]],
    ['a delete of a register: it', [register, remove], [1]],
    ['a delete of what is not there: nothing', [remove], []],
    ['a sibling: those that its context names', [sibling(), sibling(), sibling(1)], [1]],
    ['a delete of siblings: all that are alive', [sibling(), sibling(), sibling(1), remove], [2, 3]],
    ['an increment: nothing', [add, add], []],
    ['a reset: the increments before it', [add, add, { type: 'counter', action: 'reset' }], [1, 2]],
    ['a delete of a counter: its increments', [add, add, remove], [1, 2]],
    ['an element added again: its first dot', [addElement, addOther, addElement], [1]],
    [
      'the removal of an element: its dot',
      [addElement, addOther, { type: 'set', action: 'remove', element: bytes }],
      [1],
    ],
    ['a delete of a set: all elements', [addElement, addOther, remove], [1, 2]],
    ['a flag enabled again: the dot before', [enable, enable], [1]],
    ['a flag disabled: its dot', [enable, { type: 'flag', action: 'disable' }], [1]],
    ['a delete of a flag: its dot', [enable, remove], [1]],
    ['a change of a document: nothing', [change, change], []],
    [
      'a compaction: the chunks that it holds',
      [
        change,
        change,
        change,
        { type: 'document', action: 'compact', bytes, operations: 2, context: CausalContext.of([dotOf(1), dotOf(2)]) },
      ],
      [1, 2],
    ],
    ['a delete of a document: its chunks', [change, change, remove], [1, 2]],
  ])('%s', (_, requests, taken) => {
    expect(takenByLast(requests)).toEqual(taken);
  });

  it('siblings beyond the limit: those that make room, too', () => {
    const dots = [dotOf(1), dotOf(2)];
    expect(
      takenAway({ type: 'multiRegister', value: bytes, replaces: dots.slice(0, 1), evicts: dots.slice(1) }),
    ).toEqual(dots);
  });

  it('a reset of increments that were summed up: only those that came after', () => {
    const seen = CausalContext.empty();
    seen.addRange(replicaId(1), 1, 12);
    const reset: WriteRequest = { type: 'counter', action: 'reset' };
    expect(takenByLast([add, add, reset], (state) => compactValue(state, seen))).toEqual([2]);
  });
});

describe('increments of which a delete names the sum', () => {
  const replica = replicaId(7);
  const increment = (sequence: number): Operation => ({
    dot: { replica, sequence },
    stamp: { wallMs: sequence, counter: 0, replica },
    body: { type: 'counter', action: 'add', amount: 1n, generation: 1, endedBelow: 0 },
  });
  /** Increments 1, 2 and 4 of one counter; 3 is another write. */
  const three = [1, 2, 4].map(increment).reduce<Value | null>((state, op) => applyOperation(state, op).state, null);
  const seen = CausalContext.empty();
  seen.addRange(replica, 1, 4);
  const deletes = prepareOperation(compactValue(three as Value, seen), remove, {
    dot: { replica: replicaId(8), sequence: 1 },
    stamp: { wallMs: 10, counter: 0, replica: replicaId(8) },
  }) as Operation;

  const noted = (context = CausalContext.empty(), key = 'k'): TakenAway => {
    const taken = TakenAway.empty();
    taken.note(key, deletes.body, context);
    return taken;
  };

  it('are known for what they are, by key, until they have been seen', () => {
    const taken = noted();
    expect([1, 4, 5].map((sequence) => taken.has('k', increment(sequence)))).toEqual([true, true, false]);
    expect(taken.has('another', increment(1))).toBe(false);
    expect(
      taken.has('k', { ...increment(1), body: { type: 'set', action: 'add', element: bytes, observed: [] } }),
    ).toBe(false);
    expect(takesUnseen(deletes.body, CausalContext.empty())).toBe(true);
    const some = CausalContext.of([increment(1).dot, increment(2).dot]);
    expect(taken.without(some).has('k', increment(4))).toBe(true);
    expect(taken.without(seen).toText()).toBe('');
    expect(noted(seen).toText()).toBe('');
    expect(takesUnseen(deletes.body, seen)).toBe(false);
  });

  it('are merged and written, the same whatever came first', () => {
    const [a, b] = [noted(CausalContext.empty(), 'b'), noted(CausalContext.empty(), 'a')];
    const merged = a.clone();
    merged.merge(b);
    b.merge(a);
    const encoded = [merged, b].map((taken) => {
      const writer = new ByteWriter();
      taken.encode(writer);
      return writer.finish();
    });
    expect(encoded[0]).toEqual(encoded[1]);
    const reader = new ByteReader(encoded[0] as Uint8Array);
    const decoded = TakenAway.decode(reader);
    reader.end();
    expect(decoded.toText()).toBe(merged.toText());
    expect(merged.toText()).toBe('a=000000000007:1-4 b=000000000007:1-4');
    // The copy does not go on with what it was made of.
    expect(a.toText()).toBe('b=000000000007:1-4');
  });

  it('are refused if a key is named twice', () => {
    const writer = new ByteWriter();
    CausalContext.empty().encode(writer);
    writer.varint(2);
    for (let i = 0; i < 2; i++) writer.text('k').varint(1).u48(replica).varint(1).varint(4);
    expect(() => TakenAway.decode(new ByteReader(writer.finish()))).toThrow(DecodeError);
  });

  it('are taken away once by whoever hears of the delete later, though others have come since and were summed up', () => {
    // 1 came, 2 and 4 come as what is left of them, 5 as it is; then all that is known is summed up.
    const left = [2, 4].map((sequence) => leftOf(increment(sequence)) as Operation);
    const later = CausalContext.empty();
    later.addRange(replica, 1, 5);
    const state = [increment(1), ...left, increment(5)].reduce<Value | null>(
      (before, op) => applyOperation(before, op).state,
      null,
    );
    const summed = compactValue(state as Value, later);
    expect(counterTotal(applyOperation(summed, deletes).state)).toBe(1n);
    expect(counterTotal(mergeValues(applyOperation(null, deletes).state, summed).state)).toBe(1n);
  });
});

describe('what is left of a write that was taken away before it came', () => {
  const opOf = (body: Operation['body']): Operation => ({
    dot: dotOf(9),
    stamp: { wallMs: 9, counter: 0, replica: replicaId(9) },
    body,
  });
  const chunk = { bytes, operations: 1, generations: [dotOf(1)] };
  const dots = [dotOf(1), dotOf(2)];

  it.each<[string, Operation['body'], Operation['body']]>([
    [
      'a register',
      { type: 'register', value: bytes, replaces: dotOf(1) },
      { type: 'delete', parts: [{ type: 'register', replaces: dotOf(1) }] },
    ],
    [
      'a multi-value register: of what its limit evicts, too',
      { type: 'multiRegister', value: bytes, replaces: [dotOf(2)], evicts: [dotOf(1)] },
      { type: 'delete', parts: [{ type: 'multiRegister', observed: dots }] },
    ],
    [
      'an element',
      { type: 'set', action: 'add', element: bytes, observed: dots },
      { type: 'delete', parts: [{ type: 'set', observed: dots }] },
    ],
    [
      'a flag',
      { type: 'flag', action: 'enable', observed: dots },
      { type: 'delete', parts: [{ type: 'flag', observed: dots }] },
    ],
    [
      'a compaction: no generation has ended',
      { type: 'document', chunk, replaces: dots },
      { type: 'delete', parts: [{ type: 'document', observed: dots, generations: [] }] },
    ],
    [
      'a delete: itself',
      { type: 'delete', parts: [{ type: 'set', observed: dots }] },
      { type: 'delete', parts: [{ type: 'set', observed: dots }] },
    ],
  ])('a delete of what it took away itself: %s', (_, body, left) => {
    expect(leftOf(opOf(body))).toEqual(opOf(left));
  });

  it.each<[string, Operation['body']]>([
    ['a register', { type: 'register', value: bytes, replaces: null }],
    ['a sibling', { type: 'multiRegister', value: bytes, replaces: [], evicts: [] }],
    ['an element', { type: 'set', action: 'add', element: bytes, observed: [] }],
    ['a flag', { type: 'flag', action: 'enable', observed: [] }],
    ['a change of a document', { type: 'document', chunk, replaces: [] }],
  ])('nothing, where it took nothing away: %s', (_, body) => {
    expect(leftOf(opOf(body))).toBeNull();
  });
});
