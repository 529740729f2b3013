import { nodeId, regionId } from '@skerry/base';
import { Replica, type NodeStatus, type ReplicaOptions, type Storage, type StorageEvents } from '@skerry/replica';
import { openStorage } from '@skerry/storage-lmdb';
import { pino, type Logger } from 'pino';
import type { ServerConfig } from './config.ts';
import type { Fatal } from './fatal.ts';
import { NodeServer, type NodeStorage, type Urls } from './node-server.ts';
import { listenForPeers } from './peers/listener.ts';
import type { PeerMesh } from './peers/mesh.ts';
import { cryptoRandom } from './random.ts';
import { linkHasLog, loadLink, type MakeLink } from './region-link.ts';
import { readClocks, type ReplicaLike } from './replica-like.ts';

/** A node that takes part. */
export interface RunningServer extends Urls {
  status(): NodeStatus;
  /** A planned stop, so that no client call fails: hands over leadership, answers what is open, makes durable what is queued. */
  stop(): Promise<void>;
  /** Ends everything without a word, as a crash would; what was acknowledged is on disk. */
  kill(): Promise<void>;
}

/** What a test puts in place of the real parts. */
export interface ServerParts {
  readonly version?: string;
  readonly log?: Logger;
  readonly openStorage?: (events: StorageEvents) => Promise<NodeStorage>;
  readonly makeLink?: MakeLink;
  readonly makeReplica?: (options: ReplicaOptions, storage: Storage) => ReplicaLike;
}

export interface ServerEvents {
  /** The node has stopped at once and answers nothing more: its process must end with `fatal.exitCode`. */
  readonly onFatal: (fatal: Fatal) => void;
}

/**
 * Opens the data folder, listens, and takes part. Rejects with `StorageOpenError` or `StorageCorruptError` when the
 * folder cannot be used, and with the operating system's error when a port cannot be had; nothing is left open then.
 */
export async function startServer(
  config: ServerConfig,
  { onFatal }: ServerEvents,
  parts: ServerParts = {},
): Promise<RunningServer> {
  const log = parts.log ?? pino({ level: config.logLevel, base: { node: config.node } });
  const makeLink = parts.makeLink ?? (await loadLink(config));
  const early: EarlyEvents = { full: false, problem: null, server: null };
  const storage = await (parts.openStorage ?? ((events) => openStorage({ folder: config.dataFolder, events })))({
    onFull: (full) => {
      early.full = full;
      early.server?.setStorageFull(full);
    },
    onCorrupt: (problem) => {
      early.problem ??= problem;
      early.server?.fail(problem);
    },
  });
  const server = new NodeServer({
    config,
    version: parts.version ?? '0.1.0',
    storage,
    log,
    makeLink,
    onFatal,
  });
  try {
    const mesh = (): PeerMesh | null => server.mesh;
    const peerListener = await listenForPeers({
      host: config.host,
      port: config.peerPort,
      limits: config.peerLimits,
      mesh,
      link: () => server.linkUpgrade,
    });
    const urls = await server.listen(peerListener);
    const joined = await hasJoined(config, storage);
    const make = parts.makeReplica ?? ((options, source) => new Replica(options, source, readClocks()));
    const replica = make(replicaOptions(joined ? { ...config, bootstrap: [] } : config, storage, urls), storage);
    early.server = server;
    if (early.full) server.setStorageFull(true);
    if (early.problem !== null) server.fail(early.problem);
    server.start(replica);
    log.info({ ...urls, replica: storage.identity.replica }, 'the node takes part');
    return { ...urls, status: () => server.status(), stop: () => server.stop(), kill: () => server.terminate() };
  } catch (error) {
    await server.terminate();
    throw error;
  }
}

/** What storage told before the server was there. */
interface EarlyEvents {
  full: boolean;
  problem: Error | null;
  server: NodeServer | null;
}

const joinedKey = 'server/joined';

/**
 * True if this folder was begun to join a cluster that exists. It is remembered, so that a node that is started again
 * with the flags of its first life, before it has got any state, does not make the cluster of old anew.
 */
async function hasJoined(config: ServerConfig, storage: Storage): Promise<boolean> {
  if (storage.get(joinedKey) !== undefined) return true;
  if (!config.join) return false;
  await storage.submit([{ key: joinedKey, value: Uint8Array.of(1) }]);
  return true;
}

function replicaOptions(config: ServerConfig, storage: NodeStorage, urls: Urls): ReplicaOptions {
  return {
    node: nodeId(config.node),
    region: regionId(config.region),
    replica: storage.identity.replica,
    partitionCount: config.partitions,
    bootstrap: config.bootstrap.length === 0 ? null : config.bootstrap.map(nodeId),
    urls,
    regions: config.regions.map(({ region, urls: contacts }) => ({ region: regionId(region), urls: contacts })),
    linkHasLog: linkHasLog(config),
    random: cryptoRandom(),
    timing: config.timing,
    limits: config.limits,
  };
}
