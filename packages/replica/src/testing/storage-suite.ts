import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeededRandom, randomChance, randomInt, randomPick, type Random } from '@skerry/base';
import { MemoryStorage } from '../ports/memory-storage.ts';
import {
  storageKeyBytesMax,
  type StorageRange,
  type StorageRecord,
  type StorageSource,
  type StorageWrite,
} from '../ports/storage.ts';

/** A storage under test, with the powers that the port does not give. */
export interface StorageHarness {
  readonly storage: StorageSource & { submit(batch: readonly StorageWrite[]): Promise<void> };
  /** Closes the storage in order and opens what it left behind. */
  reopen?(): Promise<StorageHarness>;
  /** Ends the storage without warning (what was acknowledged stays) and opens what it left behind. */
  crash?(): Promise<StorageHarness>;
  close(): Promise<void>;
}

/** The acceptance suite of the storage port: every implementation passes it. `create` makes an empty storage. */
export function describeStorage(name: string, create: () => Promise<StorageHarness>): void {
  describe(`${name}: the storage port`, () => {
    let harness: StorageHarness;
    beforeEach(async () => {
      harness = await create();
    });
    afterEach(() => harness.close());

    const put = (key: string, value: string): StorageWrite => ({ key, value: encode(value) });
    const remove = (key: string): StorageWrite => ({ key, value: null });

    it('answers undefined for a key that was never written', () => {
      expect(harness.storage.get('nobody')).toBeUndefined();
      expect([...harness.storage.scan({ from: '', to: '\u{10ffff}' })]).toEqual([]);
    });

    it('returns what was submitted once the submit resolved', async () => {
      await harness.storage.submit([put('a', 'one'), put('b', 'two')]);
      expect(text(harness.storage.get('a'))).toBe('one');
      expect(text(harness.storage.get('b'))).toBe('two');
    });

    it('lets the later of two writes to one key in a batch win', async () => {
      await harness.storage.submit([
        put('a', 'one'),
        put('a', 'two'),
        put('b', 'x'),
        remove('b'),
        remove('c'),
        put('c', 'y'),
      ]);
      expect(dump(harness.storage)).toEqual(['a=two', 'c=y']);
    });

    it('deletes, and takes the deletion of an absent key as done', async () => {
      await harness.storage.submit([put('a', '1'), put('b', '2')]);
      await harness.storage.submit([remove('a'), remove('never')]);
      await harness.storage.submit([remove('never')]);
      expect(dump(harness.storage)).toEqual(['b=2']);
    });

    it('resolves an empty batch after the batches before it', async () => {
      const before = harness.storage.submit([put('a', '1')]);
      await harness.storage.submit([]);
      expect(text(harness.storage.get('a'))).toBe('1');
      await before;
    });

    it('resolves pipelined submits in order, each with all earlier ones visible', async () => {
      const resolved: number[] = [];
      const submits: Promise<void>[] = [];
      for (let i = 0; i < 200; i++) {
        const done = harness.storage.submit([put('last', String(i)), put(`k${i}`, String(i))]).then(() => {
          resolved.push(i);
          expect(text(harness.storage.get(`k${i}`))).toBe(String(i));
          expect(Number(text(harness.storage.get('last')))).toBeGreaterThanOrEqual(i);
        });
        submits.push(done);
        if (i % 50 === 49) await Promise.race(submits.slice(-1));
      }
      await Promise.all(submits);
      expect(resolved).toEqual(Array.from({ length: 200 }, (_, i) => i));
    });

    it('never shows a part of a batch', async () => {
      let submitted = 0;
      let done = false;
      const writer = (async () => {
        for (; submitted < 60; submitted++) {
          const round = String(submitted);
          await harness.storage.submit(Array.from({ length: 40 }, (_, i) => put(`part${i}`, round)));
        }
        done = true;
      })();
      const seen = new Set<string>();
      while (!done) {
        const values = new Set(
          [...harness.storage.scan({ from: 'part', to: 'paru' })].map((record) => text(record.value)),
        );
        expect(values.size).toBeLessThanOrEqual(1);
        for (const value of values) seen.add(value ?? '');
        await new Promise((resolve) => queueMicrotask(() => resolve(undefined)));
        await nextTurn();
      }
      await writer;
      expect(seen.size).toBeGreaterThan(1);
    });

    it('keeps the view of one moment while batches go on', async () => {
      await harness.storage.submit([put('a', 'old'), put('b', 'old')]);
      const view = harness.storage.view();
      await harness.storage.submit([put('a', 'new'), remove('b'), put('c', 'new')]);
      expect(text(view.get('a'))).toBe('old');
      expect(dump(view)).toEqual(['a=old', 'b=old']);
      const later = harness.storage.view();
      expect(dump(later)).toEqual(['a=new', 'c=new']);
      await harness.storage.submit([put('a', 'newest')]);
      expect(dump(view)).toEqual(['a=old', 'b=old']);
      expect(dump(later)).toEqual(['a=new', 'c=new']);
      view.close();
      expect(dump(later)).toEqual(['a=new', 'c=new']);
      later.close();
      expect(dump(harness.storage)).toEqual(['a=newest', 'c=new']);
    });

    it('scans half-open ranges, forward and in reverse, with limits', async () => {
      await harness.storage.submit(['a', 'b', 'c', 'd', 'e'].map((key) => put(key, key)));
      const keys = (range: StorageRange): string[] => [...harness.storage.scan(range)].map((record) => record.key);
      expect(keys({ from: 'b', to: 'd' })).toEqual(['b', 'c']);
      expect(keys({ from: 'b', to: 'd', reverse: true })).toEqual(['c', 'b']);
      expect(keys({ from: 'aa', to: 'dd' })).toEqual(['b', 'c', 'd']);
      expect(keys({ from: 'aa', to: 'dd', reverse: true })).toEqual(['d', 'c', 'b']);
      expect(keys({ from: '', to: 'z', limit: 2 })).toEqual(['a', 'b']);
      expect(keys({ from: '', to: 'z', limit: 2, reverse: true })).toEqual(['e', 'd']);
      expect(keys({ from: '', to: 'z', limit: 0 })).toEqual([]);
      expect(keys({ from: 'd', to: 'b' })).toEqual([]);
      expect(keys({ from: 'b', to: 'b' })).toEqual([]);
      expect(keys({ from: 'x', to: 'z', reverse: true })).toEqual([]);
      expect(keys({ from: '', to: 'a', reverse: true })).toEqual([]);
    });

    it('lets a scan be left early and several be under way', async () => {
      await harness.storage.submit(['a', 'b', 'c'].map((key) => put(key, key)));
      for (const first of harness.storage.scan({ from: '', to: 'z' })) {
        for (const second of harness.storage.scan({ from: '', to: 'z', reverse: true })) {
          expect([first.key, second.key]).toEqual(['a', 'c']);
          break;
        }
        break;
      }
      expect(dump(harness.storage)).toEqual(['a=a', 'b=b', 'c=c']);
    });

    it('orders keys by code point: NUL, prefixes, the last of the BMP, beyond the BMP', async () => {
      const ordered = [
        '\0',
        '\0\0',
        '\0a',
        '\u0001',
        'a',
        'a\0',
        'a\0\0',
        'a\0b',
        'a\u0001',
        'aa',
        'b',
        'é',
        '\u{ffff}',
        '\u{10000}',
        '\u{1f600}',
        '\u{10ffff}',
      ];
      await harness.storage.submit([...ordered].reverse().map((key) => put(key, 'v')));
      const range = { from: '', to: '\u{10ffff}\u{10ffff}' };
      expect([...harness.storage.scan(range)].map((record) => record.key)).toEqual(ordered);
      expect([...harness.storage.scan({ ...range, reverse: true })].map((record) => record.key)).toEqual(
        [...ordered].reverse(),
      );
      for (const key of ordered) expect(text(harness.storage.get(key))).toBe('v');
      const fromAstral = harness.storage.scan({ from: '\u{ffff}', to: '\u{1f600}' });
      expect([...fromAstral].map((record) => record.key)).toEqual(['\u{ffff}', '\u{10000}']);
    });

    it('takes keys of the greatest length and tells them apart by their last byte', async () => {
      const long = 'é'.repeat(storageKeyBytesMax / 2 - 1);
      const keys = [`${long}aa`, `${long}ab`, `${long}é`];
      await harness.storage.submit(keys.map((key) => put(key, key.slice(-1))));
      expect([...harness.storage.scan({ from: long, to: `${long}ê` })].map((record) => record.key)).toEqual(keys);
      for (const key of keys) expect(text(harness.storage.get(key))).toBe(key.slice(-1));
      await harness.storage.submit([remove(keys[1] as string)]);
      expect(harness.storage.get(keys[1] as string)).toBeUndefined();
    });

    it('keeps values of every size, the empty one too, byte for byte', async () => {
      const random = new SeededRandom(7);
      const sizes = [0, 1, 3, 255, 1_999, 2_048, 4_095, 4_096, 65_537, 512 * 1_024];
      const values = sizes.map((size) => Uint8Array.from({ length: size }, () => randomInt(random, 0, 255)));
      await harness.storage.submit(values.map((value, i) => ({ key: `v${i}`, value })));
      values.forEach((value, i) => expect(sameBytes(harness.storage.get(`v${i}`), value)).toBe(true));
      const scanned = [...harness.storage.scan({ from: 'v', to: 'w' })];
      expect(scanned.map((record) => record.value.length)).toEqual(sizes);
      scanned.forEach((record, i) => expect(sameBytes(record.value, values[i] as Uint8Array)).toBe(true));
    });

    it('agrees with a Map under random batches, scans and views', { timeout: 30_000 }, async () => {
      for (let seed = 1; seed <= 4; seed++) {
        await harness.close();
        harness = await create();
        await compareWithModel(
          () => harness,
          (next) => (harness = next),
          new SeededRandom(seed),
        );
      }
    });

    it('keeps everything acknowledged across close and crash', async () => {
      for (const again of [harness.reopen, harness.crash]) {
        if (again === undefined) continue;
        await harness.storage.submit([put('a', '1'), remove('b')]);
        harness = await again();
        expect(dump(harness.storage)).toEqual(['a=1']);
      }
    });
  });
}

/** Random histories of one storage against {@link MemoryStorage}'s plain cousin, a Map that is sorted for each scan. */
async function compareWithModel(
  get: () => StorageHarness,
  set: (harness: StorageHarness) => void,
  random: Random,
): Promise<void> {
  let model = new Map<string, string>();
  const views: { readonly view: ReturnType<StorageSource['view']>; readonly model: Map<string, string> }[] = [];
  const closeViews = (): void => views.splice(0).forEach(({ view }) => view.close());
  for (let step = 0; step < 120; step++) {
    const submits: Promise<void>[] = [];
    for (let i = randomInt(random, 1, 3); i > 0; i--) {
      const batch = Array.from({ length: randomInt(random, 0, 12) }, () => randomWrite(random, step));
      model = new Map(model);
      for (const { key, value } of batch) {
        if (value === null) model.delete(key);
        else model.set(key, text(value) as string);
      }
      submits.push(get().storage.submit(batch));
    }
    await Promise.all(submits);
    compareOnce(get().storage, model, random);
    for (const { view, model: then } of views) compareOnce(view, then, random);
    if (views.length < 4 && randomChance(random, 0.2)) views.push({ view: get().storage.view(), model });
    if (views.length > 0 && randomChance(random, 0.2))
      views.splice(randomInt(random, 0, views.length - 1), 1)[0]?.view.close();
    const again = randomChance(random, 0.5) ? get().reopen : get().crash;
    if (again !== undefined && randomChance(random, 0.01)) {
      closeViews();
      set(await again());
    }
  }
  closeViews();
}

function compareOnce(
  source: { get: StorageSource['get']; scan: StorageSource['scan'] },
  model: ReadonlyMap<string, string>,
  random: Random,
): void {
  const key = randomKey(random);
  expect(text(source.get(key))).toBe(model.get(key));
  const [from, to] = [randomKey(random), randomKey(random)];
  const limit = randomInt(random, 1, 10);
  const reverse = randomChance(random, 0.5);
  const inRange = [...model]
    .filter(([k]) => naiveCompare(k, from) >= 0 && naiveCompare(k, to) < 0)
    .sort(([a], [b]) => naiveCompare(a, b));
  if (reverse) inRange.reverse();
  const limited = randomChance(random, 0.5);
  const expected = (limited ? inRange.slice(0, limit) : inRange).map(([k, v]) => `${k}=${v}`);
  expect(lines(source.scan({ from, to, reverse, ...(limited ? { limit } : {}) }))).toEqual(expected);
}

/** Code points compared one by one: the dumb second opinion on the order of keys. */
function naiveCompare(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i]?.codePointAt(0) ?? 0) - (right[i]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

const keyLetters = ['a', 'b', '\0', '\u0001', 'é', '\u{ffff}', '\u{1f600}'];

function randomKey(random: Random): string {
  return Array.from({ length: randomInt(random, 0, 3) }, () => randomPick(random, keyLetters)).join('');
}

function randomWrite(random: Random, step: number): StorageWrite {
  const value = randomChance(random, 0.3)
    ? null
    : encode(`${step}:${'x'.repeat(randomChance(random, 0.05) ? 5_000 : randomInt(random, 0, 40))}`);
  return { key: randomKey(random), value };
}

function dump(source: { scan: StorageSource['scan'] }): string[] {
  return lines(source.scan({ from: '', to: '\u{10ffff}' }));
}

function lines(records: Iterable<StorageRecord>): string[] {
  const result: string[] = [];
  for (const { key, value } of records) result.push(`${key}=${text(value)}`);
  return result;
}

function encode(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : new TextDecoder().decode(value);
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** {@link MemoryStorage} as a harness: each submit is durable a turn later, so that pipelining shows. */
export function memoryHarness(storage: MemoryStorage = new MemoryStorage()): StorageHarness {
  return {
    storage: {
      get: (key) => storage.get(key),
      scan: (range) => storage.scan(range),
      view: () => storage.view(),
      submit: async (batch) => {
        storage.enqueue(batch);
        await nextTurn();
        storage.flushOne();
      },
    },
    crash: () => {
      storage.crash();
      return Promise.resolve(memoryHarness(storage));
    },
    close: () => Promise.resolve(),
  };
}
