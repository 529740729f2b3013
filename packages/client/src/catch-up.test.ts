import { partitionOf, type Answer, type SeenMessage } from '@skerry/protocol';
import { describe, expect, it } from 'vitest';
import type { Client } from './client.ts';
import type { ConnectOptions } from './connect.ts';
import { applied, errorAnswer, FakeCluster, keyAnswer, track } from './testing/fake-cluster.ts';

const layout = { 'region-1': ['a', 'b'], 'region-2': ['d'] };
const partition = partitionOf('k', 4);
const replicas: Record<string, number> = { a: 0xa, b: 0xb, d: 0xd };
const got = keyAnswer({ value: new TextEncoder().encode('v'), version: '1' });

/** What `node` has applied of the logs of origins 1 and 2, and of its own quorum-less writes. */
function seen(cluster: FakeCluster, node: string, [one, two]: readonly [number, number], promoted = 0): void {
  const message: SeenMessage = {
    kind: 'seen',
    partitions: [
      {
        partition,
        positions: [
          { origin: 1 as never, sequence: one },
          { origin: 2 as never, sequence: two },
        ],
        promoted: { replica: replicas[node] as never, sequence: promoted },
      },
    ],
  };
  cluster.send(node, message);
}

async function setUp(options: Partial<ConnectOptions> = {}): Promise<{ cluster: FakeCluster; db: Client }> {
  const cluster = new FakeCluster(layout);
  const db = await cluster.connect({ endpoints: ['ws://a'], ...options });
  cluster.onRequest = () => got;
  return { cluster, db };
}

/** A client that has read at `a` up to (10, 5) and is at `d` now, which has this. */
async function moved(
  atD: readonly [number, number],
  options: Partial<ConnectOptions> = {},
): Promise<{ cluster: FakeCluster; db: Client }> {
  const { cluster, db } = await setUp(options);
  seen(cluster, 'a', [10, 5]);
  await cluster.host.settle();
  void db.get('k');
  await cluster.host.settle();
  await moveTo(cluster, 'd', atD);
  return { cluster, db };
}

async function moveTo(cluster: FakeCluster, node: string, has: readonly [number, number]): Promise<void> {
  for (const region of Object.values(layout)) {
    for (const each of region) {
      if (each === node) continue;
      cluster.dead.add(each);
      cluster.cut(each);
    }
  }
  await cluster.host.advance(400);
  seen(cluster, node, has);
  await cluster.host.settle();
}

const missing = [{ origin: 1, sequence: 10 }];

describe('a read at a node that has all that the session saw', () => {
  it('asks for nothing', async () => {
    const { cluster, db } = await moved([10, 5]);
    const read = track(db.get('k'));
    await cluster.host.settle();
    expect(cluster.last.request).not.toHaveProperty('after');
    expect(cluster.last.request.timeoutMs).toBeNull();
    expect(read.value).not.toHaveProperty('behind');
  });

  it('asks for nothing that the client was told of and handed nothing out from', async () => {
    const { cluster, db } = await setUp();
    seen(cluster, 'a', [10, 5]);
    await cluster.host.settle();
    await moveTo(cluster, 'd', [7, 9]);
    void db.get('k');
    await cluster.host.settle();
    expect(cluster.last).toMatchObject({ node: 'd' });
    expect(cluster.last.request).not.toHaveProperty('after');
  });

  it('asks for nothing because of another partition', async () => {
    const { cluster, db } = await moved([7, 9]);
    const other = ['k0', 'k1', 'k2', 'k3', 'k4'].find((key) => partitionOf(key, 4) !== partition) as string;
    void db.get(other);
    await cluster.host.settle();
    expect(cluster.last.request).not.toHaveProperty('after');
  });
});

describe('a read at a node that does not', () => {
  it('asks it to wait for what is missing, and takes its word', async () => {
    const { cluster, db } = await moved([7, 9]);
    const reads = [db.get('k'), db.get('k', { consistent: false }), db.counter('k').get()].map((call) =>
      track(call as Promise<object>),
    );
    cluster.onRequest = ({ request }) =>
      request.operation.kind === 'read' ? keyAnswer({ view: { type: 'counter', total: '1' } }) : got;
    await cluster.host.settle();
    for (const { request } of cluster.requests.slice(-3))
      expect(request).toMatchObject({ after: { positions: missing, dots: [] }, timeoutMs: 1_000 });
    for (const { value } of reads) {
      expect(value).toMatchObject({ valid: true });
      expect(value).not.toHaveProperty('behind');
    }
  });

  it('passes on that the node is behind; later ones do not wait, and say so too, until it has caught up', async () => {
    const { cluster, db } = await moved([7, 9]);
    cluster.onRequest = () => ({ ...got, behind: true });
    const first = track(db.get('k'));
    await cluster.host.settle();
    expect(first.value).toMatchObject({ valid: true, value: 'v', behind: true });
    cluster.onRequest = () => got;
    const second = track(db.get('k'));
    await cluster.host.settle();
    expect(cluster.last.request).not.toHaveProperty('after');
    expect(second.value).toMatchObject({ valid: true, behind: true });
    seen(cluster, 'd', [10, 9]);
    const third = track(db.get('k'));
    await cluster.host.settle();
    expect(third.value).not.toHaveProperty('behind');
    void db.get('k');
    await cluster.host.settle();
    expect(cluster.last.request).not.toHaveProperty('after');
  });

  it('is answered after catchUpMs at the latest where it blocks, without a quorum as soon as there is one', async () => {
    const { cluster, db } = await moved([7, 9]);
    cluster.onRequest = ({ request }) =>
      request.after === undefined ? undefined : keyAnswer({ valid: false, timeout: true });
    const read = track(db.get('k'));
    await cluster.host.settle();
    expect(cluster.last.request).toMatchObject({ timeoutMs: null });
    expect(cluster.last.request).not.toHaveProperty('after');
    expect(read.done).toBe(false);
    cluster.last.answer(got);
    await cluster.host.settle();
    expect(read.value).toMatchObject({ valid: true, behind: true });
    const asked = cluster.requests.length;
    void db.get('k');
    await cluster.host.settle();
    expect(cluster.requests.slice(asked).map(({ request }) => 'after' in request)).toEqual([false]);
  });

  it('waits once where the call says for how long, and then for the quorum alone', async () => {
    const { cluster, db } = await moved([7, 9]);
    cluster.onRequest = ({ request }) =>
      request.after === undefined ? undefined : keyAnswer({ valid: false, timeout: true });
    const asked = cluster.requests.length;
    void track(db.get('k', { catchUpMs: 200 }));
    await cluster.host.settle();
    expect(cluster.requests.slice(asked).map(({ request }) => request.timeoutMs)).toEqual([200, null]);
  });

  it('has the time that is left for the rest, where it does not block', async () => {
    const { cluster, db } = await moved([7, 9]);
    cluster.onRequest = () => undefined;
    const read = track(db.get('k', { blocking: false, timeoutMs: 1_500 }));
    await cluster.host.advance(1_000);
    expect(cluster.last.request.timeoutMs).toBe(1_000);
    cluster.last.answer(keyAnswer({ valid: false, timeout: true }));
    await cluster.host.settle();
    expect(cluster.last.request.timeoutMs).toBe(500);
    cluster.last.answer(keyAnswer({ valid: false, timeout: true }));
    await cluster.host.settle();
    expect(read.value).toMatchObject({ valid: false, timeout: true });
    expect(read.value).not.toHaveProperty('behind');
  });

  it('is not asked twice where its deadline comes first', async () => {
    const { cluster, db } = await moved([7, 9]);
    cluster.onRequest = () => keyAnswer({ valid: false, timeout: true });
    const asked = cluster.requests.length;
    const read = track(db.get('k', { blocking: false, timeoutMs: 600 }));
    await cluster.host.settle();
    expect(cluster.last.request).toMatchObject({ timeoutMs: 600, after: { positions: missing } });
    expect(read.value).toMatchObject({ timeout: true });
    expect(cluster.requests.length - asked).toBe(1);
  });

  it('waits as long as the call says, each time, or not at all', async () => {
    const { cluster, db } = await moved([7, 9]);
    cluster.onRequest = () => ({ ...got, behind: true });
    for (let i = 0; i < 2; i++) {
      void db.get('k', { catchUpMs: 5_000 });
      await cluster.host.settle();
      expect(cluster.last.request).toMatchObject({ timeoutMs: 5_000, after: { positions: missing } });
    }
    cluster.onRequest = () => got;
    const hasty = track(db.get('k', { catchUpMs: 0 }));
    await cluster.host.settle();
    expect(cluster.last.request).not.toHaveProperty('after');
    expect(hasty.value).toMatchObject({ behind: true });
  });

  it('is only the less of what it misses: writes and other calls ask for nothing', async () => {
    const { cluster, db } = await moved([7, 9]);
    cluster.onRequest = () => applied;
    void db.set('k', 'v');
    void db.swap('k', 'v', null);
    await cluster.host.settle();
    for (const { request } of cluster.requests.slice(-2)) expect(request).not.toHaveProperty('after');
  });
});

describe('a listing', () => {
  const page: Answer = { kind: 'list', entries: [], next: null, timeout: false };

  it('asks for what is missing of all partitions, and says behind unless the node has told that it has it', async () => {
    const { cluster, db } = await moved([7, 9]);
    cluster.onRequest = () => page;
    const listed = track(db.list(''));
    await cluster.host.settle();
    expect(cluster.last.request).toMatchObject({ after: { positions: missing, dots: [] } });
    expect(listed.value).toMatchObject({ timeout: false, behind: true });
    cluster.onRequest = () => {
      seen(cluster, 'd', [10, 9]);
      return page;
    };
    const again = track(db.list('', { catchUpMs: 500 }));
    await cluster.host.settle();
    expect(again.value).not.toHaveProperty('behind');
  });
});

describe('an own quorum-less write', () => {
  const accepted = (sequence: number): Answer =>
    keyAnswer({ version: '1', receipt: `region-1:${partition}:00000000000a-${sequence}` });

  const written = async (): Promise<{ cluster: FakeCluster; db: Client }> => {
    const { cluster, db } = await setUp();
    seen(cluster, 'a', [10, 5]);
    cluster.onRequest = () => accepted(1);
    void db.set('k', 'v', { consistent: false });
    await cluster.host.settle();
    cluster.onRequest = () => got;
    return { cluster, db };
  };

  it('is asked for at other nodes, until one has shown to have it', async () => {
    const { cluster, db } = await written();
    void db.get('k');
    await cluster.host.settle();
    expect(cluster.last.request).not.toHaveProperty('after');
    await moveTo(cluster, 'b', [10, 5]);
    void db.get('k');
    await cluster.host.settle();
    expect(cluster.last).toMatchObject({
      node: 'b',
      request: { after: { positions: [], dots: [{ replica: 0xa, sequence: 1 }] } },
    });
    void db.get('k');
    await cluster.host.settle();
    expect(cluster.last.request).not.toHaveProperty('after');
  });

  it('that is settled stands in a log: from then on its place there is asked for', async () => {
    const { cluster, db } = await written();
    seen(cluster, 'a', [11, 5], 1);
    await cluster.host.settle();
    await moveTo(cluster, 'd', [10, 5]);
    void db.get('k');
    await cluster.host.settle();
    expect(cluster.last.request).toMatchObject({ after: { positions: [{ origin: 1, sequence: 11 }], dots: [] } });
  });

  it('is settled too when its receipt says so', async () => {
    const { cluster, db } = await written();
    await moveTo(cluster, 'b', [12, 5]);
    for (const state of ['accepted', 'superseded'] as const) {
      cluster.onRequest = () => ({ kind: 'receipt', state, version: '1', timeout: false });
      void db.receipt(`region-1:${partition}:00000000000a-1`).state();
      await cluster.host.settle();
      cluster.onRequest = () => got;
      void db.get('k', { catchUpMs: 10 });
      await cluster.host.settle();
      expect('after' in cluster.last.request).toBe(state === 'accepted');
      cluster.cut('b');
      await cluster.host.advance(50);
      seen(cluster, 'b', [12, 5]);
      await cluster.host.settle();
    }
  });
});

describe('a watch', () => {
  it('has shown what its node has applied', async () => {
    const { cluster, db } = await setUp();
    cluster.onRequest = () => undefined;
    void track(db.watch('k').next());
    seen(cluster, 'a', [10, 5]);
    await cluster.host.settle();
    cluster.last.answer({ kind: 'watch', events: [], cursor: 'region-1:1' });
    await cluster.host.settle();
    await moveTo(cluster, 'd', [7, 9]);
    void track(db.get('k'));
    await cluster.host.settle();
    expect(cluster.last.request).toMatchObject({ after: { positions: missing } });
  });
});

describe('the token of a session', () => {
  it('takes it to another process', async () => {
    const { cluster, db } = await setUp();
    seen(cluster, 'a', [10, 5]);
    cluster.onRequest = () => keyAnswer({ version: '1', receipt: `region-1:${partition}:00000000000a-3` });
    void db.set('k', 'v', { consistent: false });
    await cluster.host.settle();
    const token = db.token();
    expect(token).toMatch(/^[\w-]{20,80}$/);
    const other = await cluster.connect({ endpoints: ['ws://d'], token });
    seen(cluster, 'd', [7, 9]);
    await cluster.host.settle();
    void other.get('k');
    await cluster.host.settle();
    expect(cluster.last).toMatchObject({
      node: 'd',
      request: { after: { positions: missing, dots: [{ replica: 0xa, sequence: 3 }] } },
    });
    expect(other.token().length).toBeGreaterThanOrEqual(token.length);
  });

  it('is refused where it was not made by this, or of another cluster', async () => {
    const { cluster, db } = await setUp();
    const token = db.token();
    const cut = token.slice(0, -2);
    const changed = `${token.slice(0, 9)}${token[9] === 'A' ? 'B' : 'A'}${token.slice(10)}`;
    for (const bad of ['', 'x', '?', cut, changed]) {
      const connecting = track(cluster.connect({ token: bad }));
      await cluster.host.settle();
      await cluster.host.settle();
      expect(connecting.error).toMatchObject({ code: 'BAD_REQUEST', definite: true });
    }
    cluster.welcome = (node) => cluster.welcomeOf(node, { cluster: 'other' });
    const connecting = track(cluster.connect({ token }));
    await cluster.host.advance(500);
    await cluster.host.settle();
    expect(connecting.error).toMatchObject({ code: 'WRONG_CLUSTER' });
  });
});

it('a read that fails is no reason to think that the node has caught up', async () => {
  const { cluster, db } = await moved([7, 9]);
  cluster.onRequest = () => errorAnswer('VALUE_TOO_LARGE');
  await cluster.host.settle();
  void track(db.get('k'));
  await cluster.host.settle();
  cluster.onRequest = () => got;
  void db.get('k');
  await cluster.host.settle();
  expect(cluster.last.request).toMatchObject({ after: { positions: missing } });
});
