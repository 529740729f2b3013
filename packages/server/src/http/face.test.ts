import {
  httpKeyResponseSchema,
  httpListResponseSchema,
  httpProblemSchema,
  httpReceiptResponseSchema,
  type HttpProblem,
} from '@skerry/protocol';
import type { Answer, ClientRequest, KeyAnswer } from '@skerry/replica';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OpenRequests } from '../requests.ts';
import { defaultClientLimits } from '../limits.ts';
import { silentLog } from '../testing/logs.ts';
import { until } from '../testing/until.ts';
import { HttpFace } from './face.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const found: KeyAnswer = { kind: 'key', valid: true, timeout: false, value: utf8('v'), version: '5.1' };

let asked: { handle: number; request: ClientRequest }[];
let cancelled: number[];
/** Watches that were told to go on. */
let ready: number[];
let onReady: (handle: number) => void;
let codes: string[];
let clusterMs: number;
/** What the replica answers; null: nothing. */
let reply: (request: ClientRequest) => Answer | null;
let requests: OpenRequests;
let face: HttpFace;

beforeEach(() => {
  asked = [];
  cancelled = [];
  ready = [];
  onReady = () => {};
  codes = [];
  clusterMs = 1_700_000_000_000;
  reply = () => found;
  requests = new OpenRequests({
    request: (handle, request) => {
      asked.push({ handle, request });
      setImmediate(() => {
        const answer = reply(request);
        if (answer !== null) requests.deliver([{ handle, answer }]);
      });
    },
    cancel: (handle) => cancelled.push(handle),
    watchReady: (handle) => {
      ready.push(handle);
      onReady(handle);
    },
  });
  face = new HttpFace({
    version: '1.2.3',
    partitionCount: 4,
    limits: { ...defaultClientLimits, valueBytesMax: 1_000, httpJsonBytesMax: 4_000 },
    requests,
    clusterNowMs: () => clusterMs,
    seen: () => ({ version: 0, partitions: [] }),
    log: silentLog(),
    countRequest: () => {},
    countError: (code) => codes.push(code),
  });
  face.start();
});
afterEach(() => face.terminate());

interface Call {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH';
  readonly url: string;
  readonly headers?: Record<string, string>;
  readonly payload?: string | Buffer | object;
}
const inject = (call: Call) => face.app.inject(call);

async function problem(call: Call): Promise<HttpProblem> {
  const response = await inject(call);
  expect(response.headers['content-type']).toBe('application/problem+json');
  const body = httpProblemSchema.parse(response.json());
  expect(body.status).toBe(response.statusCode);
  expect(codes.at(-1)).toBe(body.code);
  return body;
}

describe('reading a key', () => {
  test('answers JSON with the version as ETag', async () => {
    const response = await inject({ url: '/v1/kv/etc/hosts' });
    expect(response.statusCode).toBe(200);
    expect(httpKeyResponseSchema.parse(response.json())).toEqual({
      valid: true,
      timeout: false,
      value: 'v',
      version: '5.1',
    });
    expect(response.headers['etag']).toBe('"5.1"');
    expect(asked[0]?.request).toEqual({
      operation: { kind: 'get', key: 'etc/hosts', consistent: true },
      timeoutMs: null,
    });
  });

  test.each([
    ['/v1/kv/a%2Fb', 'a/b'],
    ['/v1/kv/a/b', 'a/b'],
    ['/v1/kv/a//b/', 'a//b/'],
    ['/v1/kv/%C3%A9%20x', 'é x'],
    ['/v1/kv/a%3Fb?consistent=true', 'a?b'],
    ['/v1/kv/100%2525', '100%25'],
    ['/v1/kv/a/swap', 'a/swap'],
    ['/v1/kv/', ''],
  ])('%s is the key %j', async (url, key) => {
    await inject({ url });
    expect(asked[0]?.request.operation).toMatchObject({ kind: 'get', key });
  });

  test('passes options on', async () => {
    await inject({ url: '/v1/kv/k?consistent=false&r=2&blocking=false&timeout=70' });
    expect(asked[0]?.request).toEqual({ operation: { kind: 'get', key: 'k', consistent: false, r: 2 }, timeoutMs: 70 });
  });

  test('gives the bytes alone when asked for them', async () => {
    const bytes = Uint8Array.of(0xff, 0);
    reply = () => ({ ...found, value: bytes });
    const raw = await inject({ url: '/v1/kv/k', headers: { accept: 'application/octet-stream' } });
    expect([...raw.rawPayload]).toEqual([0xff, 0]);
    expect((await inject({ url: '/v1/kv/k' })).json()).toMatchObject({ value: '/wA=', encoding: 'base64' });
  });

  test('a missing key is a valid answer, but has no bytes', async () => {
    reply = () => ({ ...found, value: null, version: null });
    expect((await inject({ url: '/v1/kv/k' })).json()).toMatchObject({ valid: true, value: null });
    expect(await problem({ url: '/v1/kv/k', headers: { accept: 'text/plain' } })).toMatchObject({
      code: 'NOT_FOUND',
      status: 404,
    });
  });

  test('a known version is not sent again', async () => {
    expect((await inject({ url: '/v1/kv/k', headers: { 'if-none-match': '"5.1"' } })).statusCode).toBe(304);
    expect((await inject({ url: '/v1/kv/k', headers: { 'if-none-match': '"5.0"' } })).statusCode).toBe(200);
  });

  test('lists a page', async () => {
    reply = () => ({
      kind: 'list',
      entries: [{ key: 'a/b', value: utf8('1'), version: '2' }],
      next: 'a/b',
      timeout: false,
    });
    const response = await inject({ url: '/v1/kv?prefix=a%2F&after=a&limit=1' });
    expect(httpListResponseSchema.parse(response.json())).toMatchObject({
      entries: [{ key: 'a/b', value: '1' }],
      next: 'a/b',
    });
    expect(asked[0]?.request.operation).toEqual({
      kind: 'list',
      prefix: 'a/',
      after: 'a',
      limit: 1,
      keysOnly: false,
      consistent: true,
    });
  });
});

describe('writing a key', () => {
  test('the body is the value, and every write has an id of its own', async () => {
    reply = () => ({ ...found, value: null, outcome: 'applied' });
    const put = { method: 'PUT', url: '/v1/kv/k', payload: Buffer.from([0, 0xff]) } as const;
    expect((await inject(put)).json()).toMatchObject({ valid: true, outcome: 'applied', version: '5.1' });
    await inject(put);
    const [first, second] = asked.map(({ request }) => request);
    expect(first?.operation).toMatchObject({ kind: 'set', key: 'k', consistent: true });
    expect(first?.operation).toMatchObject({ value: Buffer.from([0, 0xff]) });
    expect(first?.id).toMatchObject({ sequence: 1, answeredBelow: 1, retry: false });
    expect(second?.id).toMatchObject({ sequence: 2, answeredBelow: 2, client: first?.id?.client });
  });

  test("the body is taken as it is under curl's default content type", async () => {
    reply = () => ({ ...found, value: null, outcome: 'applied' });
    const payload = 'a=%20b&c+d';
    for (const type of ['application/x-www-form-urlencoded', 'Application/X-WWW-Form-Urlencoded; charset=UTF-8']) {
      const put = { method: 'PUT', url: '/v1/kv/k', payload, headers: { 'content-type': type } } as const;
      expect((await inject(put)).statusCode).toBe(200);
      expect(asked.at(-1)?.request.operation).toMatchObject({ kind: 'set', value: Buffer.from(payload) });
    }
  });

  test('another content type is refused with those that are taken', async () => {
    const put = {
      method: 'PUT',
      url: '/v1/kv/k',
      payload: '{}',
      headers: { 'content-type': 'application/xml' },
    } as const;
    const { code, detail } = await problem(put);
    expect(code).toBe('UNSUPPORTED_MEDIA_TYPE');
    for (const type of ['application/octet-stream', 'application/x-www-form-urlencoded', 'text/plain'])
      expect(detail).toContain(type);
  });

  test('sequences count per partition', async () => {
    reply = () => ({ ...found, outcome: 'applied' });
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f'])
      await inject({ method: 'PUT', url: `/v1/kv/${key}`, payload: 'v' });
    const sequences = new Map<string, number[]>();
    for (const { request } of asked) {
      const { client, sequence } = request.id ?? { client: '', sequence: -1 };
      sequences.set(client, [...(sequences.get(client) ?? []), sequence]);
    }
    expect(sequences.size).toBeGreaterThan(1);
    for (const list of sequences.values()) expect(list).toEqual(list.map((_, i) => i + 1));
  });

  test('a session is born in the time of the cluster, and renewed where the region has forgotten it', async () => {
    const birthMs = ({ id }: ClientRequest) => Number.parseInt(id?.client.slice(0, 12) ?? '', 16);
    reply = () => ({ ...found, outcome: 'applied' });
    const put = { method: 'PUT', url: '/v1/kv/k', payload: 'v' } as const;
    await inject(put);
    // The clock of the region went on less than an hour, by which the session is no longer taken.
    clusterMs += 600_000;
    reply = (request) =>
      birthMs(request) < clusterMs
        ? { kind: 'error', code: 'SESSION_EXPIRED', detail: 's' }
        : { ...found, outcome: 'applied' };
    expect((await inject(put)).json()).toMatchObject({ outcome: 'applied' });
    expect(asked.map(({ request }) => birthMs(request))).toEqual([clusterMs - 600_000, clusterMs - 600_000, clusterMs]);
    expect(asked.at(-1)?.request.id).toMatchObject({ sequence: 1, answeredBelow: 1, retry: false });
    reply = () => ({ kind: 'error', code: 'SESSION_EXPIRED', detail: 's' });
    expect(await problem(put)).toMatchObject({ code: 'SESSION_EXPIRED', definite: true });
    expect(asked.length).toBe(5);
  });

  test('an undecided write keeps its result owed until its ticket is resolved', async () => {
    reply = ({ operation }) =>
      operation.kind === 'resolve'
        ? { ...found, outcome: 'applied' }
        : { kind: 'key', valid: false, timeout: true, value: null, version: null, outcome: 'undecided', ticket: 't/1' };
    const put = { method: 'PUT', url: '/v1/kv/k?blocking=false', payload: 'v' } as const;
    expect(await problem(put)).toMatchObject({
      code: 'TIMEOUT',
      status: 504,
      definite: false,
      ticket: '/v1/tickets/t%2F1',
      detail: 'outcome: undecided',
    });
    reply = () => ({ ...found, outcome: 'applied' });
    await inject(put);
    expect(asked[1]?.request.id).toMatchObject({ sequence: 2, answeredBelow: 1 });
    expect((await inject({ url: '/v1/tickets/t%2F1' })).json()).toMatchObject({ outcome: 'applied' });
    expect(asked[2]?.request.operation).toEqual({ kind: 'resolve', ticket: 't/1' });
    await inject(put);
    expect(asked[3]?.request.id).toMatchObject({ sequence: 3, answeredBelow: 3 });
  });

  test('a timeout of which it is known that nothing came says so', async () => {
    reply = () => ({ kind: 'key', valid: false, timeout: true, value: null, version: null, outcome: 'notApplied' });
    expect(await problem({ method: 'DELETE', url: '/v1/kv/k?timeout=5' })).toMatchObject({
      code: 'TIMEOUT',
      definite: true,
      detail: 'outcome: notApplied',
    });
  });

  test('a quorum-less write is accepted, with the address of its receipt', async () => {
    reply = () => ({ ...found, value: null, outcome: 'applied', receipt: 'r/1' });
    const response = await inject({ method: 'PUT', url: '/v1/kv/k?consistent=false&w=2', payload: 'v' });
    expect(response.statusCode).toBe(202);
    expect(response.headers['location']).toBe('/v1/receipts/r%2F1');
    expect(asked[0]?.request.operation).toMatchObject({ consistent: false, w: 2 });
    reply = () => ({ kind: 'receipt', state: 'promoted', version: '9', timeout: false });
    const receipt = await inject({ url: `${String(response.headers['location'])}?wait=true` });
    expect(httpReceiptResponseSchema.parse(receipt.json())).toMatchObject({ state: 'promoted' });
    expect(asked[1]?.request.operation).toEqual({ kind: 'receipt', receipt: 'r/1', wait: true });
  });

  test.each([
    [{ 'if-match': '"5.1"' }, '5.1'],
    [{ 'if-none-match': '*' }, null],
  ] as [Record<string, string>, string | null][])(
    'with %j it is a transaction on the version, refused with 412',
    async (headers, version) => {
      reply = () => ({
        kind: 'txn',
        timeout: false,
        outcome: 'applied',
        succeeded: true,
        results: [{ key: 'k', value: null, version: '6' }],
      });
      const put = { method: 'PUT', url: '/v1/kv/k', payload: 'v', headers } as const;
      const response = await inject(put);
      expect([response.statusCode, response.headers['etag']]).toEqual([200, '"6"']);
      expect(asked[0]?.request.operation).toMatchObject({
        kind: 'txn',
        compares: [{ kind: 'version', key: 'k', relation: '=', version }],
        then: [{ kind: 'set', key: 'k' }],
        otherwise: [],
      });
      reply = () => ({ kind: 'txn', timeout: false, outcome: 'applied', succeeded: false, results: [] });
      expect(await problem(put)).toMatchObject({ code: 'PRECONDITION_FAILED', status: 412 });
    },
  );

  test('swap takes text or base64, and shows the current value when it is refused', async () => {
    reply = () => ({ ...found, valid: false, outcome: 'refused' });
    const swap = (payload: object) => inject({ method: 'POST', url: '/v1/kv/a/b/swap', payload });
    const response = await swap({ newValue: 'n', oldValue: null });
    expect(response.statusCode).toBe(409);
    expect(httpKeyResponseSchema.parse(response.json())).toMatchObject({
      valid: false,
      outcome: 'refused',
      value: 'v',
    });
    expect(asked[0]?.request.operation).toEqual({ kind: 'swap', key: 'a/b', newValue: utf8('n'), oldValue: null });
    await swap({ newValue: '/wA=', oldValue: 'AA', encoding: 'base64' });
    expect(asked[1]?.request.operation).toMatchObject({ newValue: Buffer.from([0xff, 0]), oldValue: Buffer.from([0]) });
  });
});

describe('bad input gets a problem', () => {
  const json = { 'content-type': 'application/json' };
  const cases: [Call, string, number][] = [
    [{ url: '/v1/kv/%FF' }, 'KEY_NOT_UTF8', 400],
    [{ url: '/v1/kv/%zz' }, 'KEY_NOT_UTF8', 400],
    [{ url: '/v1/kv/k?colour=red' }, 'UNKNOWN_FIELD', 400],
    [{ url: '/v1/kv/k?consistent=maybe' }, 'BAD_REQUEST', 400],
    [{ url: '/v1/kv/k?timeout=-1' }, 'BAD_REQUEST', 400],
    [{ url: '/v1/kv/k?blocking=true&timeout=5' }, 'BAD_REQUEST', 400],
    [{ url: '/v1/kv?limit=0' }, 'BAD_REQUEST', 400],
    [{ url: '/v1/watch' }, 'BAD_REQUEST', 400],
    [{ url: '/nowhere' }, 'NOT_FOUND', 404],
    [{ method: 'PATCH', url: '/v1/kv/k' }, 'METHOD_NOT_ALLOWED', 405],
    [{ method: 'POST', url: '/v1/kv/k' }, 'METHOD_NOT_ALLOWED', 405],
    [{ method: 'PUT', url: '/v1/kv/k', payload: 'x'.repeat(1_001) }, 'VALUE_TOO_LARGE', 413],
    [{ method: 'PUT', url: '/v1/kv/k', payload: 'x', headers: json }, 'UNSUPPORTED_MEDIA_TYPE', 415],
    [
      { method: 'PUT', url: '/v1/kv/k', payload: 'x', headers: { 'content-type': 'text/plain; charset=latin1' } },
      'UNSUPPORTED_MEDIA_TYPE',
      415,
    ],
    [{ method: 'PUT', url: '/v1/kv/k', payload: 'x', headers: { 'if-none-match': '"5"' } }, 'BAD_REQUEST', 400],
    [
      { method: 'PUT', url: '/v1/kv/k?consistent=false', payload: 'x', headers: { 'if-match': '"5"' } },
      'BAD_REQUEST',
      400,
    ],
    [{ method: 'POST', url: '/v1/kv/k/swap', payload: 'x' }, 'UNSUPPORTED_MEDIA_TYPE', 415],
    [{ method: 'POST', url: '/v1/kv/k/swap', payload: '{', headers: json }, 'BAD_REQUEST', 400],
    [{ method: 'POST', url: '/v1/kv/k/swap', payload: { newValue: 'a' } }, 'BAD_REQUEST', 400],
    [
      { method: 'POST', url: '/v1/kv/k/swap', payload: { newValue: 'a', oldValue: 'b', more: 1 } },
      'UNKNOWN_FIELD',
      400,
    ],
    [
      { method: 'POST', url: '/v1/kv/k/swap', payload: { newValue: 'é', oldValue: 'b', encoding: 'base64' } },
      'BAD_REQUEST',
      400,
    ],
  ];
  test.each(
    cases.map(
      ([call, ...expected]) =>
        [
          `${call.method ?? 'GET'} ${call.url} ${JSON.stringify(call.payload ?? '').slice(0, 40)}`,
          call,
          ...expected,
        ] as const,
    ),
  )('%s', async (_, call, code, status) => {
    expect(await problem(call)).toMatchObject({ code, status });
    expect(asked).toEqual([]);
  });

  test('an error of the replica comes with the text and status of the table', async () => {
    reply = () => ({ kind: 'error', code: 'STORAGE_FULL', detail: 'no space' });
    expect(await problem({ method: 'PUT', url: '/v1/kv/k', payload: 'v' })).toMatchObject({
      type: 'urn:skerry:error:STORAGE_FULL',
      status: 507,
      detail: 'no space',
      definite: true,
      retry: 'later',
    });
    reply = () => ({ kind: 'error', code: 'STOPPING', detail: 'x', ticket: 't' });
    expect(await problem({ url: '/v1/kv/k' })).toMatchObject({ definite: false, ticket: '/v1/tickets/t' });
  });
});

describe('over a socket', () => {
  async function listen(): Promise<string> {
    return face.app.listen({ host: '127.0.0.1', port: 0 });
  }

  test('a caller that goes away has its request cancelled', async () => {
    reply = () => null;
    const abort = new AbortController();
    const call = fetch(`${await listen()}/v1/kv/k`, { signal: abort.signal }).catch(() => 'aborted');
    await until('the request', () => asked.length === 1);
    abort.abort();
    expect(await call).toBe('aborted');
    await until('cancelled', () => cancelled.length === 1);
    expect(cancelled).toEqual([asked[0]?.handle]);
  });

  test('watch is a stream of events that goes on from Last-Event-ID', async () => {
    reply = () => ({ kind: 'watch', events: [{ key: 'a/1', value: utf8('x'), version: '3' }], cursor: 'c3' });
    const response = await fetch(`${await listen()}/v1/watch?prefix=a%2F`, { headers: { 'last-event-id': 'c2' } });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = response.body?.getReader();
    const first = new TextDecoder().decode((await reader?.read())?.value);
    expect(first).toBe('id: c3\ndata: {"events":[{"key":"a/1","value":"x","version":"3"}],"cursor":"c3"}\n\n');
    expect(asked[0]?.request.operation).toEqual({ kind: 'watch', key: 'a/', prefix: true, cursor: 'c2' });
    await reader?.cancel();
    await until('cancelled', () => cancelled.length === 1);
  });

  test.each(['state', 'missed'] as const)(
    'the next page of a watch (%s) is asked for when the one before is taken',
    async (of) => {
      const page = (rest: number): Answer => ({
        kind: 'watch',
        events: [{ key: 'k', value: utf8('x'.repeat(1_000_000)), version: '1' }],
        cursor: '',
        ...(of === 'state' ? { reset: rest > 0 ? 'more' : 'last' } : rest > 0 ? { more: true } : {}),
      });
      const pages = 60;
      reply = () => page(pages - 1);
      onReady = (handle) => setImmediate(() => requests.deliver([{ handle, answer: page(pages - 1 - ready.length) }]));
      const response = await fetch(`${await listen()}/v1/watch?prefix=&cursor=`);
      const reader = response.body?.getReader();
      let before = -1;
      while (ready.length > before) {
        before = ready.length;
        // That no page is asked for any more is told by nothing but time.
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      expect(before).toBeLessThan(pages - 1);
      let bytes = 0;
      while (bytes < pages * 1_000_000) bytes += (await reader?.read())?.value?.length ?? Number.NaN;
      expect(ready.length).toBe(pages - 1);
      expect(codes).toEqual([]);
      await reader?.cancel();
    },
  );

  test('a watch that is refused has the status of its error', async () => {
    reply = () => ({ kind: 'error', code: 'CURSOR_INVALID', detail: 'c' });
    const response = await fetch(`${await listen()}/v1/watch?key=k&cursor=c`);
    expect(response.status).toBe(400);
    expect(httpProblemSchema.parse(await response.json())).toMatchObject({ code: 'CURSOR_INVALID' });
  });

  test('a stop answers what is open, refuses what is new and ends streams', async () => {
    reply = () => null;
    const url = await listen();
    const watching = fetch(`${url}/v1/watch?key=k`);
    const reading = fetch(`${url}/v1/kv/k`);
    await until('both', () => asked.length === 2);
    const stopping = face.stop(5_000);
    expect((await problem({ url: '/v1/kv/k' })).code).toBe('STOPPING');
    const read = asked.find(({ request }) => request.operation.kind === 'get');
    requests.deliver([{ handle: read?.handle ?? -1, answer: found }]);
    expect((await reading).status).toBe(200);
    expect(await (await watching).text()).toBe('');
    await stopping;
  });
});

test('the OpenAPI document names every address that there is', async () => {
  const document = (await inject({ url: '/openapi.json' })).json<{
    info: object;
    paths: Record<string, Record<string, unknown>>;
  }>();
  expect(document.info).toMatchObject({ version: '1.2.3' });
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const method of Object.keys(methods).filter((name) => name !== 'parameters')) {
      const url = path.replace(/\{\w+\}/, 'x');
      reply = () => ({ kind: 'error', code: 'BAD_REQUEST', detail: 'asked' });
      const { statusCode } = await inject({ method: method.toUpperCase() as 'GET', url });
      expect([404, 405], `${method} ${url}`).not.toContain(statusCode);
    }
  }
});
