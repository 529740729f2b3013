import type { NodeId, PartitionId, RegionId, ReplicaId } from '@skerry/base';
import { compareStamps, stampAfter, type Stamp } from '@skerry/crdt';
import type { Asking } from '../asking.ts';
import type { Partition } from '../partition.ts';
import type { LogBatch } from '../ports/link.ts';
import type { DirectoryEntry, RegionDirectoryEntry, Seen } from '../replica-api.ts';
import type { ControlOperation, RegionStatus } from '../requests.ts';
import { commandBytes, type Command } from '../state/command.ts';
import type { RegionRecord } from '../state/region-record.ts';
import type { Turn } from '../turn.ts';
import type { Refusal } from '../validate.ts';
import { partitionOfFrame } from './link-message.ts';

type RegionOperation = Extract<ControlOperation, { kind: 'regions' | 'addRegion' | 'evictRegion' }>;

const retryEveryMs = 200;

/** The regions as one node sees them: what it tells its owner, its clients and operators, and where frames go. */
export class RegionDirectory {
  readonly #turn: Turn;
  readonly #partitions: readonly Partition[];
  #isDue = true;
  #nodes: RegionDirectoryEntry['nodes'] = [];
  #seenVersion = 0;
  #malformed = 0;

  constructor(turn: Turn, partitions: readonly Partition[]) {
    this.#turn = turn;
    this.#partitions = partitions;
    const directory = {
      records: () => this.#records(),
      evict: (region: RegionId, at: Stamp) => this.#evict(region, at),
    };
    for (const { links } of partitions) links.setDirectory(directory);
  }

  get malformedCount(): number {
    return this.#malformed;
  }

  changed(): void {
    this.#isDue = true;
  }

  /** A batch was applied: what sessions may have seen has moved on. */
  applied(): void {
    this.#seenVersion++;
  }

  /** The members of this region, which the other regions are told of. */
  setMembers(members: readonly DirectoryEntry[]): void {
    this.#nodes = members
      .filter(({ peerUrl }) => peerUrl !== '')
      .map(({ node, peerUrl, clientUrl, adminUrl }) => ({ node, peerUrl, clientUrl, adminUrl }));
    for (const { links } of this.#partitions) links.setNodes(this.#nodes);
    this.#isDue = true;
  }

  /** All regions, if they changed since the last call. */
  take(): readonly RegionDirectoryEntry[] | null {
    if (!this.#isDue) return null;
    this.#isDue = false;
    const own = { region: this.#turn.options.region, self: true, evicted: false, nodes: this.#nodes, urls: [] };
    const known = this.#records();
    const configured = this.#turn.options.regions.filter(({ region }) => !known.has(region) && region !== own.region);
    return [
      own,
      ...Array.from(known.values(), ({ region, evicted, nodes, urls }) => ({
        region,
        self: false,
        evicted,
        nodes,
        urls,
      })),
      ...configured.map(({ region, urls }) => ({ region, self: false, evicted: false, nodes: [], urls })),
    ];
  }

  seen(): Seen {
    const { replica } = this.#turn.options;
    return {
      version: this.#seenVersion,
      partitions: this.#partitions.map(({ id, state }) => ({
        partition: id,
        positions: Array.from(state.header.origins, ([origin, { applied }]) => ({ origin, sequence: applied })),
        promoted: { replica, sequence: state.header.context.maxOf(replica) },
      })),
    };
  }

  /** Any node takes frames; the leader of their partition acts on them. */
  receiveFrame(from: RegionId, frame: Uint8Array): void {
    const partition = this.#partitionOf(partitionOfFrame(frame));
    if (partition === null) {
      this.#malformed++;
      return;
    }
    if (partition.isLeader) partition.links.receive(from, frame);
    else if (partition.leader !== null)
      this.#turn.send(partition.leader, { kind: 'relay', partition: partition.id, region: from, frame, note: false });
  }

  receiveEntries(batch: LogBatch): void {
    this.#partitionOf(batch.partition)?.links.batch(batch);
  }

  published(partition: PartitionId, origin: ReplicaId, last: number): void {
    this.#partitionOf(partition)?.links.published(origin, last);
  }

  regionUp(region: RegionId): void {
    for (const { links } of this.#partitions) links.regionUp(region);
  }

  regionDown(region: RegionId): void {
    for (const { links } of this.#partitions) links.regionDown(region);
  }

  request(operation: RegionOperation, timeoutMs: number | null, asking: Asking): Refusal | null {
    switch (operation.kind) {
      case 'regions':
        asking.answer({ kind: 'regions', regions: this.status() });
        return null;
      case 'addRegion':
        if (operation.region === this.#turn.options.region)
          return { code: 'BAD_REQUEST', detail: 'a region does not add itself' };
        this.#propose(
          {
            kind: 'regionSet',
            region: operation.region,
            urls: operation.urls,
            nodes: null,
            evicted: false,
            changedAt: null,
          },
          timeoutMs,
          asking,
        );
        return null;
      case 'evictRegion': {
        const known = this.#records().get(operation.region);
        if (known === undefined) return { code: 'REGION_UNKNOWN', detail: `${operation.region} is not known` };
        this.#propose(
          {
            kind: 'regionSet',
            region: operation.region,
            urls: known.urls,
            nodes: null,
            evicted: true,
            changedAt: null,
          },
          timeoutMs,
          asking,
        );
        return null;
      }
    }
  }

  status(): RegionStatus[] {
    const own: RegionStatus = {
      region: this.#turn.options.region,
      state: 'self',
      nodes: this.#nodes,
      clockOffsetMs: 0,
      partitions: this.#partitions.map(({ id, state }) => {
        const applied = state.regions.applied(state.header.origin);
        return { partition: id, head: applied, applied, lagMs: 0, unacknowledged: 0 };
      }),
    };
    return [own, ...Array.from(this.#records().values(), (record) => this.#statusOf(record))];
  }

  #statusOf(record: RegionRecord): RegionStatus {
    const { region, evicted, nodes } = record;
    const isUp = this.#partitions.every(({ links }) => links.heard.isFresh(region));
    const told = this.#partitions[0]?.links.heard.of(region) ?? null;
    return {
      region,
      state: evicted ? 'evicted' : isUp ? 'up' : 'down',
      nodes,
      clockOffsetMs: told === null ? null : Math.round(told.clockOffsetMs),
      partitions: this.#partitions.map(({ state, links }) => links.status(state.header.regions.get(region) ?? record)),
    };
  }

  /** Until partition 0 says so; a lost proposal is made again. */
  #propose(command: Extract<Command, { kind: 'regionSet' }>, timeoutMs: number | null, asking: Asking): void {
    const { monoMs: startMs } = this.#turn.now;
    const before = this.#records().get(command.region)?.changedAt;
    const isDone = (): boolean => {
      const record = this.#records().get(command.region);
      // One that is out already is evicted once more if it began to take the state: so ends the waiting for it.
      const isOut = command.evicted && this.#partitions.every(({ state }) => !state.regions.isSeeding(command.region));
      return record !== undefined && record.evicted === command.evicted && (record.changedAt !== before || isOut);
    };
    const step = (): void => {
      if (!asking.isOpen()) return;
      if (isDone()) return asking.answer({ kind: 'done' });
      const { monoMs } = this.#turn.now;
      if (timeoutMs !== null && monoMs - startMs >= timeoutMs)
        return asking.answer({ kind: 'error', code: 'NO_LEADER', detail: 'not done in time; it may still happen' });
      this.#proposeOnce(command);
      this.#turn.at(monoMs + retryEveryMs, step);
    };
    step();
  }

  #proposeOnce(command: Extract<Command, { kind: 'regionSet' }>): void {
    const partition = this.#partitions[0];
    if (partition?.canPropose !== true) return;
    if (partition.isLeader) return partition.proposals.proposeOwn(command);
    const commands = [commandBytes(command)];
    this.#turn.send(partition.leader as NodeId, { kind: 'forward', partition: partition.id, number: 0, commands });
  }

  /**
   * The leader of a partition asks for this, perhaps again. Its clock may be far ahead of partition 0's: if it evicted a region
   * alone, by a stamp of its own, it would take no later word of partition 0. So all partitions evict, and partition 0's clock goes
   * on from that stamp.
   */
  #evict(region: RegionId, at: Stamp): void {
    const known = this.#records().get(region);
    if (known === undefined) return;
    const isLater = compareStamps(at, known.changedAt) > 0;
    // It has not come round to all partitions yet.
    if (!isLater && known.evicted) return;
    const changedAt = isLater ? at : stampAfter(known.changedAt, 0, at.replica);
    this.#proposeOnce({ kind: 'regionSet', region, urls: known.urls, nodes: null, evicted: true, changedAt });
  }

  #records(): ReadonlyMap<RegionId, RegionRecord> {
    return this.#partitions[0]?.state.header.regions ?? new Map();
  }

  #partitionOf(id: PartitionId | null): Partition | null {
    return id === null ? null : (this.#partitions[id] ?? null);
  }
}
