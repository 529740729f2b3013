import type { Partition } from './partition.ts';

/** What the partitions of a node come to together: see `Replica.metrics`. */
export function partitionMetrics(
  partitions: readonly Partition[],
): Readonly<Record<string, number>> & { readonly region_frames_malformed_total: number } {
  const sum = (of: (partition: Partition) => number): number =>
    partitions.reduce((total, partition) => total + of(partition), 0);
  return {
    pending_writes: sum(({ pending }) => pending.count),
    writes_waiting: sum(({ writes }) => writes.waitingCount),
    reads_waiting: sum(({ readsWaiting }) => readsWaiting),
    leader_partitions: sum(({ isLeader }) => (isLeader ? 1 : 0)),
    partitions_without_leader: sum(({ leader }) => (leader === null ? 1 : 0)),
    // Those that a restart would find, too: it would need a majority of the outgoing voters.
    joint_configurations: sum(({ config, isConfigDurable }) =>
      config.votersOutgoing.length > 0 || !isConfigDurable ? 1 : 0,
    ),
    raft_log_bytes: sum(({ logBytes }) => logBytes),
    applied_entries_total: sum(({ state }) => state.applied),
    conflicts_total: sum(({ state }) => state.header.conflicts.next),
    receipts_settled_total: sum(({ state }) => state.header.receipts.next),
    snapshots_sending: sum(({ snapshotsUnderWay }) => snapshotsUnderWay),
    region_entries_total: sum(({ state }) => state.regions.applied(state.header.origin)),
    region_log_bytes: sum(({ state }) =>
      [...state.header.origins.values()].reduce((total, { bytes }) => total + bytes, 0),
    ),
    region_gaps_total: sum(({ links }) => links.intake.gapCount),
    region_digest_mismatches_total: sum(({ links }) => links.mismatchCount),
    region_set_back_total: sum(({ links }) => links.setBackCount),
    region_exchanges_total: sum(({ links }) => links.exchange.doneCount),
    region_exchanged_values_total: sum(({ links }) => links.exchange.mergedCount),
    region_frames_malformed_total: sum(({ links }) => links.malformedCount),
    session_reads_waiting: sum(({ causality }) => causality.count),
  };
}
