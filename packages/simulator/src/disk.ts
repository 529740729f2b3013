import { randomChance, randomInt, type SeededRandom } from '@skerry/base';
import type { Effects } from '@skerry/replica';
import type { EventQueue } from './event-queue.ts';
import type { Machine } from './machine.ts';
import { draw, type Range } from './range.ts';

type Writes = NonNullable<Effects['batch']>['writes'];

/**
 * How the disk ends the process, as a sync, write or read that fails stops the production server at once:
 * - torn: the power goes while a batch is written. What stands of it is dropped whole, as the store's transactions are.
 * - writeError: EIO, and nothing of what was to be written is there.
 * - syncError: whether what was written is there, nobody knows.
 * - readError: EIO at some read; it must never pass for "no such record".
 */
export type DiskFailure = SyncFailure | 'readError';
export type SyncFailure = 'torn' | 'writeError' | 'syncError';

interface DiskOptions {
  readonly machine: Machine;
  readonly queue: EventQueue;
  readonly random: SeededRandom;
  readonly syncMs: Range;
  readonly onDurable: (machine: Machine, writes: Writes) => void;
  /** The machine is to go down, now. */
  readonly onFailure: (machine: Machine, failure: DiskFailure) => void;
}

/** Takes batches in order; one sync makes all that waited durable (group commit). A crash loses what was not synced. */
export class Disk {
  readonly #options: DiskOptions;
  #queued: { readonly id: number; readonly writes: Writes }[] = [];
  #syncing = false;
  hangs = false;
  isFull = false;
  /** What is to become of the next sync; null: it works. */
  failsNext: SyncFailure | null = null;
  #failed: SyncFailure | null = null;
  #lastNoticeMs = 0;
  /** A sync takes so many times as long. */
  slowness = 1;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  submit(id: number, writes: Writes): void {
    this.#options.machine.storage.enqueue(writes);
    this.#queued.push({ id, writes });
    this.#sync();
  }

  /** Unsynced batches are lost; of those on their way some may have reached the disk, in order. */
  crash(): void {
    const { machine, random } = this.#options;
    const failed = this.#failed;
    this.#failed = null;
    this.failsNext = null;
    const reachedMax = failed === 'writeError' ? 0 : Math.max(0, this.#queued.length - (failed === 'torn' ? 1 : 0));
    const reached = randomChance(random, 0.5) ? 0 : randomInt(random, 0, reachedMax);
    for (const { writes } of this.#queued.slice(0, reached)) this.#flush(writes);
    machine.storage.crash();
    this.#queued = [];
    this.#syncing = false;
  }

  /** It works again. */
  heal(): void {
    this.hangs = false;
    this.failsNext = null;
    this.slowness = 1;
    this.#sync();
  }

  setFull(full: boolean): void {
    const { machine } = this.#options;
    if (full === this.isFull) return;
    this.isFull = full;
    machine.input(machine.life, () => machine.replica?.setStorageFull(full, machine.now));
    this.#sync();
  }

  #sync(): void {
    if (this.#syncing || this.hangs || this.isFull || this.#queued.length === 0) return;
    this.#syncing = true;
    const { machine, queue, random, syncMs } = this.#options;
    const { life } = machine;
    const count = this.#queued.length;
    const tookMs = draw(random, syncMs) * this.slowness;
    if (this.failsNext === null) queue.after(tookMs, () => this.#synced(life, count));
    else queue.after(this.failsNext === 'syncError' ? tookMs : tookMs / 2, () => this.#fail(life));
  }

  #synced(life: number, count: number): void {
    const { machine, queue, random } = this.#options;
    if (life !== machine.life || !machine.isUp) return;
    this.#syncing = false;
    if (this.hangs || this.isFull) return;
    const durable = this.#queued.splice(0, count);
    for (const { writes } of durable) this.#flush(writes);
    // The process hears of it a moment later, and may end in between.
    this.#lastNoticeMs = Math.max(this.#lastNoticeMs, queue.nowMs + (random.uint32() % 4 === 0 ? 0.3 : 0.02));
    queue.at(this.#lastNoticeMs, () => {
      machine.input(life, () => {
        for (const { id } of durable) machine.replica?.durable(id, machine.now);
      });
    });
    this.#sync();
  }

  #fail(life: number): void {
    const { machine, onFailure } = this.#options;
    if (life !== machine.life || !machine.isUp) return;
    this.#syncing = false;
    // Healed meanwhile.
    if (this.failsNext === null) return this.#sync();
    this.#failed = this.failsNext;
    onFailure(machine, this.#failed);
  }

  #flush(writes: Writes): void {
    this.#options.machine.storage.flushOne();
    this.#options.onDurable(this.#options.machine, writes);
  }
}
