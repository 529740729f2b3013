import { connect } from '../../../packages/client/src/index.ts';
import type { ErrorCode } from '../../../packages/protocol/src/index.ts';
import { until } from '../../../packages/server/src/testing/until.ts';
import { ask, problemOf, rejectionOf, Relay, type Provocation } from './provocation.ts';

const counted = 'client_request_errors_total';
const alone = { alone: true } as const;

/** What the HTTP faces add. */
export const byHttp: Partial<Record<ErrorCode, readonly Provocation[]>> = {
  NOT_FOUND: [
    { what: 'an address', provoke: (node) => problemOf(`${node.httpUrl}/v2/kv/k`), counted },
    {
      what: 'a key that is read as text',
      provoke: (node) => problemOf(`${node.httpUrl}/v1/kv/none`, { headers: { accept: 'text/plain' } }),
      counted,
    },
    {
      what: 'an address of the admin port',
      provoke: (node) => problemOf(`${node.server.adminUrl}/nothing`),
      counted: 'admin_request_errors_total',
    },
  ],
  METHOD_NOT_ALLOWED: [
    { what: 'POST for a key', provoke: (node) => problemOf(`${node.httpUrl}/v1/kv/k`, { method: 'POST' }), counted },
    { what: 'PATCH', provoke: (node) => problemOf(`${node.httpUrl}/v1/kv/k`, { method: 'PATCH' }), counted },
  ],
  UNSUPPORTED_MEDIA_TYPE: [
    {
      what: 'a value in JSON',
      provoke: (node) =>
        problemOf(`${node.httpUrl}/v1/kv/k`, {
          method: 'PUT',
          headers: { 'content-type': 'application/json' },
          body: '{}',
        }),
      counted,
    },
  ],
  PRECONDITION_FAILED: [
    {
      what: 'If-None-Match of a key that is there',
      provoke: async (node) => {
        await ask(node, { kind: 'set', key: 'k', value: Uint8Array.of(1), consistent: true });
        return problemOf(`${node.httpUrl}/v1/kv/k`, { method: 'PUT', headers: { 'if-none-match': '*' }, body: 'v' });
      },
      counted,
    },
  ],
  FAULT_INJECTION_OFF: [
    {
      what: 'a cut of a node that allows none',
      provoke: (node) =>
        problemOf(`${node.server.adminUrl}/chaos/cut`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"peers":["b"]}',
        }),
      counted: 'admin_request_errors_total',
    },
  ],
};

/** What the client itself says. */
export const byClient: Partial<Record<ErrorCode, readonly Provocation[]>> = {
  CONNECTION_LOST: [
    {
      what: 'an order that is not repeated, on a connection that ends',
      on: alone,
      provoke: async (node) => {
        const relay = await Relay.to(node.server.clientUrl);
        const db = await connect({ endpoints: [relay.url] });
        const order = rejectionOf(db.transferLeadership({ partition: 0 }));
        await until('the order is on its way', () => true);
        await db.status();
        relay.drop();
        const code = await order;
        await db.close();
        return code;
      },
      counted: null,
    },
  ],
  NO_ENDPOINT: [
    {
      what: 'a port where nobody listens',
      provoke: () => rejectionOf(connect({ endpoints: ['ws://127.0.0.1:9'], connectTimeoutMs: 200 })),
      counted: null,
    },
  ],
  ABORTED: [
    {
      what: 'a blocking call without a quorum',
      on: alone,
      provoke: async (node) => {
        const db = await connect({ endpoints: [node.server.clientUrl] });
        const code = await rejectionOf(db.get('k', { signal: AbortSignal.timeout(50) }));
        await db.close();
        return code;
      },
      counted: null,
    },
  ],
  TIMEOUT: [
    {
      what: 'a listing without a quorum',
      on: alone,
      provoke: async (node) => {
        const db = await connect({ endpoints: [node.server.clientUrl] });
        const code = await rejectionOf(db.entries('', { blocking: false, timeoutMs: 50 }).next());
        await db.close();
        return code;
      },
      counted: null,
    },
    {
      what: 'a write by HTTP without a quorum',
      on: alone,
      provoke: (node) => problemOf(`${node.httpUrl}/v1/kv/k?blocking=false&timeout=50`, { method: 'PUT', body: 'v' }),
      counted,
    },
  ],
  CLOSED: [
    {
      what: 'a client that is closed while it waits',
      on: alone,
      provoke: async (node) => {
        const db = await connect({ endpoints: [node.server.clientUrl] });
        const waiting = rejectionOf(db.get('k'));
        await db.close();
        return waiting;
      },
      counted: null,
    },
  ],
  VALUE_NOT_TEXT: [
    {
      what: 'bytes that are no UTF-8, read as text',
      provoke: async (node) => {
        const db = await connect({ endpoints: [node.server.clientUrl] });
        await db.set('bytes', Uint8Array.of(0xff));
        const code = await rejectionOf(db.get('bytes'));
        await db.close();
        return code;
      },
      counted: null,
    },
  ],
};
