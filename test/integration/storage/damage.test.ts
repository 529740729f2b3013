import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { equalBytes, randomInt, randomPick, SeededRandom, type Random } from '../../../packages/base/src/index.ts';
import { StorageCorruptError } from '../../../packages/replica/src/index.ts';
import { openStorage, verifyFolder } from '../../../packages/storage-lmdb/src/index.ts';
import { remove, temporaryFolder } from './processes.ts';

const rounds = 40;
const recordCount = 4_000;
const events = { onFull: () => {}, onCorrupt: () => {} };
const key = (i: number): string => `key/${String((i * 2_654_435_761) % 2 ** 32).padStart(10, '0')}`;
const value = (i: number): Uint8Array => new TextEncoder().encode(`value ${i} `.repeat(i % 500 === 0 ? 1_000 : 20));

type Damage = (data: Buffer, random: Random) => void;

/** What disks and crashes do to a file at rest. */
const damages: readonly Damage[] = [
  function flipBit(data, random): void {
    const at = randomInt(random, 0, data.length - 1);
    data[at] = (data[at] as number) ^ (1 << randomInt(random, 0, 7));
  },
  function zeroPage(data, random): void {
    const page = randomInt(random, 2, data.length / 4_096 - 1);
    data.fill(0, page * 4_096, (page + 1) * 4_096);
  },
  function zeroSector(data, random): void {
    const sector = randomInt(random, 16, data.length / 512 - 1);
    data.fill(0, sector * 512, (sector + 1) * 512);
  },
  function misplacedPage(data, random): void {
    const [from, to] = [randomInt(random, 2, data.length / 4_096 - 1), randomInt(random, 2, data.length / 4_096 - 1)];
    data.copyWithin(to * 4_096, from * 4_096, (from + 1) * 4_096);
  },
];

describe('damage at rest', () => {
  const folder = temporaryFolder();
  const path = join(folder, 'data.mdb');
  let sound = Buffer.alloc(0);
  beforeAll(async () => {
    const storage = await openStorage({ folder, events });
    for (let from = 0; from < recordCount; from += 200) {
      await storage.submit(Array.from({ length: 200 }, (_, i) => ({ key: key(from + i), value: value(from + i) })));
    }
    await storage.close();
    sound = readFileSync(path);
  });
  afterAll(() => remove(folder));

  it('is found before the folder is opened, or leaves every record as it was', { timeout: 180_000 }, async () => {
    const random = new SeededRandom(5);
    const found = new Map<string, number>();
    for (let round = 0; round < rounds; round++) {
      const damage = randomPick(random, damages);
      const data = Buffer.from(sound);
      damage(data, random);
      writeFileSync(path, data);
      const problem: unknown = await verifyFolder(folder, { budgetMs: 60_000 }).catch((error: unknown) => error);
      if (problem instanceof StorageCorruptError) found.set(damage.name, (found.get(damage.name) ?? 0) + 1);
      else await expectAllRecords(`${damage.name} in round ${round}`);
    }
    for (const damage of damages) expect(found.get(damage.name), damage.name).toBeGreaterThan(0);
  });

  async function expectAllRecords(what: string): Promise<void> {
    const storage = await openStorage({ folder, events });
    const wrong: string[] = [];
    for (let i = 0; i < recordCount; i++) {
      const stored = storage.get(key(i));
      if (stored === undefined || !equalBytes(stored, value(i))) wrong.push(key(i));
    }
    await storage.close();
    expect(wrong, what).toEqual([]);
  }
});
