import { SkerryError, type Client, type Lease } from '@skerry/client';

export type HoldDb = Pick<Client, 'get' | 'swap' | 'watch' | 'lease'>;

/**
 * What a lock and a leadership have in common: a key that one holder has, for as long as its lease runs. In one region:
 * consistent operations speak for the region that the client is in, and another region can grant the same at the same time.
 */
export interface Hold {
  /**
   * The fencing token: larger for every later holder, by order of text. Pass it to whatever the lock protects and let
   * that refuse a smaller one than it has seen; only this is safe against a holder that was paused (FAULTS section 3).
   */
  readonly token: string;
  /** Aborted as soon as the hold may have been lost. */
  readonly lost: AbortSignal;
  readonly held: boolean;
  /** Lets go; true if it was still held. Never frees what another holder has by now. */
  readonly release: () => Promise<boolean>;
}

export interface HoldOptions {
  /** How long a holder that vanished keeps others out. Milliseconds, default 10000. */
  readonly ttlMs?: number;
  readonly signal?: AbortSignal;
}

/** Takes `key` with `value`, which no other holder may use, when it is free; null at once if it is not and `wait` is false. */
export async function take(
  db: HoldDb,
  { key, value, wait }: { key: string; value: string; wait: boolean },
  { ttlMs = 10_000, signal }: HoldOptions,
): Promise<Hold | null> {
  const options = signal === undefined ? {} : { signal };
  let lease = await db.lease(ttlMs, { key, ...options });
  try {
    for (let isKnown = true; ;) {
      // Also where the client is in another region by now, which knows nothing of a lease of the first.
      if (!lease.held || !isKnown) {
        lease.stop();
        lease = await db.lease(ttlMs, { key, ...options });
      }
      const swapped = await trySwap(db, { key, value, lease: lease.id }, options);
      isKnown = swapped !== null;
      // A retried swap that had won before finds its own value.
      if (swapped !== null && (swapped.outcome === 'applied' || swapped.value === value) && swapped.version !== null) {
        return holdOf(db, { key, value, token: swapped.version, lease });
      }
      if (!wait && swapped !== null) {
        await end(lease);
        return null;
      }
      if (swapped !== null) await untilFree(db, key, options);
    }
  } catch (error) {
    await end(lease);
    throw error;
  }
}

interface Swapped {
  readonly outcome?: string;
  readonly value: string | null;
  readonly version: string | null;
}

/** null: the lease is not known: it ended, or is of another region. */
async function trySwap(
  db: HoldDb,
  { key, value, lease }: { key: string; value: string; lease: string },
  options: { readonly signal?: AbortSignal },
): Promise<Swapped | null> {
  try {
    return await db.swap(key, value, null, { lease, ...options });
  } catch (error) {
    if (error instanceof SkerryError && error.code === 'LEASE_NOT_FOUND') return null;
    throw error;
  }
}

/** Comes back when nobody has the key; it may be taken again by then. */
async function untilFree(db: HoldDb, key: string, options: { readonly signal?: AbortSignal }): Promise<void> {
  /** null: not told yet. */
  let present: boolean | null = null;
  let resetting = false;
  for await (const { events, reset } of db.watch(key, { cursor: '', ...options })) {
    if (reset !== undefined && !resetting) present = false;
    resetting = reset === 'more';
    for (const event of events) present = event.value !== null;
    if (present === false && !resetting) return;
  }
}

function holdOf(
  db: HoldDb,
  { key, value, token, lease }: { key: string; value: string; token: string; lease: Lease },
): Hold {
  return {
    token,
    lost: lease.lost,
    get held() {
      return lease.held;
    },
    release: async () => {
      // By value, not by ending the lease alone: the answer says whether it was still this holder's.
      const { outcome } = await db.swap(key, null, value);
      await end(lease);
      return outcome === 'applied';
    },
  };
}

async function end(lease: Lease): Promise<void> {
  lease.stop();
  try {
    await lease.revoke();
  } catch (error) {
    // It ran out, or will: nothing hangs on it that its holder still counts on.
    if (!(error instanceof SkerryError)) throw error;
  }
}
