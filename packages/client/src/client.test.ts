import type { Answer } from '@skerry/protocol';
import { describe, expect, it } from 'vitest';
import { errorAnswer, FakeCluster, keyAnswer, track } from './testing/fake-cluster.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const listAnswer = (keys: readonly string[], next: string | null): Answer => ({
  kind: 'list',
  entries: keys.map((key) => ({ key, value: bytes(key), version: '1' })),
  next,
  timeout: false,
});

describe('listing', () => {
  it('goes from page to page', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = ({ request }) => {
      const { after } = request.operation as { after: string };
      return after === '' ? listAnswer(['a', 'b'], 'b') : listAnswer(['c'], null);
    };
    const keys: string[] = [];
    const done = (async () => {
      for await (const { key } of db.entries('')) keys.push(key);
    })();
    await cluster.host.settle();
    await done;
    expect(keys).toEqual(['a', 'b', 'c']);
  });

  it('rejects rather than leave a page out', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => ({ kind: 'list', entries: [], next: null, timeout: true });
    const next = track(db.entries('', { blocking: false }).next());
    await cluster.host.settle();
    expect(next.error).toMatchObject({ code: 'TIMEOUT' });
  });

  it('asks for no more than the node allows', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    void track(db.list('p/', { limit: 1e6, keysOnly: true }));
    await cluster.host.settle();
    expect(cluster.last.request.operation).toEqual({
      kind: 'list',
      prefix: 'p/',
      after: '',
      limit: 1_000,
      consistent: true,
      keysOnly: true,
    });
  });
});

describe('a transaction', () => {
  const txnAnswer: Answer = {
    kind: 'txn',
    timeout: false,
    outcome: 'applied',
    succeeded: true,
    results: [{ key: 'b', value: bytes('2'), version: '2' }],
  };

  it('is the same built in steps or given in parts', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => txnAnswer;
    const built = track(
      db
        .txn()
        .if({ key: 'a', value: null })
        .then({ set: 'a', value: '1' }, { get: 'b' })
        .else({ delete: 'c' })
        .commit(),
    );
    const given = track(
      db.txn({
        if: [{ key: 'a', value: null }],
        then: [{ set: 'a', value: '1' }, { get: 'b' }],
        else: [{ delete: 'c' }],
      }),
    );
    await cluster.host.settle();
    const [first, second] = cluster.requests.map(({ request }) => request);
    expect(first?.operation).toEqual({
      kind: 'txn',
      compares: [{ kind: 'value', key: 'a', equals: null }],
      then: [
        { kind: 'set', key: 'a', value: bytes('1') },
        { kind: 'get', key: 'b' },
      ],
      otherwise: [{ kind: 'delete', key: 'c' }],
    });
    expect(second?.operation).toEqual(first?.operation);
    expect(first?.id).toMatchObject({ sequence: 1 });
    expect(built.value).toEqual({
      valid: true,
      timeout: false,
      outcome: 'applied',
      succeeded: true,
      results: [{ key: 'b', value: '2', version: '2' }],
    });
    expect(given.value).toEqual(built.value);
  });

  it('that is awaited instead of committed says so', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    await expect(async () => {
      await (db.txn() as unknown as Promise<void>);
    }).rejects.toThrow(/commit/);
  });
});

describe('a receipt', () => {
  it('tells the state, and the last one when it is known', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = ({ request }) =>
      (request.operation as { wait: boolean }).wait
        ? undefined
        : { kind: 'receipt', state: 'accepted', version: '1', timeout: false };
    const states: string[] = [];
    const done = (async () => {
      for await (const { state } of db.receipt('r').changes()) states.push(state);
    })();
    await cluster.host.settle();
    expect(states).toEqual(['accepted']);
    cluster.last.answer({ kind: 'receipt', state: 'superseded', version: '2', timeout: false });
    await cluster.host.settle();
    await done;
    expect(states).toEqual(['accepted', 'superseded']);
  });

  it('that nobody knows rejects', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => errorAnswer('RECEIPT_UNKNOWN');
    const state = track(db.receipt('r').state());
    await cluster.host.settle();
    expect(state.error).toMatchObject({ code: 'RECEIPT_UNKNOWN' });
  });
});

describe('administration', () => {
  it('is not repeated when its connection is lost', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const moved = track(db.transferLeadership({ to: 'node-2' }));
    await cluster.host.settle();
    expect(cluster.last.request.operation).toEqual({ kind: 'transferLeadership', partition: null, to: 'node-2' });
    cluster.cut('a');
    await cluster.host.advance(100);
    expect(moved.error).toMatchObject({ code: 'CONNECTION_LOST', definite: false });
    expect(cluster.requests.length).toBe(1);
  });

  it('has a status that times out', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const status = track(db.status());
    await cluster.host.advance(1_300);
    expect(status.error).toMatchObject({ code: 'TIMEOUT' });
  });

  it('lists conflicts in the form asked for', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const rest = {
      id: '0:1',
      key: 'k',
      loserVersion: '1',
      loserRegion: 'region-2' as never,
      winnerVersion: '00000000000500060000000000ff',
      winnerRegion: null,
      timeMs: 5,
      reason: 'otherType' as const,
    };
    cluster.onRequest = () => ({
      kind: 'conflicts',
      next: '0:1',
      entries: [
        {
          ...rest,
          loser: { type: 'counter', total: '90071992547409930' },
          winner: { type: 'register', value: bytes('w') },
        },
      ],
    });
    const conflicts = track(db.conflicts('', { before: '0:2' }));
    await cluster.host.settle();
    expect(cluster.last.request.operation).toEqual({ kind: 'conflicts', prefix: '', limit: 256, before: '0:2' });
    expect(conflicts.value).toEqual({
      next: '0:1',
      entries: [
        {
          ...rest,
          loser: { type: 'counter', total: 90_071_992_547_409_930n },
          loserStamp: null,
          winner: { type: 'register', value: 'w' },
          winnerStamp: { wallMs: 5, counter: 6, replica: 255 },
        },
      ],
    });
  });
});

it('a node that answers with another kind breaks the protocol', async () => {
  const cluster = new FakeCluster();
  const db = await cluster.connect();
  cluster.onRequest = () => ({ kind: 'done' });
  const got = track(db.get('k'));
  await cluster.host.settle();
  expect(got.error).toMatchObject({ code: 'MALFORMED_FRAME' });
  cluster.onRequest = () => keyAnswer({});
});
