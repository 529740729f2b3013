import { take, type Hold, type HoldDb, type HoldOptions } from './hold.ts';

export interface LockOptions extends HoldOptions {
  /** false: null at once when another holder has it. Default true. */
  readonly wait?: boolean;
}

/**
 * Takes the lock `name`, waiting for it. While it is held a lease is kept alive; a holder that vanishes frees the lock
 * after `ttlMs`. See {@link Hold.token}: a lock without fencing protects nothing.
 */
export async function lock(
  db: HoldDb,
  name: string,
  options: LockOptions & { readonly wait: false },
): Promise<Hold | null>;
export async function lock(db: HoldDb, name: string, options?: HoldOptions): Promise<Hold>;
export async function lock(
  db: HoldDb,
  name: string,
  { wait = true, ...options }: LockOptions = {},
): Promise<Hold | null> {
  return take(db, { key: `skerry/lock/${name}`, value: newHolder(), wait }, options);
}

/** Unlike that of any other holder, also of this process. */
export function newHolder(): string {
  return crypto.randomUUID();
}
