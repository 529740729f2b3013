import {
  randomChance,
  randomInt,
  randomPick,
  utf8Decode,
  utf8Encode,
  type Random,
} from '../../../packages/base/src/index.ts';

/** Encodings of numbers that break what trusts them: zero, the ends of a byte, counts and lengths far beyond any input. */
const numbers: readonly (readonly number[])[] = [
  [0],
  [1],
  [0x7f],
  [0x80, 0x01],
  [0xff, 0x01],
  [0xff, 0xff, 0x03],
  [0xff, 0xff, 0xff, 0x7f],
  [0x80, 0x80, 0x80, 0x80, 0x08],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff],
  [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  // MessagePack: arrays, maps, texts and bytes that claim to be long; an extension; a float.
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xdc, 0xff, 0xff],
  [0xdf, 0x7f, 0xff, 0xff, 0xff],
  [0xdb, 0x7f, 0xff, 0xff, 0xff],
  [0xc6, 0x7f, 0xff, 0xff, 0xff],
  [0xc9, 0x7f, 0xff, 0xff, 0xff, 0x01],
  [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
  [0x91],
  [0x9f],
  [0x8f],
  [0xc0],
];

/** `bytes` with one to a few changes of the kinds that formats of lengths, counts and tags fall over. */
export function mutateBytes(random: Random, bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  let mutated = bytes;
  for (let left = randomPick(random, [1, 1, 1, 2, 3, 8]); left > 0; left--) mutated = change(random, mutated, others);
  return mutated;
}

function change(random: Random, bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  const at = randomInt(random, 0, bytes.length);
  const length = Math.min(bytes.length - at, randomPick(random, [1, 1, 2, 4, 8, 64]));
  switch (randomInt(random, 0, 8)) {
    case 0:
      return withByte(bytes, at, (byte) => byte ^ (1 << randomInt(random, 0, 7)));
    case 1:
      return withByte(bytes, at, () => randomPick(random, [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff]));
    case 2:
      return withByte(bytes, at, (byte) => byte + randomPick(random, [-1, 1]));
    case 3:
      return bytes.slice(0, at);
    case 4:
      // A number takes the place of what may be one.
      return joined(
        bytes.subarray(0, at),
        Uint8Array.from(randomPick(random, numbers)),
        bytes.subarray(at + Math.min(length, 2)),
      );
    case 5:
      return joined(bytes.subarray(0, at), Uint8Array.from(randomPick(random, numbers)), bytes.subarray(at));
    case 6:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    case 7:
      return joined(
        bytes.subarray(0, at + length),
        ...Array.from({ length: randomPick(random, [1, 1, 3, 200]) }, () => bytes.subarray(at, at + length)),
        bytes.subarray(at + length),
      );
    default: {
      const other = randomPick(random, others);
      return joined(bytes.subarray(0, at), other.subarray(randomInt(random, 0, other.length)));
    }
  }
}

function withByte(bytes: Uint8Array, at: number, to: (byte: number) => number): Uint8Array {
  const copy = bytes.slice();
  if (at < copy.length) copy[at] = to(copy[at] as number);
  return copy;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** What stands in no place by right. */
const junk: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  -1e308,
  2 ** 53,
  Number.MAX_SAFE_INTEGER,
  '',
  ' ',
  'x'.repeat(2_000),
  '\ud800',
  '\u0000',
  '__proto__',
  'constructor',
  [],
  {},
  [[[[[[[[[[[[]]]]]]]]]]]],
  { __proto__: null },
  '1e9',
  'NaN',
  'nil',
];

/** `value` with something in one place of its tree replaced, left out, repeated or added. */
export function mutateTree(random: Random, value: unknown): unknown {
  const isTree = typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
  if (!isTree || randomChance(random, 0.15))
    return typeof value === 'string' && randomChance(random, 0.5)
      ? mutateText(random, value, [value])
      : randomPick(random, junk);
  if (Array.isArray(value)) {
    const copy: unknown[] = [...(value as unknown[])];
    const at = randomInt(random, 0, copy.length);
    if (at === copy.length || randomChance(random, 0.1))
      copy.splice(at, 0, randomChance(random, 0.5) ? randomPick(random, junk) : copy[0]);
    else if (randomChance(random, 0.2)) copy.splice(at, 1);
    else copy[at] = mutateTree(random, copy[at]);
    return copy;
  }
  const entries = Object.entries(value);
  const at = randomInt(random, 0, entries.length);
  if (at === entries.length || randomChance(random, 0.1))
    return { ...value, [randomPick(random, ['x', '__proto__', 'toString', 'kind', ''])]: randomPick(random, junk) };
  const [name, child] = entries[at] as [string, unknown];
  if (randomChance(random, 0.2)) return Object.fromEntries(entries.filter(([other]) => other !== name));
  return { ...value, [name]: mutateTree(random, child) };
}

/** `text` changed as bytes are; what is no UTF-8 then is left out. */
export function mutateText(random: Random, text: string, others: readonly string[]): string {
  const bytes = mutateBytes(
    random,
    utf8Encode(text),
    others.map((other) => utf8Encode(other)),
  );
  return utf8Decode(bytes) ?? String.fromCharCode(...bytes.subarray(0, 10_000));
}
