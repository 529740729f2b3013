import { replicaId } from '@skerry/base';
import { MemoryStorage, type ReplicaOptions, type StorageEvents } from '@skerry/replica';
import { loadConfig } from '../config.ts';
import type { Fatal } from '../fatal.ts';
import type { NodeStorage } from '../node-server.ts';
import { startServer, type RunningServer } from '../server.ts';
import { FakeReplica } from './fake-replica.ts';
import { silentLog } from './logs.ts';
import { instantStorage } from './mesh-harness.ts';

export interface TestServer extends RunningServer {
  readonly replica: FakeReplica;
  readonly fatals: Fatal[];
  readonly storageEvents: StorageEvents;
  readonly replicaOptions: ReplicaOptions;
  /** `http://127.0.0.1:port`, where clients and HTTP are served. */
  readonly httpUrl: string;
}

/** A whole server at free ports of loopback, around a scripted replica and memory for a disk. */
export async function startTestServer(
  options: Readonly<Record<string, unknown>> = {},
  storageChange: Partial<NodeStorage> = {},
): Promise<TestServer> {
  const replica = new FakeReplica();
  const fatals: Fatal[] = [];
  let storageEvents: StorageEvents | null = null;
  let replicaOptions: ReplicaOptions | null = null;
  const config = loadConfig({
    file: {
      node: 'fake',
      region: 'region-1',
      cluster: 'test',
      dataFolder: '/nowhere',
      bootstrap: ['fake'],
      clientPort: 0,
      peerPort: 0,
      adminPort: 0,
      // A fake replica need not be ticked while nothing is asked of it.
      timing: { tickMs: 50 },
      ...options,
    },
  });
  const server = await startServer(
    config,
    { onFatal: (fatal) => fatals.push(fatal) },
    {
      log: silentLog(),
      version: '1.2.3',
      openStorage: async (events) => {
        storageEvents = events;
        return { ...testStorage(), ...storageChange };
      },
      makeReplica: (made) => {
        replicaOptions = made;
        return replica;
      },
    },
  );
  if (storageEvents === null || replicaOptions === null) throw new Error('the parts were not made');
  return {
    ...server,
    replica,
    fatals,
    storageEvents,
    replicaOptions,
    httpUrl: server.clientUrl.replace('ws:', 'http:'),
  };
}

function testStorage(): NodeStorage {
  const memory = new MemoryStorage();
  return {
    ...instantStorage(memory),
    identity: { replica: replicaId(1), incarnation: 'first', createdMs: 0, formatVersion: 1 },
    stats: async () => ({
      recordCount: 0,
      bytesUsed: 0,
      fileBytes: 0,
      mapBytes: 0,
      syncCount: 0,
      lastSyncMs: 0,
      bytesWritten: 0,
      batchesWaiting: 0,
    }),
    scrub: () => ({ recordsChecked: 0, bytesChecked: 0, wrapped: true }),
    pendingForMs: () => 0,
  };
}
