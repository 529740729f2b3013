import type { Answer, KeyAnswer, ValueView } from '@skerry/protocol';
import { describe, expect, it } from 'vitest';
import type { Client } from './client.ts';
import { errorAnswer, FakeCluster, keyAnswer, track } from './testing/fake-cluster.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const version = (n: number): string => n.toString(16).padStart(28, '0');
const shown = (view: ValueView, change: Partial<KeyAnswer> = {}): Answer =>
  keyAnswer({ view, version: version(1), ...change });
const counted = (total: string, change: Partial<KeyAnswer> = {}): Answer => shown({ type: 'counter', total }, change);

async function ask<T>(
  answer: Answer,
  call: (db: Client) => Promise<T>,
): Promise<{ cluster: FakeCluster; result: { value?: T; error?: unknown } }> {
  const cluster = new FakeCluster();
  const db = await cluster.connect();
  cluster.onRequest = () => answer;
  const result = track(call(db));
  await cluster.host.settle();
  return { cluster, result };
}

describe('a counter', () => {
  it('has its total as bigint, of any size', async () => {
    const { cluster, result } = await ask(counted('-90071992547409930'), (db) => db.counter('n').get());
    expect(result.value).toMatchObject({
      valid: true,
      value: -90_071_992_547_409_930n,
      version: version(1),
      stamp: { counter: 0 },
    });
    expect(cluster.last.request.operation).toEqual({ kind: 'read', key: 'n', type: 'counter', consistent: true });
  });

  it('answers an addition with the total after it', async () => {
    const { cluster, result } = await ask(counted('7', { outcome: 'applied' }), (db) => db.counter('n').add(5n));
    expect(result.value).toMatchObject({ outcome: 'applied', value: 7n });
    expect(cluster.last.request).toMatchObject({
      operation: { kind: 'update', key: 'n', change: { type: 'counter', action: 'add', amount: 5 }, consistent: true },
      id: { sequence: 1, retry: false },
    });
  });

  it('refuses here what is no whole number, or too large for one addition', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    for (const amount of [0.5, Number.NaN, 2 ** 53, 2n ** 64n])
      await expect(db.counter('n').add(amount)).rejects.toMatchObject({ code: 'BAD_REQUEST', definite: true });
    await cluster.host.settle();
    expect(cluster.requests).toEqual([]);
  });

  it('counts an addition once whose answer was lost: the retry has its id', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const added = track(db.counter('n').add());
    await cluster.host.settle();
    const first = cluster.last.request;
    cluster.onRequest = () => counted('1', { outcome: 'applied' });
    cluster.cut('a');
    await cluster.host.advance(10);
    expect(added.value).toMatchObject({ value: 1n });
    expect(cluster.last.request).toEqual({ ...first, requestId: expect.any(Number), id: { ...first.id, retry: true } });
  });

  it('passes on how a quorum-less addition is to be kept, and its receipt', async () => {
    const { cluster, result } = await ask(counted('1', { receipt: 'r' }), (db) =>
      db.counter('n').add(1, { consistent: false, w: 2 }),
    );
    expect(result.value).toMatchObject({ valid: true, value: 1n, receipt: 'r' });
    expect(cluster.last.request.operation).toMatchObject({ consistent: false, w: 2 });
  });

  it('that is undecided has a ticket with a quorum, and none without', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect({ endpoints: ['ws://a'] });
    const limits = { blocking: false, timeoutMs: 100 };
    const calls = [
      track(db.counter('n').reset(limits)),
      track(db.counter('n').reset({ ...limits, consistent: false })),
    ];
    await cluster.host.advance(1_000);
    expect(calls.map(({ value }) => value)).toMatchObject([
      { outcome: 'undecided', timeout: true },
      { outcome: 'undecided', timeout: true },
    ]);
    expect(calls.map(({ value }) => value?.ticket === undefined)).toEqual([false, true]);
  });

  it('that is not there is null, and WRONG_TYPE where there is something else', async () => {
    expect(
      (await ask(keyAnswer({}), (db) => db.counter('n').get({ r: 2, consistent: false }))).result.value,
    ).toMatchObject({ valid: true, value: null });
    expect((await ask(errorAnswer('WRONG_TYPE'), (db) => db.counter('n').get())).result.error).toMatchObject({
      code: 'WRONG_TYPE',
      definite: true,
    });
  });

  it('is not taken from a node that answers another type', async () => {
    expect(
      (await ask(shown({ type: 'flag', enabled: true }), (db) => db.counter('n').get())).result.error,
    ).toMatchObject({ code: 'MALFORMED_FRAME' });
  });

  it('says behind when a local read is older than what was seen, and no quorum knows better', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    cluster.onRequest = () => counted('5', { version: version(9), outcome: 'applied' });
    void track(db.counter('n').add(5));
    await cluster.host.settle();
    cluster.onRequest = ({ request }) =>
      (request.operation as { consistent: boolean }).consistent ? undefined : counted('1', { version: version(3) });
    const got = track(db.counter('n').get({ consistent: false }));
    await cluster.host.advance(1_300);
    expect(got.value).toMatchObject({ value: 1n, behind: true });
    expect(cluster.last.request.operation).toEqual({ kind: 'read', key: 'n', type: 'counter', consistent: true });
  });
});

describe('a set', () => {
  const members: ValueView = { type: 'set', elements: [bytes('a'), bytes('b')] };

  it('has its values as text or bytes', async () => {
    expect((await ask(shown(members), (db) => db.setOf('s').values())).result.value).toMatchObject({
      value: ['a', 'b'],
    });
    expect((await ask(shown(members), (db) => db.setOf('s', { as: 'bytes' }).values())).result.value?.value).toEqual([
      bytes('a'),
      bytes('b'),
    ]);
    expect(
      (await ask(shown({ type: 'set', elements: [new Uint8Array([0xff])] }), (db) => db.setOf('s').values())).result
        .error,
    ).toMatchObject({ code: 'VALUE_NOT_TEXT' });
  });

  it('knows its members, also where there is none and no key', async () => {
    expect((await ask(shown(members), (db) => db.setOf('s').has('b'))).result.value).toMatchObject({
      valid: true,
      value: true,
    });
    expect((await ask(shown(members), (db) => db.setOf('s').has('c'))).result.value).toMatchObject({ value: false });
    expect((await ask(keyAnswer({}), (db) => db.setOf('s').has('c'))).result.value).toMatchObject({
      valid: true,
      value: false,
      version: null,
    });
    expect(
      (await ask(keyAnswer({ valid: false, timeout: true }), (db) => db.setOf('s').has('c'))).result.value,
    ).toMatchObject({ valid: false, value: null });
  });

  it('adds and removes elements', async () => {
    const added = await ask(keyAnswer({ outcome: 'applied', version: version(4) }), (db) => db.setOf('s').add('x'));
    expect(added.cluster.last.request.operation).toMatchObject({
      change: { type: 'set', action: 'add', element: bytes('x') },
    });
    expect(added.result.value).toMatchObject({ valid: true, value: null, outcome: 'applied', version: version(4) });
    const removed = await ask(keyAnswer({ outcome: 'applied' }), (db) => db.setOf('s').remove(bytes('x')));
    expect(removed.cluster.last.request.operation).toMatchObject({
      change: { type: 'set', action: 'remove', element: bytes('x') },
    });
  });
});

it('a flag is enabled, disabled and read', async () => {
  const flag = (enabled: boolean): Answer => shown({ type: 'flag', enabled }, { outcome: 'applied' });
  expect((await ask(flag(true), (db) => db.flag('f').enable())).result.value).toMatchObject({
    value: true,
    outcome: 'applied',
  });
  expect((await ask(flag(false), (db) => db.flag('f').disable())).cluster.last.request.operation).toMatchObject({
    change: { type: 'flag', action: 'disable' },
  });
  expect((await ask(flag(false), (db) => db.flag('f').get())).result.value).toMatchObject({ value: false });
});

it('a multi-value register gives its values with a context, and replaces what a context names', async () => {
  const view: ValueView = { type: 'multiRegister', values: [bytes('a'), bytes('b')], context: 'c1' };
  expect((await ask(shown(view), (db) => db.multi('m').get())).result.value).toMatchObject({
    valid: true,
    values: ['a', 'b'],
    context: 'c1',
    version: version(1),
  });
  expect((await ask(keyAnswer({}), (db) => db.multi('m').get())).result.value).toMatchObject({
    valid: true,
    values: [],
    context: null,
  });
  const set = await ask(shown({ ...view, values: [bytes('z')], context: 'c2' }, { outcome: 'applied' }), (db) =>
    db.multi('m', { as: 'bytes' }).set('z', { context: 'c1' }),
  );
  expect(set.cluster.last.request.operation).toEqual({
    kind: 'update',
    key: 'm',
    change: { type: 'multiRegister', value: bytes('z'), context: 'c1' },
    consistent: true,
  });
  expect(set.result.value).toMatchObject({ values: [bytes('z')], context: 'c2', outcome: 'applied' });
  expect((await ask(shown(view), (db) => db.multi('m').set('blind'))).cluster.last.request.operation).toMatchObject({
    change: { context: null },
  });
});

describe('values of all types', () => {
  const views: ValueView[] = [
    { type: 'counter', total: '3' },
    { type: 'flag', enabled: true },
    { type: 'set', elements: [bytes('e')] },
    { type: 'multiRegister', values: [bytes('v')], context: 'c' },
    { type: 'document', chunks: [], operations: 0, context: '' },
  ];

  it('stand in a listing as their types show them', async () => {
    const entries = views.map((view) => ({ key: view.type, value: null, version: '1', view }));
    const { result } = await ask(
      {
        kind: 'list',
        entries: [{ key: 'r', value: bytes('text'), version: '1' }, ...entries],
        next: null,
        timeout: false,
      },
      (db) => db.list(''),
    );
    expect(result.value?.entries.map(({ value }) => value)).toEqual(['text', null, null, null, null, null]);
    expect(result.value?.entries.map(({ view }) => view)).toEqual([
      undefined,
      { type: 'counter', total: 3n },
      { type: 'flag', enabled: true },
      { type: 'set', elements: ['e'] },
      { type: 'multiRegister', values: ['v'], context: 'c' },
      { type: 'document', chunks: [], operations: 0, read: expect.any(Function) },
    ]);
  });

  it('come in a watch the same', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const next = track(db.watch('', { prefix: true, as: 'bytes' }).next());
    await cluster.host.settle();
    cluster.last.answer({
      kind: 'watch',
      events: views.slice(0, 3).map((view) => ({ key: view.type, value: null, version: '1', view })),
      cursor: 'c',
    });
    await cluster.host.settle();
    expect(next.value?.value).toMatchObject({
      events: [{ view: { total: 3n } }, { view: { enabled: true } }, { view: { elements: [bytes('e')] } }],
    });
  });
});

describe('following a value', () => {
  const watching = async (): Promise<{
    cluster: FakeCluster;
    send: (change: Partial<Extract<Answer, { kind: 'watch' }>>) => Promise<void>;
    seen: unknown[];
    failed: () => unknown;
  }> => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const seen: unknown[] = [];
    let failure: unknown;
    void (async () => {
      for await (const { value, cursor } of db.counter('n').watch()) seen.push([value, cursor]);
    })().catch((error: unknown) => {
      failure = error;
    });
    await cluster.host.settle();
    expect(cluster.last.request.operation).toMatchObject({ key: 'n', prefix: false, cursor: '' });
    const send = async (change: Partial<Extract<Answer, { kind: 'watch' }>>): Promise<void> => {
      cluster.last.answer({ kind: 'watch', events: [], cursor: 'c', ...change });
      await cluster.host.settle();
    };
    return { cluster, send, seen, failed: () => failure };
  };
  const event = (total: string): { key: string; value: null; version: string; view: ValueView } => ({
    key: 'n',
    value: null,
    version: '1',
    view: { type: 'counter', total },
  });

  it('begins with the value as it is, and goes on with each change', async () => {
    const { send, seen } = await watching();
    await send({ events: [event('1')], reset: 'last', cursor: 'c1' });
    await send({ events: [event('2'), { key: 'n', value: null, version: '2' }], cursor: 'c2' });
    await send({ cursor: 'c3' });
    expect(seen).toEqual([
      [1n, 'c1'],
      [2n, 'c2'],
      [null, 'c2'],
    ]);
  });

  it('says null once for a key that is not in the state that is sent', async () => {
    const { send, seen } = await watching();
    await send({ reset: 'more', cursor: '' });
    await send({ reset: 'last', cursor: 'c1' });
    await send({ cursor: 'c2' });
    expect(seen).toEqual([[null, 'c1']]);
  });

  it('ends with WRONG_TYPE when the key gets another type', async () => {
    const { send, failed } = await watching();
    await send({ events: [{ key: 'n', value: bytes('text'), version: '3' }] });
    expect(failed()).toMatchObject({ code: 'WRONG_TYPE' });
  });
});
