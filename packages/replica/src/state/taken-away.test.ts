import { replicaId, utf8Encode } from '@skerry/base';
import {
  applyOperation,
  CausalContext,
  compactValue,
  prepareOperation,
  type Dot,
  type Value,
  type WriteRequest,
} from '@skerry/crdt';
import { describe, expect, it } from 'vitest';
import { takenAway } from './taken-away.ts';

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
    seen.addRange(replicaId(1), 1, 10);
    const reset: WriteRequest = { type: 'counter', action: 'reset' };
    expect(takenByLast([add, add, reset], (state) => compactValue(state, seen))).toEqual([2]);
  });
});
