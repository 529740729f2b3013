import fc from 'fast-check';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  assert, ByteReader, ByteWriter, compareBytes, compareText, crc32, DecodeError, fromHex, InvariantError, isWellFormed,
  partitionId, randomInt, randomShuffle, replicaIdMax, SeededRandom, toHex, utf8Decode, utf8Encode, utf8Length,
} from './index.ts';

const wellFormed = fc.string({ unit: 'binary' });

describe('bytes', () => {
  it('reads back every field that was written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: replicaIdMax }), fc.maxSafeNat(), wellFormed, fc.uint8Array(), fc.boolean(),
        (u48, varint, text, bytes, bool) => {
          const written = new ByteWriter(1).u48(u48).varint(varint).text(text).bytes(bytes).bool(bool).u16(65_535).u32(7).finish();
          const reader = new ByteReader(written);
          expect(reader.u48()).toBe(u48);
          expect(reader.varint()).toBe(varint);
          expect(reader.text()).toBe(text);
          expect([...reader.bytes()]).toEqual([...bytes]);
          expect(reader.bool()).toBe(bool);
          expect(reader.u16()).toBe(65_535);
          expect(reader.u32()).toBe(7);
          reader.end();
        },
      ),
    );
  });

  it('throws DecodeError on every truncation instead of reading past the end', () => {
    const written = new ByteWriter().text('a key').bytes(new Uint8Array(20)).u48(9).finish();
    for (let length = 0; length < written.length; length++) {
      const reader = new ByteReader(written.subarray(0, length));
      expect(() => [reader.text(), reader.bytes(), reader.u48()]).toThrow(DecodeError);
    }
  });

  it('refuses a varint that exceeds a safe integer', () => {
    expect(() => new ByteReader(new Uint8Array(9).fill(0xff)).varint()).toThrow(DecodeError);
  });

  it('u48 fields sort like their values', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: replicaIdMax }), fc.integer({ min: 0, max: replicaIdMax }), (a, b) => {
        const order = compareBytes(new ByteWriter().u48(a).finish(), new ByteWriter().u48(b).finish());
        expect(Math.sign(order)).toBe(Math.sign(a - b));
      }),
    );
  });

  it('hex is inverse', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => { expect([...(fromHex(toHex(bytes)) ?? [])]).toEqual([...bytes]); }));
    expect(fromHex('0')).toBeNull();
    expect(fromHex('zz')).toBeNull();
  });
});

describe('text', () => {
  it('counts UTF-8 bytes as the encoder does', () => {
    fc.assert(fc.property(wellFormed, (text) => { expect(utf8Length(text)).toBe(utf8Encode(text).length); }));
  });

  it('compares as UTF-8 bytes do, above U+FFFF too', () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, (a, b) => {
        expect(Math.sign(compareText(a, b))).toBe(Math.sign(compareBytes(utf8Encode(a), utf8Encode(b))));
      }),
    );
    expect(compareText('\u{1f600}', '\uffee')).toBeGreaterThan(0);
  });

  it('knows lone surrogates and invalid UTF-8', () => {
    expect(isWellFormed('a\ud800')).toBe(false);
    expect(isWellFormed('\udc00a')).toBe(false);
    expect(isWellFormed('\u{1f600}')).toBe(true);
    expect(utf8Decode(new Uint8Array([0xff]))).toBeNull();
  });
});

describe('hash', () => {
  it('crc32 equals that of zlib, in one piece or continued', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(crc32(a)).toBe(zlibCrc32(a));
        expect(crc32(b, crc32(a))).toBe(zlibCrc32(new Uint8Array([...a, ...b])));
      }),
    );
  });
});

describe('random', () => {
  it('repeats from its seed and differs between seeds', () => {
    const draw = (seed: number): number[] => Array.from({ length: 8 }, ((r) => () => r.uint32())(new SeededRandom(seed)));
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('covers a range and nothing else', () => {
    const random = new SeededRandom(1);
    const seen = new Set(Array.from({ length: 1000 }, () => randomInt(random, 3, 6)));
    expect([...seen].sort()).toEqual([3, 4, 5, 6]);
    expect(randomShuffle(random, [1, 2, 3, 4]).sort()).toEqual([1, 2, 3, 4]);
  });
});

describe('assert', () => {
  it('puts the numbers into the message', () => {
    expect(() => assert(false, 'commit went back', { from: 7, to: 5 })).toThrow(/commit went back from=7 to=5/);
    expect(() => partitionId(-1)).toThrow(InvariantError);
  });
});
