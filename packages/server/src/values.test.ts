import { httpKeyResponseSchema, parseReceipt, type HttpKeyResponse } from '@skerry/protocol';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { TestRegion } from './testing/region.ts';

/** Values of all types at real nodes, over HTTP. */
let region: TestRegion;
beforeAll(async () => {
  region = await TestRegion.start(['a', 'b', 'c']);
  await region.untilLed();
}, 30_000);
afterAll(() => region.stop());
afterEach(() => expect(region.fatals).toEqual([]));

interface Called {
  readonly status: number;
  readonly session: string;
  readonly body: HttpKeyResponse;
  readonly code: unknown;
}

async function call(
  node: string,
  path: string,
  options: { method?: string; body?: object; session?: string } = {},
): Promise<Called> {
  const { method = 'GET', body, session } = options;
  const url = region.node(node).server?.clientUrl.replace('ws:', 'http:') ?? '';
  const response = await fetch(`${url}/v1/${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(session === undefined ? {} : { 'skerry-session': session }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const json = (await response.json()) as HttpKeyResponse & { code?: unknown };
  if (response.ok) httpKeyResponseSchema.parse(json);
  return {
    status: response.status,
    session: response.headers.get('skerry-session') ?? '',
    body: json,
    code: json.code,
  };
}

const view = async (node: string, path: string) => (await call(node, path)).body.view;
const post = (node: string, path: string, body: object) => call(node, path, { method: 'POST', body });
const put = (node: string, path: string, body: object) => call(node, path, { method: 'PUT', body });

test('a counter counts what was added anywhere', async () => {
  await post('a', 'counter/n', { add: 5 });
  expect((await post('b', 'counter/n', { add: -2 })).body).toMatchObject({
    outcome: 'applied',
    view: { type: 'counter', total: '3' },
  });
  expect(await view('c', 'counter/n')).toEqual({ type: 'counter', total: '3' });
  expect((await post('c', 'counter/n', { reset: true })).body.view).toEqual({ type: 'counter', total: '0' });
});

test('a set has what was added and not removed', async () => {
  for (const add of ['x', 'y', 'z']) await post('a', 'set/s', { add });
  expect((await post('b', 'set/s', { remove: 'y' })).body).not.toHaveProperty('view');
  expect(await view('c', 'set/s')).toEqual({ type: 'set', elements: ['x', 'z'] });
});

test('a flag is what it was set to', async () => {
  for (const enabled of [true, false]) {
    await put('a', 'flag/f', { enabled });
    expect(await view('b', 'flag/f')).toEqual({ type: 'flag', enabled });
  }
});

test('a multi-value register keeps blind writes side by side until one names what it saw', async () => {
  await put('a', 'multi/m', { value: 'x', context: null });
  await put('b', 'multi/m', { value: 'y', context: null });
  const both = await view('c', 'multi/m');
  if (both?.type !== 'multiRegister') throw new Error('no values');
  expect(both.values.toSorted()).toEqual(['x', 'y']);
  await put('a', 'multi/m', { value: 'z', context: both.context });
  expect(await view('b', 'multi/m')).toMatchObject({ values: ['z'] });
});

test('a document keeps its chunks until one takes their place', async () => {
  const chunk = (text: string) => Buffer.from(text).toString('base64');
  expect((await post('a', 'doc/d', { change: chunk('one'), operations: 2 })).body).not.toHaveProperty('view');
  await post('b', 'doc/d', { change: chunk('two'), operations: 3 });
  const two = await view('c', 'doc/d');
  expect(two).toMatchObject({ type: 'document', chunks: [chunk('one'), chunk('two')], operations: 5 });
  if (two?.type !== 'document') throw new Error('no document');
  await post('a', 'doc/d', { compact: chunk('both'), operations: 4, context: two.context });
  expect(await view('b', 'doc/d')).toMatchObject({ chunks: [chunk('both')], operations: 4 });
});

test('a key has one type until it is deleted', async () => {
  await post('a', 'counter/one', { add: 1 });
  for (const [path, body] of [
    ['set/one', { add: 'x' }],
    ['doc/one', { change: '', operations: 0 }],
  ] as const) {
    expect(await post('b', path, body), path).toMatchObject({ status: 409, code: 'WRONG_TYPE' });
    expect(await call('b', path), path).toMatchObject({ status: 409, code: 'WRONG_TYPE' });
  }
  expect(await call('b', 'kv/one')).toMatchObject({ status: 409, code: 'WRONG_TYPE' });
  expect((await call('b', 'kv/one', { method: 'DELETE' })).status).toBe(200);
  expect((await post('b', 'set/one', { add: 'x' })).status).toBe(200);
});

test('every type is listed by its view', async () => {
  await post('a', 'counter/list/counter', { add: 1 });
  await post('a', 'set/list/set', { add: 'x' });
  await put('a', 'flag/list/flag', { enabled: true });
  await put('a', 'multi/list/multi', { value: 'x', context: null });
  await region.set('a', 'list/register', 'v');
  const url = region.node('b').server?.clientUrl.replace('ws:', 'http:') ?? '';
  const { entries } = (await (await fetch(`${url}/v1/kv?prefix=list/`)).json()) as {
    entries: { key: string; value: string | null; view?: { type: string } }[];
  };
  expect(entries.map(({ key, value, view: shown }) => [key, value ?? shown?.type])).toEqual([
    ['list/counter', 'counter'],
    ['list/flag', 'flag'],
    ['list/multi', 'multiRegister'],
    ['list/register', 'v'],
    ['list/set', 'set'],
  ]);
});

test('a quorum-less addition has a receipt and counts once when it is promoted', async () => {
  const accepted = await post('a', 'counter/q?consistent=false', { add: 7 });
  const receipt = accepted.body.receipt ?? '';
  expect([accepted.status, receipt]).toEqual([202, expect.stringMatching(/^\/v1\/receipts\//)]);
  expect(parseReceipt(decodeURIComponent(receipt.slice('/v1/receipts/'.length)))).toMatchObject({
    region: 'region-1',
    partition: 0,
  });
  const url = region.node('a').server?.clientUrl.replace('ws:', 'http:') ?? '';
  const settled = (await (await fetch(`${url}${receipt}?wait=true`)).json()) as { state: string };
  expect(settled.state).toBe('merged');
  expect(await view('b', 'counter/q')).toEqual({ type: 'counter', total: '7' });
});

test('a session that goes to a node that is cut off is told that it is behind, and no longer when it is healed', async () => {
  const leader = await region.untilLed();
  const [one = '', other = ''] = ['a', 'b', 'c'].filter((name) => name !== leader);
  const first = await post(one, 'counter/session', { add: 1 });
  const local = 'counter/session?consistent=false';
  expect((await call(other, `${local}&timeout=5000`, { session: first.session })).body).toMatchObject({
    view: { total: '1' },
  });
  await region.order(other, '/chaos/cut', { peers: ['a', 'b', 'c'].filter((name) => name !== other) });
  const { session } = await post(one, 'counter/session', { add: 1 });
  const asBefore = (await call(other, `${local}&timeout=50`)).body;
  expect([asBefore.behind, asBefore.view]).toEqual([undefined, { type: 'counter', total: '1' }]);
  expect((await call(other, `${local}&timeout=50`, { session })).body).toEqual({ ...asBefore, behind: true });
  await region.order(other, '/chaos/heal', {});
  const { body } = await call(other, `${local}&timeout=5000`, { session });
  expect([body.behind, body.view]).toEqual([undefined, { type: 'counter', total: '2' }]);
});
