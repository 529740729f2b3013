import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { NodeStatus, RegionStatus } from '@skerry/replica';
import type { StorageStats } from '@skerry/storage-lmdb';

/** Where the numbers come from; read when Prometheus asks, so that counting costs nothing else. */
export interface MetricSources {
  readonly labels: { readonly region: string; readonly node: string };
  /** Flat counters (names end in `_total`) and gauges. */
  readonly numbers: () => Readonly<Record<string, number>>;
  /** Counters by one label. */
  readonly counts: () => readonly LabelledCounts[];
  readonly status: () => NodeStatus;
  readonly regions: () => readonly RegionStatus[];
  readonly conflicts: () => readonly ConflictCount[];
  readonly storage: () => Promise<StorageStats>;
}

export interface LabelledCounts {
  /** Without prefix; ends in `_total`. */
  readonly name: string;
  readonly label: string;
  readonly help: string;
  readonly counts: ReadonlyMap<string, number>;
}

/** Conflicts recorded since the start; a region is '' where it is not known. */
export interface ConflictCount {
  readonly reason: string;
  readonly loserRegion: string;
  readonly winnerRegion: string;
  readonly count: number;
}

const prefix = 'skerry_';
const lagSampleMs = 500;

/** Text for Prometheus: all names start with `skerry_`, units are base units. */
export class Metrics {
  readonly #registry: Registry = new Registry();
  readonly #sources: MetricSources;

  constructor(sources: MetricSources) {
    this.#sources = sources;
    this.#registry.setDefaultLabels(sources.labels);
    // The monitor of the event loop's lag wakes the process so often, and counts the time between in: 10 ms unless said.
    collectDefaultMetrics({ register: this.#registry, prefix, eventLoopMonitoringPrecision: lagSampleMs });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    for (const [name, value] of Object.entries(this.#sources.numbers())) this.#set(name, value);
    for (const { name, label, help, counts } of this.#sources.counts()) {
      for (const [labelValue, count] of counts) this.#set(name, count, { help, labels: { [label]: labelValue } });
    }
    this.#setStorage(await this.#sources.storage());
    this.#setPartitions(this.#sources.status());
    for (const region of this.#sources.regions()) if (region.state !== 'self') this.#setRegion(region);
    for (const { reason, loserRegion, winnerRegion, count } of this.#sources.conflicts()) {
      const labels = { reason, loser_region: loserRegion, winner_region: winnerRegion };
      this.#set('conflicts_recorded_total', count, { labels, help: 'Merges that discarded something.' });
    }
    return this.#registry.metrics();
  }

  #setStorage(stats: StorageStats): void {
    this.#set('storage_records', stats.recordCount);
    this.#set('storage_used_bytes', stats.bytesUsed);
    this.#set('storage_file_bytes', stats.fileBytes);
    this.#set('storage_syncs_total', stats.syncCount);
    this.#set('storage_last_sync_seconds', stats.lastSyncMs / 1_000);
    this.#set('storage_written_bytes_total', stats.bytesWritten);
    this.#set('storage_batches_waiting', stats.batchesWaiting);
  }

  #setPartitions({ node, partitions, storageFull }: NodeStatus): void {
    this.#set('storage_full', storageFull ? 1 : 0);
    for (const partition of partitions) {
      const labels = { partition: String(partition.partition) };
      this.#set('partition_leader', partition.leader === node ? 1 : 0, { labels, help: '1 on the node that leads.' });
      this.#set('partition_quorum', partition.quorum ? 1 : 0, {
        labels,
        help: '1 if the node is in contact with a quorum.',
      });
      this.#set('partition_term', partition.term, { labels });
      this.#set('partition_commit_index', partition.commit, { labels });
      this.#set('partition_applied_index', partition.applied, { labels });
      this.#set('partition_pending_writes', partition.pending, {
        labels,
        help: 'Quorum-less writes not yet promoted.',
      });
      this.#set('partition_voters', partition.voters.length, { labels });
    }
  }

  #setRegion({ region, state, partitions, clockOffsetMs }: RegionStatus): void {
    const ofRegion = { remote_region: region };
    this.#set('region_up', state === 'up' ? 1 : 0, { labels: ofRegion, help: '1 if that region is heard of.' });
    if (clockOffsetMs !== null) {
      const help = "That region's clock against this one's.";
      this.#set('region_clock_offset_seconds', clockOffsetMs / 1_000, { labels: ofRegion, help });
    }
    for (const { partition, head, applied, lagMs, unacknowledged } of partitions) {
      const labels = { ...ofRegion, partition: String(partition) };
      this.#set('region_lag_entries', Math.max(0, head - applied), {
        labels,
        help: "Entries of that region's log that this one has not applied, as far as is known.",
      });
      this.#set('region_lag_seconds', lagMs / 1_000, { labels, help: 'For how long some of them have been known.' });
      this.#set('region_unacknowledged_entries', unacknowledged, {
        labels,
        help: "Entries of this region's log that that one has not applied, as far as it has told.",
      });
    }
  }

  #set(
    name: string,
    value: number,
    options: { readonly help?: string; readonly labels?: Record<string, string> } = {},
  ): void {
    const { labels = {}, help = name.replaceAll('_', ' ') } = options;
    const full = { name: prefix + name, help, labelNames: Object.keys(labels), registers: [this.#registry] };
    const existing = this.#registry.getSingleMetric(full.name);
    if (!name.endsWith('_total')) {
      ((existing as Gauge | undefined) ?? new Gauge(full)).set(labels, value);
      return;
    }
    // What is counted elsewhere since the start is set here, which Prometheus' counters do by starting over.
    const counter = (existing as Counter | undefined) ?? new Counter(full);
    counter.remove(labels);
    counter.inc(labels, value);
  }
}
