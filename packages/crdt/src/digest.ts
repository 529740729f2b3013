import type { Dot } from './dot.ts';
import type { CounterState, IncrementSet } from './counter.ts';
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
  const hash = new Mixer();
  for (let i = 0; i < key.length; i++) hash.add(key.charCodeAt(i));
  for (const part of value.parts) {
    hash.add(0x100 + valueTypes.indexOf(part.type));
    mixPart(hash, part);
  }
  return hash.finish();
}

function mixPart(hash: Mixer, part: Part): void {
  if (part.type === 'register') {
    mixDot(hash, part.dot);
    mixStamp(hash, part.stamp);
    return;
  }
  mixStamp(hash, part.writtenAt);
  mixStamp(hash, part.deletedAt);
  switch (part.type) {
    case 'counter':
      return mixCounter(hash, part);
    case 'multiRegister':
      return mixDots(hash, part.siblings.entries.values());
    case 'set':
      return mixDots(hash, part.adds.entries.values());
    case 'flag':
      return mixDots(hash, part.enables.entries.values());
    case 'document':
      return mixDots(hash, part.chunks.entries.values());
  }
}

/** In any order of the entries: sums of digests. */
function mixDots(hash: Mixer, entries: Iterable<{ readonly dot: Dot }>): void {
  let high = 0;
  let low = 0;
  for (const { dot } of entries) {
    const one = new Mixer();
    mixDot(one, dot);
    const digest = one.finish();
    high = (high + digest.high) >>> 0;
    low = (low + digest.low) >>> 0;
  }
  hash.add(high);
  hash.add(low);
}

function mixCounter(hash: Mixer, { entries }: CounterState): void {
  for (const replica of [...entries.keys()].sort((a, b) => a - b)) {
    const entry = entries.get(replica);
    if (entry === undefined) continue;
    mixNumber(hash, replica);
    for (const set of [entry.seen, entry.reset]) {
      const { plus, minus } = sums(set);
      mixBig(hash, plus);
      mixBig(hash, minus);
    }
  }
}

function sums({ prefix, beyond }: IncrementSet): { plus: bigint; minus: bigint } {
  let { plus, minus } = prefix;
  for (const amount of beyond.values()) {
    if (amount >= 0n) plus += amount;
    else minus -= amount;
  }
  return { plus, minus };
}

function mixStamp(hash: Mixer, stamp: Stamp | null): void {
  if (stamp === null) return hash.add(0x5eed);
  mixNumber(hash, stamp.wallMs);
  hash.add(stamp.counter);
  mixNumber(hash, stamp.replica);
}

function mixDot(hash: Mixer, dot: Dot): void {
  mixNumber(hash, dot.replica);
  mixNumber(hash, dot.sequence);
}

function mixNumber(hash: Mixer, value: number): void {
  hash.add(value >>> 0);
  hash.add(Math.floor(value / 0x1_0000_0000));
}

function mixBig(hash: Mixer, value: bigint): void {
  let left = value;
  do {
    hash.add(Number(left & 0xffff_ffffn));
    left >>= 32n;
  } while (left > 0n);
}

class Mixer {
  #high = 0x9747_b28c;
  #low = 0x1234_5678;
  #count = 0;

  add(word: number): void {
    this.#count++;
    this.#high = step(this.#high, word, 0xcc9e_2d51, 0x1b87_3593);
    this.#low = step(this.#low, word, 0x239b_961b, 0xab0e_9789);
  }

  finish(): Digest {
    const high = avalanche(this.#high ^ this.#count);
    return { high, low: avalanche(this.#low ^ this.#count ^ high) };
  }
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
