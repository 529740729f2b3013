import { ByteReader, ByteWriter, DecodeError, replicaId } from '@skerry/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CausalContext,
  compareDots,
  decodeDot,
  dotFromText,
  dotToText,
  encodeDot,
  IntervalSet,
  type Dot,
} from './index.ts';

const dots: fc.Arbitrary<Dot> = fc.record({
  replica: fc.constantFrom(1, 2, 0xabcdef).map(replicaId),
  sequence: fc.integer({ min: 1, max: 24 }),
});
const dotLists = fc.array(dots, { maxLength: 60 });
const numbers = fc.array(fc.nat({ max: 40 }), { maxLength: 60 });
const ranges = fc.array(fc.tuple(fc.nat({ max: 40 }), fc.nat({ max: 6 })), { maxLength: 20 });

function roundTrip<T>(encode: (w: ByteWriter) => void, decode: (r: ByteReader) => T): T {
  const w = new ByteWriter();
  encode(w);
  const r = new ByteReader(w.finish());
  const result = decode(r);
  r.end();
  return result;
}

function setOf(list: readonly number[]): IntervalSet {
  const set = new IntervalSet();
  for (const n of list) set.add(n);
  return set;
}

describe('dot', () => {
  it('bytes and text are inverse', () => {
    fc.assert(
      fc.property(dots, (dot) => {
        expect(
          roundTrip((w) => {
            encodeDot(w, dot);
          }, decodeDot),
        ).toEqual(dot);
        expect(dotFromText(dotToText(dot))).toEqual(dot);
      }),
    );
    for (const text of ['', '000000000001-0', '000000000001-01', '1-1', '000000000001-9999999999999999'])
      expect(dotFromText(text)).toBeNull();
  });
});

describe('interval set', () => {
  it('behaves like a Set of numbers, with disjoint sorted ranges', () => {
    fc.assert(
      fc.property(numbers, ranges, (list, spans) => {
        const set = new IntervalSet();
        const model = new Set<number>();
        for (const n of list) {
          expect(set.add(n)).toBe(!model.has(n));
          model.add(n);
        }
        for (const [from, length] of spans) {
          set.addRange(from, from + length);
          for (let n = from; n <= from + length; n++) model.add(n);
        }
        expect(set.size).toBe(model.size);
        for (let n = 0; n <= 50; n++) expect(set.has(n)).toBe(model.has(n));
        const found = set.ranges();
        for (let i = 1; i < found.length; i++) expect(found[i]![0]).toBeGreaterThan(found[i - 1]![1] + 1);
        expect(
          roundTrip(
            (w) => {
              set.encode(w);
            },
            (r) => IntervalSet.decode(r),
          ).equals(set),
        ).toBe(true);
        expect(set.clone().equals(set)).toBe(true);
      }),
    );
  });

  it('minus leaves what a Set would, in ranges, and changes neither side', () => {
    fc.assert(
      fc.property(numbers, numbers, ranges, (list, others, spans) => {
        const [set, other] = [setOf(list), setOf(others)];
        for (const [from, length] of spans) other.addRange(from, from + length);
        const [before, otherBefore] = [set.clone(), other.clone()];
        const left = list.filter((n) => !other.has(n));
        expect(set.minus(other).equals(setOf(left))).toBe(true);
        expect(set.equals(before) && other.equals(otherBefore)).toBe(true);
      }),
    );
  });

  it('a long run with one hole costs two ranges', () => {
    const set = new IntervalSet();
    for (let n = 0; n < 10_000; n++) if (n !== 5_000) set.add(n);
    expect(set.ranges()).toEqual([
      [0, 4_999],
      [5_001, 9_999],
    ]);
    expect(set.add(5_000)).toBe(true);
    expect(set.rangeCount).toBe(1);
  });
});

describe('causal context', () => {
  it('behaves like a Set of dots: add, has, merge, covers, equals', () => {
    fc.assert(
      fc.property(dotLists, dotLists, dots, (listA, listB, probe) => {
        const a = CausalContext.of(listA);
        const b = CausalContext.of(listB);
        const textsA = new Set(listA.map(dotToText));
        const textsB = new Set(listB.map(dotToText));
        expect(a.has(probe)).toBe(textsA.has(dotToText(probe)));
        expect(a.covers(b)).toBe([...textsB].every((text) => textsA.has(text)));
        expect(a.equals(b)).toBe(a.covers(b) && b.covers(a));
        const joined = a.clone();
        joined.merge(b);
        for (const dot of [...listA, ...listB]) expect(joined.has(dot)).toBe(true);
        expect(joined.equals(CausalContext.of([...listB, ...listA].sort(compareDots)))).toBe(true);
        expect(a.equals(CausalContext.of(listA))).toBe(true);
        expect(joined.add(probe)).toBe(!textsA.has(dotToText(probe)) && !textsB.has(dotToText(probe)));
      }),
    );
  });

  it('minus leaves what a Set would, and no entry of a replica of which nothing is left', () => {
    fc.assert(
      fc.property(dotLists, dotLists, (list, others) => {
        const [context, other] = [CausalContext.of(list), CausalContext.of(others)];
        const gone = new Set(others.map(dotToText));
        const rest = context.minus(other);
        expect(rest.equals(CausalContext.of(list.filter((dot) => !gone.has(dotToText(dot)))))).toBe(true);
        // What is left is a copy.
        rest.add({ replica: replicaId(1), sequence: 25 });
        expect(context.equals(CausalContext.of(list))).toBe(true);
        expect(context.minus(context).isEmpty).toBe(true);
      }),
    );
  });

  it('tells the contiguous prefix from the exceptions beyond it', () => {
    const context = CausalContext.of([1, 2, 4, 5, 9].map((sequence) => ({ replica: replicaId(10), sequence })));
    expect(context.maxOf(replicaId(10))).toBe(2);
    expect(context.beyondOf(replicaId(10))).toEqual([
      [4, 5],
      [9, 9],
    ]);
    expect(context.has({ replica: replicaId(10), sequence: 3 })).toBe(false);
    expect(context.toText()).toBe('00000000000a:1-2,4-5,9');
    expect(context.add({ replica: replicaId(10), sequence: 3 })).toBe(true);
    expect(context.maxOf(replicaId(10))).toBe(5);
    expect(context.maxOf(replicaId(11))).toBe(0);
  });

  it('encode and decode are inverse, one encoding per context', () => {
    fc.assert(
      fc.property(dotLists, (list) => {
        const bytes = (context: CausalContext): Uint8Array => {
          const w = new ByteWriter();
          context.encode(w);
          return w.finish();
        };
        const context = CausalContext.of(list);
        expect(CausalContext.decode(new ByteReader(bytes(context))).equals(context)).toBe(true);
        expect(bytes(CausalContext.of([...list].reverse()))).toEqual(bytes(context));
      }),
    );
  });

  it('refuses what no encoder writes', () => {
    const bad: ((w: ByteWriter) => ByteWriter)[] = [
      (w) => w.varint(1).u48(1).varint(0),
      (w) => w.varint(1).u48(1).varint(1).varint(0).varint(3),
      (w) => w.varint(2).u48(2).varint(1).varint(1).varint(0).u48(1).varint(1).varint(1).varint(0),
      (w) => w.varint(2 ** 40),
      (w) => w.varint(1).u48(1).varint(1).varint(Number.MAX_SAFE_INTEGER).varint(9),
    ];
    for (const write of bad) {
      const bytes = write(new ByteWriter()).finish();
      expect(() => CausalContext.decode(new ByteReader(bytes))).toThrow(DecodeError);
    }
  });
});
