import type { Dot } from './dot.ts';
import type { CounterState } from './counter.ts';
import { sums } from './increments.ts';
import type { Stamp } from './stamp.ts';
import { isTombstone, valueTypes, type Part, type Value } from './value.ts';

/** 64 bits in two halves, each an unsigned 32-bit number. */
export interface Digest {
  readonly high: number;
  readonly low: number;
}

const nothing: Digest = { high: 0, low: 0 };

/**
 * A digest of what `value` says about `key`: equal for equal contents, however far contexts and counters were compacted.
 * Writes are named by dots and stamps, so contents are not read. A tombstone counts as nothing, since one replica may
 * have dropped it already. Not for adversaries: two rounds of MurmurHash3's 32-bit mixing (Appleby 2011), side by side.
 */
export function valueDigest(key: string, value: Value): Digest {
  if (isTombstone(value)) return nothing;
  begin();
  for (let i = 0; i < key.length; i++) add(key.charCodeAt(i));
  for (const part of value.parts) {
    add(0x100 + valueTypes.indexOf(part.type));
    mixPart(part);
  }
  return finish();
}

function mixPart(part: Part): void {
  if (part.type === 'register') {
    mixDot(part.dot);
    mixStamp(part.stamp);
    return;
  }
  mixStamp(part.writtenAt);
  mixStamp(part.deletedAt);
  switch (part.type) {
    case 'counter':
      return mixCounter(part);
    case 'multiRegister':
      return mixDots(part.siblings.entries.values());
    case 'set':
      return mixDots(part.adds.entries.values());
    case 'flag':
      return mixDots(part.enables.entries.values());
    case 'document':
      return mixDots(part.chunks.entries.values());
  }
}

/** In any order of the entries: sums of digests. */
function mixDots(entries: Iterable<{ readonly dot: Dot }>): void {
  const outer = { high, low, count };
  let highs = 0;
  let lows = 0;
  for (const { dot } of entries) {
    begin();
    mixDot(dot);
    const digest = finish();
    highs = (highs + digest.high) >>> 0;
    lows = (lows + digest.low) >>> 0;
  }
  ({ high, low, count } = outer);
  add(highs);
  add(lows);
}

function mixCounter({ entries }: CounterState): void {
  for (const replica of [...entries.keys()].sort((a, b) => a - b)) {
    const entry = entries.get(replica);
    if (entry === undefined) continue;
    mixNumber(replica);
    mixNumber(entry.endedBelow);
    for (const name of [...entry.generations.keys()].sort((a, b) => a - b)) {
      const generation = entry.generations.get(name);
      if (generation === undefined) continue;
      mixNumber(name);
      for (const set of [generation.seen, generation.reset]) {
        const { plus, minus } = sums(set);
        mixBig(plus);
        mixBig(minus);
      }
    }
  }
}

function mixStamp(stamp: Stamp | null): void {
  if (stamp === null) return add(0x5eed);
  mixNumber(stamp.wallMs);
  add(stamp.counter);
  mixNumber(stamp.replica);
}

function mixDot(dot: Dot): void {
  mixNumber(dot.replica);
  mixNumber(dot.sequence);
}

function mixNumber(value: number): void {
  add(value | 0);
  add(Math.floor(value / 0x1_0000_0000));
}

function mixBig(value: bigint): void {
  let left = value;
  do {
    add(Number(left & 0xffff_ffffn));
    left >>= 32n;
  } while (left > 0n);
}

// The digest that is being made. Each write makes two, and an object for each would be most of what they cost.
let high = 0;
let low = 0;
let count = 0;

function begin(): void {
  high = 0x9747_b28c | 0;
  low = 0x1234_5678;
  count = 0;
}

function add(word: number): void {
  count++;
  high = step(high, word, 0xcc9e_2d51, 0x1b87_3593);
  low = step(low, word, 0x239b_961b, 0xab0e_9789);
}

function finish(): Digest {
  const mixed = avalanche(high ^ count);
  return { high: mixed, low: avalanche(low ^ count ^ mixed) };
}

function step(state: number, word: number, first: number, second: number): number {
  let k = Math.imul(word, first);
  k = Math.imul((k << 15) | (k >>> 17), second);
  const h = state ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe654_6b64) | 0;
}

function avalanche(state: number): number {
  let h = state;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
