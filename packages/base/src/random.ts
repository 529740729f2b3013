import { assert } from './assert.ts';

/** A source of chance. Below the adapters it is always an argument; its seed repeats a run. */
export interface Random {
  /** Uniform in 0 to 2^32-1. */
  uint32(): number;
}

/** sfc32 (Doty-Humphrey, PractRand): small, fast, passes BigCrush. Not for secrets. */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = 0x9e3779b9 | 0;
    this.#counter = 1;
    for (let i = 0; i < 12; i++) this.uint32();
  }

  uint32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** An independent stream, so that one consumer's draws do not shift another's. */
  fork(): SeededRandom {
    return new SeededRandom(this.uint32() + this.uint32() * 2 ** 20);
  }
}

/** Uniform integer in `min` to `max`, both included. */
export function randomInt(random: Random, min: number, max: number): number {
  assert(max >= min, 'empty range', { min, max });
  return min + Math.floor((random.uint32() / 2 ** 32) * (max - min + 1));
}

/** Uniform in [0, 1). */
export function randomFloat(random: Random): number {
  return random.uint32() / 2 ** 32;
}

/** True with `probability` (0 to 1). */
export function randomChance(random: Random, probability: number): boolean {
  return randomFloat(random) < probability;
}

/** One element of a non-empty list. */
export function randomPick<T>(random: Random, list: readonly T[]): T {
  assert(list.length > 0, 'pick from an empty list');
  return list[randomInt(random, 0, list.length - 1)] as T;
}

/** A shuffled copy (Fisher and Yates). */
export function randomShuffle<T>(random: Random, list: readonly T[]): T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = randomInt(random, 0, i);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

/** Lower-case hex of `byteCount` random bytes. */
export function randomHex(random: Random, byteCount: number): string {
  let text = '';
  for (let i = 0; i < byteCount; i++) text += (random.uint32() & 0xff).toString(16).padStart(2, '0');
  return text;
}
