import type { NodeId, PartitionId, Random, RegionId, ReplicaId } from '@skerry/base';
import type { PeerMessage } from './peer-message.ts';
import type { LogBatch, LogOrigin, RegionContacts } from './ports/link.ts';
import type { StorageWrite } from './ports/storage.ts';
import type { Answer } from './requests.ts';

/** Both clocks, read once per turn by the owner. */
export interface Now {
  /** Milliseconds since 1970; may jump either way. Used for stamps only. */
  readonly wallMs: number;
  /** Milliseconds from any origin; never goes back. Used for deadlines. */
  readonly monoMs: number;
}

/** Names an open client request; chosen by the owner, unique while the request is open. */
export type RequestHandle = number;

/**
 * What a turn came to. The owner submits the batch to storage, sends the messages (in order per peer, one frame per
 * peer and turn) and answers. Whatever had to wait for durability is held back by the replica itself and comes out of
 * a later turn, after the owner said {@link Replica.durable}. So the owner's only duties are: submit batches in order,
 * report each when it is durable, keep the order of messages per peer.
 */
export interface Effects {
  readonly batch: { readonly id: number; readonly writes: readonly StorageWrite[] } | null;
  readonly messages: ReadonlyMap<NodeId, readonly PeerMessage[]>;
  readonly answers: readonly { readonly handle: RequestHandle; readonly answer: Answer }[];
  /** The member directory, when it changed: whom to dial, what to tell clients. */
  readonly directory: readonly DirectoryEntry[] | null;
  /** What the link is to carry; null: nothing. */
  readonly link: LinkEffects | null;
  /** All known regions, when they changed, own one included: what to tell the link and the clients. */
  readonly regions: readonly RegionDirectoryEntry[] | null;
}

export interface LinkEffects {
  readonly frames: readonly { readonly region: RegionId; readonly frame: Uint8Array }[];
  /** Only if the link has a log. */
  readonly batches: readonly LogBatch[];
  readonly subscriptions: readonly {
    readonly partition: PartitionId;
    readonly origin: LogOrigin;
    readonly from: number | null;
  }[];
}

export interface RegionDirectoryEntry {
  readonly region: RegionId;
  readonly self: boolean;
  readonly evicted: boolean;
  readonly nodes: readonly {
    readonly node: NodeId;
    readonly peerUrl: string;
    readonly clientUrl: string;
    readonly adminUrl: string;
  }[];
  /** Configured peer addresses, used until nodes are known. */
  readonly urls: readonly string[];
}

/** What this node has applied, for the sessions of clients; see `Causality`. */
export interface Seen {
  /** Changes whenever anything else in here does. */
  readonly version: number;
  readonly partitions: readonly {
    readonly partition: PartitionId;
    readonly positions: readonly { readonly origin: ReplicaId; readonly sequence: number }[];
    /** All quorum-less writes of this node up to this sequence are settled. */
    readonly promoted: { readonly replica: ReplicaId; readonly sequence: number };
  }[];
}

export interface DirectoryEntry {
  readonly node: NodeId;
  readonly role: 'voter' | 'learner';
  /** '' while the node has not yet announced itself. */
  readonly peerUrl: string;
  readonly clientUrl: string;
  readonly adminUrl: string;
  /** null while the node has not yet announced itself. */
  readonly replica: ReplicaId | null;
}

export interface ReplicaOptions {
  readonly node: NodeId;
  readonly region: RegionId;
  readonly replica: ReplicaId;
  readonly partitionCount: number;
  /** Voters of a cluster that is made now; null on a node that joins one. Ignored when the storage has a state. */
  readonly bootstrap: readonly NodeId[] | null;
  /** What this node announces to the others. */
  readonly urls: { readonly peerUrl: string; readonly clientUrl: string; readonly adminUrl: string };
  /** The other regions known from configuration; more are added by command. */
  readonly regions: readonly RegionContacts[];
  /** The link has a log, which the leaders publish to and read from. */
  readonly linkHasLog: boolean;
  readonly random: Random;
  readonly timing: ReplicaTiming;
  readonly limits: ReplicaLimits;
}

export interface ReplicaTiming {
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  readonly electionTicksMin: number;
  readonly electionTicksMax: number;
  /** How long after its deadline a call waits for its fence before it is answered `undecided`. */
  readonly fenceGraceMs: number;
  /** A forwarded request that was not seen to commit is forwarded again after this long. */
  readonly forwardRetryMs: number;
  /** A leader steps down when batches wait and none became durable for this long. */
  readonly storageStallMs: number;
  readonly maxClockSkewMs: number;
  /** How long a holder leaves promotion to the origin of a pending write. */
  readonly promotionGraceMs: number;
  /** A session idle for longer is forgotten. */
  readonly sessionIdleMs: number;
  /** The same for a session with quorum-less writes, of which a cut-off node may still hold copies. */
  readonly sessionIdleQuorumlessMs: number;
  /** Tombstones are kept at least this long, for nodes that come back with old quorum-less writes. */
  readonly tombstoneKeepMs: number;
  /** How often the leader of a partition tells the other regions where it is. */
  readonly linkHeartbeatMs: number;
  /** Nothing came of a request to another region for this long: it is asked again, or another one is. */
  readonly linkRetryMs: number;
}

export interface ReplicaLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  readonly txnOperationsMax: number;
  /** Commands and bytes in one log entry. */
  readonly batchCommandsMax: number;
  readonly batchBytesMax: number;
  /** Client requests open at one node; more are refused with OVERLOADED. */
  readonly requestsOpenMax: number;
  /** Bytes of commands that the leader has put in the log and not yet committed. One sync must not take too long. */
  readonly uncommittedBytesMax: number;
  /** Bytes of commands that wait at the leader for the log; more are refused with OVERLOADED. */
  readonly queuedBytesMax: number;
  /** Pending writes held by one node and partition; more are refused with PENDING_FULL. */
  readonly pendingCountMax: number;
  /** The same in bytes; they are held in memory too. */
  readonly pendingBytesMax: number;
  /** Log entries and bytes kept behind the applied index, for followers that lag and for watch cursors. */
  readonly logKeepEntries: number;
  readonly logKeepBytes: number;
  readonly ledgerCountMax: number;
  readonly ledgerAgeMs: number;
  /** At least as many receipts are kept, in pages of 256. */
  readonly receiptCountMax: number;
  readonly snapshotChunkBytes: number;
  readonly watchersMax: number;
  readonly listLimitMax: number;
  /** Bytes of one origin's log kept for regions that lag; one that lacks more exchanges state. */
  readonly regionLogBytesMax: number;
  /** Bytes of changes of the applied state that are held in memory, too, before they move to their places on disk. */
  readonly runsBytesMax: number;
}

export const defaultTiming: ReplicaTiming = {
  tickMs: 10,
  heartbeatTicks: 5,
  electionTicksMin: 20,
  electionTicksMax: 40,
  fenceGraceMs: 500,
  forwardRetryMs: 1_000,
  storageStallMs: 800,
  maxClockSkewMs: 500,
  promotionGraceMs: 1_000,
  sessionIdleMs: 24 * 3_600_000,
  sessionIdleQuorumlessMs: 30 * 24 * 3_600_000,
  tombstoneKeepMs: 3_600_000,
  linkHeartbeatMs: 250,
  linkRetryMs: 1_000,
};

export const defaultLimits: ReplicaLimits = {
  keyBytesMax: 1_024,
  valueBytesMax: 512 * 1_024,
  txnOperationsMax: 512,
  batchCommandsMax: 1_024,
  batchBytesMax: 1_024 * 1_024,
  requestsOpenMax: 20_000,
  uncommittedBytesMax: 8 * 1_024 * 1_024,
  queuedBytesMax: 64 * 1_024 * 1_024,
  pendingCountMax: 100_000,
  pendingBytesMax: 128 * 1_024 * 1_024,
  logKeepEntries: 10_000,
  logKeepBytes: 32 * 1_024 * 1_024,
  ledgerCountMax: 10_000,
  ledgerAgeMs: 30 * 24 * 3_600_000,
  receiptCountMax: 100_000,
  snapshotChunkBytes: 256 * 1_024,
  watchersMax: 10_000,
  listLimitMax: 1_000,
  regionLogBytesMax: 256 * 1_024 * 1_024,
  runsBytesMax: 8 * 1_024 * 1_024,
};
