import { describe, expect, it } from 'vitest';
import { partitionOf, type Answer } from '@skerry/protocol';
import { applied, errorAnswer, FakeCluster, keyAnswer, track } from './testing/fake-cluster.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const version = (n: number): string => n.toString(16).padStart(28, '0');

describe('the answer of a call', () => {
  it('has the value as text, or bytes on request, with its stamp', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => keyAnswer({ value: bytes('é'), version: '000000000001000200000000000f' });
    const [text, raw] = [track(db.get('k')), track(db.get('k', { as: 'bytes' }))];
    await cluster.host.settle();
    expect(text.value).toEqual({
      valid: true,
      timeout: false,
      value: 'é',
      version: '000000000001000200000000000f',
      stamp: { wallMs: 1, counter: 2, replica: 15 },
    });
    expect(raw.value?.value).toEqual(bytes('é'));
  });

  it('is VALUE_NOT_TEXT where the value is not UTF-8', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => keyAnswer({ value: new Uint8Array([0xff]), version: version(1) });
    const got = track(db.get('k'));
    await cluster.host.settle();
    expect(got.error).toMatchObject({ code: 'VALUE_NOT_TEXT', definite: true });
  });

  it('of a missing key is valid', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => keyAnswer({});
    const got = track(db.get('k'));
    await cluster.host.settle();
    expect(got.value).toMatchObject({ valid: true, value: null, version: null, stamp: null });
  });

  it('of a refused swap has the current value', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () =>
      keyAnswer({ valid: false, outcome: 'refused', value: bytes('other'), version: version(1) });
    const swapped = track(db.swap('k', 'new', null));
    await cluster.host.settle();
    expect(swapped.value).toMatchObject({ valid: false, outcome: 'refused', value: 'other' });
    expect(cluster.last.request.operation).toEqual({ kind: 'swap', key: 'k', newValue: bytes('new'), oldValue: null });
  });

  it('refuses here what UTF-8 would change on its way', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    await expect(db.get('\ud800')).rejects.toMatchObject({ code: 'KEY_NOT_UTF8', definite: true });
    await expect(db.set('k', 'a\udc00')).rejects.toMatchObject({ code: 'BAD_REQUEST', definite: true });
    await expect(db.txn({ then: [{ set: '\ud800', value: '' }] })).rejects.toMatchObject({ code: 'KEY_NOT_UTF8' });
  });

  it('refuses here what no frame can carry, and the connection lives on', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const set = track(db.set('k', new Uint8Array(5 * 1_024 * 1_024)));
    await cluster.host.settle();
    expect(set.error).toMatchObject({ code: 'VALUE_TOO_LARGE', definite: true, ticket: null });
    expect(cluster.dials).toEqual(['a']);
  });
});

describe('the id of a write', () => {
  it('counts from 1 per partition, and says what was answered', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    for (const key of keys) void db.set(key, '');
    await cluster.host.settle();
    for (let partition = 0; partition < 4; partition++) {
      const sequences = cluster.requests
        .filter(({ request }) => partitionOf((request.operation as { key: string }).key, 4) === partition)
        .map(({ request }) => request.id?.sequence);
      expect(sequences).toEqual(sequences.map((_, i) => i + 1));
    }
    expect(cluster.requests[0]?.request.id?.client).toMatch(/^018bcfe56800[0-9a-f]{20}$/);
    const own = cluster.requests.filter(
      ({ request }) => partitionOf((request.operation as { key: string }).key, 4) === partitionOf('k0', 4),
    );
    own[1]?.answer(applied);
    await cluster.host.settle();
    void db.set('k0', '');
    await cluster.host.settle();
    expect(cluster.last.request.id).toMatchObject({ sequence: own.length + 1, answeredBelow: 1, retry: false });
    own[0]?.answer(applied);
    await cluster.host.settle();
    void db.set('k0', '');
    await cluster.host.settle();
    expect(cluster.last.request.id).toMatchObject({ sequence: own.length + 2, answeredBelow: 3 });
  });

  it('stays the same on every retry, which says that it is one', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const set = track(db.set('k', 'v'));
    for (let i = 0; i < 6; i++) {
      await cluster.host.advance(50);
      cluster.cut(i % 2 === 0 ? 'a' : 'b');
    }
    cluster.onRequest = () => applied;
    await cluster.host.advance(2_000);
    expect(set.value).toMatchObject({ outcome: 'applied' });
    const ids = cluster.requests.map(({ request }) => request.id);
    expect(ids.length).toBeGreaterThan(3);
    expect(new Set(ids.map((id) => `${id?.client} ${id?.sequence}`)).size).toBe(1);
    expect(ids.map((id) => id?.retry)).toEqual(ids.map((_, i) => i > 0));
  });

  it('is of a new session after SESSION_EXPIRED, where nothing can have been applied', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => (cluster.requests.length === 1 ? errorAnswer('SESSION_EXPIRED') : applied);
    const set = track(db.set('k', 'v'));
    await cluster.host.settle();
    expect(set.value).toMatchObject({ outcome: 'applied' });
    const [first, second] = cluster.requests.map(({ request }) => request.id);
    expect(second?.client).not.toBe(first?.client);
    expect(second).toMatchObject({ sequence: 1, retry: false });
  });

  it('is born in the time of the node, however long ago that said welcome', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const dayMs = 24 * 3_600_000;
    await cluster.host.advance(2 * dayMs + 0.5);
    // As a region that forgets sessions which are a day old.
    const regionNowMs = (): number => 1_700_000_000_000 + cluster.host.nowMs() - 1_000;
    cluster.onRequest = ({ request }) =>
      Number.parseInt(request.id?.client.slice(0, 12) ?? '', 16) < regionNowMs() - dayMs
        ? errorAnswer('SESSION_EXPIRED')
        : applied;
    const first = track(db.set('k', 'v'));
    await cluster.host.settle();
    expect(first.value).toMatchObject({ outcome: 'applied' });
    await cluster.host.advance(2 * dayMs);
    const second = track(db.set('k', 'w'));
    await cluster.host.settle();
    expect(second.value).toMatchObject({ outcome: 'applied' });
    expect(cluster.dials).toEqual(['a']);
    for (const { request } of cluster.requests) expect(request.id?.client).toMatch(/^[0-9a-f]{32}$/);
  });

  it('is of a session of another welcome where a renewed session is refused too', async () => {
    for (const endpoints of [['ws://a'], ['ws://a', 'ws://b']]) {
      const cluster = new FakeCluster();
      const db = await cluster.connect({ endpoints });
      // The clock of the first welcome was behind.
      cluster.welcome = (node) => cluster.welcomeOf(node, { nowMs: 1_800_000_000_000 });
      cluster.onRequest = ({ request }) =>
        Number.parseInt(request.id?.client.slice(0, 12) ?? '', 16) < 1_800_000_000_000
          ? errorAnswer('SESSION_EXPIRED')
          : applied;
      const sets = [track(db.set('k', 'v')), track(db.set('l', 'v'))];
      await cluster.host.advance(50);
      for (const set of sets) expect(set.value).toMatchObject({ outcome: 'applied' });
      expect(cluster.dials).toEqual(['a', 'a']);
      expect(cluster.requests.filter(({ request }) => request.id?.retry)).toEqual([]);
    }
  });

  it('ends with SESSION_EXPIRED, definite, where every session is refused', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ endpoints: ['ws://a'] });
    cluster.onRequest = () => errorAnswer('SESSION_EXPIRED');
    const set = track(db.set('k', 'v'));
    await cluster.host.advance(5_000);
    expect(set.error).toMatchObject({ code: 'SESSION_EXPIRED', definite: true, ticket: null });
  });

  it('ends so too where no other welcome is to be had, while the link lives on', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ endpoints: ['ws://a'] });
    cluster.onRequest = () => errorAnswer('SESSION_EXPIRED');
    cluster.dead.add('a');
    const set = track(db.set('k', 'v'));
    await cluster.host.advance(10_000);
    expect(set.error).toMatchObject({ code: 'SESSION_EXPIRED', definite: true });
  });

  it('is given back as a ticket after SESSION_EXPIRED, where something may have been applied', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const set = track(db.set('k', 'v'));
    await cluster.host.settle();
    const { id } = cluster.last.request;
    cluster.onRequest = () => errorAnswer('SESSION_EXPIRED');
    cluster.cut('a');
    await cluster.host.advance(100);
    expect(set.value).toMatchObject({
      valid: false,
      timeout: true,
      outcome: 'undecided',
      ticket: `region-1:${partitionOf('k', 4)}:${id?.client}:1`,
    });
    expect(cluster.requests.length).toBe(2);
  });

  it('of an undecided write holds back answeredBelow until it is resolved', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const set = track(db.set('k', 'v', { blocking: false, timeoutMs: 100 }));
    await cluster.host.advance(2_000);
    expect(set.value).toMatchObject({ outcome: 'undecided' });
    cluster.onRequest = () => applied;
    void db.set('k', 'w');
    await cluster.host.settle();
    expect(cluster.last.request.id).toMatchObject({ sequence: 2, answeredBelow: 1 });
    const resolved = track(db.resolve(set.value?.ticket ?? ''));
    await cluster.host.settle();
    expect(resolved.value).toMatchObject({ outcome: 'applied' });
    void db.set('k', 'x');
    await cluster.host.settle();
    expect(cluster.last.request.id).toMatchObject({ sequence: 3, answeredBelow: 3 });
  });
});

describe('a call that is not blocking', () => {
  it('is notApplied at its deadline when nobody could be asked', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.dead.add('a').add('b');
    cluster.cut('a');
    await cluster.host.settle();
    const set = track(db.set('k', 'v', { blocking: false }));
    const got = track(db.get('k', { blocking: false }));
    await cluster.host.advance(999);
    expect(set.done || got.done).toBe(false);
    await cluster.host.advance(10);
    expect(set.value).toEqual({
      valid: false,
      timeout: true,
      value: null,
      version: null,
      stamp: null,
      outcome: 'notApplied',
    });
    expect(got.value).toEqual({ valid: false, timeout: true, value: null, version: null, stamp: null });
  });

  it('is undecided with a ticket when its node is silent, and is cancelled there', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ endpoints: ['ws://a'] });
    const set = track(db.set('k', 'v', { blocking: false, timeoutMs: 300 }));
    await cluster.host.advance(1_060);
    expect(set.value).toMatchObject({ timeout: true, outcome: 'undecided' });
    expect(set.value?.ticket).toBeDefined();
    expect(cluster.cancelled).toEqual([cluster.last.request.requestId]);
  });

  it('is decided by another node, which is asked within the grace to fence it', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const set = track(db.set('k', 'v', { blocking: false, timeoutMs: 300 }));
    await cluster.host.advance(400);
    cluster.onRequest = () => keyAnswer({ valid: false, timeout: true, outcome: 'notApplied' });
    cluster.cut('a');
    await cluster.host.settle();
    expect(cluster.last).toMatchObject({ node: 'b', request: { timeoutMs: 0, id: { retry: true } } });
    expect(set.value).toMatchObject({ timeout: true, outcome: 'notApplied' });
  });

  it('has no ticket when it is quorum-less, whoever calls it undecided', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ endpoints: ['ws://a'] });
    const abort = new AbortController();
    const silent = [
      track(db.set('k', 'v', { consistent: false, blocking: false, timeoutMs: 300 })),
      track(db.delete('k', { consistent: false, blocking: false, timeoutMs: 300 })),
    ];
    const aborted = track(db.set('k', 'v', { consistent: false, signal: abort.signal }));
    await cluster.host.settle();
    abort.abort();
    await cluster.host.advance(1_060);
    const unanswered = { valid: false, timeout: true, value: null, version: null, stamp: null, outcome: 'undecided' };
    for (const { value } of silent) expect(value).toEqual(unanswered);
    expect(aborted.error).toMatchObject({ code: 'ABORTED', definite: false, ticket: null });
    cluster.onRequest = () =>
      keyAnswer({ valid: false, timeout: true, outcome: 'undecided', ticket: 'of the node', receipt: 'r' });
    const told = track(db.set('k', 'v', { consistent: false, blocking: false }));
    await cluster.host.settle();
    expect(told.value).toEqual({ ...unanswered, receipt: 'r' });
  });

  it('that the node calls undecided has the ticket of the node', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => keyAnswer({ valid: false, timeout: true, outcome: 'undecided', ticket: 'of the node' });
    const set = track(db.set('k', 'v', { blocking: false }));
    await cluster.host.settle();
    expect(set.value).toMatchObject({ outcome: 'undecided', ticket: 'of the node' });
  });
});

describe('an abort', () => {
  it('before the call rejects without a trace', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    await expect(db.set('k', 'v', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
      definite: true,
      ticket: null,
    });
    await cluster.host.settle();
    expect(cluster.requests).toEqual([]);
  });

  it('of a write on the wire carries a ticket, and the node is told', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const abort = new AbortController();
    const set = track(db.set('k', 'v', { signal: abort.signal }));
    await cluster.host.settle();
    abort.abort();
    await cluster.host.settle();
    expect(set.error).toMatchObject({ code: 'ABORTED', definite: false });
    expect((set.error as { ticket: string }).ticket).toMatch(/:1$/);
    expect(cluster.cancelled).toEqual([cluster.last.request.requestId]);
    cluster.last.answer(applied);
    await cluster.host.settle();
  });

  it('of a read carries none', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const abort = new AbortController();
    const got = track(db.get('k', { signal: abort.signal }));
    await cluster.host.settle();
    abort.abort();
    await cluster.host.settle();
    expect(got.error).toMatchObject({ code: 'ABORTED', definite: true, ticket: null });
  });
});

describe('too much at once', () => {
  it('is OVERLOADED, and passes', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ inFlightMax: 2 });
    const open = [track(db.get('a')), track(db.get('b'))];
    await expect(db.get('c')).rejects.toMatchObject({ code: 'OVERLOADED', definite: true });
    await cluster.host.settle();
    cluster.onRequest = () => keyAnswer({});
    for (const { answer } of cluster.requests) answer(keyAnswer({}));
    await cluster.host.settle();
    expect(open.every(({ done }) => done)).toBe(true);
    await expect(Promise.race([db.get('c'), cluster.host.settle().then(() => 'late')])).resolves.toMatchObject({
      valid: true,
    });
  });

  it('counts bytes too', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ inFlightBytesMax: 10_000 });
    void track(db.set('a', new Uint8Array(9_000)));
    await expect(db.set('b', new Uint8Array(9_000))).rejects.toMatchObject({ code: 'OVERLOADED' });
  });
});

describe('a local read', () => {
  const read = async (
    answers: readonly Answer[],
    before: (cluster: FakeCluster) => Answer = () =>
      keyAnswer({ value: bytes('new'), version: version(9), outcome: 'applied' }),
  ): Promise<unknown> => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = before.bind(null, cluster);
    void track(db.set('k', 'new', { consistent: false }));
    await cluster.host.settle();
    const rest = [...answers];
    cluster.onRequest = () => rest.shift();
    const got = track(db.get('k', { consistent: false }));
    await cluster.host.advance(1_300);
    return got.value;
  };
  const withReceipt = (): Answer => keyAnswer({ version: version(9), receipt: 'r' });

  it('that is not older than what was seen is answered as it is', async () => {
    expect(await read([keyAnswer({ value: bytes('newer'), version: version(10) })])).toMatchObject({ value: 'newer' });
  });

  it('that is older is answered by the quorum', async () => {
    const value = await read([
      keyAnswer({ value: bytes('old'), version: version(3) }),
      keyAnswer({ value: bytes('new'), version: version(9) }),
    ]);
    expect(value).toMatchObject({ valid: true, value: 'new' });
    expect(value).not.toHaveProperty('behind');
  });

  it('says behind when there is no quorum in time', async () => {
    expect(await read([keyAnswer({ value: bytes('old'), version: version(3) })])).toMatchObject({
      valid: true,
      value: 'old',
      behind: true,
    });
  });

  it('of a key that was deleted meanwhile is not behind', async () => {
    const value = await read([keyAnswer({}), keyAnswer({})]);
    expect(value).toMatchObject({ valid: true, value: null });
    expect(value).not.toHaveProperty('behind');
  });

  it('says behind when not even the quorum knows of its own quorum-less write', async () => {
    expect(await read([keyAnswer({}), keyAnswer({})], withReceipt)).toMatchObject({
      valid: true,
      value: null,
      behind: true,
    });
  });
});
