import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { StorageCorruptError } from '@skerry/replica';
import { dataFileName } from './environment.ts';
import { verifyFolder } from './guard.ts';
import { openStorage } from './open-storage.ts';
import { RecordedEvents, temporaryFolder } from './testing/folders.ts';

const pageBytes = 4_096;
const recordCount = 3_000;
const value = (i: number): Uint8Array => new TextEncoder().encode(`value ${i} `.repeat(12));
const key = (i: number): string => `${i % 10 === 0 ? 'log' : 'kv'}/${String(i).padStart(6, '0')}`;

/** The folder of a sound storage with small records, a few large ones, free pages, and a tree of three levels. */
async function makeFolder(): Promise<string> {
  const folder = temporaryFolder();
  const storage = await openStorage({ folder, events: new RecordedEvents() });
  for (let from = 0; from < recordCount; from += 500) {
    await storage.submit(Array.from({ length: 500 }, (_, i) => ({ key: key(from + i), value: value(from + i) })));
  }
  await storage.submit([0, 1, 2].map((i) => ({ key: `big/${i}`, value: new Uint8Array(20_000).fill(i) })));
  await storage.submit(Array.from({ length: 50 }, (_, i) => ({ key: key(i), value: null })));
  await storage.close();
  return folder;
}

/** The same file, kept as bytes, since a temporary folder lives for one test. */
let sound: { readonly data: Buffer; readonly identity: Buffer };
beforeAll(async () => {
  const folder = await makeFolder();
  sound = { data: readFileSync(join(folder, dataFileName)), identity: readFileSync(join(folder, 'SKERRY')) };
});

function folderWith(data: Uint8Array): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, dataFileName), data);
  writeFileSync(join(folder, 'SKERRY'), sound.identity);
  return folder;
}

/** Offset of `text` within the file, in a page that the newest state refers to as far as a search can tell: the last one. */
function lastOffsetOf(text: string): number {
  const at = sound.data.lastIndexOf(text);
  expect(at).toBeGreaterThan(0);
  return at;
}

function flipped(offset: number, bit = 0): Buffer {
  const data = Buffer.from(sound.data);
  data[offset] = (data[offset] as number) ^ (1 << bit);
  return data;
}

const openWith = (folder: string, verify = {}): ReturnType<typeof openStorage> =>
  openStorage({ folder, events: new RecordedEvents(), verify });

describe('a sound folder', () => {
  it('passes a full check, which counts every record and the identity', async () => {
    const report = await verifyFolder(folderWith(sound.data), { budgetMs: 60_000 });
    expect(report).toMatchObject({ complete: true, recordsChecked: recordCount + 3 - 50 + 1, unreadFrom: '' });
  });

  it('is checked within the budget, the critical prefixes always, and the scrubber does the rest', async () => {
    const folder = folderWith(sound.data);
    const nothing = await verifyFolder(folder, { budgetMs: 0 });
    expect(nothing).toMatchObject({ complete: false, recordsChecked: 0 });
    const critical = await verifyFolder(folder, { budgetMs: 0, criticalPrefixes: ['log/'] });
    expect(critical.complete).toBe(false);
    expect(critical.recordsChecked).toBeGreaterThanOrEqual(recordCount / 10 - 5);
    expect(critical.recordsChecked).toBeLessThan(recordCount / 2);
    const storage = await openWith(folder, { budgetMs: 0 });
    let checked = 0;
    for (let wrapped = false; !wrapped;) {
      const progress = storage.scrub({ budgetMs: 0 });
      checked += progress.recordsChecked;
      wrapped = progress.wrapped;
    }
    expect(checked).toBe(recordCount + 3 - 50);
    await storage.close();
  });
});

describe('a flipped bit', () => {
  it('in a value is found by the check at opening, which names the key', async () => {
    const folder = folderWith(flipped(lastOffsetOf('value 2001 ')));
    await expect(openWith(folder)).rejects.toMatchObject({
      name: 'StorageCorruptError',
      where: expect.stringContaining(key(2_001)),
    });
  });

  it('in a value is found by get, scan, view and scrub where the check did not come to it', async () => {
    const events = new RecordedEvents();
    const folder = folderWith(flipped(lastOffsetOf('value 2001 ')));
    const storage = await openStorage({ folder, events, verify: { budgetMs: 0 } });
    const view = storage.view();
    const reads = [
      () => storage.get(key(2_001)),
      () => view.get(key(2_001)),
      () => [...storage.scan({ from: '', to: 'z' })],
      () => [...storage.scan({ from: '', to: 'z', reverse: true })],
      () => [...view.scan({ from: 'kv', to: 'l' })],
      () => storage.scrub({ budgetMs: 10_000 }),
    ];
    for (const read of reads) expect(read).toThrow(StorageCorruptError);
    expect(events.corrupt).toHaveLength(reads.length);
    expect(events.corrupt.every((problem) => problem.where.includes(key(2_001)))).toBe(true);
    expect(storage.get(key(2_002))).toEqual(value(2_002));
    view.close();
    await storage.close();
  });

  it('in a record of a critical prefix is found however small the budget', async () => {
    const folder = folderWith(flipped(lastOffsetOf('value 2000 ')));
    await expect(openWith(folder, { budgetMs: 0, criticalPrefixes: ['log/'] })).rejects.toBeInstanceOf(
      StorageCorruptError,
    );
  });

  it('in a key, in a large value, and in both meta pages is found', async () => {
    const big = sound.data.indexOf(Buffer.alloc(64, 2));
    for (const offset of [lastOffsetOf(key(2_001)), big + 10, 24, pageBytes + 24]) {
      await expect(verifyFolder(folderWith(flipped(offset))), `offset ${offset}`).rejects.toBeInstanceOf(
        StorageCorruptError,
      );
    }
  });
});

describe('a separator of a branch page', () => {
  it('that was raised, so that a lookup would miss the record below it, is found', async () => {
    const data = Buffer.from(sound.data);
    const metas = [24, pageBytes + 24].map((at) => data.subarray(at, at + 144));
    const newest = metas.reduce((a, b) => (a.readUInt32LE(128) > b.readUInt32LE(128) ? a : b));
    const root = newest.readUInt32LE(72 + 40) * pageBytes;
    expect(data.readUInt16LE(root + 18), 'the root is a branch page').toBe(1);
    const node = root + 24 + data.readUInt16LE(root + 24 + 2);
    const lastByte = node + 8 + data.readUInt16LE(node + 6) - 1;
    data[lastByte] = (data[lastByte] as number) + 1;
    await expect(openWith(folderWith(data))).rejects.toThrow('out of order');
  });
});

describe('a truncated file', () => {
  it('is refused with an error, wherever it is cut', async () => {
    const { length } = sound.data;
    for (const size of [Math.floor(length / 2 / pageBytes) * pageBytes, 2 * pageBytes, 100]) {
      const folder = folderWith(sound.data);
      truncateSync(join(folder, dataFileName), size);
      await expect(openWith(folder), `cut to ${size}`).rejects.toMatchObject({
        name: 'StorageCorruptError',
        where: expect.stringContaining(dataFileName),
      });
      expect(statSync(join(folder, dataFileName)).size).toBe(size);
    }
  });

  it('cut to nothing is refused beside an identity', async () => {
    const folder = folderWith(new Uint8Array());
    await expect(openWith(folder)).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' });
  });

  it('filled with zeros is refused', async () => {
    await expect(openWith(folderWith(Buffer.alloc(sound.data.length)))).rejects.toBeInstanceOf(StorageCorruptError);
  });
});
