import { ByteWriter, DecodeError } from '@skerry/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyOperation, mergeValues, type Operation, type Value } from './index.ts';
import { anyRequests, replicaCount, steps } from './testing/arbitraries.ts';
import {
  Cluster,
  operationBytes,
  operationFromBytes,
  stateText,
  valueBytes,
  valueFromBytes,
} from './testing/cluster.ts';

const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });

function damaged(bytes: Uint8Array, hits: readonly (readonly [number, number])[]): Uint8Array {
  const copy = bytes.slice();
  for (const [at, value] of hits) copy[at % copy.length] = value;
  return copy;
}

/** What was decoded, or null for DecodeError; any other error fails the test. */
function attempt<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}

/** Damage that still decodes is some other state: it must merge and encode like one, not crash the node later. */
function use(value: Value | null, operation: Operation | null): void {
  if (value !== null) stateText(mergeValues(value, value).state);
  if (operation !== null) stateText(applyOperation(value, operation).state);
}

describe('decode', () => {
  it('answers damaged bytes with DecodeError or with a state that can be merged and encoded', () => {
    let refused = 0;
    fc.assert(
      fc.property(steps(anyRequests), damage, (run, hits) => {
        const { states, history } = new Cluster(replicaCount).run(run);
        const state = states.at(-1);
        const entry = history.at(-1);
        if (state === undefined || entry === undefined) return;
        const value = attempt(() => valueFromBytes(damaged(valueBytes(state), hits)));
        const operation = attempt(() => operationFromBytes(damaged(operationBytes(entry.operation), hits)));
        if (value === null) refused++;
        expect(() => {
          use(value, operation);
        }).not.toThrow();
      }),
      { numRuns: 250 },
    );
    expect(refused).toBeGreaterThan(0);
  });

  it('refuses states that no replica can be in', () => {
    const stamp = (w: ByteWriter): ByteWriter => w.bool(true).raw(new Uint8Array(14)).bool(false);
    const header = (tag: number): ByteWriter => stamp(new ByteWriter().u8(1).u8(1).u8(tag));
    const context = (w: ByteWriter, to: number): ByteWriter =>
      w
        .varint(1)
        .u48(7)
        .varint(1)
        .varint(1)
        .varint(to - 1);
    const entry = (w: ByteWriter, sequence: number): ByteWriter => w.u48(7).varint(sequence).text('x');
    const set = (sequences: readonly number[]): ByteWriter =>
      sequences.reduce((w, sequence) => entry(w, sequence), context(header(3), 2).varint(sequences.length));
    const increments = (w: ByteWriter, upTo: number, sequences: readonly number[]): ByteWriter =>
      sequences.reduce((v, sequence) => v.varint(sequence).u8(2), w.varint(upTo).u8(0).u8(0).varint(sequences.length));
    const generations = (endedBelow: number, count: number): ByteWriter =>
      header(2).varint(1).u48(7).varint(endedBelow).varint(count);
    const generation = (
      w: ByteWriter,
      name: number,
      { upTo = 0, beyond = [] as number[], resetUpTo = 0 },
    ): ByteWriter => increments(increments(w.varint(name), upTo, beyond), resetUpTo, []);
    const counter = (beyond: number[], upTo = 0, resetUpTo = 0): ByteWriter =>
      generation(generations(0, 1), 1, { upTo, beyond, resetUpTo });
    expect(() => valueFromBytes(set([1, 2]).finish())).not.toThrow();
    expect(() => valueFromBytes(counter([2, 4]).finish())).not.toThrow();
    expect(() => valueFromBytes(counter([3], 1, 1).finish())).not.toThrow();
    const impossible = {
      'dot outside its context': set([1, 3]),
      'dots out of order': set([2, 1]),
      'dot twice': set([1, 1]),
      'increments out of order': counter([4, 2]),
      'increment that the prefix would hold': counter([2], 1),
      'reset of the unseen': counter([2], 0, 3),
      'generations out of order': generation(generation(generations(0, 2), 2, {}), 1, {}),
      'a generation that is over': generation(generations(2, 1), 1, { upTo: 1 }),
      'no generation': generations(0, 0),
      'no parts': new ByteWriter().u8(1).u8(0),
      'another format': new ByteWriter().u8(2).u8(1),
      'unknown type': header(6),
    };
    for (const [what, bytes] of Object.entries(impossible)) {
      expect(() => valueFromBytes(bytes.finish()), what).toThrow(DecodeError);
    }
  });

  it('answers every truncation with DecodeError', () => {
    fc.assert(
      fc.property(steps(anyRequests), (run) => {
        const { states, history } = new Cluster(replicaCount).run(run);
        const state = states.at(-1);
        if (state === undefined) return;
        const bytes = valueBytes(state);
        for (let length = 0; length < bytes.length; length++) {
          expect(() => valueFromBytes(bytes.subarray(0, length))).toThrow(DecodeError);
        }
        const written = operationBytes(history[0]!.operation);
        for (let length = 0; length < written.length; length++) {
          expect(() => operationFromBytes(written.subarray(0, length))).toThrow(DecodeError);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('answers random bytes without hanging or allocating by what they claim', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 6 }), (bytes, tag) => {
        const value = attempt(() => valueFromBytes(new Uint8Array([1, 1, tag, ...bytes])));
        const operation = attempt(() => operationFromBytes(bytes));
        expect(() => {
          use(value, operation);
        }).not.toThrow();
      }),
      { numRuns: 1000 },
    );
  });
});
