import type { PartitionId, RegionId, ReplicaId } from '@skerry/base';

/**
 * The link port: what carries frames, and perhaps logs, between regions. `link-direct` and `link-nats` implement it and
 * pass the suite in `../testing/link-suite.ts`. A link owes nothing: whatever it carries may be lost, repeated,
 * reordered, late or stale. What it does owe is to say plainly in {@link metrics} what it dropped.
 */
export interface RegionLink {
  /**
   * Best effort, in order per region while nothing fails. `frame` is for whichever node of `region` leads its partition
   * and reaches any node of that region, which hands it on. Dropped when the link has no room.
   */
  send(region: RegionId, frame: Uint8Array): void;
  /** null: the link carries frames only. Otherwise it has a durable log per origin and partition too. */
  readonly log: LinkLog | null;
  /** The other regions and where to reach them; replaces what was known. Regions not named are let go. */
  setRegions(regions: readonly RegionContacts[]): void;
  /** Fault injection: nothing passes between this node and that region, logs included, until {@link heal}. */
  cut(region: RegionId): void;
  heal(region: RegionId): void;
  /** Flat counters (names end in `_total`) and gauges. */
  metrics(): Readonly<Record<string, number>>;
  /** Ends all connections; nothing is delivered afterwards. */
  close(): Promise<void>;
}

export interface LinkLog {
  /** Appends entries of this region's own origin. An old and a new leader may append the same ones. */
  publish(batch: LogBatch): void;
  /** Delivers that log from entry `from` on, then what is added; once more: from the new place. null: no longer. */
  subscribe(partition: PartitionId, origin: LogOrigin, from: number | null): void;
}

export interface LogOrigin {
  readonly region: RegionId;
  readonly origin: ReplicaId;
}

/** Entries `first` to `last` of the log of `origin`, encoded; opaque to the link. */
export interface LogBatch extends LogOrigin {
  readonly partition: PartitionId;
  readonly first: number;
  readonly last: number;
  readonly bytes: Uint8Array;
}

/** What a link tells. Called from the event loop, never from inside a call of {@link RegionLink}. */
export interface LinkEvents {
  receive(from: RegionId, frame: Uint8Array): void;
  entries(batch: LogBatch): void;
  /** The log says that it has everything of `origin` up to `last`. It may be lying. */
  published(partition: PartitionId, origin: ReplicaId, last: number): void;
  /** Frames are likely to get through to that region from now on, and no longer. */
  regionUp(region: RegionId): void;
  regionDown(region: RegionId): void;
}

export interface RegionContacts {
  readonly region: RegionId;
  /** Peer addresses (`ws://host:port`) of some nodes of the region; any one will do. */
  readonly urls: readonly string[];
}
