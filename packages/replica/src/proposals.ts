import { ByteReader, type ClientId, type NodeId } from '@skerry/base';
import { BySequence } from './by-sequence.ts';
import { Gathering } from './gathering.ts';
import type { Partition } from './partition.ts';
import { encodeBatch, type BatchHeader } from './state/batch.ts';
import { commandBytes, commandHead, decodeCommand, promotedDot, type Command } from './state/command.ts';
import type { WaitingWrite } from './waiting-writes.ts';

type Head = NonNullable<ReturnType<typeof commandHead>>;

interface Item {
  readonly command: Uint8Array;
  readonly head: Head | null;
  /** Number of the forward it came with. */
  readonly forward: number;
  /** The peer that forwarded it; null: of this node. */
  readonly from: NodeId | null;
  /** The call of this node behind it, if there is one. */
  readonly write: WaitingWrite | null;
  /** How many writes it brings: many, if it is what another region sent. */
  readonly operations: number;
}

const expireEveryMs = 1_000;

/** The leader's side of writing: packs the commands of a turn into as few log entries as the limits allow. */
export class Proposals {
  readonly #partition: Partition;
  #outbox: Item[] = [];
  #outboxBytes = 0;
  /** Commands with an id that this leader has in the outbox or in the log and has not seen applied. */
  readonly #named: Map<Command['kind'], BySequence<true>> = new Map();
  #lastExpireMs = 0;
  #outboxOperations = 0;
  readonly #gathering = new Gathering();

  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** True while something waits to be proposed. */
  get isWaiting(): boolean {
    return this.#outbox.length > 0;
  }

  /** For the leader itself. False: too much waits already. */
  add(command: Uint8Array, write: WaitingWrite | null, operations = 1): boolean {
    return this.#put({ command, head: commandHead(command), forward: 0, from: null, write, operations });
  }

  /** Commands that a peer forwarded. */
  receive(
    from: NodeId,
    { number, commands }: { readonly number: number; readonly commands: readonly Uint8Array[] },
  ): void {
    const partition = this.#partition;
    const takes = partition.isLeader && partition.raft.quorumActive();
    // A node that left the group, or lags, hands in over and over what is settled: the log need not hear of it again.
    const news = commands.filter((command) => !this.#isSettled(command));
    const refused = news.filter(
      (command) =>
        !takes ||
        !this.#put({ command, head: commandHead(command), forward: number, from, write: null, operations: 1 }),
    );
    if (refused.length > 0) this.#refuse(from, number, refused);
  }

  /** The commands of the entry at `index` were applied: their like may be proposed again. */
  applied(index: number, commands: readonly Command[]): void {
    this.#gathering.applied(index, this.#partition.turn.now.monoMs);
    for (const command of commands) if ('id' in command) this.#named.get(command.kind)?.delete(command.id);
  }

  elected(): void {
    this.#named.clear();
    this.#gathering.reset();
  }

  /** What was not proposed goes back to where it came from. */
  resigned(): void {
    for (const { command, from, forward, write } of this.#outbox) {
      if (write !== null) write.sends--;
      if (from !== null) this.#refuse(from, forward, [command]);
    }
    this.#outbox = [];
    this.#outboxBytes = 0;
    this.#outboxOperations = 0;
    this.#named.clear();
    this.#gathering.reset();
  }

  /** Proposes what is in the outbox. What raft does not take now stays for a later turn. */
  propose(): void {
    const { raft, turn } = this.#partition;
    if (this.#outbox.length === 0 || this.#gathering.isWorthWaiting(this.#outboxOperations, turn.now.monoMs)) return;
    const { batchBytesMax, batchCommandsMax } = turn.options.limits;
    let at = 0;
    while (at < this.#outbox.length && this.#partition.isLeader) {
      const commands: Uint8Array[] = [];
      let bytes = 0;
      let operations = 0;
      while (at + commands.length < this.#outbox.length && commands.length < batchCommandsMax) {
        const item = this.#outbox[at + commands.length] as Item;
        if (commands.length > 0 && bytes + item.command.length > batchBytesMax) break;
        commands.push(item.command);
        bytes += item.command.length;
        operations += item.operations;
      }
      const proposed = raft.propose(encodeBatch(this.#header(), commands));
      if (!proposed.ok) break;
      at += commands.length;
      this.#outboxBytes -= bytes;
      this.#outboxOperations -= operations;
      this.#gathering.proposed(proposed.index, operations, turn.now.monoMs);
    }
    if (at > 0) this.#outbox = this.#outbox.slice(at);
  }

  /** This leader's reading of the partition's cluster time. */
  clusterMs(): number {
    const { clusterTime, state, turn } = this.#partition;
    return Math.max(state.header.clusterMs, clusterTime.at(turn.now.monoMs));
  }

  /** Puts commands of the leader into one entry, so that they are applied together or not at all. */
  proposeTogether(commands: readonly Command[]): void {
    this.#partition.raft.propose(encodeBatch(this.#header(), commands.map(commandBytes)));
  }

  #header(): BatchHeader {
    const wallMs = Math.max(0, Math.floor(this.#partition.turn.clocks.wallMs()));
    const { timing, replica, limits } = this.#partition.turn.options;
    return {
      wallMs,
      clampMs: wallMs + timing.maxClockSkewMs,
      clusterMs: this.clusterMs(),
      replica,
      valueBytesMax: limits.valueBytesMax,
    };
  }

  /** Puts a command of the leader itself into the log. */
  proposeOwn(command: Command): void {
    this.add(commandBytes(command), null);
  }

  /** Leader, every tick: proposes the end of what is over. */
  expireIfDue(): void {
    const { turn, state } = this.#partition;
    const sinceMs = turn.now.monoMs - this.#lastExpireMs;
    const leaseDue = sinceMs >= 50 && state.leases.isAnyDue(this.clusterMs());
    if (!leaseDue && (sinceMs < expireEveryMs || !this.#isAnythingOver())) return;
    this.#lastExpireMs = turn.now.monoMs;
    this.proposeOwn({ kind: 'expire', retention: this.#retention() });
  }

  #retention(): Extract<Command, { kind: 'expire' }>['retention'] {
    const { timing, limits } = this.#partition.turn.options;
    return {
      sessionIdleMs: timing.sessionIdleMs,
      sessionIdleQuorumlessMs: timing.sessionIdleQuorumlessMs,
      receiptCountMax: limits.receiptCountMax,
      ledgerCountMax: limits.ledgerCountMax,
      ledgerAgeMs: limits.ledgerAgeMs,
      tombstoneKeepMs: timing.tombstoneKeepMs,
    };
  }

  #isAnythingOver(): boolean {
    const { state, turn } = this.#partition;
    const { limits, timing } = turn.options;
    this.#lastExpireMs = turn.now.monoMs;
    const { conflicts } = state.header;
    return (
      state.receipts.isOver(limits.receiptCountMax) ||
      conflicts.next - conflicts.first > limits.ledgerCountMax ||
      state.regions.canCollect(this.clusterMs() - timing.tombstoneKeepMs) ||
      state.oldestConflictMs() < this.clusterMs() - limits.ledgerAgeMs ||
      state.sessions.isAnyIdle(
        this.clusterMs() - timing.sessionIdleMs,
        this.clusterMs() - timing.sessionIdleQuorumlessMs,
      )
    );
  }

  /** What is in the outbox or in the log already is as good as taken: repeating it would only make the log longer. */
  #put(item: Item): boolean {
    const { head } = item;
    if (head !== null && this.#named.get(head.kind)?.get(head) === true) return true;
    if (head !== null && this.#partition.state.header.reseeding !== null) return false;
    if (this.#outboxBytes + item.command.length > this.#partition.turn.options.limits.queuedBytesMax) return false;
    if (head !== null) this.#namedOf(head.kind).set(head, true);
    this.#outbox.push(item);
    this.#outboxBytes += item.command.length;
    this.#outboxOperations += item.operations;
    return true;
  }

  #namedOf(kind: Command['kind']): BySequence<true> {
    let named = this.#named.get(kind);
    if (named === undefined) this.#named.set(kind, (named = new BySequence()));
    return named;
  }

  #isSettled(command: Uint8Array): boolean {
    const dot = promotedDot(command);
    return dot !== null && this.#partition.context.has(dot);
  }

  #refuse(from: NodeId, number: number, commands: readonly Uint8Array[]): void {
    if (number === 0) return;
    const ids: { client: ClientId; sequence: number }[] = [];
    for (const bytes of commands) {
      const command = decodeCommand(new ByteReader(bytes));
      if ('id' in command && command.kind !== 'promote' && command.kind !== 'fence')
        ids.push({ client: command.id.client, sequence: command.id.sequence });
    }
    if (ids.length > 0)
      this.#partition.turn.send(from, { kind: 'forwardRefused', partition: this.#partition.id, number, ids });
  }
}
