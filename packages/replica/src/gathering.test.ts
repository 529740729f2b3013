import { describe, expect, test } from 'vitest';
import { Gathering } from './gathering.ts';

/** A leader whose entries are applied after `roundMs`; virtual time in steps of one millisecond. */
class Leader {
  readonly #gathering = new Gathering();
  readonly #roundMs: number;
  #nowMs = 0;
  #waiting = 0;
  #index = 0;
  #underWay: { readonly index: number; readonly operations: number; readonly atMs: number }[] = [];
  /** Operations of each entry. */
  readonly entries: number[] = [];

  constructor(roundMs: number) {
    this.#roundMs = roundMs;
  }

  /** So many operations come, one millisecond after those before; returns how many were applied in this millisecond. */
  step(coming: number): number {
    this.#nowMs++;
    let applied = 0;
    for (const { index, operations } of this.#underWay.filter(({ atMs }) => atMs <= this.#nowMs)) {
      this.#gathering.applied(index, this.#nowMs);
      applied += operations;
    }
    this.#underWay = this.#underWay.filter(({ atMs }) => atMs > this.#nowMs);
    this.#waiting += coming;
    if (this.#waiting > 0 && !this.#gathering.isWorthWaiting(this.#waiting, this.#nowMs)) {
      this.#gathering.proposed(++this.#index, this.#waiting, this.#nowMs);
      this.#underWay.push({ index: this.#index, operations: this.#waiting, atMs: this.#nowMs + this.#roundMs });
      this.entries.push(this.#waiting);
      this.#waiting = 0;
    }
    return applied;
  }
}

describe('the leader', () => {
  test('gathers calls that come at a rate for two to three times the way of an entry', () => {
    const leader = new Leader(4);
    for (let ms = 0; ms < 1_000; ms++) leader.step(5);
    const last = leader.entries.slice(-20);
    for (const operations of last) expect(operations).toBeGreaterThanOrEqual(40);
    for (const operations of last) expect(operations).toBeLessThanOrEqual(60);
  });

  test('waits no longer than 20 ms, however slow entries are', () => {
    const leader = new Leader(50);
    for (let ms = 0; ms < 2_000; ms++) leader.step(1);
    for (const operations of leader.entries.slice(-20)) expect(operations).toBeLessThanOrEqual(20);
  });

  // With the answer's way they ask every 5 ms.
  test.each([16, 64, 255])('does not wait once %i callers, who wait for their answers, have all asked', (callers) => {
    const leader = new Leader(4);
    let coming = callers;
    let done = 0;
    for (let ms = 0; ms < 1_000; ms++) done += coming = leader.step(coming);
    expect(done).toBeGreaterThan(callers * 195);
  });

  test('does not lose more than one way of an entry to callers that leave', () => {
    const leader = new Leader(4);
    let coming = 200;
    for (let ms = 0; ms < 100; ms++) coming = leader.step(coming);
    while (coming === 0) coming = leader.step(0);
    // 40 stay. From a fifth of those that were open to three quarters it is some 20 entries.
    coming = 40;
    let done = 0;
    for (let ms = 0; ms < 1_000; ms++) done += coming = leader.step(coming);
    expect(done).toBeGreaterThan(40 * 160);
  });

  test('does not wait with a few operations', () => {
    const leader = new Leader(4);
    for (let ms = 0; ms < 100; ms++) leader.step(1);
    expect(leader.entries.length).toBe(100);
  });

  test('does not wait for what an earlier term had under way', () => {
    const gathering = new Gathering();
    gathering.proposed(1, 200, 0);
    expect(gathering.isWorthWaiting(50, 0)).toBe(false); // No entry was timed yet.
    gathering.applied(1, 10);
    gathering.proposed(2, 200, 10);
    expect(gathering.isWorthWaiting(50, 11)).toBe(true);
    gathering.reset();
    expect(gathering.isWorthWaiting(50, 11)).toBe(false);
  });
});
