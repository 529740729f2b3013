import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { randomInt, SeededRandom } from '../../../packages/base/src/index.ts';
import { openStorage, type LmdbStorage } from '../../../packages/storage-lmdb/src/index.ts';
import { buildStorage, Child, childPath, remove, temporaryFolder } from './processes.ts';

const rounds = 8;
const events = { onFull: () => {}, onCorrupt: () => {} };
const decode = (value: Uint8Array | undefined): string => new TextDecoder().decode(value);

describe('a storage whose process is killed', () => {
  const folder = temporaryFolder();
  beforeAll(buildStorage);
  afterEach(() => remove(folder));

  it('has every acknowledged batch, whole batches only, and no batch without those before it', async () => {
    const random = new SeededRandom(11);
    let acknowledged = -1;
    for (let round = 0; round < rounds; round++) {
      const child = new Child(process.execPath, [childPath, 'submit', folder]);
      const lines = 1 + randomInt(random, 1, 400);
      await child.until(() => child.lines.length >= lines);
      await child.kill();
      const acks = child.lines.filter((line) => line.startsWith('ack ')).map((line) => Number(line.slice(4)));
      expect(acks.length, `round ${round}`).toBeGreaterThan(0);
      acknowledged = Math.max(acknowledged, ...acks);
      const storage = await openStorage({ folder, events });
      checkBatches(storage, acknowledged);
      await storage.close();
    }
  });

  function checkBatches(storage: LmdbStorage, acknowledgedMax: number): void {
    const last = Number(decode(storage.get('last')));
    expect(last).toBeGreaterThanOrEqual(acknowledgedMax);
    for (let i = 0; i < 5; i++) expect(decode(storage.get(`shared/${i}`))).toBe(String(last));
    const counts = new Map<number, number>();
    for (const { key } of storage.scan({ from: 'own/', to: 'own0' })) {
      const n = Number(key.split('/')[1]);
      counts.set(n, (counts.get(n) ?? 0) + 1);
    }
    expect(counts.size).toBe(last + 1);
    for (let n = 0; n <= last; n++) if (counts.get(n) !== 1 + (n % 7)) throw new Error(`batch ${n} has ${counts.get(n)} records`);
  }
});
