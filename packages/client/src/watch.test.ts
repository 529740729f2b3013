import type { Answer } from '@skerry/protocol';
import { describe, expect, it } from 'vitest';
import { errorAnswer, FakeCluster, track } from './testing/fake-cluster.ts';

const batch = (n: number, change: Partial<Extract<Answer, { kind: 'watch' }>> = {}): Answer => ({
  kind: 'watch',
  events: [{ key: `k${n}`, value: new TextEncoder().encode(String(n)), version: String(n) }],
  cursor: `c${n}`,
  ...change,
});

describe('a watch', () => {
  it('gives batches in order, as text or bytes', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const watch = db.watch('k', { prefix: true, cursor: '' });
    const first = track(watch.next());
    await cluster.host.settle();
    expect(cluster.last.request).toMatchObject({
      operation: { kind: 'watch', key: 'k', prefix: true, cursor: '' },
      timeoutMs: null,
    });
    cluster.last.answer(batch(1, { reset: 'last' }));
    cluster.last.answer(batch(2));
    await cluster.host.settle();
    expect(first.value?.value).toEqual({
      events: [{ key: 'k1', value: '1', version: '1' }],
      cursor: 'c1',
      reset: 'last',
      resetBegins: true,
    });
    await expect(watch.next()).resolves.toMatchObject({ value: { cursor: 'c2' } });
  });

  it('goes on at another node after the last cursor that arrived, read or not', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const watch = db.watch('k');
    const first = track(watch.next());
    await cluster.host.settle();
    expect(cluster.last.request.operation).toMatchObject({ cursor: null });
    for (const n of [1, 2, 3]) cluster.last.answer(batch(n));
    await cluster.host.settle();
    expect(first.value?.value).toMatchObject({ cursor: 'c1' });
    cluster.cut('a');
    await cluster.host.settle();
    expect(cluster.last).toMatchObject({ node: 'b', request: { operation: { cursor: 'c3' } } });
    cluster.last.answer(batch(4));
    await cluster.host.settle();
    const rest = [await watch.next(), await watch.next(), await watch.next()];
    expect(rest.map(({ value }) => (value as { cursor: string }).cursor)).toEqual(['c2', 'c3', 'c4']);
  });

  it('says so when the current state is sent from its beginning again', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const watch = db.watch('', { prefix: true, cursor: '' });
    const first = track(watch.next());
    await cluster.host.settle();
    cluster.last.answer(batch(1, { cursor: '', reset: 'more' }));
    cluster.last.answer(batch(2, { cursor: '', reset: 'more' }));
    await cluster.host.settle();
    cluster.cut('a');
    await cluster.host.settle();
    expect(cluster.last.request.operation).toMatchObject({ cursor: '' });
    cluster.last.answer(batch(3, { reset: 'last' }));
    await cluster.host.settle();
    const rest = [await watch.next(), await watch.next()].map(
      ({ value }) => (value as { resetBegins?: true }).resetBegins,
    );
    expect([first.value?.value, ...rest]).toMatchObject([{ resetBegins: true }, undefined, true]);
  });

  it('goes on after an error that passes, and ends with one that does not', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const next = track(db.watch('k').next());
    await cluster.host.settle();
    cluster.last.answer(errorAnswer('OVERLOADED'));
    await cluster.host.advance(50);
    expect(cluster.requests.length).toBe(2);
    expect(next.done).toBe(false);
    cluster.last.answer(errorAnswer('CURSOR_INVALID'));
    await cluster.host.settle();
    expect(next.error).toMatchObject({ code: 'CURSOR_INVALID' });
  });

  it('is cancelled at the node when the loop is left', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const done = (async () => {
      for await (const each of db.watch('k')) if (each.cursor === 'c2') break;
    })();
    await cluster.host.settle();
    const { requestId } = cluster.last.request;
    cluster.last.answer(batch(1));
    cluster.last.answer(batch(2));
    await cluster.host.settle();
    await done;
    await cluster.host.settle();
    expect(cluster.cancelled).toEqual([requestId]);
    cluster.cut('a');
    await cluster.host.settle();
    expect(cluster.requests.length).toBe(1);
  });

  it('rejects when it is aborted', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const abort = new AbortController();
    const next = track(db.watch('k', { signal: abort.signal }).next());
    await cluster.host.settle();
    abort.abort();
    await cluster.host.settle();
    expect(next.error).toMatchObject({ code: 'ABORTED' });
    expect(cluster.cancelled.length).toBe(1);
  });

  it('takes a whole state in for a slow reader, and pauses only behind its end', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const watch = db.watch('', { prefix: true, cursor: '' });
    const first = track(watch.next());
    await cluster.host.settle();
    for (let n = 1; n <= 1_000; n++) cluster.last.answer(batch(n, { cursor: '', reset: 'more' }));
    await cluster.host.settle();
    expect(cluster.cancelled).toEqual([]);
    cluster.last.answer(batch(1_001, { reset: 'last' }));
    await cluster.host.settle();
    expect(cluster.cancelled.length).toBe(1);
    expect(first.value?.value).toMatchObject({ resetBegins: true });
    for (let n = 2; n <= 1_001; n++) {
      const { value } = await watch.next();
      expect(value).toMatchObject({ events: [{ key: `k${n}` }] });
      expect(value).not.toHaveProperty('resetBegins');
    }
    const next = track(watch.next());
    await cluster.host.settle();
    expect(cluster.requests.map(({ request }) => request.operation)).toMatchObject([
      { cursor: '' },
      { cursor: 'c1001' },
    ]);
    cluster.last.answer(batch(1_002));
    await cluster.host.settle();
    expect(next.value?.value).toMatchObject({ cursor: 'c1002' });
  });

  it('of a state that is too large for its slow reader ends with SLOW_CONSUMER, and does not begin again', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const watch = db.watch('', { prefix: true, cursor: '', bufferBytesMax: 1_000 });
    const first = track(watch.next());
    await cluster.host.settle();
    for (let n = 1; n <= 100; n++) cluster.last.answer(batch(n, { cursor: '', reset: 'more' }));
    await cluster.host.settle();
    expect(first.done).toBe(true);
    expect(cluster.cancelled.length).toBe(1);
    let read = 1;
    let error: unknown = null;
    while (error === null)
      await watch.next().then(
        () => {
          read++;
        },
        (thrown: unknown) => {
          error = thrown;
        },
      );
    expect(error).toMatchObject({ code: 'SLOW_CONSUMER' });
    expect(read).toBeGreaterThan(10);
    expect(cluster.requests.length).toBe(1);
  });

  it('pauses by bytes too, where there is a cursor', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const watch = db.watch('k', { bufferBytesMax: 1_000 });
    const first = track(watch.next());
    await cluster.host.settle();
    for (let n = 1; n <= 30; n++) cluster.last.answer(batch(n));
    await cluster.host.settle();
    expect(first.done).toBe(true);
    expect(cluster.cancelled.length).toBe(1);
    let last = '';
    for (let n = 2; !last.endsWith('!'); n++) {
      const next = track(watch.next());
      await cluster.host.settle();
      if (next.done) expect((last = (next.value?.value as { cursor: string }).cursor)).toBe(`c${n}`);
      else {
        expect(cluster.last.request.operation).toMatchObject({ cursor: last });
        last += '!';
      }
    }
  });

  it('that is not read stops taking batches, and goes on where it stopped', async () => {
    const cluster = new FakeCluster();
    const db = await cluster.connect();
    const watch = db.watch('k');
    const first = track(watch.next());
    await cluster.host.settle();
    for (let n = 1; n <= 400; n++) cluster.last.answer(batch(n));
    await cluster.host.settle();
    expect(first.done).toBe(true);
    expect(cluster.cancelled.length).toBe(1);
    const cursors = ['c1'];
    let sent = 256;
    while (cursors.length < 300) {
      const next = track(watch.next());
      await cluster.host.settle();
      if (!next.done) {
        expect(cluster.last.request.operation).toMatchObject({ cursor: 'c256' });
        cluster.last.answer(batch(++sent));
        await cluster.host.settle();
      }
      cursors.push((next.value?.value as { cursor: string }).cursor);
    }
    expect(cursors).toEqual(cursors.map((_, i) => `c${i + 1}`));
  });
});
