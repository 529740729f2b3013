import type { NodeId } from '@skerry/base';
import { dotToText, type CausalContext, type Dot } from '@skerry/crdt';
import type { Partition } from './partition.ts';
import { copyPending, type Held, type PendingWrite } from './pending.ts';
import { commandBytes } from './state/command.ts';

/** Pending writes handed to the leader and not seen to commit: their number and bytes. */
const inFlightMax = 4_096;
const inFlightBytesMax = 4 * 1_024 * 1_024;
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
  readonly sentMs: Map<string, number>;
  bytes: number;
}

function confirm(window: PushWindow, held: Held): void {
  if (window.sentMs.delete(held.dotText)) window.bytes -= held.bytes;
}

/** What happens to pending writes: pushed to the peers that can be reached, promoted when a leader can be. */
export class Promotions {
  readonly #partition: Partition;
  /** Accepted here since the last pump, in order. */
  #fresh: Held[] = [];
  /** All pending writes are to be looked at: there may be some to hand over beside the fresh ones. */
  #scanDue = true;
  /** The last look at all of them ended early, for want of room in flight. */
  #limited = false;
  #inFlight = 0;
  #inFlightBytes = 0;
  /** When promotion last came along: a leader was found, or a write was settled. */
  #progressMs = Number.NEGATIVE_INFINITY;
  #lastSweepMs = 0;
  /** By peer: when it was last sent each write that it has not confirmed. */
  readonly #pushed: Map<NodeId, PushWindow> = new Map();
  readonly #copyWaits: Map<string, CopyWait[]> = new Map();
  readonly #settleWaits: Map<string, SettleWait[]> = new Map();

  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** This node accepted a write, and has it on its disk. */
  accepted(held: Held): void {
    this.#fresh.push(held);
  }

  /** Runs `run` once `copies` nodes hold the write durably, this one included, or it is committed. */
  whenCopies(held: Held, copies: number, run: () => void): void {
    if (held.holders.size + 1 >= copies || this.#partition.pending.findByText(held.dotText) === null) {
      run();
      return;
    }
    const waits = this.#copyWaits.get(held.dotText) ?? [];
    waits.push({ copies, run });
    this.#copyWaits.set(held.dotText, waits);
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
      this.#runAll(this.#copyWaits, held.dotText, (wait) => wait.run());
      if (this.#limited && this.#inFlight <= inFlightMax / 2) this.#scanDue = true;
    }
    if (this.#settleWaits.size > 0) this.#runAll(this.#settleWaits, dotToText(dot), (wait) => wait.run());
  }

  /** A snapshot replaced the state; dots that nobody here held may be settled in it. */
  installed(_before: CausalContext): void {
    for (const dotText of [...this.#settleWaits.keys()]) {
      if (this.#partition.isSettled(dotText)) this.#runAll(this.#settleWaits, dotText, (wait) => wait.run());
    }
  }

  leaderChanged(): void {
    this.#inFlight = 0;
    this.#inFlightBytes = 0;
    this.#progressMs = this.#partition.turn.now.monoMs;
    this.#scanDue = true;
  }

  peerUp(_node: NodeId): void {
    this.#scanDue = true;
    this.#push(this.#partition.leader === null);
  }

  peerDown(node: NodeId): void {
    this.#pushed.delete(node);
  }

  tick(): void {
    const { pending, turn } = this.#partition;
    if (pending.count === 0 || turn.now.monoMs - this.#lastSweepMs < sweepEveryMs) return;
    this.#lastSweepMs = turn.now.monoMs;
    this.#scanDue = true;
    this.#push(this.#partition.leader === null);
  }

  /**
   * Hands pending writes to the leader: those of this node, those that a call waits for, and those whose origin stays away.
   * All of them are looked at now and then only; what was just accepted goes at once.
   */
  pump(): void {
    const { pending, canPropose } = this.#partition;
    if (pending.count === 0) {
      this.#fresh = [];
      return;
    }
    if (!canPropose) {
      this.#scanDue ||= this.#fresh.length > 0;
      this.#fresh = [];
      return;
    }
    if (!this.#scanDue && this.#fresh.length === 0) return;
    const fresh = this.#fresh;
    this.#fresh = [];
    const commands: Uint8Array[] = [];
    if (this.#scanDue) this.#scan(commands);
    // Those that had no room go before what came later.
    else if (!this.#limited) for (const held of fresh) this.#handOverFresh(held, commands);
    this.#send(commands);
  }

  #scan(commands: Uint8Array[]): void {
    const { pending, gates, turn } = this.#partition;
    const { node, timing } = turn.options;
    const now = turn.now.monoMs;
    this.#scanDue = false;
    this.#limited = false;
    /** Keys that this node wrote: what it had seen of them goes first, or a clamped stamp could come out above its successor's. */
    const own: Set<string> = new Set();
    for (const { origin, write } of pending.all()) if (origin === node) own.add(write.key);
    for (const held of pending.all()) {
      if (!held.durable) continue;
      if (held.promotionSentMs !== null && now - held.promotionSentMs < timing.forwardRetryMs) continue;
      const isMine = own.has(held.write.key) || gates.isWanted(held.dotText);
      if (!isMine && now - held.heldSinceMs < timing.promotionGraceMs) continue;
      if (!this.#take(held, commands)) {
        this.#limited = true;
        return;
      }
    }
  }

  /** With what this node had seen of the key, if that is not under way yet. */
  #handOverFresh(held: Held, commands: Uint8Array[]): void {
    const { pending } = this.#partition;
    if (pending.findByText(held.dotText) !== held) return;
    for (const seen of pending.ofKey(held.write.key)) {
      if (seen.promotionSentMs === null && seen.durable && !this.#take(seen, commands)) {
        this.#limited = true;
        return;
      }
      if (seen === held) return;
    }
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
    commands.push(
      commandBytes({
        kind: 'promote',
        id: { client: held.client, sequence: held.sequence, answeredBelow: 0 },
        write: held.write,
      }),
    );
    return true;
  }

  receivePush(from: NodeId, writes: readonly PendingWrite[]): void {
    const { pending, turn, clock, id, context, causality } = this.#partition;
    const dots: Dot[] = [];
    const news: Held[] = [];
    for (const write of writes) {
      const { dot, stamp } = write.write.op;
      clock.observe(stamp);
      if (!context.has(dot) && pending.find(dot) === null) {
        if (turn.storageFull || pending.isFull(turn.options.limits)) continue;
        const held = pending.hold(copyPending(write), turn.now.monoMs);
        held.holders.add(from);
        held.durable = false;
        news.push(held);
      }
      dots.push(dot);
    }
    turn.whenDurable(() => {
      for (const held of news) held.durable = true;
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
      held.holders.add(from);
      const waits = this.#copyWaits.get(held.dotText);
      if (waits === undefined) continue;
      const open = waits.filter((wait) => held.holders.size + 1 < wait.copies);
      if (open.length > 0) this.#copyWaits.set(held.dotText, open);
      else this.#copyWaits.delete(held.dotText);
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
      const pushed = this.#pushed.get(peer) ?? { sentMs: new Map<string, number>(), bytes: 0 };
      this.#pushed.set(peer, pushed);
      const writes: PendingWrite[] = [];
      for (const held of pending.all()) {
        if (!held.durable || held.holders.has(peer) || held.origin === peer) continue;
        const sentMs = pushed.sentMs.get(held.dotText);
        if (sentMs !== undefined && now - sentMs < pushAgainMs) continue;
        const isEarly = isPromoting || (!all && now - held.heldSinceMs < pushAfterMs);
        if (isEarly && !this.#copyWaits.has(held.dotText)) continue;
        if (sentMs === undefined) {
          const { size } = pushed.sentMs;
          if (size >= pushCountMax || (size > 0 && pushed.bytes + held.bytes > pushBytesMax)) break;
          pushed.bytes += held.bytes;
        }
        pushed.sentMs.set(held.dotText, now);
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

  #runAll<T>(waits: Map<string, T[]>, dotText: string, run: (wait: T) => void): void {
    const found = waits.get(dotText);
    if (found === undefined) return;
    waits.delete(dotText);
    for (const wait of found) run(wait);
  }
}
