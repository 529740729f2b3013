import { take, type Hold, type HoldDb, type HoldOptions } from './hold.ts';
import { newHolder } from './lock.ts';

export interface Leader {
  readonly candidate: string;
  /** As of {@link Hold.token}. */
  readonly token: string;
}

export interface Election {
  /** Waits until this candidate leads. `release` resigns. */
  readonly campaign: (options?: HoldOptions) => Promise<Hold>;
  /** Who leads now; null: nobody. */
  readonly leader: () => Promise<Leader | null>;
  /** Who leads now, and every change. A change that is undone at once may be left out. */
  readonly observe: (options?: { readonly signal?: AbortSignal }) => AsyncGenerator<Leader | null, void, undefined>;
}

/** One of several candidates for `name` leads at a time, for as long as its lease runs. */
export function election(db: HoldDb, name: string, candidate: string): Election {
  const key = `skerry/election/${name}`;
  return {
    campaign: async (options = {}) =>
      (await take(db, { key, value: JSON.stringify({ candidate, holder: newHolder() }), wait: true }, options)) as Hold,
    leader: async () => {
      const { value, version } = await db.get(key);
      return leaderOf(value, version);
    },
    observe: async function* ({ signal } = {}) {
      let last: string | null | undefined;
      let current: Leader | null = null;
      for await (const { events, reset } of db.watch(key, {
        cursor: '',
        ...(signal === undefined ? {} : { signal }),
      })) {
        if (reset !== undefined) current = null;
        for (const event of events) current = leaderOf(event.value, event.version);
        if (reset === 'more' || last === (current?.token ?? null)) continue;
        last = current?.token ?? null;
        yield current;
      }
    },
  };
}

function leaderOf(value: string | null, version: string | null): Leader | null {
  if (value === null || version === null) return null;
  return { candidate: (JSON.parse(value) as { candidate: string }).candidate, token: version };
}
