import { assert } from './assert.ts';

const capacityMin = 16;

/**
 * A map from whole numbers (up to 2^53), for entries that come and go with every request; order means nothing.
 *
 * A `Map` used so keeps garbage alive in V8: each time its table is made anew, the old table points to the new one, for
 * iterators that stand in it. Once one of these tables has got into the old generation, all later ones hang on it, with
 * whatever was open when they were replaced, and young collections copy all of that until the next full one. Here an
 * array takes the place of another without a trace. Open addressing with linear probing; deleting moves back what follows.
 */
export class NumberTable<T extends object | number | true> {
  #keys: Float64Array = new Float64Array(capacityMin);
  #values: (T | undefined)[] = emptySlots(capacityMin);
  #mask = capacityMin - 1;
  /** Bits of a scattered key that are no part of its slot. */
  #shift = shiftOf(capacityMin);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): T | undefined {
    return this.#values[this.#slotOf(key)];
  }

  has(key: number): boolean {
    return this.#values[this.#slotOf(key)] !== undefined;
  }

  set(key: number, value: T): void {
    let slot = this.#slotOf(key);
    if (this.#values[slot] === undefined) {
      if (2 * ++this.#size > this.#mask) {
        this.#grow();
        slot = this.#slotOf(key);
      }
      this.#keys[slot] = key;
    }
    this.#values[slot] = value;
  }

  /** False: it was not there. */
  delete(key: number): boolean {
    const mask = this.#mask;
    const values = this.#values;
    const keys = this.#keys;
    let hole = this.#slotOf(key);
    if (values[hole] === undefined) return false;
    for (let slot = (hole + 1) & mask; values[slot] !== undefined; slot = (slot + 1) & mask) {
      // What lies behind the hole moves into it, unless that is before the slot where a search for it begins.
      const home = this.#home(keys[slot] as number);
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      keys[hole] = keys[slot] as number;
      values[hole] = values[slot];
      hole = slot;
    }
    values[hole] = undefined;
    this.#size--;
    return true;
  }

  clear(): void {
    this.#keys = new Float64Array(capacityMin);
    this.#values = emptySlots(capacityMin);
    this.#mask = capacityMin - 1;
    this.#shift = shiftOf(capacityMin);
    this.#size = 0;
  }

  /** All that are in it now. */
  entries(): [key: number, value: T][] {
    const entries: [number, T][] = [];
    for (let slot = 0; slot <= this.#mask; slot++) {
      const value = this.#values[slot];
      if (value !== undefined) entries.push([this.#keys[slot] as number, value]);
    }
    return entries;
  }

  /** Where it is, or where it would be put. */
  #slotOf(key: number): number {
    const mask = this.#mask;
    let slot = this.#home(key);
    while (this.#values[slot] !== undefined && this.#keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  /**
   * Scattered (Knuth, volume 3, 6.4). Side by side, numbers that are given out one after the other would make a single run of
   * slots, and each delete walks to the end of its run: 10,000 pending writes took as many steps each to be let go of.
   */
  #home(key: number): number {
    return Math.imul(key, 0x9e37_79b1) >>> this.#shift;
  }

  #grow(): void {
    const capacity = 2 * (this.#mask + 1);
    const before = this.entries();
    this.#keys = new Float64Array(capacity);
    this.#values = emptySlots(capacity);
    this.#mask = capacity - 1;
    this.#shift = shiftOf(capacity);
    for (const [key, value] of before) {
      const slot = this.#slotOf(key);
      this.#keys[slot] = key;
      this.#values[slot] = value;
    }
    assert(2 * this.#size <= capacity, 'at most half of the slots are taken', { size: this.#size, capacity });
  }
}

function shiftOf(capacity: number): number {
  return Math.clz32(capacity) + 1;
}

/** Without holes, so that V8 keeps it as a plain array. */
function emptySlots<T>(count: number): (T | undefined)[] {
  const slots: (T | undefined)[] = [];
  for (let i = 0; i < count; i++) slots.push(undefined);
  return slots;
}
