import type { Host } from './host.ts';
import { SkerryError } from './errors.ts';

export interface LeaseOptions {
  /** Fixes the partition: the lease can hold keys of this partition. */
  readonly key: string;
  /** 1 to 64 of `[A-Za-z0-9._-]`; random when absent. */
  readonly id?: string;
  readonly signal?: AbortSignal;
}

/** Calls that a lease makes; `false` as keep-alive's answer: not known, try again. */
export interface LeaseCalls {
  readonly keepAlive: (signal: AbortSignal) => Promise<boolean>;
  readonly revoke: () => Promise<void>;
}

/**
 * A granted lease, kept alive in the background until it is revoked, lost or its client is closed.
 *
 * It counts as lost as soon as this side cannot be sure any more that it runs: a full time to live after the last
 * request that succeeded was *sent*. The region counts from when it commits, which is later, so the holder gives up first.
 */
export class Lease {
  readonly id: string;
  readonly key: string;
  readonly ttlMs: number;
  readonly #host: Host;
  readonly #calls: LeaseCalls;
  readonly #lost = new AbortController();
  readonly #stopped = new AbortController();
  #validUntilMs: number;
  #cancelTimer: (() => void) | null = null;

  /** `grantedMs`: when the grant was sent. */
  constructor(
    what: { id: string; key: string; ttlMs: number },
    { host, calls, grantedMs }: { host: Host; calls: LeaseCalls; grantedMs: number },
  ) {
    this.id = what.id;
    this.key = what.key;
    this.ttlMs = what.ttlMs;
    this.#host = host;
    this.#calls = calls;
    this.#validUntilMs = grantedMs + what.ttlMs;
    this.#schedule();
  }

  /** Aborted when the lease may have ended; its reason is a {@link SkerryError} LEASE_NOT_FOUND. Not after `revoke`. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether the lease still runs for sure. */
  get held(): boolean {
    return !this.#stopped.signal.aborted && !this.#lost.signal.aborted && this.#host.nowMs() < this.#validUntilMs;
  }

  /** Ends the lease and with it the keys that hang on it. */
  async revoke(): Promise<void> {
    this.stop();
    await this.#calls.revoke();
  }

  /** Ends the keeping alive; the lease runs out by itself. */
  stop(): void {
    this.#cancelTimer?.();
    this.#stopped.abort();
  }

  #schedule(): void {
    const nowMs = this.#host.nowMs();
    const renewMs = this.#validUntilMs - (2 / 3) * this.ttlMs;
    this.#cancelTimer = this.#host.setTimer(Math.max(0, renewMs - nowMs), () => {
      void this.#renew();
    });
  }

  async #renew(): Promise<void> {
    const sentMs = this.#host.nowMs();
    const remainingMs = this.#validUntilMs - sentMs;
    if (remainingMs <= 0) {
      this.#lose('it was not renewed in time');
      return;
    }
    const expired = new AbortController();
    const cancelExpiry = this.#host.setTimer(remainingMs, () => {
      expired.abort();
    });
    let renewed = false;
    try {
      renewed = await this.#calls.keepAlive(AbortSignal.any([expired.signal, this.#stopped.signal]));
    } catch (error) {
      if (error instanceof SkerryError && (error.code === 'LEASE_NOT_FOUND' || error.code === 'CLOSED'))
        this.#lose(error.message);
    }
    cancelExpiry();
    if (this.#stopped.signal.aborted || this.#lost.signal.aborted) return;
    if (renewed) {
      this.#validUntilMs = sentMs + this.ttlMs;
      this.#schedule();
      return;
    }
    // Soon again, while there is time.
    const pauseMs = Math.min(this.ttlMs / 10, Math.max(0, this.#validUntilMs - this.#host.nowMs()));
    this.#cancelTimer = this.#host.setTimer(pauseMs, () => {
      void this.#renew();
    });
  }

  #lose(why: string): void {
    this.#cancelTimer?.();
    if (!this.#stopped.signal.aborted) this.#lost.abort(new SkerryError({ code: 'LEASE_NOT_FOUND', detail: why }));
  }
}
