import { nodeId, regionId } from '@skerry/base';
import {
  httpConflictsResponseSchema,
  httpKeyResponseSchema,
  httpListResponseSchema,
  httpProblemSchema,
  httpRegionsResponseSchema,
  type HttpView,
} from '@skerry/protocol';
import type { ConflictEntry, KeyAnswer, RegionStatus, ValueChange, ValueView } from '@skerry/replica';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FaceHarness } from '../testing/face-harness.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const odd = Uint8Array.of(0xff, 0);
const answered = (change: Partial<KeyAnswer>): KeyAnswer => ({
  kind: 'key',
  valid: true,
  timeout: false,
  value: null,
  version: '5.1',
  ...change,
});

const views: readonly (readonly [string, string, ValueView, HttpView])[] = [
  [
    'counter',
    'counter',
    { type: 'counter', total: '-12345678901234567890' },
    { type: 'counter', total: '-12345678901234567890' },
  ],
  ['set', 'set', { type: 'set', elements: [utf8('a'), utf8('é')] }, { type: 'set', elements: ['a', 'é'] }],
  [
    'set',
    'set',
    { type: 'set', elements: [utf8('a'), odd] },
    { type: 'set', elements: ['YQ==', '/wA='], encoding: 'base64' },
  ],
  ['flag', 'flag', { type: 'flag', enabled: true }, { type: 'flag', enabled: true }],
  [
    'multi',
    'multiRegister',
    { type: 'multiRegister', values: [utf8('x'), utf8('y')], context: 'c1' },
    { type: 'multiRegister', values: ['x', 'y'], context: 'c1' },
  ],
  [
    'multi',
    'multiRegister',
    { type: 'multiRegister', values: [odd], context: 'c1' },
    { type: 'multiRegister', values: ['/wA='], encoding: 'base64', context: 'c1' },
  ],
  [
    'doc',
    'document',
    { type: 'document', chunks: [utf8('a'), odd], operations: 3, context: 'c2' },
    { type: 'document', chunks: ['YQ==', '/wA='], operations: 3, context: 'c2' },
  ],
];

let face: FaceHarness;
beforeEach(() => {
  face = new FaceHarness(() => answered({}));
});
afterEach(() => face.face.terminate());

describe('reading a value', () => {
  test.each(views)('/v1/%s reads a %s and shows its view', async (path, type, view, shown) => {
    face.reply = () => answered({ view });
    const { status, body, headers } = await face.call('GET', `/v1/${path}/a/b%20c`);
    expect([status, headers['etag']]).toEqual([200, '"5.1"']);
    expect(httpKeyResponseSchema.parse(body)).toEqual({
      valid: true,
      timeout: false,
      value: null,
      version: '5.1',
      view: shown,
    });
    expect(face.asked).toEqual([
      { operation: { kind: 'read', key: 'a/b c', type, consistent: true }, timeoutMs: null },
    ]);
  });

  test('passes options on', async () => {
    await face.call('GET', '/v1/counter/k?consistent=false&r=2&blocking=false&timeout=70');
    expect(face.asked).toEqual([
      { operation: { kind: 'read', key: 'k', type: 'counter', consistent: false, r: 2 }, timeoutMs: 70 },
    ]);
  });

  test('a missing key is a valid answer without a view', async () => {
    face.reply = () => answered({ version: null });
    const { status, body } = await face.call('GET', '/v1/set/k');
    expect([status, body]).toEqual([200, { valid: true, timeout: false, value: null, version: null }]);
  });

  test('a known version is not sent again, unless it may be behind', async () => {
    const headers = { 'if-none-match': '"5.1"' };
    expect((await face.call('GET', '/v1/flag/k', { headers })).status).toBe(304);
    face.reply = () => answered({ behind: true });
    const { status, body } = await face.call('GET', '/v1/flag/k', { headers });
    expect(status).toBe(200);
    expect(httpKeyResponseSchema.parse(body)).toMatchObject({ behind: true });
  });

  test('of another type is refused with 409', async () => {
    face.reply = () => ({ kind: 'error', code: 'WRONG_TYPE', detail: 'a set' });
    const { status, body } = await face.call('GET', '/v1/counter/k');
    expect([status, httpProblemSchema.parse(body).code, face.codes]).toEqual([409, 'WRONG_TYPE', ['WRONG_TYPE']]);
  });

  test('that ran out of time is a problem', async () => {
    face.reply = () => answered({ valid: false, timeout: true });
    expect((await face.call('GET', '/v1/counter/k?timeout=5')).status).toBe(504);
  });

  test('in a list and in a watched change stands in its view', async () => {
    face.reply = () => ({
      kind: 'list',
      entries: [
        { key: 'a', value: utf8('1'), version: '2' },
        { key: 'b', value: null, view: { type: 'counter', total: '7' }, version: '3' },
      ],
      next: null,
      timeout: false,
    });
    const { body } = await face.call('GET', '/v1/kv?prefix=');
    expect(httpListResponseSchema.parse(body).entries).toEqual([
      { key: 'a', value: '1', version: '2' },
      { key: 'b', value: null, view: { type: 'counter', total: '7' }, version: '3' },
    ]);
    face.reply = () => ({
      kind: 'watch',
      events: [{ key: 'b', value: null, view: { type: 'set', elements: [utf8('x')] }, version: '4' }],
      cursor: 'c4',
    });
    const url = await face.face.app.listen({ host: '127.0.0.1', port: 0 });
    const stream = (await fetch(`${url}/v1/watch?key=b`)).body?.getReader();
    const event = new TextDecoder().decode((await stream?.read())?.value);
    expect(event).toContain('{"key":"b","value":null,"view":{"type":"set","elements":["x"]},"version":"4"}');
    await stream?.cancel();
  });
});

describe('changing a value', () => {
  test.each<['POST' | 'PUT', string, object, ValueChange]>([
    ['POST', 'counter', { add: -3 }, { type: 'counter', action: 'add', amount: -3 }],
    ['POST', 'counter', { reset: true }, { type: 'counter', action: 'reset' }],
    ['POST', 'set', { add: 'é' }, { type: 'set', action: 'add', element: utf8('é') }],
    [
      'POST',
      'set',
      { remove: '/wA=', encoding: 'base64' },
      { type: 'set', action: 'remove', element: Buffer.from(odd) },
    ],
    ['PUT', 'flag', { enabled: true }, { type: 'flag', action: 'enable' }],
    ['PUT', 'flag', { enabled: false }, { type: 'flag', action: 'disable' }],
    ['PUT', 'multi', { value: 'x', context: null }, { type: 'multiRegister', value: utf8('x'), context: null }],
    [
      'PUT',
      'multi',
      { value: '/wA=', encoding: 'base64', context: 'c1' },
      { type: 'multiRegister', value: Buffer.from(odd), context: 'c1' },
    ],
    [
      'POST',
      'doc',
      { change: '/wA=', operations: 2 },
      { type: 'document', action: 'change', bytes: Buffer.from(odd), operations: 2 },
    ],
    [
      'POST',
      'doc',
      { compact: '/wA=', operations: 9, context: 'c2' },
      { type: 'document', action: 'compact', bytes: Buffer.from(odd), operations: 9, context: 'c2' },
    ],
  ])('%s /v1/%s with %j', async (method, path, body, change) => {
    face.reply = () => answered({ outcome: 'applied' });
    const response = await face.call(method, `/v1/${path}/a/b?blocking=false`, { body });
    expect(response).toMatchObject({ status: 200, body: { valid: true, outcome: 'applied', version: '5.1' } });
    expect(face.asked).toMatchObject([
      {
        operation: { kind: 'update', key: 'a/b', change, consistent: true },
        timeoutMs: 1_000,
        id: { sequence: 1, retry: false },
      },
    ]);
    expect(face.asked[0]?.operation).toEqual({ kind: 'update', key: 'a/b', change, consistent: true });
  });

  test('answers with the value as it stands after it', async () => {
    face.reply = () => answered({ outcome: 'applied', view: { type: 'counter', total: '8' } });
    const { body } = await face.call('POST', '/v1/counter/k', { body: { add: 1 } });
    expect(httpKeyResponseSchema.parse(body)).toMatchObject({
      outcome: 'applied',
      view: { type: 'counter', total: '8' },
    });
  });

  test('without a quorum is accepted, with the address of its receipt', async () => {
    face.reply = () => answered({ outcome: 'applied', receipt: 'r/1' });
    const { status, headers } = await face.call('POST', '/v1/set/k?consistent=false&w=2', { body: { add: 'x' } });
    expect([status, headers['location']]).toEqual([202, '/v1/receipts/r%2F1']);
    expect(face.asked[0]?.operation).toMatchObject({ consistent: false, w: 2 });
  });

  test('beyond a limit of its type is refused with 413', async () => {
    face.reply = () => ({ kind: 'error', code: 'LIMIT_EXCEEDED', detail: 'siblings' });
    const { status, body } = await face.call('PUT', '/v1/multi/k', { body: { value: 'x', context: null } });
    expect([status, httpProblemSchema.parse(body)]).toMatchObject([413, { code: 'LIMIT_EXCEEDED', definite: true }]);
  });

  test.each<['POST' | 'PUT' | 'DELETE', string, object | string, string, number]>([
    ['POST', 'counter', { add: 1.5 }, 'BAD_REQUEST', 400],
    ['POST', 'counter', { add: 2 ** 53 }, 'BAD_REQUEST', 400],
    ['POST', 'counter', { add: 1, reset: true }, 'BAD_REQUEST', 400],
    ['POST', 'counter', { reset: false }, 'BAD_REQUEST', 400],
    ['POST', 'counter', 'add=1', 'UNSUPPORTED_MEDIA_TYPE', 415],
    ['PUT', 'counter', { add: 1 }, 'METHOD_NOT_ALLOWED', 405],
    ['DELETE', 'counter', '', 'METHOD_NOT_ALLOWED', 405],
    ['POST', 'set', { add: 'é', encoding: 'base64' }, 'BAD_REQUEST', 400],
    ['POST', 'set', { add: 'a', remove: 'b' }, 'BAD_REQUEST', 400],
    ['PUT', 'flag', { enabled: 1 }, 'BAD_REQUEST', 400],
    ['PUT', 'flag', { enabled: true, more: 1 }, 'UNKNOWN_FIELD', 400],
    ['PUT', 'multi', { value: 'x' }, 'BAD_REQUEST', 400],
    ['PUT', 'multi', { value: 'x'.repeat(5_000), context: null }, 'VALUE_TOO_LARGE', 413],
    ['POST', 'doc', { change: 'not base64!', operations: 1 }, 'BAD_REQUEST', 400],
    ['POST', 'doc', { change: '/wA=', operations: -1 }, 'BAD_REQUEST', 400],
    ['POST', 'doc', { change: '/wA=', operations: 1, context: 'c' }, 'UNKNOWN_FIELD', 400],
  ])('%s /v1/%s with %j is refused with %s', async (method, path, body, code, status) => {
    const response = await face.call(method, `/v1/${path}/k`, { body });
    expect(response).toMatchObject({ status, body: { code } });
    expect(face.asked).toEqual([]);
  });

  test('a body that is neither of two forms is told what it may be', async () => {
    const { body } = await face.call('POST', '/v1/counter/k', { body: { plus: 1 } });
    expect(httpProblemSchema.parse(body).detail).toBe('must be {"add": whole number} or {"reset": true}');
  });

  test.each(['if-match', 'if-none-match'])('%s is refused, not passed over', async (name) => {
    const response = await face.call('PUT', '/v1/flag/k', { body: { enabled: true }, headers: { [name]: '"5.1"' } });
    expect(response).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
    expect(face.asked).toEqual([]);
  });
});

describe('what regions tell', () => {
  test('the conflicts of a prefix show loser and winner as values of their type', async () => {
    const entry: ConflictEntry = {
      id: '0:7',
      key: 'a/b',
      reason: 'otherType',
      loser: { type: 'set', elements: [odd] },
      loserVersion: '1',
      loserRegion: regionId('region-2'),
      winner: null,
      winnerVersion: '2',
      winnerRegion: null,
      timeMs: 5,
    };
    face.reply = () => ({ kind: 'conflicts', entries: [entry], next: '0:7' });
    const { body } = await face.call('GET', '/v1/conflicts?prefix=a%2F&limit=7&before=0%3A8&timeout=50');
    expect(httpConflictsResponseSchema.parse(body)).toEqual({
      entries: [{ ...entry, loser: { type: 'set', elements: ['/wA='], encoding: 'base64' } }],
      next: '0:7',
    });
    expect(face.asked).toEqual([
      { operation: { kind: 'conflicts', prefix: 'a/', limit: 7, before: '0:8' }, timeoutMs: 50 },
    ]);
  });

  test('the regions show how far apart they are', async () => {
    const region: RegionStatus = {
      region: regionId('region-2'),
      state: 'up',
      nodes: [{ node: nodeId('n'), clientUrl: 'ws://c', peerUrl: 'ws://p', adminUrl: 'http://a' }],
      partitions: [{ partition: 0, head: 9, applied: 7, lagMs: 12.5, unacknowledged: 3 }],
      clockOffsetMs: -4.5,
    };
    face.reply = () => ({ kind: 'regions', regions: [region] });
    const { body } = await face.call('GET', '/v1/regions?timeout=50');
    expect(httpRegionsResponseSchema.parse(body)).toEqual({ regions: [region] });
    expect(face.asked).toEqual([{ operation: { kind: 'regions' }, timeoutMs: 50 }]);
  });
});
