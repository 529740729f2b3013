import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StorageFailedError, type StorageWrite } from '../../../packages/replica/src/index.ts';
import { openStorage, type LmdbStorage, type OpenStorageOptions } from '../../../packages/storage-lmdb/src/index.ts';
import { mountTmpfs } from './processes.ts';

const kibibyte = 1_024;
const disk = mountTmpfs(12 * 1_024 * kibibyte);

describe.skipIf(disk === null)('a storage on a full disk (skipped where a tmpfs may not be mounted)', () => {
  const folder = disk === null ? '' : join(disk.folder, 'node');
  const ballast = join(disk?.folder ?? '', 'ballast');
  let full: boolean[] = [];
  let storage: LmdbStorage;

  const open = (options: Partial<OpenStorageOptions> = {}): Promise<LmdbStorage> =>
    openStorage({
      folder,
      events: { onFull: (now) => full.push(now), onCorrupt: () => {} },
      reserveBytes: 0,
      spacePollMs: 20,
      ...options,
    });
  const free = (): number => {
    const { bavail, bsize } = statfsSync(disk?.folder ?? '/');
    return bavail * bsize;
  };
  /** Leaves about this much of the disk. */
  const fill = (leaveBytes: number): void => {
    rmSync(ballast, { force: true });
    writeFileSync(ballast, new Uint8Array(Math.max(0, free() - leaveBytes)));
  };
  const batch = (n: number): StorageWrite[] => [
    ...Array.from({ length: 20 }, (_, i) => ({
      key: `own/${String(n).padStart(3, '0')}/${i}`,
      value: new Uint8Array(1_000).fill(n),
    })),
    { key: 'last', value: new Uint8Array([n]) },
  ];
  const batchesIn = (source: LmdbStorage): number[] => {
    const counts = new Map<number, number>();
    for (const { key, value } of source.scan({ from: 'own/', to: 'own0' })) {
      expect(value[0]).toBe(Number(key.split('/')[1]));
      counts.set(Number(key.split('/')[1]), (counts.get(Number(key.split('/')[1])) ?? 0) + 1);
    }
    expect([...counts.values()].every((count) => count === 20)).toBe(true);
    return [...counts.keys()];
  };
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

  beforeEach(() => {
    full = [];
    // lmdb-js prints every failed commit.
    vi.spyOn(console, 'error').mockImplementation(() => {});
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await storage.close();
    rmSync(folder, { recursive: true });
    rmSync(ballast, { force: true });
  });
  afterAll(() => disk?.unmount());

  it('stalls in order, keeps reading, shows no part of a batch, and goes on by itself when there is space', async () => {
    storage = await open();
    await storage.submit(batch(0));
    fill(300 * kibibyte);
    const settled: number[] = [];
    const submits = upTo(40).map((n) =>
      n === 0 ? Promise.resolve() : storage.submit(batch(n)).then(() => void settled.push(n)),
    );
    await vi.waitFor(() => expect(full).toEqual([true]));
    await vi.waitFor(() => expect(storage.pendingForMs()).toBeGreaterThan(100));
    const durable = batchesIn(storage);
    expect(durable).toEqual(upTo(durable.length));
    expect(durable.length).toBeLessThan(40);
    expect(storage.get('last')).toEqual(new Uint8Array([durable.length - 1]));
    expect(settled).toEqual(durable.slice(1));
    rmSync(ballast);
    await Promise.all(submits);
    expect(settled).toEqual(upTo(40).slice(1));
    expect(batchesIn(storage)).toEqual(upTo(40));
    await vi.waitFor(() => expect(full).toEqual([true, false]));
    expect(storage.pendingForMs()).toBe(0);
    await storage.close();
    storage = await open();
    expect(batchesIn(storage)).toEqual(upTo(40));
  });

  it(
    'goes through full and free again and again without losing or reordering a batch',
    { timeout: 60_000 },
    async () => {
      storage = await open({ groupCommitLimits: { retryMsMin: 5, retryMsMax: 20 } });
      const settled: number[] = [];
      let next = 0;
      for (let round = 0; round < 5; round++) {
        fill((100 + 70 * round) * kibibyte);
        const stalls = full.length;
        const submits = Array.from({ length: 45 }, () => {
          const n = next++;
          return storage.submit(batch(n)).then(() => void settled.push(n));
        });
        await vi.waitFor(() => expect(full.length).toBe(stalls + 1), { timeout: 10_000 });
        rmSync(ballast);
        await Promise.all(submits);
        await vi.waitFor(() => expect(full.length).toBe(stalls + 2));
      }
      expect(settled).toEqual(upTo(next));
      expect(batchesIn(storage)).toEqual(upTo(next));
    },
  );

  it('tells that it is nearly full while writes still go on, and when there is space again', async () => {
    storage = await open({ reserveBytes: 4 * 1_024 * kibibyte });
    await storage.submit(batch(0));
    expect(full).toEqual([]);
    fill(3 * 1_024 * kibibyte);
    await vi.waitFor(() => expect(full).toEqual([true]));
    await storage.submit(batch(1));
    expect(batchesIn(storage)).toEqual([0, 1]);
    rmSync(ballast);
    await vi.waitFor(() => expect(full).toEqual([true, false]));
  });

  it('tells at once if it is nearly full when it is opened, also below its own limit of bytes', async () => {
    storage = await open();
    await storage.submit(batch(0));
    await storage.close();
    storage = await open({ reserveBytes: 1_024 * kibibyte, mapBytesMax: 900 * kibibyte });
    expect(full).toEqual([true]);
    await storage.submit(batch(1));
  });

  it('rejects what waits for space when it is closed, and that is not there afterwards', async () => {
    storage = await open();
    await storage.submit(batch(0));
    fill(60 * kibibyte);
    const submits = Promise.allSettled(upTo(30).map((n) => storage.submit(batch(n + 1))));
    await vi.waitFor(() => expect(full).toEqual([true]));
    await storage.close();
    const results = await submits;
    const acknowledged = results.filter((result) => result.status === 'fulfilled').length;
    expect(acknowledged).toBeLessThan(30);
    for (const result of results.slice(acknowledged))
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(StorageFailedError) });
    rmSync(ballast);
    storage = await open();
    expect(batchesIn(storage)).toEqual(upTo(acknowledged + 1));
  });
});
