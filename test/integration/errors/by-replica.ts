import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { encodeFrame, type ErrorCode } from '../../../packages/protocol/src/index.ts';
import { TestClient } from '../../../packages/server/src/testing/test-client.ts';
import { until } from '../../../packages/server/src/testing/until.ts';
import { newClientId, type NodeOptions } from './node.ts';
import { ask, codeOf, problemOf, type Provocation } from './provocation.ts';

const counted = 'client_request_errors_total';
const byte = Uint8Array.of(1);
const alone: NodeOptions = { alone: true };
const get = { kind: 'get', key: 'k', consistent: true } as const;
const set = { kind: 'set', key: 'k', value: byte, consistent: true } as const;
const add = {
  kind: 'update',
  key: 'k',
  change: { type: 'counter', action: 'add', amount: 1 },
  consistent: true,
} as const;
const local = { ...set, consistent: false } as const;
const grant = { kind: 'leaseGrant', lease: 'taken', ttlMs: 60_000, key: 'k' } as const;
const addressless = { peerUrl: 'ws://127.0.0.1:9', clientUrl: '', adminUrl: '', learner: false, replica: null };

/** The disk counts as full from the start: less is left than the reserve. */
const full: NodeOptions = { reserveBytes: 2 ** 50 };

/** What a replica answers. */
export const byReplica: Partial<Record<ErrorCode, readonly Provocation[]>> = {
  BAD_REQUEST: [
    {
      what: 'a listing of more than may be',
      provoke: (node) =>
        codeOf(node, { kind: 'list', prefix: '', after: '', limit: 1_000_000, consistent: true, keysOnly: false }),
      counted,
    },
    {
      what: 'a query that is not understood',
      provoke: (node) => problemOf(`${node.httpUrl}/v1/kv/k?consistent=perhaps`),
      counted,
    },
    {
      what: 'members that nobody named',
      provoke: (node) =>
        problemOf(`${node.server.adminUrl}/admin/members`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{}',
        }),
      counted: 'admin_request_errors_total',
    },
    {
      what: 'bytes that are no HTTP',
      provoke: async (node) => {
        const socket = connectTcp(Number(new URL(node.httpUrl).port), '127.0.0.1');
        socket.write('\u0000\u0001nonsense\r\n\r\n');
        const [answer] = (await once(socket, 'data')) as [Buffer];
        socket.destroy();
        return answer.toString().startsWith('HTTP/1.1 400') && answer.includes('"code":"BAD_REQUEST"')
          ? 'BAD_REQUEST'
          : answer.toString();
      },
      counted,
    },
  ],
  KEY_EMPTY: [
    { what: 'a get', provoke: (node) => codeOf(node, { ...get, key: '' }), counted },
    { what: 'a quorum-less set', provoke: (node) => codeOf(node, { ...local, key: '' }), counted },
  ],
  KEY_TOO_LONG: [
    { what: '1025 bytes', provoke: (node) => codeOf(node, { ...set, key: 'x'.repeat(1_025) }), counted },
    { what: '513 letters of two bytes', provoke: (node) => codeOf(node, { ...get, key: 'ä'.repeat(513) }), counted },
  ],
  KEY_NOT_UTF8: [
    {
      what: 'a byte in a frame',
      provoke: async (node) => {
        const client = await node.client();
        const frame = encodeFrame([
          { kind: 'request', requestId: 1, operation: { ...get, key: 'ZZZZ' }, timeoutMs: null },
        ]).slice();
        frame[Buffer.from(frame).indexOf('ZZZZ')] = 0xff;
        client.socket.send(frame);
        await until('an answer', () => client.of('answer').length > 0);
        return client.answers()[0]?.code ?? 'no error';
      },
      counted,
    },
    { what: 'a path', provoke: (node) => problemOf(`${node.httpUrl}/v1/kv/%ff`), counted },
  ],
  VALUE_TOO_LARGE: [
    {
      what: 'a byte more than 512 KiB',
      provoke: (node) => codeOf(node, { ...set, value: new Uint8Array(512 * 1_024 + 1) }),
      counted,
    },
    {
      what: 'a body of that size',
      provoke: (node) => problemOf(`${node.httpUrl}/v1/kv/k`, { method: 'PUT', body: new Uint8Array(512 * 1_024 + 1) }),
      counted,
    },
  ],
  TXN_TOO_LARGE: [
    {
      what: '513 operations',
      provoke: (node) =>
        codeOf(node, {
          kind: 'txn',
          compares: [],
          then: Array.from({ length: 513 }, (_, i) => ({ kind: 'get', key: `k${i}` }) as const),
          otherwise: [],
        }),
      counted,
    },
  ],
  CROSS_PARTITION: [
    {
      what: 'ten keys of a cluster with four partitions',
      on: { config: { partitions: 4 } },
      provoke: (node) =>
        codeOf(node, {
          kind: 'txn',
          compares: [],
          then: Array.from({ length: 10 }, (_, i) => ({ kind: 'get', key: `k${i}` }) as const),
          otherwise: [],
        }),
      counted,
    },
  ],
  WRONG_TYPE: [
    {
      what: 'adding to a counter that is a register',
      provoke: async (node) => {
        await ask(node, { ...set, key: 'register' });
        return codeOf(node, { ...add, key: 'register' });
      },
      counted,
    },
    {
      what: 'a get of a counter',
      provoke: async (node) => {
        await ask(node, { ...add, key: 'counter' });
        return codeOf(node, { ...get, key: 'counter' });
      },
      counted,
    },
    {
      what: 'a quorum-less write of a set that is a counter, by HTTP',
      provoke: async (node) => {
        await ask(node, { ...add, key: 'counter' });
        return problemOf(`${node.httpUrl}/v1/set/counter?consistent=false`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"add":"x"}',
        });
      },
      counted,
    },
  ],
  LIMIT_EXCEEDED: [true, false].map((consistent): Provocation => ({
    what: `more operations than a document may have, ${consistent ? 'consistent' : 'quorum-less'}`,
    provoke: (node) =>
      codeOf(node, {
        kind: 'update',
        key: 'document',
        change: { type: 'document', action: 'change', bytes: byte, operations: 1_000_000 },
        consistent,
      }),
    counted,
  })),
  REGION_UNKNOWN: [
    {
      what: 'evicting a region that there is not',
      provoke: (node) => codeOf(node, { kind: 'evictRegion', region: 'region-9' as never }),
      counted,
    },
    {
      what: 'the same at the admin port',
      provoke: (node) =>
        problemOf(`${node.server.adminUrl}/admin/regions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"evict":"region-9"}',
        }),
      counted: 'admin_request_errors_total',
    },
  ],
  LEASE_NOT_FOUND: [
    {
      what: 'keeping a lease alive that nobody has',
      provoke: (node) => codeOf(node, { kind: 'leaseKeepAlive', lease: 'nobodys', key: 'k' }),
      counted,
    },
    {
      what: 'a key on a lease that nobody has',
      provoke: (node) => codeOf(node, { ...set, lease: 'nobodys' }),
      counted,
    },
  ],
  LEASE_EXISTS: [
    {
      what: 'two grants of one id',
      provoke: async (node) => {
        await ask(node, grant);
        return codeOf(node, grant);
      },
      counted,
    },
  ],
  SESSION_EXPIRED: [
    {
      what: 'a client id that is older than any session may be',
      on: { config: { timing: { sessionIdleMs: 50 } } },
      provoke: async (node) => {
        await ask(node, set);
        const client = newClientId(0) as never;
        let code = '';
        // A session has to be forgotten first, which the leader does when one is idle.
        while (code !== 'SESSION_EXPIRED') code = await codeOf(node, set, { id: { client } });
        return code;
      },
      counted,
    },
  ],
  SEQUENCE_ANSWERED: [
    {
      what: 'a write again that its client said to have the answer of',
      provoke: async (node) => {
        const client = newClientId() as never;
        await ask(node, set, { id: { client, sequence: 1 } });
        await ask(node, set, { id: { client, sequence: 2, answeredBelow: 2 } });
        return codeOf(node, set, { id: { client, sequence: 1, answeredBelow: 1, retry: true } });
      },
      counted,
    },
  ],
  RECEIPT_UNKNOWN: [
    {
      what: 'no receipt at all',
      provoke: (node) => codeOf(node, { kind: 'receipt', receipt: 'x', wait: false }),
      counted,
    },
    {
      what: 'of another region, by HTTP',
      provoke: (node) => problemOf(`${node.httpUrl}/v1/receipts/region-9:0:1.1`),
      counted,
    },
  ],
  TICKET_UNKNOWN: [
    { what: 'no ticket at all', provoke: (node) => codeOf(node, { kind: 'resolve', ticket: 'x' }), counted },
    {
      what: 'of a write that was answered',
      provoke: async (node) => {
        const client = newClientId();
        await ask(node, set, { id: { client: client as never, sequence: 1 } });
        await ask(node, set, { id: { client: client as never, sequence: 2, answeredBelow: 2 } });
        return codeOf(node, { kind: 'resolve', ticket: `region-1:0:${client}:1` });
      },
      counted,
    },
  ],
  CURSOR_INVALID: [
    {
      what: 'a watch',
      provoke: (node) => codeOf(node, { kind: 'watch', key: 'k', prefix: false, cursor: 'no cursor' }),
      counted,
    },
    {
      what: 'a watch by HTTP',
      provoke: (node) => problemOf(`${node.httpUrl}/v1/watch?key=k&cursor=no+cursor`),
      counted,
    },
  ],
  OVERLOADED: [
    {
      what: 'more requests of one connection than may be open',
      on: { alone: true, config: { clientLimits: { requestsOpenMax: 2 } } },
      provoke: async (node) => {
        const client = await node.client();
        for (const requestId of [1, 2, 3]) client.request(requestId, get);
        await until('an answer', () => client.of('answer').length > 0);
        client.socket.terminate();
        return client.answers()[0]?.code ?? 'no error';
      },
      counted,
    },
    {
      what: 'more requests than may be open at the node',
      on: { alone: true, config: { limits: { requestsOpenMax: 2 } } },
      provoke: async (node) => {
        const client = await node.client();
        for (const requestId of [1, 2, 3]) client.request(requestId, get);
        await until('an answer', () => client.of('answer').length > 0);
        client.socket.terminate();
        return client.answers()[0]?.code ?? 'no error';
      },
      counted,
    },
    {
      what: 'more connections than may be',
      on: { config: { clientLimits: { connectionsMax: 1 } } },
      provoke: async (node) => {
        const first = await node.client();
        const code = await problemOf(`${node.httpUrl}/`, {
          headers: { connection: 'upgrade', upgrade: 'websocket' },
        }).catch(() => upgradeCode(node.httpUrl));
        first.socket.terminate();
        await until('the first to be gone', () => first.closed !== null);
        return code;
      },
      counted: 'client_goodbyes_total',
    },
  ],
  PENDING_FULL: [
    {
      what: 'two quorum-less writes on a node that may hold one',
      on: { alone: true, config: { limits: { pendingCountMax: 1 } } },
      provoke: async (node) => {
        await ask(node, local);
        return codeOf(node, local);
      },
      counted,
      after: 'reads only',
    },
  ],
  STORAGE_FULL: [
    { what: 'a consistent write', on: full, provoke: (node) => codeOf(node, set), counted, after: 'reads only' },
    { what: 'a quorum-less write', on: full, provoke: (node) => codeOf(node, local), counted, after: 'reads only' },
    {
      what: 'a write by HTTP',
      on: full,
      provoke: (node) => problemOf(`${node.httpUrl}/v1/kv/k`, { method: 'PUT', body: 'v' }),
      counted,
      after: 'reads only',
    },
  ],
  MEMBER_UNKNOWN: [
    {
      what: 'removing nobody',
      provoke: (node) => codeOf(node, { kind: 'changeMembers', add: [], remove: ['nobody' as never] }),
      counted,
    },
    {
      what: 'handing over to nobody, at the admin port',
      provoke: (node) =>
        problemOf(`${node.server.adminUrl}/admin/transfer`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ to: 'nobody' }),
        }),
      counted: 'admin_request_errors_total',
    },
  ],
  MEMBER_EXISTS: [
    {
      what: 'adding the node itself',
      provoke: async (node) => {
        const members = async (): Promise<{ replica: number | null }[]> => {
          const response = await fetch(`${node.server.adminUrl}/admin/members`);
          return ((await response.json()) as { members: { replica: number | null }[] }).members;
        };
        while ((await members())[0]?.replica == null);
        return codeOf(node, { kind: 'changeMembers', add: [{ ...addressless, node: 'a' as never }], remove: [] });
      },
      counted,
    },
  ],
  NO_LEADER: [
    {
      what: 'a hand-over of a partition that nobody leads',
      on: alone,
      provoke: (node) => codeOf(node, { kind: 'transferLeadership', partition: 0, to: null }, { timeoutMs: 50 }),
      counted,
    },
    {
      what: 'the question whether the node is ready',
      on: alone,
      provoke: (node) => problemOf(`${node.server.adminUrl}/readyz`),
      counted: 'admin_request_errors_total',
    },
  ],
  STOPPING: [
    {
      what: 'a request of a connection that still waits for an answer',
      on: { alone: true, config: { stopMsMax: 60_000 } },
      provoke: async (node) => {
        const client = await node.client();
        client.request(1, get);
        client.request(2, { kind: 'status' });
        await until('an answer', () => client.of('answer').length === 1);
        // It waits for the answer to the get, which does not come without a quorum.
        void node.server.stop();
        client.request(3, { kind: 'status' });
        await until('an answer', () => client.of('answer').length === 2);
        return client.answers()[1]?.code ?? 'no error';
      },
      counted,
      after: 'nothing',
    },
  ],
};

/** The code in the body that an upgrade is refused with; `fetch` cannot ask for one. */
async function upgradeCode(httpUrl: string): Promise<string> {
  const client = new TestClient(httpUrl.replace('http:', 'ws:'));
  return new Promise((resolve) => {
    client.socket.on('unexpected-response', (_request, response) => {
      response.on('data', (body: Buffer) => resolve((JSON.parse(body.toString()) as { code: string }).code));
    });
  });
}
