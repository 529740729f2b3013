import fc from 'fast-check';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  assert,
  ByteReader,
  ByteWriter,
  compareBytes,
  compareText,
  crc32,
  DecodeError,
  fromHex,
  InvariantError,
  isWellFormed,
  partitionId,
  randomInt,
  randomShuffle,
  replicaIdMax,
  SeededRandom,
  Slab,
  toHex,
  utf8Decode,
  utf8Encode,
  utf8Length,
} from './index.ts';

const wellFormed = fc.string({ unit: 'binary' });

describe('bytes', () => {
  it('reads back every field that was written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: replicaIdMax }),
        fc.maxSafeNat(),
        wellFormed,
        fc.uint8Array(),
        fc.boolean(),
        (u48, varint, text, bytes, bool) => {
          const written = new ByteWriter(1)
            .u48(u48)
            .varint(varint)
            .text(text)
            .bytes(bytes)
            .bool(bool)
            .u16(65_535)
            .u32(7)
            .finish();
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

  it('copies into shared memory without touching what is there, whatever the sizes', () => {
    const slab = new Slab();
    const sizes = [0, 1, 2_048, 2_049, 100_000, ...Array.from({ length: 60 }, (_, i) => 700 + i)];
    const copies = sizes.map((size, i) => new ByteWriter().raw(new Uint8Array(size).fill(i)).finish(slab));
    for (const [i, size] of sizes.entries()) expect(copies[i]).toEqual(new Uint8Array(size).fill(i));
    expect(new Set(copies.map(({ buffer }) => buffer)).size).toBeLessThan(10);
  });

  it('steps over a text only if it is the one that is asked for, and all of it is there', () => {
    const written = new ByteWriter().text('client-1').u8(9).finish();
    for (const other of ['client-2', 'client-', 'client-11', '']) {
      const reader = new ByteReader(written);
      expect(reader.skipText(other)).toBe(false);
      expect(reader.text()).toBe('client-1');
    }
    expect(new ByteReader(written.subarray(0, 8)).skipText('client-1')).toBe(false);
    const reader = new ByteReader(written);
    expect(reader.skipText('client-1')).toBe(true);
    expect(reader.u8()).toBe(9);
  });

  it('reads a text with one character beyond ASCII wherever it stands', () => {
    for (const length of [7, 8, 9, 16, 20, 63, 64, 65]) {
      for (let at = 0; at < length; at++) {
        const text = `${'a'.repeat(at)}é${'b'.repeat(length - at - 1)}`;
        expect(new ByteReader(new ByteWriter().text(text).finish()).text()).toBe(text);
      }
    }
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
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect([...(fromHex(toHex(bytes)) ?? [])]).toEqual([...bytes]);
      }),
    );
    expect(fromHex('0')).toBeNull();
    expect(fromHex('zz')).toBeNull();
  });
});

describe('text', () => {
  it('counts UTF-8 bytes as the encoder does', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        expect(utf8Length(text)).toBe(utf8Encode(text).length);
      }),
    );
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
  it('crc32 equals that of zlib at every length and from every offset', () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => (i * 151 + 7) & 0xff);
    for (let from = 0; from < 20; from++) {
      for (let to = from; to <= 64; to++)
        expect(crc32(bytes.subarray(from, to), from)).toBe(zlibCrc32(bytes.subarray(from, to), from));
    }
  });

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
    const draw = (seed: number): number[] =>
      Array.from(
        { length: 8 },
        (
          (r) => () =>
            r.uint32()
        )(new SeededRandom(seed)),
      );
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
