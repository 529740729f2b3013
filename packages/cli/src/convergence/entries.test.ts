import { compareText } from '@skerry/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryDatabase } from '../testing/memory-database.ts';
import { compareReaders, EntryReader, readEntry, sameEntry, type Entry } from './entries.ts';

const { signal } = new AbortController();
const text = (value: string): Uint8Array => Buffer.from(value);

describe('comparing nodes page by page', () => {
  const value = fc.constantFrom('x', 'y', 'z');
  const contents = fc.dictionary(fc.constantFrom('a', 'ab', 'b', '\u{1f600}', '\uffff', 'c'), value);
  const node = fc.record({ contents, pageMax: fc.integer({ min: 1, max: 3 }) });

  test('finds exactly the keys that are not the same on all nodes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(node, { minLength: 1, maxLength: 4 }), async (nodes) => {
        const readers = nodes.map(({ contents: entries, pageMax }) => {
          const db = new MemoryDatabase();
          db.pageMax = pageMax;
          for (const [key, each] of Object.entries(entries)) db.values.set(key, text(each));
          return new EntryReader(db, signal);
        });
        const differing: string[] = [];
        const keyCount = await compareReaders(
          readers,
          (key) => differing.push(key),
          () => {},
        );
        const keys = [...new Set(nodes.flatMap(({ contents: entries }) => Object.keys(entries)))].toSorted(compareText);
        expect(keyCount).toBe(keys.length);
        expect(differing).toEqual(
          keys.filter((key) => new Set(nodes.map(({ contents: entries }) => entries[key])).size > 1),
        );
      }),
    );
  });

  test('holds a page or two of each node in memory, and no more', async () => {
    const db = new MemoryDatabase();
    for (let i = 0; i < 50; i++) db.values.set(`k${i}`, text('x'));
    db.pageMax = 5;
    let asked = 0;
    db.onList = () => asked++;
    const reader = new EntryReader(db, signal);
    await reader.fill();
    await reader.fill();
    expect(asked).toBe(2);
  });

  test('fails as the node fails, and says which reader it was', async () => {
    const dbs = [new MemoryDatabase(), new MemoryDatabase()];
    for (const db of dbs) for (const key of ['a', 'b', 'c']) db.values.set(key, text('x'));
    dbs[1]!.pageMax = 1;
    const readers = dbs.map((db) => new EntryReader(db, signal));
    dbs[1]!.list = () => Promise.reject(new Error('gone'));
    await expect(
      compareReaders(
        readers,
        () => {},
        () => {},
      ),
    ).rejects.toThrow('gone');
    expect(readers.map(({ failure }) => failure !== null)).toEqual([false, true]);
  });
});

test('one entry is that of the key, not that of a longer one', async () => {
  const db = new MemoryDatabase();
  db.values.set('ab', text('x'));
  expect(await readEntry(db, 'a', signal)).toBeNull();
  db.values.set('a', text('y'));
  expect(await readEntry(db, 'a', signal)).toMatchObject({ key: 'a', value: text('y') });
});

describe('two entries are the same', () => {
  const read = (): Promise<unknown> => Promise.resolve({});
  const views: readonly NonNullable<Entry['view']>[] = [
    { type: 'counter', total: 1n },
    { type: 'counter', total: 2n },
    { type: 'flag', enabled: true },
    { type: 'flag', enabled: false },
    { type: 'set', elements: [text('a')] },
    { type: 'set', elements: [text('a'), text('b')] },
    { type: 'multiRegister', values: [text('a')], context: '1' },
    { type: 'multiRegister', values: [text('a')], context: '2' },
    { type: 'document', chunks: [text('a')], operations: 1, read },
    { type: 'document', chunks: [text('b')], operations: 1, read },
  ];
  const entries: (Entry | null)[] = [
    null,
    { key: 'k', value: text('a'), version: '1' },
    { key: 'k', value: text('b'), version: '1' },
    { key: 'k', value: text('a'), version: '2' },
    ...views.map((view) => ({ key: 'k', value: null, view, version: '1' })),
  ];

  test('if version and value are, of whatever type, and only then', () => {
    for (const a of entries)
      for (const b of entries) expect([a, b, sameEntry(a, structuredCopy(b))]).toEqual([a, b, a === b]);
  });
});

/** Equal, and nothing of it is identical. */
function structuredCopy(entry: Entry | null): Entry | null {
  if (entry === null) return null;
  const copy = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return Buffer.from(value);
    if (Array.isArray(value)) return value.map(copy);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, copy(child)]));
  };
  return copy(entry) as Entry;
}
