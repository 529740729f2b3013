import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { randomInt, SeededRandom } from '../../../packages/base/src/index.ts';
import { openStorage } from '../../../packages/storage-lmdb/src/index.ts';
import { acknowledgedIn, checkBatches } from './batches.ts';
import { buildStorage, Child, childPath, Ext4Disk, hasCommand, remove, temporaryFolder } from './processes.ts';

const events = { onFull: () => {}, onCorrupt: () => {} };
beforeAll(buildStorage);

describe('a storage whose process is killed', () => {
  const rounds = 8;
  const folder = temporaryFolder();
  afterEach(() => remove(folder));

  it('has every acknowledged batch, whole batches only, and no batch without those before it', async () => {
    const random = new SeededRandom(11);
    let acknowledged = -1;
    for (let round = 0; round < rounds; round++) {
      const child = new Child(process.execPath, [childPath, 'submit', folder]);
      const lines = 1 + randomInt(random, 1, 400);
      await child.until(() => child.lines.length >= lines);
      await child.kill();
      const acks = acknowledgedIn(child.lines);
      expect(acks.length, `round ${round}`).toBeGreaterThan(0);
      acknowledged = Math.max(acknowledged, ...acks);
      const storage = await openStorage({ folder, events });
      checkBatches(storage, acknowledged);
      await storage.close();
    }
  });
});

const disk = hasCommand('xfs_io') && hasCommand('mkfs.ext4') ? Ext4Disk.create(96 * 1_024 * 1_024) : null;

describe.skipIf(disk === null)('a storage whose power is cut (skipped without loop devices and xfs_io)', () => {
  const rounds = 8;
  afterEach(() => disk?.remove());

  it(
    'has every acknowledged batch, whole batches only, and no batch without those before it',
    { timeout: 120_000 },
    async () => {
      if (disk === null) return;
      const random = new SeededRandom(12);
      let acknowledged = -1;
      for (let round = 0; round < rounds; round++) {
        disk.mount();
        const child = new Child(process.execPath, [childPath, 'submit', `${disk.folder}/node`]);
        const lines = 1 + randomInt(random, 1, 400);
        await child.until(() => child.lines.length >= lines);
        disk.cutPower();
        await child.kill();
        disk.unmount();
        const acks = acknowledgedIn(child.lines);
        expect(acks.length, `round ${round}`).toBeGreaterThan(0);
        acknowledged = Math.max(acknowledged, ...acks);
        disk.mount();
        const storage = await openStorage({ folder: `${disk.folder}/node`, events });
        checkBatches(storage, acknowledged);
        await storage.close();
        disk.unmount();
      }
    },
  );
});
