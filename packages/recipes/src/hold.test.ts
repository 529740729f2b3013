import { describe, expect, it } from 'vitest';
import { election } from './election.ts';
import { lock } from './lock.ts';
import { MemoryDb } from './testing/memory-db.ts';

/** Lets all promises that can go on do so. */
const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

describe('a lock', () => {
  it('has one holder at a time, with ever larger fencing tokens', async () => {
    const { client } = new MemoryDb();
    const tokens: string[] = [];
    let inside = 0;
    const worker = async (): Promise<void> => {
      const held = await lock(client, 'l');
      expect(++inside).toBe(1);
      tokens.push(held.token);
      await turn();
      inside--;
      expect(await held.release()).toBe(true);
    };
    await Promise.all(Array.from({ length: 20 }, worker));
    expect(tokens).toEqual([...tokens].sort());
    expect(new Set(tokens).size).toBe(20);
  });

  it('is not waited for when told so, and leaves no lease behind', async () => {
    const db = new MemoryDb();
    const held = await lock(db.client, 'l');
    expect(await lock(db.client, 'l', { wait: false })).toBeNull();
    expect(db.leaseIds).toHaveLength(1);
    await held.release();
    expect(await lock(db.client, 'l', { wait: false })).not.toBeNull();
  });

  it('goes to the next one when the lease of its holder ends, whose release then frees nothing', async () => {
    const db = new MemoryDb();
    const first = await lock(db.client, 'l');
    const [lease] = db.leaseIds;
    const waiting = lock(db.client, 'l');
    await turn();
    db.expire(lease as string);
    const second = await waiting;
    expect(second.token > first.token).toBe(true);
    expect(await first.release()).toBe(false);
    expect(await lock(db.client, 'l', { wait: false })).toBeNull();
    expect(await second.release()).toBe(true);
  });

  it('is taken with another lease where the one that was granted is not known', async () => {
    const db = new MemoryDb();
    const first = await lock(db.client, 'l');
    const waiting = lock(db.client, 'l');
    await turn();
    const [, lease] = db.leaseIds;
    db.expire(lease as string);
    await first.release();
    const second = await waiting;
    expect(await lock(db.client, 'l', { wait: false })).toBeNull();
    expect(await second.release()).toBe(true);
  });

  it('can be given up waiting for', async () => {
    const db = new MemoryDb();
    await lock(db.client, 'l');
    const abort = new AbortController();
    const waiting = lock(db.client, 'l', { signal: abort.signal });
    const failure = expect(waiting).rejects.toMatchObject({ code: 'ABORTED' });
    await turn();
    abort.abort();
    await failure;
    expect(db.leaseIds).toHaveLength(1);
  });
});

describe('an election', () => {
  it('has one leader at a time, whom everybody sees', async () => {
    const db = new MemoryDb();
    const [a, b] = [election(db.client, 'e', 'a'), election(db.client, 'e', 'b')];
    const seen: (string | null)[] = [];
    const abort = new AbortController();
    const observing = (async () => {
      for await (const leader of b.observe({ signal: abort.signal })) seen.push(leader?.candidate ?? null);
    })().catch(() => {});
    await turn();
    expect(await a.leader()).toBeNull();
    const leading = await a.campaign();
    const waiting = b.campaign();
    await turn();
    expect(await b.leader()).toEqual({ candidate: 'a', token: leading.token });
    await leading.release();
    const next = await waiting;
    await turn();
    expect(await a.leader()).toEqual({ candidate: 'b', token: next.token });
    expect(next.token > leading.token).toBe(true);
    expect(seen[0]).toBeNull();
    expect(seen.filter((each) => each !== null)).toEqual(['a', 'b']);
    abort.abort();
    await observing;
  });
});
