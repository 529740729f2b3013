import { SeededRandom, randomInt, utf8Decode, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { runsFrom, runsTo } from './keys.ts';
import { MemoryStorage } from './ports/memory-storage.ts';
import type { StorageReader } from './ports/storage.ts';
import { RunStore, type LazyWrites } from './runs.ts';

const from = 's/';
const to = 's0';

function contents(reader: StorageReader, reverse = false): [string, string | null][] {
  return Array.from(reader.scan({ from, to, reverse }), ({ key, value }) => [key, utf8Decode(value)]);
}

/** The runs on top of a memory, one batch at a time. */
class Bench {
  readonly memory: MemoryStorage = new MemoryStorage();
  readonly bytesMax: number;
  runs: RunStore;
  #batch = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
    this.runs = new RunStore(this.memory, bytesMax);
  }

  submit(direct: Record<string, string | null>, lazy: Record<string, string | null>): number {
    const bytesOf = (value: string | null): Uint8Array | null => (value === null ? null : utf8Encode(value));
    const lazyWrites: LazyWrites = new Map(Object.entries(lazy).map(([key, value]) => [key, bytesOf(value)]));
    const directWrites = new Map(Object.entries(direct).map(([key, value]) => [key, bytesOf(value)]));
    this.memory.enqueue(this.runs.write(++this.#batch, directWrites, lazyWrites));
    return this.#batch;
  }

  /** The oldest batch is durable. */
  durable(batch: number): void {
    this.memory.flushOne();
    this.runs.durable(batch);
  }

  write(direct: Record<string, string | null>, lazy: Record<string, string | null>): void {
    this.durable(this.submit(direct, lazy));
  }

  restart(): void {
    this.memory.crash();
    this.runs = new RunStore(this.memory, this.bytesMax);
  }

  inTree(key: string): string | null {
    const value = this.memory.get(key);
    return value === undefined ? null : utf8Decode(value);
  }

  get runCount(): number {
    return [...this.memory.scan({ from: runsFrom, to: runsTo })].length;
  }
}

describe('runs', () => {
  it('hold what is written lazily until they take too much, and survive a restart', () => {
    const bench = new Bench(1_000);
    bench.write({}, { 's/0000/0/k/a': '1', 's/0000/0/k/b': '2' });
    expect([bench.inTree('s/0000/0/k/a'), bench.runCount]).toEqual([null, 1]);
    bench.restart();
    expect(contents(bench.runs)).toEqual([
      ['s/0000/0/k/a', '1'],
      ['s/0000/0/k/b', '2'],
    ]);
    for (let i = 0; i < 100; i++) bench.write({}, { [`s/0000/0/k/n${i % 10}`]: String(i) });
    expect([bench.inTree('s/0000/0/k/a'), bench.inTree('s/0000/0/k/b')]).toEqual(['1', '2']);
    expect(bench.runs.bytes).toBeLessThanOrEqual(1_000);
  });

  it('never write into the tree what was overwritten before its time came', () => {
    const bench = new Bench(2_000);
    const written: string[] = [];
    for (let i = 0; i < 200; i++) {
      const writes = bench.runs.write(i + 1, new Map(), new Map([['s/0000/0/k/a', utf8Encode(String(i))]]));
      written.push(...writes.map(({ key }) => key).filter((key) => key === 's/0000/0/k/a'));
      bench.memory.enqueue(writes);
      bench.durable(i + 1);
    }
    expect(written).toEqual([]);
    expect(contents(bench.runs)).toEqual([['s/0000/0/k/a', '199']]);
  });

  it('take a bounded space, however much each batch brings', () => {
    const bytesMax = 1_024 * 1_024;
    const bench = new Bench(bytesMax);
    const value = 'v'.repeat(250);
    let most = 0;
    for (let batch = 0; batch < 40; batch++) {
      const lazy: Record<string, string> = {};
      for (let i = 0; i < 2_000; i++) lazy[`s/0000/0/k/${batch}-${i}`] = value;
      bench.write({}, lazy);
      most = Math.max(most, bench.runs.bytes);
    }
    // 40 batches are 21 MiB.
    expect(most).toBeGreaterThan(bytesMax);
    expect(most).toBeLessThan(6 * bytesMax);
  });

  it('are overtaken by what is written into the tree directly, also after a restart', () => {
    const bench = new Bench(10_000);
    bench.write({}, { 's/0000/0/k/a': 'old', 's/0000/0/k/b': 'old' });
    bench.write({ 's/0000/0/k/a': 'new', 's/0000/0/k/b': null }, {});
    expect(contents(bench.runs)).toEqual([['s/0000/0/k/a', 'new']]);
    bench.restart();
    expect(contents(bench.runs)).toEqual([['s/0000/0/k/a', 'new']]);
  });

  it('leave large values to the tree', () => {
    const bench = new Bench(100_000);
    const large = 'x'.repeat(10_000);
    bench.write({}, { 's/0000/0/k/a': 'small' });
    bench.write({}, { 's/0000/0/k/a': large });
    expect(bench.inTree('s/0000/0/k/a')).toBe(large);
    bench.restart();
    expect(contents(bench.runs)).toEqual([['s/0000/0/k/a', large]]);
  });

  it('are seen by a view as of its moment, with what was durable then', () => {
    const bench = new Bench(10_000);
    bench.write({}, { 's/0000/0/k/a': '1' });
    const batch = bench.submit({}, { 's/0000/0/k/a': '2', 's/0000/0/k/b': '2' });
    const view = bench.runs.view();
    bench.durable(batch);
    bench.write({ 's/0000/0/k/a': '3' }, {});
    expect(contents(view)).toEqual([['s/0000/0/k/a', '1']]);
    expect(view.get('s/0000/0/k/b')).toBeUndefined();
    view.close();
    expect(contents(bench.runs)).toEqual([
      ['s/0000/0/k/a', '3'],
      ['s/0000/0/k/b', '2'],
    ]);
  });

  it.each([0, 300, 3_000, 1_000_000])(
    'agree with a Map under random writes, slow syncs, views and crashes; %i bytes of runs',
    (bytesMax) => {
      const random = new SeededRandom(bytesMax + 1);
      const bench = new Bench(bytesMax);
      const model: Map<string, string> = new Map();
      const queued: { batch: number; changes: [string, string | null][] }[] = [];
      const keys = Array.from({ length: 40 }, (_, i) => `s/000${i % 2}/0/${i % 3 === 0 ? 'c' : 'k'}/${i}`);
      let checked = 0;
      for (let step = 0; step < 2_000; step++) {
        const dice = randomInt(random, 0, 99);
        if (dice < 55) {
          const direct: Record<string, string | null> = {};
          const lazy: Record<string, string | null> = {};
          for (let i = randomInt(random, 0, 5); i >= 0; i--) {
            const key = keys[randomInt(random, 0, keys.length - 1)] as string;
            const kind = randomInt(random, 0, 9);
            const value = kind < 2 ? null : kind === 2 ? `${step} `.repeat(2_000) : `${step}`;
            if (randomInt(random, 0, 3) > 0) lazy[key] = value;
            else direct[key] = value;
          }
          for (const key of Object.keys(direct)) if (key in lazy) delete direct[key];
          queued.push({
            batch: bench.submit(direct, lazy),
            changes: [...Object.entries(direct), ...Object.entries(lazy)],
          });
        } else if (dice < 97) {
          const next = queued.shift();
          if (next === undefined) continue;
          bench.durable(next.batch);
          for (const [key, value] of next.changes) {
            if (value === null) model.delete(key);
            else model.set(key, value);
          }
        } else {
          queued.length = 0;
          bench.restart();
        }
        if (step % 5 > 0) continue;
        const wanted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
        expect(contents(bench.runs)).toEqual(wanted);
        expect(contents(bench.runs, true)).toEqual(wanted.toReversed());
        for (const key of keys.slice(0, 5)) expect(bench.runs.get(key) === undefined).toBe(!model.has(key));
        const view = bench.runs.view();
        expect(contents(view)).toEqual(wanted);
        view.close();
        checked++;
      }
      expect(checked).toBeGreaterThan(300);
    },
  );
});
