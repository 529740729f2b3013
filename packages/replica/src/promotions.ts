import type { NodeId } from '@skerry/base';
import { dotToText, type CausalContext, type Dot } from '@skerry/crdt';
import { Fifo } from './fifo.ts';
import type { Partition } from './partition.ts';
import type { Held, PendingWrite } from './pending.ts';
import { RefusedPushes } from './refused-pushes.ts';

/** Pending writes handed to the leader and not seen to commit: their number and bytes. */
const inFlightMax = 4_096;
const inFlightBytesMax = 4 * 1_024 * 1_024;
/**
 * While some are under way, others wait until they are this many, or this long, so that they go in large batches; after Nagle
 * (RFC 896).
 */
const gatherCountMax = 1_024;
const gatherBytesMax = 512 * 1_024;
const gatherMs = 25;
/** Pending writes pushed to a peer without an answer: their number and bytes. */
const pushCountMax = 512;
const pushBytesMax = 2 * 1_024 * 1_024;
const pushAgainMs = 1_000;
/** A write of which one copy is enough is pushed after this long, if it was not promoted by then. */
const pushAfterMs = 50;
const sweepEveryMs = 50;

interface SettleWait {
  readonly run: () => void;
  readonly isOpen: () => boolean;
}

interface CopyWait {
  readonly copies: number;
  readonly run: () => void;
}

/** What a peer was sent and has not confirmed: when, by dot, and the bytes of all. */
interface PushWindow {
  readonly sentMs: Map<Held, number>;
  bytes: number;
}

function confirm(window: PushWindow, held: Held): void {
  if (window.sentMs.size > 0 && window.sentMs.delete(held)) window.bytes -= held.bytes;
}

/** What happens to pending writes: pushed to the peers that can be reached, promoted when a leader can be. */
export class Promotions {
  readonly #partition: Partition;
  /** Accepted by this node and not handed over, in the order of their dots. */
  readonly #own: Fifo<Held> = new Fifo();
  #ownBytes = 0;
  /** When some of them were last handed over. */
  #ownSentMs = Number.NEGATIVE_INFINITY;
  /** Handed over, the oldest first. */
  readonly #sent: Fifo<Held> = new Fifo();
  /** Those of other nodes are to be looked at. */
  #sweepDue = true;
  #inFlight = 0;
  #inFlightBytes = 0;
  /** When promotion last came along: a leader was found, or a write was settled. */
  #progressMs = Number.NEGATIVE_INFINITY;
  #lastSweepMs = 0;
  /** By peer: when it was last sent each write that it has not confirmed. */
  readonly #pushed: Map<NodeId, PushWindow> = new Map();
  readonly #refused: RefusedPushes = new RefusedPushes();
  readonly #copyWaits: Map<Held, CopyWait[]> = new Map();
  readonly #settleWaits: Map<string, SettleWait[]> = new Map();

  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** This node has these on its disk now. */
  durable(writes: readonly Held[]): void {
    const { node } = this.#partition.turn.options;
    for (const held of writes) if (held.origin === node) this.#addOwn(held);
  }

  #addOwn(held: Held): void {
    this.#own.push(held);
    this.#ownBytes += held.bytes;
  }

  #clearOwn(): void {
    this.#own.clear();
    this.#ownBytes = 0;
  }

  /** Runs `run` once `copies` nodes hold the write durably, this one included, or it is committed. */
  whenCopies(held: Held, copies: number, run: () => void): void {
    if (held.holderCount + 1 >= copies || held.released) {
      run();
      return;
    }
    const waits = this.#copyWaits.get(held) ?? [];
    waits.push({ copies, run });
    this.#copyWaits.set(held, waits);
    this.#push(true);
  }

  /** Runs `run` when the write with this dot is settled here. */
  whenSettled(dotText: string, wait: SettleWait): void {
    const waits = this.#settleWaits.get(dotText) ?? [];
    waits.push(wait);
    this.#settleWaits.set(dotText, waits);
  }

  /** Forgets waits that nobody wants any more. */
  prune(): void {
    for (const [dotText, waits] of this.#settleWaits) {
      const open = waits.filter((wait) => wait.isOpen());
      if (open.length === 0) this.#settleWaits.delete(dotText);
      else if (open.length < waits.length) this.#settleWaits.set(dotText, open);
    }
  }

  settled(dot: Dot, held: Held | null): void {
    if (held !== null) {
      if (held.promotionSentMs !== null) {
        this.#inFlight--;
        this.#inFlightBytes -= held.bytes;
      }
      this.#progressMs = this.#partition.turn.now.monoMs;
      for (const pushed of this.#pushed.values()) confirm(pushed, held);
      if (this.#copyWaits.size > 0) this.#runAll(this.#copyWaits, held, (wait) => wait.run());
    }
    if (this.#settleWaits.size > 0) this.#runAll(this.#settleWaits, dotToText(dot), (wait) => wait.run());
  }

  /** A snapshot replaced the state; dots that nobody here held may be settled in it. */
  installed(_before: CausalContext): void {
    for (const dotText of [...this.#settleWaits.keys()]) {
      if (this.#partition.isSettled(dotText)) this.#runAll(this.#settleWaits, dotText, (wait) => wait.run());
    }
  }

  /** What was handed over may be lost: all goes again, in order. */
  leaderChanged(): void {
    const { pending, turn } = this.#partition;
    this.#inFlight = 0;
    this.#inFlightBytes = 0;
    this.#progressMs = turn.now.monoMs;
    this.#sweepDue = true;
    this.#sent.clear();
    this.#clearOwn();
    for (const held of pending.all()) {
      held.promotionSentMs = null;
      if (held.durable && held.origin === turn.options.node) this.#addOwn(held);
    }
  }

  peerUp(_node: NodeId): void {
    this.#sweepDue = true;
    this.#push(this.#partition.leader === null);
  }

  peerDown(node: NodeId): void {
    this.#pushed.delete(node);
  }

  tick(): void {
    const { pending, turn } = this.#partition;
    if (pending.count === 0 || turn.now.monoMs - this.#lastSweepMs < sweepEveryMs) return;
    this.#lastSweepMs = turn.now.monoMs;
    this.#sweepDue = true;
    this.#push(this.#partition.leader === null);
  }

  /**
   * Hands pending writes to the leader, as many as have room: first those that a call waits for, then what was handed over
   * long ago, then those of this node in the order of their dots, then those whose origin stays away.
   */
  pump(): void {
    const { pending, canPropose } = this.#partition;
    if (pending.count === 0) {
      this.#clearOwn();
      this.#sent.clear();
      return;
    }
    if (!canPropose) return;
    const commands: Uint8Array[] = [];
    if (
      this.#handOverWanted(commands) &&
      this.#handOverAgain(commands) &&
      this.#handOverOwn(commands) &&
      this.#sweepDue
    )
      this.#sweepDue = !this.#handOverForeign(commands);
    this.#send(commands);
  }

  // Each of these answers false if there was no room for all.

  #handOverWanted(commands: Uint8Array[]): boolean {
    for (const held of this.#partition.gates.wanted()) {
      if (held.promotionSentMs === null && !this.#takeWithSeen(held, commands)) return false;
    }
    return true;
  }

  #handOverAgain(commands: Uint8Array[]): boolean {
    const { turn } = this.#partition;
    const before = turn.now.monoMs - turn.options.timing.forwardRetryMs;
    for (let held = this.#sent.peek(); held !== undefined; held = this.#sent.peek()) {
      if (!held.released) {
        if ((held.promotionSentMs ?? 0) > before) return true;
        this.#take(held, commands);
      }
      this.#sent.shift();
    }
    return true;
  }

  #handOverOwn(commands: Uint8Array[]): boolean {
    const { pending, turn } = this.#partition;
    if (this.#own.size === 0) return true;
    const isGathering = this.#own.size < gatherCountMax && this.#ownBytes < gatherBytesMax;
    if (isGathering && this.#inFlight > 0 && turn.now.monoMs - this.#ownSentMs < gatherMs) return true;
    this.#ownSentMs = turn.now.monoMs;
    for (let held = this.#own.peek(); held !== undefined; held = this.#own.peek()) {
      if (!held.released && held.promotionSentMs === null) {
        const hasRoom = pending.isForeign(held.write.key)
          ? this.#takeWithSeen(held, commands)
          : this.#take(held, commands);
        if (!hasRoom) return false;
      }
      this.#own.shift();
      this.#ownBytes -= held.bytes;
    }
    return true;
  }

  #handOverForeign(commands: Uint8Array[]): boolean {
    const { pending, turn } = this.#partition;
    const since = turn.now.monoMs - turn.options.timing.promotionGraceMs;
    for (const held of pending.foreign()) {
      if (!held.durable || held.promotionSentMs !== null || held.heldSinceMs > since) continue;
      if (!this.#take(held, commands)) return false;
    }
    return true;
  }

  /**
   * With what this node had seen of the key, if that is not under way yet: a clamped stamp could come out above its
   * successor's.
   */
  #takeWithSeen(held: Held, commands: Uint8Array[]): boolean {
    for (const seen of this.#partition.pending.ofKey(held.write.key)) {
      if (seen.promotionSentMs === null && seen.durable && !this.#take(seen, commands)) return false;
      if (seen === held) break;
    }
    return true;
  }

  /** False: no room. */
  #take(held: Held, commands: Uint8Array[]): boolean {
    if (held.promotionSentMs === null) {
      if (this.#inFlight >= inFlightMax) return false;
      if (this.#inFlight > 0 && this.#inFlightBytes + held.bytes > inFlightBytesMax) return false;
      this.#inFlight++;
      this.#inFlightBytes += held.bytes;
    }
    held.promotionSentMs = this.#partition.turn.now.monoMs;
    this.#sent.push(held);
    commands.push(held.command);
    return true;
  }

  receivePush(from: NodeId, writes: readonly PendingWrite[]): void {
    const { pending, turn, clock, id, context, causality } = this.#partition;
    const dots: Dot[] = [];
    const { monoMs } = turn.now;
    const isHere = (dot: Dot): boolean => context.has(dot) || pending.find(dot) !== null;
    for (const write of writes) {
      const { dot, stamp } = write.write.op;
      clock.observe(stamp);
      if (!isHere(dot)) {
        const isFull = turn.storageFull || pending.isFull(turn.options.limits);
        if (isFull || this.#refused.isAfterOne(dot, isHere, monoMs)) {
          this.#refused.refuse(dot, monoMs);
          continue;
        }
        pending.holdReceived(write).addHolder(from);
      }
      dots.push(dot);
    }
    pending.whenDurable(() => {
      causality.applied();
      turn.send(from, { kind: 'pushed', partition: id, dots });
    });
  }

  receivePushed(from: NodeId, dots: readonly Dot[]): void {
    const pushed = this.#pushed.get(from);
    for (const dot of dots) {
      const held = this.#partition.pending.find(dot);
      if (held === null) continue;
      if (pushed !== undefined) confirm(pushed, held);
      held.addHolder(from);
      const waits = this.#copyWaits.get(held);
      if (waits === undefined) continue;
      const open = waits.filter((wait) => held.holderCount + 1 < wait.copies);
      if (open.length > 0) this.#copyWaits.set(held, open);
      else this.#copyWaits.delete(held);
      for (const wait of waits) if (!open.includes(wait)) wait.run();
    }
    this.#push(this.#partition.leader === null);
  }

  /**
   * Pushes to every peer what it is not known to hold; `all`: also what was accepted just now. While promotion comes along
   * only what a call waits for: a backlog would cost every node a sync to hold what it is about to get from the log.
   */
  #push(all: boolean): void {
    const { turn, id, pending, canPropose } = this.#partition;
    if (pending.count === 0) return;
    const now = turn.now.monoMs;
    const isPromoting = !all && canPropose && now - this.#progressMs < pushAgainMs;
    if (isPromoting && this.#copyWaits.size === 0) return;
    for (const peer of turn.connected) {
      const pushed = this.#pushed.get(peer) ?? { sentMs: new Map<Held, number>(), bytes: 0 };
      this.#pushed.set(peer, pushed);
      const writes: PendingWrite[] = [];
      for (const held of isPromoting ? this.#copyWaits.keys() : pending.all()) {
        if (!held.durable || held.isHeldBy(peer) || held.origin === peer) continue;
        const sentMs = pushed.sentMs.get(held);
        if (sentMs !== undefined && now - sentMs < pushAgainMs) continue;
        const isEarly = !all && !isPromoting && now - held.heldSinceMs < pushAfterMs;
        if (isEarly && !this.#copyWaits.has(held)) continue;
        if (sentMs === undefined) {
          const { size } = pushed.sentMs;
          if (size >= pushCountMax || (size > 0 && pushed.bytes + held.bytes > pushBytesMax)) break;
          pushed.bytes += held.bytes;
        }
        pushed.sentMs.set(held, now);
        writes.push(held);
      }
      if (writes.length > 0) turn.send(peer, { kind: 'push', partition: id, writes });
    }
  }

  #send(commands: readonly Uint8Array[]): void {
    const { isLeader, leader, turn, id, proposals } = this.#partition;
    if (commands.length === 0) return;
    if (isLeader) for (const command of commands) proposals.add(command, null);
    else if (leader !== null) turn.send(leader, { kind: 'forward', partition: id, number: 0, commands });
  }

  #runAll<K, T>(waits: Map<K, T[]>, name: K, run: (wait: T) => void): void {
    const found = waits.get(name);
    if (found === undefined) return;
    waits.delete(name);
    for (const wait of found) run(wait);
  }
}
