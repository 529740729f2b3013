import { nodeId } from '@skerry/base';
import { StorageCorruptError, StorageFailedError, type NodeStatus } from '@skerry/replica';
import { afterEach, describe, expect, test } from 'vitest';
import { TestClient } from '../testing/test-client.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { until } from '../testing/until.ts';

const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.kill();
});

async function start(...args: Parameters<typeof startTestServer>): Promise<TestServer> {
  const server = await startTestServer(...args);
  servers.push(server);
  return server;
}

async function call(
  server: TestServer,
  path: string,
  body?: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(server.adminUrl + path, body === undefined ? {} : init);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

function led(leader: string | null, quorum = true): NodeStatus {
  return {
    node: nodeId('fake'),
    partitions: [
      {
        partition: 0,
        role: 'follower',
        term: 3,
        leader: leader === null ? null : nodeId(leader),
        commit: 5,
        applied: 4,
        firstIndex: 1,
        lastIndex: 6,
        pending: 2,
        voters: [nodeId('fake'), nodeId('b')],
        learners: [],
        quorum,
      },
    ],
    storageFull: false,
    peers: [],
  };
}

describe('health', () => {
  test('alive without a quorum, ready for local calls, not for consistent ones', async () => {
    const server = await start();
    for (const status of [led(null), led('b', false)]) {
      server.replica.nodeStatus = status;
      expect((await call(server, '/livez')).status).toBe(200);
      expect((await call(server, '/readyz?mode=local')).status).toBe(200);
      expect(await call(server, '/readyz?mode=consistent')).toMatchObject({ status: 503, body: { code: 'NO_LEADER' } });
    }
    server.replica.nodeStatus = led('b');
    expect((await call(server, '/readyz')).status).toBe(200);
    expect(await call(server, '/readyz?mode=other')).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
  });

  test('metrics have the prefix, the partition and the numbers of the replica', async () => {
    const server = await start();
    server.replica.nodeStatus = led('fake');
    server.replica.numbers = { commands_applied_total: 7, sessions: 3 };
    const text = await (await fetch(`${server.adminUrl}/metrics`)).text();
    const names = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(/[{ ]/)[0]);
    expect(names.filter((name) => !name?.startsWith('skerry_'))).toEqual([]);
    expect(text).toMatch(/skerry_commands_applied_total\{[^}]*node="fake"[^}]*\} 7/);
    expect(text).toMatch(/skerry_partition_leader\{[^}]*partition="0"[^}]*\} 1/);
    expect(text).toMatch(/skerry_nodejs_eventloop_lag_seconds/);
    server.replica.numbers = { commands_applied_total: 8, sessions: 1 };
    expect(await (await fetch(`${server.adminUrl}/metrics`)).text()).toMatch(
      /skerry_commands_applied_total\{[^}]*\} 8/,
    );
  });

  test('status tells who the node is', async () => {
    const server = await start();
    expect((await call(server, '/status')).body).toMatchObject({
      node: 'fake',
      region: 'region-1',
      cluster: 'test',
      replica: 1,
      version: '1.2.3',
      clientUrl: server.clientUrl,
      stopping: false,
    });
  });
});

describe('orders', () => {
  test('a change of members and a transfer reach the replica', async () => {
    const server = await start();
    server.replica.onRequest = () => ({ kind: 'done' });
    const add = [{ node: 'c', peerUrl: 'ws://c:1', replica: 5 }];
    expect((await call(server, '/admin/members', { add, remove: ['b'] })).status).toBe(200);
    expect((await call(server, '/admin/transfer', { partition: 0, to: 'b' })).status).toBe(200);
    expect(server.replica.of('request').map(({ request }) => request.operation)).toEqual([
      {
        kind: 'changeMembers',
        add: [{ node: 'c', peerUrl: 'ws://c:1', clientUrl: '', adminUrl: '', learner: false, replica: 5 }],
        remove: ['b'],
      },
      { kind: 'transferLeadership', partition: 0, to: 'b' },
    ]);
  });

  test.each([
    ['/admin/members', {}, 'BAD_REQUEST'],
    ['/admin/members', { add: [{ node: 'a/b', peerUrl: 'ws://c:1' }] }, 'BAD_REQUEST'],
    ['/admin/members', { remove: ['b'], now: true }, 'UNKNOWN_FIELD'],
    ['/chaos/cut', { peers: ['b'] }, 'FAULT_INJECTION_OFF'],
    ['/chaos/heal', {}, 'FAULT_INJECTION_OFF'],
    ['/chaos/cut', { regions: ['region-2'] }, 'FAULT_INJECTION_OFF'],
  ])('%s %j is refused with %s', async (path, body, code) => {
    const server = await start();
    expect((await call(server, path, body)).body).toMatchObject({ code });
    expect(server.replica.of('request')).toEqual([]);
  });

  test('cuts are listed and healed, all of them if none is named', async () => {
    const server = await start({ unsafeFaultInjection: true });
    const order = async (action: string, body: object): Promise<unknown> =>
      (await call(server, `/chaos/${action}`, body)).body;
    expect(await order('cut', { peers: ['b', 'c'] })).toEqual({ cut: ['b', 'c'], cutRegions: [] });
    expect(await order('cut', { regions: ['r2', 'r3'] })).toEqual({ cut: ['b', 'c'], cutRegions: ['r2', 'r3'] });
    expect(await order('heal', { peers: ['b'] })).toEqual({ cut: ['c'], cutRegions: ['r2', 'r3'] });
    expect(await order('heal', { regions: ['r2'] })).toEqual({ cut: ['c'], cutRegions: ['r3'] });
    expect(await order('heal', {})).toEqual({ cut: [], cutRegions: [] });
    expect(await call(server, '/chaos/cut', {})).toMatchObject({ status: 400 });
    expect(await call(server, '/chaos/cut', { regions: ['a/b'] })).toMatchObject({ status: 400 });
  });
});

describe('a start that fails', () => {
  test('gives back the folder and the ports', async () => {
    const first = await start();
    let closed = 0;
    const { port } = new URL(first.clientUrl);
    const close = async () => void closed++;
    await expect(startTestServer({ clientPort: Number(port) }, { close })).rejects.toThrow('EADDRINUSE');
    expect(closed).toBe(1);
  });

  test('a folder that was begun to join does not make a cluster, whatever the flags say later', async () => {
    const joining = await start({ join: true, bootstrap: [], peers: [{ node: 'b', peerUrl: 'ws://127.0.0.1:1' }] });
    expect(joining.replicaOptions.bootstrap).toBeNull();
    const again = await start({}, { get: (key) => (key === 'server/joined' ? Uint8Array.of(1) : undefined) });
    expect(again.replicaOptions.bootstrap).toBeNull();
    expect((await start()).replicaOptions.bootstrap).toEqual(['fake']);
  });
});

describe('the end of a node', () => {
  test('a planned stop hands over, answers what is open, and says goodbye with STOPPING', async () => {
    const server = await start();
    server.replica.nodeStatus = led('fake');
    const busy = await TestClient.greeted(server.clientUrl);
    const idle = await TestClient.greeted(server.clientUrl);
    busy.request(1, { kind: 'get', key: 'k', consistent: true });
    await until('the request', () => server.replica.of('request').length === 1);
    const handle = server.replica.of('request')[0]?.handle ?? -1;

    const stopped = server.stop();
    await until('a transfer', () =>
      server.replica.of('request').some(({ request }) => request.operation.kind === 'transferLeadership'),
    );
    expect((await call(server, '/readyz?mode=local')).body).toMatchObject({ code: 'STOPPING' });
    // Until another one leads, this node serves as ever.
    server.replica.onRequest = ({ operation }) => (operation.kind === 'conflicts' ? { kind: 'done' } : null);
    idle.request(1, { kind: 'conflicts', prefix: '', limit: 1 });
    await until('an answer', () => idle.answers().length === 1);
    expect(idle.answers()).toEqual([{ requestId: 1, kind: 'done' }]);
    server.replica.nodeStatus = led('b');
    await idle.untilClosed();
    expect(idle.of('goodbye')).toMatchObject([{ code: 'STOPPING' }]);
    expect(busy.closed).toBeNull();
    busy.request(2, { kind: 'status' });
    await until('a refusal', () => busy.answers().length === 1);
    expect(busy.answers()).toEqual([{ requestId: 2, kind: 'error', code: 'STOPPING' }]);
    server.replica.answer(handle, { kind: 'done' });
    await stopped;
    await busy.untilClosed();
    expect(busy.answers()[1]).toEqual({ requestId: 1, kind: 'done' });
    expect(busy.of('goodbye')).toMatchObject([{ code: 'STOPPING' }]);
  });

  test('a stop ends in time although nobody takes over and requests stay open', async () => {
    const server = await start({ stopMsMax: 300 });
    server.replica.nodeStatus = led('fake');
    const client = await TestClient.greeted(server.clientUrl);
    client.request(1, { kind: 'get', key: 'k', consistent: true });
    await until('the request', () => server.replica.of('request').length === 1);
    const before = performance.now();
    await server.stop();
    expect(performance.now() - before).toBeLessThan(3_000);
    await client.untilClosed();
    expect(client.of('goodbye')).toMatchObject([{ code: 'STOPPING' }]);
  });

  test('a disk that fails ends the node at once: connections go, nothing is answered', async () => {
    const server = await start({}, { submit: () => Promise.reject(new StorageFailedError('EIO')) });
    const client = await TestClient.greeted(server.clientUrl);
    server.replica.onRequest = (_request, handle) => {
      server.replica.write([{ key: 'k', value: null }]);
      // In a later turn, as a replica that trusted the disk would.
      setImmediate(() => setImmediate(() => server.replica.answer(handle, { kind: 'done' })));
      return null;
    };
    client.request(1, { kind: 'status' });
    await client.untilClosed();
    expect(server.fatals).toMatchObject([{ kind: 'storageFailed', exitCode: 74 }]);
    expect(client.of('answer')).toEqual([]);
    await expect(fetch(`${server.adminUrl}/livez`)).rejects.toThrow();
  });

  test('rot that the background check meets ends the node, and says where', async () => {
    let rotten = false;
    const server = await start(
      { scrubIntervalMs: 1 },
      {
        scrub: () => {
          if (rotten) throw new StorageCorruptError('checksum', 'key log/3');
          return { recordsChecked: 1, bytesChecked: 1, wrapped: true };
        },
      },
    );
    rotten = true;
    await until('the end', () => server.fatals.length === 1);
    expect(server.fatals[0]).toMatchObject({ kind: 'storageCorrupt', exitCode: 65 });
    expect(server.fatals[0]?.message).toContain('key log/3');
  });

  test('a full disk is told to the replica', async () => {
    const server = await start();
    server.storageEvents.onFull(true);
    server.storageEvents.onFull(false);
    expect(server.replica.of('storageFull').map(({ full }) => full)).toEqual([true, false]);
  });
});
