import { assertPresent, NumberTable, type NodeId, type PartitionId, type RegionId, type ReplicaId } from '@skerry/base';
import { HybridClock } from '@skerry/crdt';
import { Admin } from './admin.ts';
import { errorAnswer, writeAnswer } from './answers.ts';
import { Conflicts } from './conflicts.ts';
import { KeyReads } from './key-reads.ts';
import { Lists } from './lists.ts';
import { formatTicket, parseReceipt, parseTicket, versionOf } from './names.ts';
import { Partition } from './partition.ts';
import type { PeerMessage } from './peer-message.ts';
import type { StorageSource } from './ports/storage.ts';
import { Quorumless } from './quorumless.ts';
import type { LogBatch } from './ports/link.ts';
import { RegionDirectory } from './regions/region-directory.ts';
import type { Effects, Now, ReplicaOptions, RequestHandle, Seen } from './replica-api.ts';
import type { ClientRequest, NodeStatus, RegionStatus, ReplicaErrorCode, WriteId, WriteOperation } from './requests.ts';
import { StagedStore } from './staged-store.ts';
import { keysOf, toCommand } from './to-command.ts';
import { Turn } from './turn.ts';
import { partitionMetrics } from './partition-metrics.ts';
import { partitionOf, refusalOf } from './validate.ts';
import type { Asker } from './waiting-writes.ts';
import { Watches } from './watches.ts';
import type { Asking } from './asking.ts';

/** Applied state is written at least this often while there is any, so that a restart replays little of the log. */
const saveEveryMs = 50;
const saveBytes = 2 * 1_024 * 1_024;
/** Longer than it takes a node to notice that its disk is full, which it looks at once a second. */
const fullHandOverMs = 3_000;

/**
 * One node's part in all partitions, stepped: events in, {@link Effects} out of {@link flush}. Every method that takes
 * `now` may be called any number of times in a turn; the owner calls `flush` once at the turn's end.
 */
export class Replica {
  readonly #turn: Turn;
  readonly #clock: HybridClock;
  readonly #partitions: readonly Partition[];
  readonly #quorumless: Quorumless;
  readonly #watches: Watches;
  readonly #keyReads: KeyReads;
  readonly #lists: Lists;
  readonly #admin: Admin;
  readonly #regions: RegionDirectory;
  readonly #conflicts: Conflicts;
  #stampsAhead = 0;
  /** Open requests. A cancelled or answered one is not in here. */
  readonly #open: NumberTable<{ open: boolean; asker: Asker | null }> = new NumberTable();
  readonly #underWay: { readonly id: number; readonly sinceMs: number }[] = [];
  #lastSaveMs: number;
  #lastDurableMs = 0;
  #requestCount = 0;
  #errorCounts: Map<ReplicaErrorCode, number> = new Map();

  constructor(options: ReplicaOptions, storage: StorageSource, now: Now) {
    this.#turn = new Turn(options, new StagedStore(storage, options.limits.runsBytesMax), now);
    this.#turn.saveState = () => this.#saveState();
    this.#turn.clusterMs = () =>
      Math.max(0, ...this.#partitions.map(({ clusterTime }) => clusterTime.at(this.#turn.now.monoMs)));
    this.#clock = new HybridClock(options.replica);
    this.#quorumless = new Quorumless(this.#turn, this.#clock);
    this.#lastSaveMs = now.monoMs;
    const events = {
      onApplied: (partition: Partition, batch: Parameters<Watches['applied']>[1]) => {
        this.#watches.applied(partition, batch);
        if (batch.membersChanged) this.#admin.membersChanged();
        if (batch.regionsChanged && partition.id === 0) this.#regions.changed();
        this.#regions.applied();
        this.#stampsAhead += batch.stampsAhead;
        for (const conflict of batch.conflicts) this.#conflicts.count(conflict);
      },
      onInstalled: (partition: Partition) => {
        this.#watches.installed(partition);
        this.#regions.changed();
        this.#regions.applied();
        this.#admin.membersChanged();
      },
      onTopology: () => this.#admin.topologyChanged(),
    };
    this.#partitions = Array.from(
      { length: options.partitionCount },
      (_, index) => new Partition({ id: index as Partition['id'], turn: this.#turn, clock: this.#clock, events }),
    );
    this.#watches = new Watches(this.#turn, this.#partitions);
    this.#keyReads = new KeyReads(this.#turn);
    this.#conflicts = new Conflicts(this.#partitions);
    this.#lists = new Lists(this.#partitions);
    this.#admin = new Admin(this.#turn, this.#partitions);
    this.#regions = new RegionDirectory(this.#turn, this.#partitions);
    this.#admin.membersChanged();
  }

  /** A client asks; exactly one answer comes out of a later flush, except for a watch, which gets many. */
  request(handle: RequestHandle, request: ClientRequest, now: Now): void {
    this.#turn.now = now;
    const { options } = this.#turn;
    const { operation } = request;
    this.#requestCount++;
    const refusal = refusalOf(operation, options.limits, options.partitionCount);
    if (refusal !== null) return this.#refuse(handle, refusal.code, refusal.detail);
    if (this.#open.size >= options.limits.requestsOpenMax)
      return this.#refuse(handle, 'OVERLOADED', 'too many requests are open at this node');
    switch (operation.kind) {
      case 'set':
      case 'delete':
      case 'swap':
      case 'update':
      case 'txn':
      case 'leaseGrant':
      case 'leaseKeepAlive':
      case 'leaseRevoke':
        if (request.id === undefined) return this.#refuse(handle, 'BAD_REQUEST', 'a write carries (client, sequence)');
        return this.#write(handle, operation, request.id, request.timeoutMs);
      case 'get':
      case 'read':
        return this.#get(handle, operation, request);
      case 'list':
        return this.#list(handle, operation, request.timeoutMs);
      case 'conflicts':
        this.#turn.answer(handle, this.#conflicts.page(operation));
        return;
      case 'receipt':
        return this.#receipt(handle, operation.receipt, operation.wait, request.timeoutMs);
      case 'resolve': {
        const ticket = parseTicket(operation.ticket, options.region, options.partitionCount);
        if (ticket === null) return this.#refuse(handle, 'TICKET_UNKNOWN', 'not a ticket of this region');
        const asker = this.#asker(handle, 'resolve', () => operation.ticket);
        this.#partition(ticket.partition).writes.resolve(ticket.id, asker, request.timeoutMs);
        return;
      }
      case 'watch': {
        if (this.#watches.count >= options.limits.watchersMax)
          return this.#refuse(handle, 'OVERLOADED', 'too many watches are open at this node');
        if (!this.#watches.start(handle, operation))
          return this.#refuse(handle, 'CURSOR_INVALID', 'not a cursor of this store');
        return;
      }
      case 'status':
        this.#turn.answer(handle, { kind: 'status', status: this.status() });
        return;
      case 'regions':
      case 'addRegion':
      case 'evictRegion': {
        const refused = this.#regions.request(operation, request.timeoutMs, this.#ask(handle));
        if (refused !== null) this.#refuse(handle, refused.code, refused.detail);
        return;
      }
      case 'transferLeadership':
      case 'changeMembers': {
        const refused = this.#admin.request(operation, request.timeoutMs, this.#ask(handle));
        if (refused !== null) this.#refuse(handle, refused.code, refused.detail);
        return;
      }
    }
  }

  /**
   * The connection of a watch has taken an answer with `reset: 'more'` and has room for the next page. Without this call
   * the state goes on no further.
   */
  watchReady(handle: RequestHandle, now: Now): void {
    this.#turn.now = now;
    this.#watches.ready(handle);
  }

  /** The asker is gone: no answer is wanted any more. A write that is under way may still be applied. */
  cancel(handle: RequestHandle): void {
    this.#watches.stop(handle);
    const open = this.#open.get(handle);
    if (open === undefined) return;
    open.open = false;
    if (open.asker !== null) open.asker.open = false;
    this.#open.delete(handle);
  }

  receive(from: NodeId, message: PeerMessage, now: Now): void {
    this.#turn.now = now;
    if (message.kind === 'clockAsk') return this.#turn.clocks.asked(from, message.sentMs);
    if (message.kind === 'clock') return this.#turn.clocks.told(from, message);
    if (message.kind === 'peerState') {
      if (message.storageFull) this.#turn.peersFull.add(from);
      else this.#turn.peersFull.delete(from);
      return;
    }
    const partition = this.#partitions[message.partition];
    if (partition === undefined) return;
    if (!this.#keyReads.receive(partition, from, message)) partition.receive(from, message);
  }

  /** A connection to `node` is up, over which messages can be sent. */
  peerUp(node: NodeId, now: Now): void {
    this.#turn.now = now;
    this.#turn.connected.add(node);
    this.#turn.send(node, { kind: 'peerState', storageFull: this.#turn.storageFull });
    for (const partition of this.#partitions) partition.peerUp(node);
  }

  /** It is gone. `reset`: the other side closed or reset it (its process probably ended), rather than a timeout. */
  peerDown(node: NodeId, reset: boolean, now: Now): void {
    this.#turn.now = now;
    if (!this.#turn.connected.delete(node)) return;
    for (const partition of this.#partitions) partition.peerDown(node, reset);
  }

  /** A frame of another region, for whichever node leads its partition. */
  receiveFrame(from: RegionId, frame: Uint8Array, now: Now): void {
    this.#turn.now = now;
    this.#regions.receiveFrame(from, frame);
  }

  /** Entries of another region's log, as the link's log has them. */
  receiveEntries(batch: LogBatch, now: Now): void {
    this.#turn.now = now;
    this.#regions.receiveEntries(batch);
  }

  /** The link's log has acknowledged this region's entries up to `last`. */
  published(partition: PartitionId, origin: ReplicaId, last: number, now: Now): void {
    this.#turn.now = now;
    this.#regions.published(partition, origin, last);
  }

  regionUp(region: RegionId, now: Now): void {
    this.#turn.now = now;
    this.#regions.regionUp(region);
  }

  regionDown(region: RegionId, now: Now): void {
    this.#turn.now = now;
    this.#regions.regionDown(region);
  }

  /** What this node has applied, for the sessions of its clients. */
  seen(): Seen {
    return this.#regions.seen();
  }

  regions(): RegionStatus[] {
    return this.#regions.status();
  }

  /** Conflicts recorded since the start, by reason and pair of regions. */
  conflictCounts(): ReturnType<Conflicts['counts']> {
    return this.#conflicts.counts();
  }

  /** Tests reach in here to break what no operation breaks. */
  get partitionsForTests(): readonly Partition[] {
    return this.#partitions;
  }

  /**
   * In how many ticks this node can have something to do if nothing happens before; 0: it is at work. An owner may rest for so
   * long and hand them in at once, `tick(now, count)`: when the last of them is due, or those that are due before whatever
   * happens earlier. What goes by the clock, such as heartbeats between regions, is late by as much, some tens of ms.
   */
  restTicks(): number {
    if (this.#open.size > 0 || this.#underWay.length > 0 || this.#turn.hasDeadlines) return 0;
    if (this.#turn.store.deferredCount > 0 || this.#turn.storageFull) return 0;
    let ticks = Number.POSITIVE_INFINITY;
    for (const partition of this.#partitions) ticks = Math.min(ticks, partition.restTicks());
    return ticks;
  }

  /**
   * Once per `timing.tickMs`, or seldom as {@link restTicks} allows; after a pause of the process, once, not once per missed
   * tick.
   */
  tick(now: Now, count = 1): void {
    this.#turn.now = now;
    const oldest = this.#underWay[0];
    const isStalled =
      oldest !== undefined &&
      now.monoMs - Math.max(oldest.sinceMs, this.#lastDurableMs) > this.#turn.options.timing.storageStallMs;
    for (const partition of this.#partitions) {
      partition.setStorageHealthy(!isStalled || this.#turn.storageFull);
      partition.tick(count);
    }
    this.#turn.clocks.tick();
    this.#turn.runDeadlines();
    this.#admin.tick();
  }

  /** Batch `id` and all before it are durable. */
  durable(id: number, now: Now): void {
    this.#turn.now = now;
    while (this.#underWay.length > 0 && (this.#underWay[0] as { id: number }).id <= id) this.#underWay.shift();
    this.#lastDurableMs = now.monoMs;
    this.#turn.durable(id);
  }

  setStorageFull(full: boolean, now: Now): void {
    this.#turn.now = now;
    if (this.#turn.storageFull === full) return;
    this.#turn.storageFull = full;
    for (const node of this.#turn.connected) this.#turn.send(node, { kind: 'peerState', storageFull: full });
    for (const { raft } of this.#partitions) raft.setStorageFull(full);
    if (full) this.#turn.at(now.monoMs + fullHandOverMs, () => this.#handOverIfFull());
  }

  /**
   * A leader that cannot write counts on its followers alone; one of them leads better. Not at once: disks that fill up
   * together are noticed one by one, and a new leader must write before it serves its first read.
   */
  #handOverIfFull(): void {
    if (!this.#turn.storageFull) return;
    for (const partition of this.#partitions) partition.transferLeadership(null);
  }

  /** What the events since the last flush came to; null if nothing. Call it once per turn of the event loop. */
  flush(now: Now): Effects | null {
    this.#turn.now = now;
    const { store } = this.#turn;
    this.#quorumless.flush();
    for (const partition of this.#partitions) partition.flush();
    this.#watches.flush();
    if (store.deferredCount > 0 && (store.deferredBytes > saveBytes || now.monoMs - this.#lastSaveMs >= saveEveryMs))
      this.#saveState();
    const batch = store.takeBatch();
    if (batch !== null) this.#underWay.push({ id: batch.id, sinceMs: now.monoMs });
    const messages = this.#turn.takeMessages();
    const answers = this.#turn.takeAnswers();
    const directory = this.#admin.takeDirectory();
    if (directory !== null) this.#regions.setMembers(directory);
    const link = this.#turn.link.take();
    const regions = this.#regions.take();
    if (
      batch === null &&
      messages.size === 0 &&
      answers.length === 0 &&
      directory === null &&
      link === null &&
      regions === null
    )
      return null;
    for (const { handle, answer } of answers) if (answer.kind !== 'watch') this.#open.delete(handle);
    return { batch, messages, answers, directory, link, regions };
  }

  /**
   * Milliseconds of the region's cluster time (thesis 6.3), as far as this node knows it. Births of client ids are taken
   * from it, since what is forgotten of sessions is decided by it.
   */
  clusterNowMs(now: Now): number {
    this.#turn.now = now;
    return this.#turn.clusterMs();
  }

  status(): NodeStatus {
    return this.#admin.status();
  }

  /** Counters (names end in `_total`) and gauges, flat; the server exports them with the prefix `skerry_`. */
  metrics(): Readonly<Record<string, number>> {
    const ofPartitions = partitionMetrics(this.#partitions);
    return {
      ...ofPartitions,
      requests_total: this.#requestCount,
      request_errors_total: [...this.#errorCounts.values()].reduce((a, b) => a + b, 0),
      requests_open: this.#open.size,
      watches_open: this.#watches.count,
      region_frames_malformed_total: this.#regions.malformedCount + ofPartitions.region_frames_malformed_total,
      region_stamps_ahead_total: this.#stampsAhead,
      clock_offset_seconds: this.#turn.clocks.offsetMs() / 1_000,
      clock_skewed: this.#turn.clocks.isSkewed ? 1 : 0,
      storage_runs_bytes: this.#turn.store.runsBytes,
      storage_full: this.#turn.storageFull ? 1 : 0,
      peers_connected: this.#turn.connected.size,
    };
  }

  /** Before a clean stop: what is applied becomes durable with the next flush, so that a restart replays nothing. */
  prepareStop(now: Now): void {
    this.#turn.now = now;
    this.#saveState();
  }

  #saveState(): void {
    this.#lastSaveMs = this.#turn.now.monoMs;
    for (const { state } of this.#partitions) state.save();
    const applied = this.#partitions.map(({ state }) => state.applied);
    this.#turn.store.promoteDeferred();
    this.#turn.whenDurable(() =>
      this.#partitions.forEach((partition, index) => partition.saved(applied[index] as number)),
    );
  }

  #write(handle: RequestHandle, operation: WriteOperation, id: WriteId, timeoutMs: number | null): void {
    const { options } = this.#turn;
    const keys = keysOf(operation);
    const partition = this.#partition(
      partitionOf(assertPresent(keys[0], 'a write names a key'), options.partitionCount),
    );
    if (
      (operation.kind === 'set' || operation.kind === 'delete' || operation.kind === 'update') &&
      !operation.consistent
    ) {
      this.#quorumless.accept(partition, { operation, id, timeoutMs, asking: this.#ask(handle) });
      return;
    }
    if (this.#turn.storageFull && !id.retry)
      return this.#refuse(handle, 'STORAGE_FULL', 'the disk of this node is full');
    const command = toCommand(operation, id);
    if (command === null) return this.#refuse(handle, 'BAD_REQUEST', 'not a context');
    const asker = this.#asker(handle, operation.kind, () => formatTicket(options.region, partition.id, id));
    partition.writes.submit({ command, keys, retry: id.retry, timeoutMs, asker });
  }

  #get(
    handle: RequestHandle,
    operation: Extract<ClientRequest['operation'], { kind: 'get' | 'read' }>,
    request: ClientRequest,
  ): void {
    const partition = this.#partition(partitionOf(operation.key, this.#turn.options.partitionCount));
    const answer = this.#keyReads.atOnce(partition, operation, request);
    if (answer !== null) this.#turn.answer(handle, answer);
    else this.#keyReads.read(partition, operation, { ...request, asking: this.#ask(handle) });
  }

  #list(
    handle: RequestHandle,
    operation: Extract<ClientRequest['operation'], { kind: 'list' }>,
    timeoutMs: number | null,
  ): void {
    if (!operation.consistent) {
      this.#turn.answer(handle, this.#lists.local(operation));
      return;
    }
    const asking = this.#ask(handle);
    this.#lists.consistent(operation, asking);
    if (timeoutMs === null) return;
    this.#turn.at(this.#turn.now.monoMs + timeoutMs, () =>
      asking.answer({ kind: 'list', entries: [], next: null, timeout: true }),
    );
  }

  #receipt(handle: RequestHandle, text: string, wait: boolean, timeoutMs: number | null): void {
    const { region, partitionCount } = this.#turn.options;
    const parsed = parseReceipt(text, region, partitionCount);
    if (parsed === null) return this.#refuse(handle, 'RECEIPT_UNKNOWN', 'not a receipt of this region');
    const partition = this.#partition(parsed.partition);
    const asking = this.#ask(handle);
    const { answer } = asking;
    const tell = (timeout: boolean): void => {
      const isHeld = partition.pending.find(parsed.dot) !== null;
      const record = partition.state.receipts.find(parsed.dot);
      if (record === null)
        return answer({ kind: 'receipt', state: isHeld ? 'accepted' : 'unknown', version: null, timeout });
      const reason = record.reason === null ? {} : { reason: record.reason };
      answer({ kind: 'receipt', state: record.state, version: versionOf(record.stamp), timeout: false, ...reason });
    };
    // The context alone does not tell: a region that is re-seeded takes another one's, which may not have come so far.
    if (!wait || partition.context.has(parsed.dot) || partition.state.receipts.find(parsed.dot) !== null)
      return tell(false);
    partition.promotions.whenSettled(parsed.dotText, { run: () => tell(false), isOpen: asking.isOpen });
    if (timeoutMs !== null) this.#turn.at(this.#turn.now.monoMs + timeoutMs, () => tell(true));
  }

  #partition(index: number): Partition {
    return assertPresent(this.#partitions[index], 'no such partition', { index });
  }

  #asker(handle: RequestHandle, kind: WriteOperation['kind'] | 'resolve', ticket: () => string): Asker {
    const asker: Asker = { handle, open: true, toAnswer: (end) => writeAnswer(kind, ticket, end) };
    this.#open.set(handle, { open: true, asker });
    return asker;
  }

  /** An open request: it is answered the first time, unless the asker is gone by then. */
  #ask(handle: RequestHandle): Asking {
    const flag = { open: true, asker: null };
    this.#open.set(handle, flag);
    return {
      isOpen: () => flag.open,
      answer: (answer) => {
        if (!flag.open) return;
        flag.open = false;
        this.#turn.answer(handle, answer);
      },
    };
  }

  #refuse(handle: RequestHandle, code: ReplicaErrorCode, detail: string): void {
    this.#errorCounts.set(code, (this.#errorCounts.get(code) ?? 0) + 1);
    this.#turn.answer(handle, errorAnswer(code, detail));
  }
}
