import { randomChance, randomInt, randomPick, type NodeId, type SeededRandom } from '@skerry/base';
import type { Answer, RequestHandle, Seen, WriteId, WriteOperation } from '@skerry/replica';
import type { World } from '../world.ts';

/** How a write ended for its client. */
export type WriteEnd =
  | {
      readonly kind: 'answer';
      readonly answer: Answer;
      readonly label: string;
      /** It was sent more than once, each time to any node. */
      readonly retried: boolean;
      readonly seen: Seen | null;
      /** Its client had asked for its ticket by then, so that a fence may beat it after all. */
      readonly fenced: boolean;
    }
  /** It had no effect, and never will. */
  | { readonly kind: 'noEffect' }
  | { readonly kind: 'unknown' };

export interface WriteCallOptions {
  readonly world: World;
  readonly random: SeededRandom;
  readonly operation: WriteOperation;
  readonly id: Omit<WriteId, 'retry' | 'answeredBelow'>;
  readonly answeredBelow: () => number;
  /** null: blocking. */
  readonly timeoutMs: number | null;
  readonly pickNode: (world: World) => NodeId;
  readonly onEnd: (end: WriteEnd) => void;
  /** An answer that no node may give. */
  readonly onAnomaly: (message: string) => void;
}

/** Refusals of a node that did nothing with the request. */
const refusals = new Set(['OVERLOADED', 'STORAGE_FULL', 'PENDING_FULL']);

/** One write until its end: sent, sent again elsewhere when the answer stays away, its ticket resolved. */
export class WriteCall {
  readonly #options: WriteCallOptions;
  readonly #ticket: string;
  #attempts = 0;
  #handles: RequestHandle[] = [];
  #over = false;
  #resolving = false;
  readonly #startMs: number;

  constructor(options: WriteCallOptions, partition: number) {
    this.#options = options;
    this.#startMs = options.world.queue.nowMs;
    this.#ticket = `${options.world.region}:${partition}:${options.id.client}:${options.id.sequence}`;
    this.#attempt(options.timeoutMs);
  }

  get #isQuorumless(): boolean {
    const { operation } = this.#options;
    return 'consistent' in operation && !operation.consistent;
  }

  #attempt(timeoutMs: number | null): void {
    const { world, operation, id, answeredBelow, pickNode, random } = this.#options;
    const attempt = ++this.#attempts;
    const request = this.#resolving
      ? { operation: { kind: 'resolve' as const, ticket: this.#ticket }, timeoutMs: null }
      : { operation, id: { ...id, answeredBelow: answeredBelow(), retry: attempt > 1 }, timeoutMs };
    const handle = world.request(pickNode(world), request, {
      onAnswer: (answer, label, seen) => this.#answered(answer, { label, seen, attempt }),
      onLost: () => this.#silent(attempt),
    });
    this.#handles.push(handle);
    const patienceMs =
      timeoutMs === null ? randomInt(random, 800, 5_000) : timeoutMs + 1_500 + randomInt(random, 0, 1_500);
    world.queue.after(patienceMs, () => {
      if (attempt === this.#attempts) this.#silent(attempt);
    });
  }

  #answered(answer: Answer, { label, seen, attempt }: { label: string; seen: Seen | null; attempt: number }): void {
    if (this.#over) return;
    const { world, onAnomaly, random, timeoutMs } = this.#options;
    if (answer.kind === 'error') {
      if (refusals.has(answer.code)) {
        world.sometimes.saw(
          answer.code === 'OVERLOADED'
            ? 'overloaded'
            : answer.code === 'STORAGE_FULL'
              ? 'storage full'
              : 'pending full',
        );
        if (this.#attempts === 1 && !this.#resolving) return this.#end({ kind: 'noEffect' });
        return this.#againSoon(attempt);
      }
      if (answer.code === 'LEASE_NOT_FOUND' || answer.code === 'LEASE_EXISTS' || answer.code === 'LIMIT_EXCEEDED')
        return this.#end({ kind: 'noEffect' });
      onAnomaly(`${answer.code} for ${this.#ticket}, which was never answered`);
      return this.#end({ kind: 'unknown' });
    }
    const outcome = 'outcome' in answer ? answer.outcome : undefined;
    if (outcome === 'notApplied') {
      world.sometimes.saw(this.#resolving || this.#attempts > 1 ? 'fence won' : 'not applied without a log');
      return this.#end({ kind: 'noEffect' });
    }
    if (outcome === 'undecided' && !this.#isQuorumless) {
      world.sometimes.saw('undecided');
      if (attempt !== this.#attempts) return;
      if (randomChance(random, 0.3)) return this.#end({ kind: 'unknown' });
      this.#resolving = true;
      return this.#attempt(null);
    }
    if (this.#resolving) world.sometimes.saw('resolved');
    // It was accepted and promoted; by which receipt nobody was told.
    if (this.#resolving && this.#isQuorumless && !('receipt' in answer)) return this.#end({ kind: 'unknown' });
    const isLate = timeoutMs !== null && attempt === 1 && world.queue.nowMs - this.#startMs > timeoutMs + 5;
    if (outcome === 'applied' && (isLate || this.#resolving)) world.sometimes.saw('request won against fence');
    const retried = this.#attempts > 1;
    this.#end({ kind: 'answer', answer, label, seen, fenced: this.#resolving, retried });
  }

  /** No answer will come, or none has come for long. */
  #silent(attempt: number): void {
    if (this.#over || attempt !== this.#attempts) return;
    const { random, timeoutMs } = this.#options;
    if (timeoutMs === null || this.#resolving) return this.#againSoon(attempt);
    const choice = randomPick(random, ['again', 'resolve', 'giveUp'] as const);
    if (choice === 'giveUp') return this.#end({ kind: 'unknown' });
    if (choice === 'resolve') this.#resolving = true;
    this.#againSoon(attempt);
  }

  #againSoon(attempt: number): void {
    const { world, random, timeoutMs } = this.#options;
    world.queue.after(randomInt(random, 0, 120), () => {
      if (this.#over || attempt !== this.#attempts) return;
      if (randomChance(random, 0.5)) this.#cancel();
      this.#attempt(this.#resolving || randomChance(random, 0.5) ? null : timeoutMs);
    });
  }

  #cancel(): void {
    for (const handle of this.#handles) this.#options.world.cancel(handle);
    this.#handles = [];
  }

  #end(end: WriteEnd): void {
    this.#over = true;
    if (randomChance(this.#options.random, 0.5)) this.#cancel();
    this.#options.onEnd(end);
  }
}
