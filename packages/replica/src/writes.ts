import type { Partition } from './partition.ts';
import type { Held } from './pending.ts';
import { commandBytes, type Command, type CommandId } from './state/command.ts';
import type { CommandResult } from './state/result.ts';
import { WaitingWrites, type Asker, type WaitingWrite, type WriteEnd } from './waiting-writes.ts';

export interface WriteRequest {
  readonly command: Extract<Command, { id: CommandId }>;
  /** Keys whose pending writes this node promotes first. */
  readonly keys: readonly string[];
  readonly retry: boolean;
  readonly timeoutMs: number | null;
  readonly asker: Asker;
}

const checkEveryMs = 100;
/** Bytes of commands on their way to the leader; the others wait here, where waiting costs nobody anything. */
const bytesInFlightMax = 8 * 1_024 * 1_024;
/**
 * A forward costs a turn here and one at the leader. Where so many writes are open, the next one waits for so long while
 * another is not answered, unless three quarters of all are there (see `gathering.ts`).
 */
const forwardGatherMs = 5;
const gatherFromWrites = 8;

/**
 * Consistent writes that clients wait for at this node. The node hands each to the leader, and again when the leader
 * changes or nothing is heard, which is safe because the state machine applies a (client, sequence) once; it answers
 * when it has applied the result itself. So an acknowledged write is in the local view of the node that acknowledged it.
 */
export class Writes {
  readonly #partition: Partition;
  readonly #waiting: WaitingWrites = new WaitingWrites();
  #fences: WaitingWrite[] = [];
  #lastCheckMs = 0;
  #forwards = 0;
  #lastForwardMs = Number.NEGATIVE_INFINITY;

  constructor(partition: Partition) {
    this.#partition = partition;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  submit({ command, keys, retry, timeoutMs, asker }: WriteRequest): void {
    const { id } = command;
    const known = this.#knownResult(id);
    if (known !== null) {
      this.#answer([asker], known);
      return;
    }
    let write = this.#waiting.find(id);
    const isRetry = retry || write?.retry === true;
    if (write !== null && write.gated && write.askers.every((one) => !one.open)) {
      // Nobody waited for it any more, so its gate may be forgotten.
      this.#waiting.remove(write);
      write = null;
    }
    if (write === null) {
      write = {
        id,
        command: commandBytes(command),
        askers: [asker],
        gated: true,
        sends: 0,
        retry: isRetry,
        lastSentMs: 0,
        lastForward: 0,
        inFlight: false,
        fencing: false,
      };
      this.#waiting.add(write);
      const held: Held[] = [];
      for (const key of keys) held.push(...this.#partition.pending.ofKey(key));
      const gated = write;
      this.#partition.gates.wait(
        held,
        () => {
          gated.gated = false;
          this.#waiting.enqueue(gated);
        },
        () => gated.askers.some((asker) => asker.open),
      );
    } else {
      write.askers.push(asker);
      write.retry = isRetry;
    }
    if (timeoutMs !== null) this.#giveUpAfter(write, asker, timeoutMs);
  }

  /** Blocks until it is known what became of `id`: its fence goes into the log, and whichever is first decides. */
  resolve(id: CommandId, asker: Asker, timeoutMs: number | null): void {
    this.submit({ command: { kind: 'fence', id }, keys: [], retry: true, timeoutMs, asker });
  }

  /** This node applied a command. */
  applied(id: CommandId, result: CommandResult): void {
    if (this.#waiting.size === 0) return;
    const write = this.#waiting.find(id);
    if (write !== null) this.#answer(this.#waiting.end(write), result);
  }

  /** A snapshot replaced the state: results of entries that this node never saw are in it. */
  installed(): void {
    for (const write of [...this.#waiting.all()]) {
      const known = this.#knownResult(write.id);
      if (known !== null) this.#answer(this.#waiting.end(write), known);
    }
  }

  /** The receiver of a forward did not take these. */
  refused({
    number,
    ids,
  }: {
    readonly number: number;
    readonly ids: readonly Pick<CommandId, 'client' | 'sequence'>[];
  }): void {
    for (const id of ids) {
      const write = this.#waiting.find(id);
      // A refusal counts once, and not if the write was sent again since.
      if (write === null || write.lastForward !== number || number === 0) continue;
      write.lastForward = 0;
      write.sends--;
      this.#waiting.landed(write);
      if (!write.gated) this.#waiting.enqueue(write);
    }
  }

  leaderChanged(): void {
    this.#waiting.takeQueue();
    this.#fences = [];
    for (const write of this.#waiting.all()) {
      this.#waiting.landed(write);
      if (!write.gated) this.#waiting.enqueue(write);
      if (write.fencing) this.#fences.push(write);
    }
  }

  /** Hands what is queued to the leader, if there is one that can commit it. */
  send(): void {
    if ((this.#waiting.queuedCount === 0 && this.#fences.length === 0) || !this.#partition.canPropose) return;
    if (this.#gathers()) return;
    const commands: Uint8Array[] = [];
    const { turn, proposals, isLeader } = this.#partition;
    const number = ++this.#forwards;
    for (const write of this.#waiting.takeQueue()) {
      if (write.fencing && write.sends === 0 && write.askers.every((asker) => !asker.open)) continue;
      if (!this.#waiting.launch(write, bytesInFlightMax)) {
        this.#waiting.enqueue(write);
        continue;
      }
      write.lastSentMs = turn.now.monoMs;
      if (!isLeader) {
        commands.push(write.command);
        write.lastForward = number;
      } else if (!proposals.add(write.command, write)) {
        this.#overloaded(write);
        continue;
      }
      write.sends++;
    }
    const fences = this.#fences;
    this.#fences = [];
    for (const write of fences) {
      const fence = commandBytes({ kind: 'fence', id: write.id });
      if (!isLeader) commands.push(fence);
      else proposals.add(fence, null);
    }
    this.#forward(number, commands);
  }

  tick(): void {
    const { turn } = this.#partition;
    if (this.#waiting.size === 0 || turn.now.monoMs - this.#lastCheckMs < checkEveryMs) return;
    this.#lastCheckMs = turn.now.monoMs;
    const before = turn.now.monoMs - turn.options.timing.forwardRetryMs;
    for (const write of [...this.#waiting.all()]) {
      // Nobody waits any more. What was sent may still be applied; what was not, will not be.
      if (write.askers.every((asker) => !asker.open)) {
        this.#waiting.remove(write);
        continue;
      }
      if (write.gated || write.sends === 0 || write.lastSentMs > before) continue;
      write.lastSentMs = turn.now.monoMs;
      this.#waiting.enqueue(write);
      if (write.fencing) this.#fences.push(write);
    }
  }

  #gathers(): boolean {
    const { isLeader, turn } = this.#partition;
    if (isLeader || !this.#waiting.isAnyInFlight) return false;
    const { queuedCount, size } = this.#waiting;
    if (size < gatherFromWrites || queuedCount >= size * 0.75) return false;
    return turn.now.monoMs - this.#lastForwardMs < forwardGatherMs;
  }

  #forward(number: number, commands: readonly Uint8Array[]): void {
    const { leader, turn, id } = this.#partition;
    if (commands.length === 0 || leader === null) return;
    this.#lastForwardMs = turn.now.monoMs;
    turn.send(leader, { kind: 'forward', partition: id, number, commands });
  }

  /** Never proposed, so it certainly has no effect through this node. */
  #overloaded(write: WaitingWrite): void {
    this.#waiting.landed(write);
    if (write.sends > 0 || write.retry) {
      this.#waiting.enqueue(write);
      return;
    }
    for (const asker of this.#waiting.end(write)) {
      if (!asker.open) continue;
      asker.open = false;
      this.#partition.turn.answer(asker.handle, {
        kind: 'error',
        code: 'OVERLOADED',
        detail: 'too many bytes wait for the log',
      });
    }
  }

  #giveUpAfter(write: WaitingWrite, asker: Asker, timeoutMs: number): void {
    const { turn } = this.#partition;
    const { fenceGraceMs } = turn.options.timing;
    turn.at(turn.now.monoMs + timeoutMs, () => {
      if (!asker.open) return;
      const isAlone = write.askers.every((other) => other === asker || !other.open);
      if (write.sends === 0 && !write.retry && isAlone) {
        this.#waiting.remove(write);
        this.#answer([asker], { kind: 'timedOut' });
        return;
      }
      if (!write.fencing) {
        write.fencing = true;
        this.#fences.push(write);
      }
      turn.at(turn.now.monoMs + fenceGraceMs, () => {
        if (!asker.open) return;
        this.#answer([asker], { kind: 'undecided' });
        if (write.askers.every((other) => !other.open)) this.#waiting.remove(write);
      });
    });
  }

  #knownResult(id: CommandId): CommandResult | null {
    const { state } = this.#partition;
    const session = state.sessions.find(id.client);
    if (session === null || !session.done.has(id.sequence)) return null;
    return state.resultOf(session, id) ?? { kind: 'error', code: 'SEQUENCE_ANSWERED' };
  }

  #answer(askers: readonly Asker[], end: WriteEnd): void {
    for (const asker of askers) {
      if (!asker.open) continue;
      asker.open = false;
      this.#partition.turn.answer(asker.handle, asker.toAnswer(end));
    }
  }
}
