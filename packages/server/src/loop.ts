import type { NodeId } from '@skerry/base';
import type {
  ClientRequest,
  DirectoryEntry,
  Effects,
  LinkEffects,
  LinkEvents,
  Now,
  PeerMessage,
  RegionDirectoryEntry,
  RequestHandle,
  Storage,
} from '@skerry/replica';
import { fatalOf, type Fatal } from './fatal.ts';
import type { ReadClocks, ReplicaLike } from './replica-like.ts';
import { Ticker } from './ticker.ts';

export interface TurnLoopOptions {
  readonly replica: ReplicaLike;
  readonly storage: Pick<Storage, 'submit'>;
  readonly readClocks: ReadClocks;
  readonly tickMs: number;
  /** One frame for one peer. */
  readonly send: (to: NodeId, messages: readonly PeerMessage[]) => void;
  /** All answers of a turn. */
  readonly answer: (answers: Effects['answers']) => void;
  /** What the link to other regions is to carry. */
  readonly link: (effects: LinkEffects) => void;
  readonly onDirectory: (entries: readonly DirectoryEntry[]) => void;
  readonly onRegions: (entries: readonly RegionDirectoryEntry[]) => void;
  /** Called once; the loop has stopped by then. */
  readonly onFatal: (fatal: Fatal) => void;
}

/**
 * The turns of one node: events of the sockets, the disk and the clock go into the replica as they come; once per turn
 * of the event loop, after all of its events, what they came to is carried out. Thus one turn makes one storage batch
 * (group commit), one frame per peer and one per client.
 *
 * Whatever the replica throws, and every failure of storage, stops the loop for good before anything else is sent.
 */
export class TurnLoop {
  readonly #options: TurnLoopOptions;
  readonly #replica: ReplicaLike;
  /** Where the link to other regions tells what happens. */
  readonly linkEvents: LinkEvents = {
    receive: (from, frame) => this.#event((now) => this.#replica.receiveFrame(from, frame, now)),
    entries: (batch) => this.#event((now) => this.#replica.receiveEntries(batch, now)),
    published: (partition, origin, last) => this.#event((now) => this.#replica.published(partition, origin, last, now)),
    regionUp: (region) => this.#event((now) => this.#replica.regionUp(region, now)),
    regionDown: (region) => this.#event((now) => this.#replica.regionDown(region, now)),
  };
  /** The clocks as read by the first event of this turn; null between turns. */
  #now: Now | null = null;
  #flushScheduled = false;
  #stopped = false;
  readonly #ticker: Ticker;
  /** A tick was handed in since the last flush. */
  #ticked = false;
  #turns = 0;
  #ticks = 0;
  /** Batches submitted and not yet durable. */
  #batchesOpen = 0;

  constructor(options: TurnLoopOptions) {
    this.#options = options;
    this.#replica = options.replica;
    this.#ticker = new Ticker({
      tickMs: options.tickMs,
      onDue: () => this.#tick(),
      restTicks: () => this.#replica.restTicks(),
    });
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  get turns(): number {
    return this.#turns;
  }

  get ticks(): number {
    return this.#ticks;
  }

  get batchesOpen(): number {
    return this.#batchesOpen;
  }

  start(): void {
    this.#ticker.start();
    this.#schedule();
  }

  /** Nothing more is sent or answered. */
  stop(): void {
    this.#stopped = true;
    this.#ticker.stop();
  }

  request(handle: RequestHandle, request: ClientRequest): void {
    this.#event((now) => this.#replica.request(handle, request, now));
  }

  cancel(handle: RequestHandle): void {
    this.#event(() => this.#replica.cancel(handle));
  }

  /** The asker of a watch has room for the next page of the current state. */
  watchReady(handle: RequestHandle): void {
    this.#event((now) => this.#replica.watchReady(handle, now));
  }

  /** The region's cluster time, milliseconds, as far as the replica knows it. */
  clusterNowMs(): number {
    return this.#replica.clusterNowMs(this.#now ?? this.#options.readClocks());
  }

  receive(from: NodeId, messages: readonly PeerMessage[]): void {
    this.#event((now) => {
      for (const message of messages) this.#replica.receive(from, message, now);
    });
  }

  peerUp(node: NodeId): void {
    this.#event((now) => this.#replica.peerUp(node, now));
  }

  peerDown(node: NodeId, reset: boolean): void {
    this.#event((now) => this.#replica.peerDown(node, reset, now));
  }

  setStorageFull(full: boolean): void {
    this.#event((now) => this.#replica.setStorageFull(full, now));
  }

  /** Before a clean stop: what is applied goes to storage, so that the next start replays nothing. */
  prepareStop(): void {
    this.#event((now) => this.#replica.prepareStop(now));
    this.#guard(() => this.#flush());
  }

  /** Stops the loop as if the replica had thrown `cause`. */
  fail(cause: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.onFatal(fatalOf(cause));
  }

  #tick(): void {
    this.#guard(() => {
      this.#now ??= this.#options.readClocks();
      this.#takeTicks(this.#now, true);
      // An idle tick ends here: no callback is scheduled for it. If events of this turn are waiting for their flush,
      // what the tick came to goes with them.
      if (!this.#flushScheduled) this.#flush();
    });
  }

  #event(handle: (now: Now) => void): void {
    this.#guard(() => {
      this.#now ??= this.#options.readClocks();
      this.#takeTicks(this.#now, false);
      handle(this.#now);
      this.#schedule();
    });
  }

  #takeTicks(now: Now, byTimer: boolean): void {
    const count = this.#ticker.take(now.monoMs, byTimer);
    if (count === 0) return;
    this.#ticks += count;
    this.#ticked = true;
    this.#replica.tick(now, count);
  }

  #schedule(): void {
    if (this.#flushScheduled || this.#stopped) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#guard(() => this.#flush());
    });
  }

  #flush(): void {
    this.#turns++;
    const now = this.#now ?? this.#options.readClocks();
    this.#now = null;
    const effects = this.#replica.flush(now);
    if (effects !== null) this.#carryOut(effects);
    this.#ticker.settle(now.monoMs, this.#ticked);
    this.#ticked = false;
  }

  #carryOut({ batch, messages, answers, directory, regions, link }: Effects): void {
    // The disk first: it takes longest. The replica holds back whatever must not be sent before the disk is done.
    if (batch !== null) this.#submit(batch.id, batch.writes);
    for (const [to, list] of messages) this.#options.send(to, list);
    if (directory !== null) this.#options.onDirectory(directory);
    // A region is known to the link before something is sent to it.
    if (regions !== null) this.#options.onRegions(regions);
    if (link !== null) this.#options.link(link);
    if (answers.length > 0) this.#options.answer(answers);
  }

  #submit(id: number, writes: Parameters<Storage['submit']>[0]): void {
    this.#batchesOpen++;
    this.#options.storage.submit(writes).then(
      () => {
        this.#batchesOpen--;
        this.#event((now) => this.#replica.durable(id, now));
      },
      (error: unknown) => this.fail(error),
    );
  }

  #guard(run: () => void): void {
    if (this.#stopped) return;
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
  }
}
