import type { NodeId, PartitionId } from '@skerry/base';
import { applyOperation, dotFromText, type CausalContext, type Dot, type HybridClock, type Value } from '@skerry/crdt';
import { logIndex, Raft, simpleConfig, term, type ConfigState, type Entry, type Output } from '@skerry/raft';
import { CausalityWaits } from './causality.ts';
import { ClusterTime } from './cluster-time.ts';
import { Gates } from './gates.ts';
import { raftKeys } from './keys.ts';
import { joiningConfig, Membership } from './membership.ts';
import type { PartitionMessage } from './peer-message.ts';
import { PendingWrites, type Held } from './pending.ts';
import { Promotions } from './promotions.ts';
import { Proposals } from './proposals.ts';
import { RaftLog } from './raft-log.ts';
import { ReadAhead } from './read-ahead.ts';
import { Reads, type WaitingRead } from './reads.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';
import { SnapshotSender } from './snapshot-sender.ts';
import { decodeBatch } from './state/batch.ts';
import { RegionLinks } from './regions/region-links.ts';
import { StateMachine, type AppliedBatch } from './state/state-machine.ts';
import type { Turn } from './turn.ts';
import { Writes } from './writes.ts';

/** What a partition tells its replica. */
export interface PartitionEvents {
  /** A batch was applied. */
  onApplied(partition: Partition, batch: AppliedBatch): void;
  /** The applied state was replaced by a snapshot. */
  onInstalled(partition: Partition): void;
  /** Leader or members changed. */
  onTopology(partition: Partition): void;
}

export interface PartitionOptions {
  readonly id: PartitionId;
  readonly turn: Turn;
  readonly clock: HybridClock;
  readonly events: PartitionEvents;
}

const pruneEveryMs = 250;
const applyBytesMax = 4 * 1_024 * 1_024;
/** The log of a new cluster starts behind this position, so that a node that joins always gets the first members by snapshot. */
const logStart = { index: 1, term: 1 };

/** This node's part in one partition: joins raft with the state machine, the pending writes and the calls under way. */
export class Partition {
  readonly id: PartitionId;
  readonly raft: Raft;
  readonly pending: PendingWrites;
  readonly gates: Gates = new Gates();
  readonly clusterTime: ClusterTime;
  readonly writes: Writes;
  readonly promotions: Promotions;
  readonly membership: Membership;
  readonly links: RegionLinks;
  readonly causality: CausalityWaits;
  readonly readAhead: ReadAhead = new ReadAhead();
  readonly turn: Turn;
  readonly clock: HybridClock;
  state: StateMachine;
  leader: NodeId | null = null;
  isLeader = false;
  currentTerm = 0;
  config: ConfigState;
  /** True if a restart would find `config`, and not the one before it. */
  isConfigDurable = true;
  readonly #reads: Reads;
  readonly #proposals: Proposals;
  readonly #sender: SnapshotSender;
  readonly #receiver: SnapshotReceiver;
  readonly #log: RaftLog;
  readonly #events: PartitionEvents;
  #generation: number;
  /** Applied index whose state is durable: the log before it is not needed for a restart. */
  #appliedDurable: number;
  #storageHealthy = true;
  #snapshotInstalled = false;
  #lastPruneMs = 0;

  constructor({ id, turn, clock, events }: PartitionOptions) {
    this.id = id;
    this.turn = turn;
    this.clock = clock;
    this.#events = events;
    const { options, store } = turn;
    this.#generation = store.get(raftKeys(id).generation)?.[0] ?? 0;
    this.config = options.bootstrap === null ? joiningConfig : simpleConfig(options.bootstrap);
    const initial = options.bootstrap === null ? { index: 0, term: 0 } : logStart;
    this.state = new StateMachine(store, {
      region: options.region,
      partition: id,
      generation: this.#generation,
      initial: { config: this.config, applied: initial.index, term: initial.term },
    });
    this.config = this.state.header.config;
    this.clusterTime = new ClusterTime(this.state.header.clusterMs, turn.now.monoMs);
    this.#appliedDurable = this.state.applied;
    this.#sender = new SnapshotSender({
      turn,
      partition: id,
      storage: store.durableSource,
      onEnd: (to, ok) => this.raft.reportSnapshot(to, ok),
    });
    this.#log = new RaftLog(store, id, { initial, newestSnapshot: () => this.#sender.newest() });
    // After a crash between the two: what the log has not, the feed has not either.
    this.state.trimFeed(this.#log.firstIndex() - 1);
    const hardState = this.#log.hardState() ?? {
      term: term(initial.term),
      vote: null,
      commit: logIndex(initial.index),
    };
    this.raft = new Raft(
      {
        id: options.node,
        random: options.random,
        heartbeatTicks: options.timing.heartbeatTicks,
        electionTicksMin: options.timing.electionTicksMin,
        electionTicksMax: options.timing.electionTicksMax,
        appendBytesMax: options.limits.batchBytesMax,
        inflightAppendsMax: 256,
        inflightBytesMax: 16 * options.limits.batchBytesMax,
        uncommittedBytesMax: options.limits.uncommittedBytesMax,
        entriesCachedBytesMax: 4 * options.limits.batchBytesMax,
        applyBytesMax,
      },
      this.#log,
      { hardState, config: this.config, applied: logIndex(this.state.applied) },
    );
    clock.observe(this.state.header.clock);
    this.pending = new PendingWrites(id, turn, (writes) => this.promotions.durable(writes));
    for (const { write } of this.pending.all()) clock.observe(write.op.stamp);
    this.#reads = new Reads(this.raft);
    this.#proposals = new Proposals(this);
    this.writes = new Writes(this);
    this.promotions = new Promotions(this);
    this.membership = new Membership(this);
    this.links = new RegionLinks(this);
    this.causality = new CausalityWaits(this);
    this.#receiver = new SnapshotReceiver({
      turn,
      partition: id,
      activeGeneration: this.#generation,
      onComplete: (message) => {
        this.#snapshotInstalled = false;
        this.raft.step(message);
        this.#drain();
        return this.#snapshotInstalled;
      },
    });
    // A settled write whose record outlived the crash: the deletion was to become durable with the state.
    for (const held of [...this.pending.all()])
      if (this.state.header.context.has(held.write.op.dot)) this.pending.release(held.write.op.dot);
  }

  get proposals(): Proposals {
    return this.#proposals;
  }

  /** True if commands can be handed to a leader that is likely to commit them. */
  get canPropose(): boolean {
    if (this.isLeader) return this.raft.quorumActive() && this.#majorityConnected();
    return this.leader !== null && this.turn.connected.has(this.leader);
  }

  /** Runs `serve` once this node has applied all that was committed when this was called (linearizable read). */
  linearize(read: WaitingRead): void {
    this.#reads.add(read);
  }

  /** The committed value merged with the pending writes held here (DESIGN section 1); null: nothing is known. */
  localView(key: string): Value | null {
    return this.#view(key, this.pending.ofKey(key));
  }

  /**
   * The local view as readers see it: without what a crash would undo. A context that named the dot of such a write would
   * name another one after the restart.
   */
  shownView(key: string): Value | null {
    return this.#view(
      key,
      this.pending.ofKey(key).filter(({ durable }) => durable),
    );
  }

  receive(from: NodeId, message: PartitionMessage): void {
    switch (message.kind) {
      case 'raft':
        this.raft.step(message.message);
        return;
      case 'forward':
        this.#proposals.receive(from, message);
        return;
      case 'forwardRefused':
        this.writes.refused(message);
        return;
      case 'push':
        this.promotions.receivePush(from, message.writes);
        return;
      case 'pushed':
        this.promotions.receivePushed(from, message.dots);
        return;
      case 'chunk':
        this.#receiver.receive(from, message);
        return;
      case 'chunked':
        this.#sender.acknowledged(from, message.transfer, message.number);
        return;
      case 'relay':
        if (message.note !== this.isLeader) this.links.receive(message.region, message.frame);
        return;
      case 'transfer':
        this.transferLeadership(message.to);
        return;
    }
  }

  peerUp(node: NodeId): void {
    this.promotions.peerUp(node);
    // What was under way on the connection before this one is lost.
    if (node === this.leader) this.#askLeader();
  }

  peerDown(node: NodeId, reset: boolean): void {
    if (this.isLeader) this.raft.reportUnreachable(node);
    this.#sender.peerDown(node);
    this.promotions.peerDown(node);
    if (reset && node === this.leader) this.raft.leaderLost();
  }

  /** `count` ticks of raft's, of which all but the last come to nothing; see {@link restTicks}. */
  tick(count: number): void {
    for (let i = 0; i < count; i++) this.raft.tick();
    this.#reads.tick(this.turn.now.monoMs);
    this.#pruneIfDue();
    this.writes.tick();
    this.promotions.tick();
    this.links.tick();
    this.#sender.tick();
    this.#receiver.tick();
    if (this.isLeader) {
      this.#proposals.expireIfDue();
      this.membership.reconcile();
    } else this.membership.takeOver();
    this.#compactIfDue();
  }

  /** In how many ticks this partition can have something to do if nothing happens before; 0: it is at work. */
  restTicks(): number {
    const waiting = this.pending.count + this.#reads.waitingCount + this.writes.waitingCount + this.#sender.activeCount;
    const isAtWork =
      waiting > 0 || this.#proposals.isWaiting || this.#receiver.isClearing || this.links.exchange.isRunning;
    return isAtWork ? 0 : this.raft.restTicks();
  }

  /** False while a batch hangs in the disk: the node must not lead, as its followers would wait for it for ever. */
  setStorageHealthy(healthy: boolean): void {
    if (healthy === this.#storageHealthy) return;
    this.#storageHealthy = healthy;
    if (!healthy && this.isLeader) this.transferLeadership(null);
    this.raft.setStorageHealthy(healthy);
  }

  /** Hands leadership to `to`, or to the voter that is furthest along. False if there is none or this node does not lead. */
  transferLeadership(to: NodeId | null): boolean {
    if (!this.isLeader) return false;
    const { peers, config } = this.raft.status();
    const candidates = peers
      .filter((peer) => config.voters.includes(peer.id) && peer.recentActive && this.turn.connected.has(peer.id))
      .sort((a, b) => b.match - a.match);
    const target = to ?? candidates.find((peer) => !this.turn.peersFull.has(peer.id))?.id ?? null;
    return target !== null && this.raft.transferLeadership(target);
  }

  /** Carries out all that the events of the turn led to. */
  flush(): void {
    const { monoMs } = this.turn.now;
    this.pending.flush();
    this.promotions.pump();
    this.links.takeIn();
    this.writes.send();
    this.#proposals.propose();
    this.#reads.ask(this.leader !== null, monoMs);
    this.#drain();
    this.links.passOn();
  }

  /** The state up to `applied` is durable. */
  saved(applied: number): void {
    this.#appliedDurable = Math.max(this.#appliedDurable, applied);
  }

  #view(key: string, held: readonly Held[]): Value | null {
    const ahead = this.readAhead.find(key, this.state.applied);
    const committed = ahead === undefined ? (this.state.read(key)?.value ?? null) : ahead;
    const last = held.at(-1);
    if (last === undefined) return committed;
    const { context } = this.state.header;
    if (this.pending.isLastOnly(key) && this.state.copies.isAsWritten(last) && isRegisterOnly(committed))
      return applyOperation(committed, last.write.op, context).state;
    return this.state.copies
      .distinct(held, committed)
      .reduce((view: Value | null, op) => applyOperation(view, op, context).state, committed);
  }

  /** Sooner known than that nothing was heard from them: a reset connection tells at once. */
  #majorityConnected(): boolean {
    const { node } = this.turn.options;
    const reaches = (voters: readonly NodeId[]): boolean =>
      voters.filter((voter) => voter === node || this.turn.connected.has(voter)).length * 2 > voters.length;
    return (
      reaches(this.config.voters) && (this.config.votersOutgoing.length === 0 || reaches(this.config.votersOutgoing))
    );
  }

  #drain(): void {
    for (let output = this.raft.takeOutput(); output !== null; output = this.raft.takeOutput()) this.#carryOut(output);
  }

  #carryOut(output: Output): void {
    if (output.persist !== null) {
      const { id, hardState, entries, snapshot } = output.persist;
      if (snapshot !== null) this.#install(snapshot);
      if (hardState !== null) this.#log.putHardState(hardState);
      this.#log.append(entries);
      this.turn.whenDurable(() => this.raft.persisted(id));
    }
    if (output.messagesAfterPersist.length > 0) {
      const messages = output.messagesAfterPersist;
      this.turn.whenDurable(() => {
        for (const message of messages) this.turn.send(message.to, { kind: 'raft', partition: this.id, message });
      });
    }
    if (output.soft !== null) {
      this.currentTerm = output.soft.term;
      this.#setLeader(output.soft.leader, output.soft.role === 'leader');
    }
    for (const message of output.messages) {
      if (message.kind === 'snapshot') this.#sender.start(message.to, message.term);
      else this.turn.send(message.to, { kind: 'raft', partition: this.id, message });
    }
    if (output.committed.length > 0) this.#apply(output.committed, output.config);
    else if (output.config !== null) this.#setConfig(output.config);
    for (const { context, index } of output.readStates) this.#reads.answered(context, index);
    this.#reads.applied(this.state.applied);
  }

  #apply(entries: readonly Entry[], config: ConfigState | null): void {
    for (const entry of entries) {
      const isLast = entry === entries.at(-1);
      if (entry.kind !== 'normal') {
        this.state.skip(entry.index, entry.term, isLast ? config : null);
        continue;
      }
      const decoded = decodeBatch(entry.data);
      const batch = this.state.apply(entry.index, entry.term, decoded, entry.data);
      if (this.isLeader) this.#proposals.applied(entry.index, decoded.commands);
      this.clock.observe(this.state.header.clock);
      // What an earlier leader wrote also sets back one that had counted on by itself.
      if (!this.isLeader || entry.term < this.currentTerm)
        this.clusterTime.applied(this.state.header.clusterMs, this.turn.now.monoMs);
      for (const { id, result } of batch.results) this.writes.applied(id, result);
      for (const { dot } of batch.settled) this.#settle(dot);
      this.#events.onApplied(this, batch);
      this.causality.applied();
    }
    const last = entries.at(-1);
    if (last !== undefined) this.raft.applied(last.index);
    this.readAhead.caughtUp(this.state.applied);
    if (config !== null) this.#setConfig(config);
  }

  #settle(dot: Dot): void {
    const held = this.pending.count === 0 ? null : this.pending.release(dot);
    this.promotions.settled(dot, held);
    if (held !== null && !this.gates.isEmpty) this.gates.settled(held);
  }

  #setLeader(leader: NodeId | null, isLeader: boolean): void {
    const wasLeader = this.isLeader;
    this.clusterTime.setRunning(leader !== null, this.turn.now.monoMs);
    this.leader = leader;
    this.isLeader = isLeader;
    if (wasLeader && !isLeader) {
      this.#proposals.resigned();
      this.links.resigned();
    }
    if (!wasLeader && isLeader) {
      this.#proposals.elected();
      this.links.elected();
    }
    this.#askLeader();
    this.#events.onTopology(this);
  }

  /** Asks the leader anew for everything that waits for it: nothing that was sent before can be counted on. */
  #askLeader(): void {
    this.writes.leaderChanged();
    this.promotions.leaderChanged();
    this.#reads.restart();
  }

  #setConfig(config: ConfigState): void {
    this.config = config;
    this.isConfigDurable = false;
    this.turn.whenDurable(() => {
      if (this.config === config) this.isConfigDurable = true;
    });
    this.#events.onTopology(this);
  }

  /** The staged generation becomes the state, in the batch that also resets the log. */
  #install(snapshot: { readonly index: number; readonly term: number; readonly config: ConfigState }): void {
    const { store } = this.turn;
    this.turn.saveState();
    this.#generation = this.#receiver.stagedGeneration;
    store.put(raftKeys(this.id).generation, Uint8Array.of(this.#generation));
    this.#log.reset({ index: logIndex(snapshot.index), term: term(snapshot.term), config: snapshot.config });
    this.#receiver.switched();
    this.#snapshotInstalled = true;
    const older = this.state;
    this.state = new StateMachine(store, {
      region: this.turn.options.region,
      partition: this.id,
      generation: this.#generation,
      initial: { config: snapshot.config, applied: snapshot.index, term: snapshot.term },
    });
    this.state.startFeed();
    // In the same batch: a restart must not take the sender's feed for its own.
    this.turn.saveState();
    this.clock.observe(this.state.header.clock);
    // Or this node, elected next, would count on from where it was itself, and end no lease until it got here.
    this.clusterTime.applied(this.state.header.clusterMs, this.turn.now.monoMs);
    this.#setConfig(snapshot.config);
    for (const held of [...this.pending.all()])
      if (this.state.header.context.has(held.write.op.dot)) this.#settle(held.write.op.dot);
    this.promotions.installed(older.header.context);
    this.writes.installed();
    this.links.positionsChanged();
    this.causality.applied();
    this.#events.onInstalled(this);
  }

  #pruneIfDue(): void {
    if (this.turn.now.monoMs - this.#lastPruneMs < pruneEveryMs) return;
    this.#lastPruneMs = this.turn.now.monoMs;
    this.#reads.prune();
    this.gates.prune();
    this.causality.prune();
    this.promotions.prune();
  }

  #compactIfDue(): void {
    const { logKeepEntries, logKeepBytes } = this.turn.options.limits;
    const first = this.#log.firstIndex();
    const count = this.#log.lastIndex() - first + 1;
    if (count <= logKeepEntries * 1.25 && this.#log.bytes <= logKeepBytes * 1.25) return;
    let keep = logKeepEntries;
    if (this.#log.bytes > logKeepBytes) keep = Math.min(keep, Math.floor((count * logKeepBytes) / this.#log.bytes));
    const to = Math.min(this.#appliedDurable, this.#log.lastIndex() - keep);
    if (to < first) return;
    this.#log.compact(logIndex(to));
    this.raft.compacted(logIndex(to));
    this.state.trimFeed(to);
  }

  /** Data of an entry of the log, which must have it. */
  entryData(index: number): Uint8Array {
    return this.#log.entry(logIndex(index)).data;
  }

  get snapshotsUnderWay(): number {
    return this.#sender.activeCount;
  }

  get logBytes(): number {
    return this.#log.bytes;
  }

  get readsWaiting(): number {
    return this.#reads.waitingCount;
  }

  /** Dots known to be settled. */
  get context(): CausalContext {
    return this.state.header.context;
  }

  isSettled(dotText: string): boolean {
    const dot = dotFromText(dotText);
    return dot !== null && this.context.has(dot);
  }
}

function isRegisterOnly(value: Value | null): boolean {
  return value === null || (value.parts.length === 1 && value.parts[0]?.type === 'register');
}
