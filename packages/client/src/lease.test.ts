import type { Answer } from '@skerry/protocol';
import { describe, expect, it } from 'vitest';
import { errorAnswer, FakeCluster, track } from './testing/fake-cluster.ts';

const granted: Answer = { kind: 'lease', timeout: false, outcome: 'applied', ttlMs: 3_000 };
const kinds = (cluster: FakeCluster): string[] => cluster.requests.map(({ request }) => request.operation.kind);

describe('a lease', () => {
  it('is kept alive at a third of its time to live until it is revoked', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => granted;
    const taking = track(db.lease(3_000, { key: 'k', id: 'mine' }));
    await cluster.host.advance(0);
    const lease = taking.value;
    expect(lease?.held).toBe(true);
    await cluster.host.advance(3_500);
    expect(kinds(cluster)).toEqual(['leaseGrant', 'leaseKeepAlive', 'leaseKeepAlive', 'leaseKeepAlive']);
    void lease?.revoke();
    await cluster.host.advance(60_000);
    expect(kinds(cluster).slice(4)).toEqual(['leaseRevoke']);
    expect(lease?.held).toBe(false);
    expect(lease?.lost.aborted).toBe(false);
  });

  it('is lost a full time to live after the last keep-alive that succeeded was sent', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ endpoints: ['ws://a'] });
    cluster.onRequest = () => granted;
    const taking = track(db.lease(3_000, { key: 'k' }));
    await cluster.host.advance(1_000);
    expect(kinds(cluster)).toEqual(['leaseGrant', 'leaseKeepAlive']);
    cluster.dead.add('a');
    cluster.cut('a');
    await cluster.host.advance(2_999);
    expect(taking.value?.held).toBe(true);
    await cluster.host.advance(20);
    expect(taking.value?.held).toBe(false);
    expect(taking.value?.lost.reason).toMatchObject({ code: 'LEASE_NOT_FOUND' });
  });

  it('is lost at once when the node says that it ended', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = ({ request }) =>
      request.operation.kind === 'leaseGrant' ? granted : errorAnswer('LEASE_NOT_FOUND');
    const taking = track(db.lease(3_000, { key: 'k' }));
    await cluster.host.advance(1_001);
    expect(taking.value?.lost.aborted).toBe(true);
  });

  it('survives a failover that is shorter than its time to live', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => granted;
    const taking = track(db.lease(3_000, { key: 'k' }));
    await cluster.host.settle();
    cluster.dead.add('a').add('b');
    cluster.cut('a');
    await cluster.host.advance(1_800);
    cluster.dead.delete('b');
    await cluster.host.advance(10_000);
    expect(taking.value?.held).toBe(true);
  });

  it('rejects when it is refused', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => errorAnswer('LEASE_EXISTS');
    const taking = track(db.lease(3_000, { key: 'k', id: 'taken' }));
    await cluster.host.advance(0);
    expect(taking.error).toMatchObject({ code: 'LEASE_EXISTS', definite: true });
  });
});
