import { describe, expect, it } from 'vitest';
import { describeStorage, type StorageHarness } from '@skerry/replica/testing';
import { storageKeyBytesMax } from '@skerry/replica';
import { survivesFullDisk } from './environment.ts';
import { openStorage } from './open-storage.ts';
import { RecordedEvents, temporaryFolder } from './testing/folders.ts';

async function lmdbHarness(folder: string): Promise<StorageHarness> {
  const storage = await openStorage({ folder, events: new RecordedEvents() });
  return {
    storage,
    reopen: async () => {
      await storage.close();
      return lmdbHarness(folder);
    },
    close: () => storage.close(),
  };
}

describeStorage('LmdbStorage', () => lmdbHarness(temporaryFolder()));

describe('a write that the system refused for want of space', () => {
  const errorOf = (text: string, code = 28): Error =>
    Object.assign(new Error(`No space left on device${text}`), { code });
  const page = ': Attempting to write page at position';

  it('is tried again where LMDB is as it was', () => {
    expect(survivesFullDisk(errorOf(`${page} 8192, size 4096, blocks 1, buffer sizes 4096 0 0`))).toBe(true);
    expect(survivesFullDisk(errorOf('', 5))).toBe(true);
  });

  // Seen with `npm run faults -- failing-disks`: the node ended with "malloc(): invalid size (unsorted)".
  it('ends the node where LMDB wrote more of it than it had set aside memory for', () => {
    const text = `${page} 14184448, size 4096, blocks 1, buffer sizes 4096 -592227744 -1409052704`;
    expect(survivesFullDisk(errorOf(text))).toBe(false);
  });

  it('ends the node where it was no page of data: LMDB would take no transaction any more', () => {
    expect(survivesFullDisk(errorOf(''))).toBe(false);
  });
});

describe('LmdbStorage', () => {
  const open = (folder: string): ReturnType<typeof openStorage> =>
    openStorage({ folder, events: new RecordedEvents() });

  it('gives the pages of views back when they are closed, of several of one moment too', async () => {
    const storage = await open(temporaryFolder());
    const overwrite = async (times: number): Promise<number> => {
      for (let i = 0; i < times; i++) await storage.submit([{ key: 'a', value: new Uint8Array(30_000).fill(i) }]);
      return (await storage.stats()).fileBytes;
    };
    const views = [storage.view(), storage.view(), storage.view()];
    const heldBytes = await overwrite(20);
    expect(heldBytes).toBeGreaterThan(20 * 30_000);
    for (const view of views) view.close();
    for (const view of views) view.close();
    expect(await overwrite(40)).toBeLessThan(heldBytes + 10 * 30_000);
    await storage.close();
  });

  it('can be closed under an open view, and twice', async () => {
    const storage = await open(temporaryFolder());
    const view = storage.view();
    await Promise.all([storage.close(), storage.close()]);
    view.close();
    await expect(storage.submit([])).rejects.toMatchObject({ name: 'StorageFailedError' });
  });

  it('commits what was submitted before the close', async () => {
    const folder = temporaryFolder();
    const storage = await open(folder);
    const submits = [1, 2, 3].map((i) => storage.submit([{ key: `k${i}`, value: new Uint8Array([i]) }]));
    await Promise.all([...submits, storage.close()]);
    const again = await open(folder);
    expect([...again.scan({ from: 'k', to: 'l' })].map((record) => record.value[0])).toEqual([1, 2, 3]);
    await again.close();
  });

  it('returns copies: a later read or write does not change what was read', async () => {
    const storage = await open(temporaryFolder());
    await storage.submit([
      { key: 'a', value: new Uint8Array([1]) },
      { key: 'b', value: new Uint8Array([2]) },
    ]);
    const [a, scanned] = [storage.get('a'), [...storage.scan({ from: '', to: 'z' })]];
    storage.get('b');
    await storage.submit([{ key: 'a', value: new Uint8Array([3]) }]);
    expect(storage.get('a')).toEqual(new Uint8Array([3]));
    expect(a).toEqual(new Uint8Array([1]));
    expect(scanned.map((record) => [...record.value])).toEqual([[1], [2]]);
    await storage.close();
  });

  it('takes the bytes of a value when it is submitted, so that the caller may reuse them', async () => {
    const storage = await open(temporaryFolder());
    const value = new Uint8Array([1]);
    const submit = storage.submit([{ key: 'a', value }]);
    value[0] = 9;
    await submit;
    expect(storage.get('a')).toEqual(new Uint8Array([1]));
    await storage.close();
  });

  it('counts records, syncs, bytes and time', async () => {
    const storage = await open(temporaryFolder());
    const before = await storage.stats();
    await storage.submit([
      { key: 'a', value: new Uint8Array(100) },
      { key: 'b', value: new Uint8Array(100) },
    ]);
    await storage.submit([{ key: 'a', value: null }]);
    const after = await storage.stats();
    expect(before.recordCount).toBe(0);
    expect(after.recordCount).toBe(1);
    expect(after.syncCount).toBe(2);
    expect(after.lastSyncMs).toBeGreaterThan(0);
    expect(after.bytesWritten).toBeGreaterThan(200);
    expect(after.fileBytes).toBeGreaterThanOrEqual(after.bytesUsed);
    expect(after.batchesWaiting).toBe(0);
    await storage.close();
  });

  it('refuses keys that are too long or not well-formed, and nothing of their batch is written', async () => {
    const storage = await open(temporaryFolder());
    const value = new Uint8Array([1]);
    for (const key of ['x'.repeat(storageKeyBytesMax + 1), '\ud800']) {
      expect(() =>
        storage.submit([
          { key: 'a', value },
          { key, value },
        ]),
      ).toThrow('storage key');
      expect(() => storage.get(key)).toThrow('storage key');
    }
    await storage.submit([]);
    expect(storage.get('a')).toBeUndefined();
    await storage.close();
  });
});
