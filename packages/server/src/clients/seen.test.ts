import { nodeId, partitionId, regionId, replicaId } from '@skerry/base';
import type { RegionDirectoryEntry, Seen } from '@skerry/replica';
import { afterEach, describe, expect, test } from 'vitest';
import { TestClient } from '../testing/test-client.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { until } from '../testing/until.ts';
import { SeenView } from './seen.ts';

/** Applied entries of origin 5, and settled writes of replica 1, by partition. */
function seen(version: number, ...partitions: readonly (readonly [applied: number, settled: number])[]): Seen {
  return {
    version,
    partitions: partitions.map(([applied, settled], partition) => ({
      partition: partitionId(partition),
      positions: [{ origin: replicaId(5), sequence: applied }],
      promoted: { replica: replicaId(1), sequence: settled },
    })),
  };
}

/** With other positions in the last partition. */
function withPositions(
  { version, partitions }: Seen,
  ...positions: readonly (readonly [origin: number, sequence: number])[]
): Seen {
  const last = partitions.length - 1;
  const changed = positions.map(([origin, sequence]) => ({ origin: replicaId(origin), sequence }));
  return {
    version,
    partitions: partitions.map((partition, at) => (at === last ? { ...partition, positions: changed } : partition)),
  };
}

describe('what a client has not been told', () => {
  const view = (...states: readonly Seen[]): SeenView => {
    const made = new SeenView();
    for (const state of states) made.set(state);
    return made;
  };

  test('is everything at first', () => {
    const state = seen(0, [3, 0], [4, 0]);
    expect(view(state).since(-1)).toEqual({ kind: 'seen', partitions: state.partitions });
  });

  test.each([
    ['applied an entry', seen(8, [3, 1], [5, 2])],
    ['settled a write', seen(8, [3, 1], [4, 3])],
    ['has another origin', withPositions(seen(8, [3, 1], [4, 2]), [6, 4])],
    ['knows one more origin', withPositions(seen(8, [3, 1], [4, 2]), [5, 4], [6, 1])],
  ])('is the partition that %s', (_, after) => {
    const made = view(seen(7, [3, 1], [4, 2]), after);
    expect(made.version).toBe(8);
    expect(made.since(7)).toEqual({ kind: 'seen', partitions: [after.partitions[1]] });
  });

  test('adds up over versions that it was not told of', () => {
    const last = seen(9, [1, 0], [4, 0], [6, 0]);
    const made = view(seen(7, [0, 0], [4, 0], [5, 0]), seen(8, [1, 0], [4, 0], [5, 0]), last);
    expect(made.since(7).partitions).toEqual([last.partitions[0], last.partitions[2]]);
    expect(made.since(8).partitions).toEqual([last.partitions[2]]);
  });
});

const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.kill();
});

async function start(): Promise<TestServer> {
  const server = await startTestServer();
  servers.push(server);
  return server;
}

describe('a client', () => {
  test('is told what the node has applied after the welcome, and before the first answer of a turn in which it changed', async () => {
    const server = await start();
    server.replica.onRequest = () => ({ kind: 'done' });
    server.replica.applied = seen(1, [3, 0]);
    const other = await TestClient.greeted(server.clientUrl);
    other.request(1, { kind: 'status' });
    await until('an answer', () => other.of('answer').length === 1);
    const client = await TestClient.greeted(server.clientUrl);
    await until('what it has applied', () => client.of('seen').length === 1);
    expect(client.messages.map(({ kind }) => kind)).toEqual(['welcome', 'seen']);
    expect(client.of('seen')[0]?.partitions).toEqual(seen(1, [3, 0]).partitions);
    const ask = (...requestIds: number[]) =>
      client.send(
        ...requestIds.map(
          (requestId) => ({ kind: 'request', requestId, operation: { kind: 'status' }, timeoutMs: null }) as const,
        ),
      );
    ask(1);
    await until('an answer', () => client.of('answer').length === 1);
    server.replica.applied = seen(2, [4, 0]);
    ask(2, 3);
    await until('the other answers', () => client.of('answer').length === 3);
    expect(client.messages.map(({ kind }) => kind)).toEqual(['welcome', 'seen', 'answer', 'seen', 'answer', 'answer']);
    expect(client.of('seen')[1]?.partitions).toEqual(seen(2, [4, 0]).partitions);
    // Who is not answered is not told.
    expect(other.of('seen').length).toBe(2);
  });

  test('has what its session saw passed on with a read', async () => {
    const server = await start();
    const client = await TestClient.greeted(server.clientUrl);
    const after = {
      positions: [{ origin: replicaId(5), sequence: 3 }],
      dots: [{ replica: replicaId(6), sequence: 1 }],
    };
    const operation = { kind: 'read', key: 'k', type: 'counter', consistent: false } as const;
    client.send({ kind: 'request', requestId: 1, operation, timeoutMs: 50, after });
    await until('the request', () => server.replica.of('request').length === 1);
    expect(server.replica.of('request')[0]?.request).toMatchObject({ operation, timeoutMs: 50, after });
  });

  test('is told of the regions and where they take clients, without those that were evicted', async () => {
    const server = await start();
    const region = (name: string, ...clientUrls: string[]): RegionDirectoryEntry => ({
      region: regionId(name),
      self: name === 'region-1',
      evicted: name === 'gone',
      nodes: clientUrls.map((clientUrl, at) => ({
        node: nodeId(`${name}-${at}`),
        clientUrl,
        peerUrl: 'ws://p',
        adminUrl: 'http://a',
      })),
      urls: [],
    });
    const client = await TestClient.greeted(server.clientUrl);
    expect(client.of('welcome')[0]?.regions).toEqual([{ region: 'region-1', clientUrls: [] }]);
    server.replica.announceRegions([
      region('region-1', 'ws://a'),
      region('gone', 'ws://b'),
      region('region-2', 'ws://c', ''),
    ]);
    client.request(1, { kind: 'status' });
    const regions = [
      { region: 'region-1', clientUrls: ['ws://a'] },
      { region: 'region-2', clientUrls: ['ws://c'] },
    ];
    await until('the regions', () => client.of('members').length === 1);
    expect(client.of('members')[0]?.regions).toEqual(regions);
    expect((await TestClient.greeted(server.clientUrl)).of('welcome')[0]?.regions).toEqual(regions);
  });
});
