import { describeStorage, type StorageHarness } from '@skerry/replica/testing';
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
