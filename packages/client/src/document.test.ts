import { equalBytes } from '@skerry/base';
import type { Answer } from '@skerry/protocol';
import { describe, expect, it } from 'vitest';
import { documentEngine, documentOperationsMax } from './document-engine.ts';
import type { Client } from './client.ts';
import { errorAnswer, FakeCluster, keyAnswer, track } from './testing/fake-cluster.ts';

interface Note {
  title: string;
  n: number;
  lines: string[];
}

/** One document as nodes keep it: chunks under numbers, and a context that names the numbers. */
class FakeDocument {
  chunks = new Map<number, { bytes: Uint8Array; operations: number }>();
  updates: string[] = [];
  chunksMax = 1_000;
  #next = 1;

  answer(operation: { kind: string } & Record<string, unknown>): Answer {
    if (operation.kind === 'read') return this.#view();
    const change = operation['change'] as { action: string; bytes: Uint8Array; operations: number; context?: string };
    const replaced = change.context?.split(' ').map(Number) ?? [];
    if (this.chunks.size - replaced.length >= this.chunksMax) return errorAnswer('LIMIT_EXCEEDED');
    this.updates.push(change.action);
    for (const number of replaced) this.chunks.delete(number);
    this.chunks.set(this.#next++, { bytes: change.bytes, operations: change.operations });
    return keyAnswer({ version: '1', outcome: 'applied' });
  }

  #view(): Answer {
    if (this.chunks.size === 0) return keyAnswer({});
    const all = [...this.chunks.values()];
    const view = {
      type: 'document' as const,
      chunks: all.map(({ bytes }) => bytes),
      operations: all.reduce((sum, { operations }) => sum + operations, 0),
      context: [...this.chunks.keys()].join(' '),
    };
    return keyAnswer({ view, version: '1' });
  }
}

async function setUp(): Promise<{
  cluster: FakeCluster;
  db: Client;
  document: FakeDocument;
  run: <T>(promise: Promise<T>) => Promise<T>;
}> {
  await documentEngine();
  const cluster = new FakeCluster();
  const db = await cluster.connect();
  const document = new FakeDocument();
  cluster.onRequest = ({ request }) => document.answer(request.operation as never);
  const run = async <T>(promise: Promise<T>): Promise<T> => {
    const state = track(promise);
    await cluster.host.settle();
    if (!state.done) await cluster.host.settle();
    return promise;
  };
  return { cluster, db, document, run };
}

describe('a document', () => {
  it('begins empty, is edited, and read', async () => {
    const { db, document, run } = await setUp();
    const note = db.document<Note>('d');
    expect(await run(note.get())).toMatchObject({ valid: true, value: null });
    const changed = await run(
      note.change((draft) => {
        Object.assign(draft, { title: 'a', n: 1, lines: [] });
      }),
    );
    expect(changed).toMatchObject({ valid: true, outcome: 'applied', value: { title: 'a', n: 1, lines: [] } });
    await run(
      note.change((draft) => {
        draft.lines.push('x');
      }),
    );
    expect(await run(note.get())).toMatchObject({ value: { title: 'a', n: 1, lines: ['x'] } });
    expect(document.updates).toEqual(['change', 'change']);
    const engine = await documentEngine();
    const [first, second] = [...document.chunks.values()];
    expect(second?.operations).toBe(engine.inspect(second!.bytes, [first!.bytes]).operations);
  });

  it('is not written by an edit that changes nothing, nor by one that throws or waits', async () => {
    const { db, document, run } = await setUp();
    const note = db.document<Note>('d');
    expect(await run(note.change(() => {}))).toMatchObject({ valid: true, outcome: 'applied' });
    await expect(
      run(
        note.change(() => {
          throw new Error('mine');
        }),
      ),
    ).rejects.toThrow('mine');
    await expect(
      run(
        note.change((async (draft: Note) => {
          await Promise.resolve();
          draft.n = 1;
        }) as never),
      ),
    ).rejects.toThrow(/async/);
    expect(document.updates).toEqual([]);
    expect(
      await run(
        note.change((draft) => {
          draft.n = 2;
        }),
      ),
    ).toMatchObject({ value: { n: 2 } });
  });

  it('keeps what two clients change at once', async () => {
    const { cluster, db, document, run } = await setUp();
    const other = await cluster.connect();
    await run(
      db.document<Note>('d').change((draft) => {
        Object.assign(draft, { title: 'a', n: 1, lines: [] });
      }),
    );
    await run(
      Promise.all([
        db.document<Note>('d').change((draft) => {
          draft.title = 'b';
        }),
        other.document<Note>('d').change((draft) => {
          draft.n = 2;
        }),
      ]),
    );
    expect(document.chunks.size).toBe(3);
    expect(await run(db.document<Note>('d').get())).toMatchObject({ value: { title: 'b', n: 2 } });
  });

  it('merges what two clients change within one text', async () => {
    const { cluster, db, run } = await setUp();
    const other = await cluster.connect();
    await run(
      db.document<Note>('d').change((draft) => {
        draft.title = 'old bread';
      }),
    );
    await run(
      Promise.all([
        db.document<Note>('d').change((_draft, text) => {
          text.splice(['title'], 9, 0, 's');
        }),
        other.document<Note>('d').change((_draft, text) => {
          text.update(['title'], 'rye bread');
        }),
      ]),
    );
    expect(await run(db.document<Note>('d').get())).toMatchObject({ value: { title: 'rye breads' } });
  });

  it('takes in changes that were made elsewhere, and none that it has or that build on what it lacks', async () => {
    const { db, document, run } = await setUp();
    const engine = await documentEngine();
    const first = engine.change([], 'aa', (draft) => {
      draft['title'] = 'a';
    }).change!;
    const second = engine.change([first.bytes], 'aa', (draft) => {
      draft['n'] = 1;
    }).change!;
    const note = db.document<Note>('d');
    await expect(run(note.apply(second.bytes))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(run(note.apply(new Uint8Array([1, 2, 3])))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(document.updates).toEqual([]);
    await run(note.apply(first.bytes));
    await run(note.apply(second.bytes));
    expect(await run(note.apply(first.bytes))).toMatchObject({ valid: true, outcome: 'applied' });
    expect([...document.chunks.values()]).toEqual([first, second]);
    expect(await run(note.get())).toMatchObject({ value: { title: 'a', n: 1 } });
  });

  it('is changed in turn by one client, so that all changes count', async () => {
    const { db, run } = await setUp();
    await run(
      Promise.all(
        Array.from({ length: 10 }, () =>
          db.document<Note>('d').change((draft) => {
            draft.n = (draft.n ?? 0) + 1;
          }),
        ),
      ),
    );
    expect(await run(db.document<Note>('d').get())).toMatchObject({ value: { n: 10 } });
  });

  it('is edited under another actor where the own last change is not to be seen', async () => {
    const { db, document, run } = await setUp();
    const note = db.document<Note>('d');
    await run(
      note.change((draft) => {
        draft.n = 1;
      }),
    );
    await run(
      note.change((draft) => {
        draft.n = 2;
      }),
    );
    // The node that is asked next does not have the second change yet.
    const [first, second] = [...document.chunks.entries()];
    document.chunks = new Map([first!]);
    await run(
      note.change((draft) => {
        draft.title = 't';
      }),
    );
    document.chunks = new Map([first!, second!, ...document.chunks]);
    expect(await run(note.get())).toMatchObject({ value: { n: 2, title: 't' } });
  });

  it('has the time of the call for all its steps', async () => {
    const { cluster, db, document } = await setUp();
    cluster.onRequest = ({ request }) =>
      request.operation.kind === 'read' ? undefined : document.answer(request.operation as never);
    const changed = track(
      db.document<Note>('d').change(
        (draft) => {
          draft.n = 1;
        },
        { blocking: false, timeoutMs: 1_000 },
      ),
    );
    await cluster.host.advance(600);
    cluster.last.answer(keyAnswer({}));
    cluster.onRequest = () => undefined;
    await cluster.host.settle();
    expect(cluster.last.request).toMatchObject({ operation: { kind: 'update' }, timeoutMs: 400 });
    expect(changed.done).toBe(false);
  });

  it('is notApplied when it could not be read in time', async () => {
    const { cluster, db } = await setUp();
    cluster.onRequest = () => keyAnswer({ valid: false, timeout: true });
    const changed = track(
      db.document<Note>('d').change(
        (draft) => {
          draft.n = 1;
        },
        { blocking: false },
      ),
    );
    await cluster.host.settle();
    expect(changed.value).toMatchObject({ valid: false, timeout: true, outcome: 'notApplied', value: null });
  });

  it('of a history that takes too long to load is refused', async () => {
    const { cluster, db } = await setUp();
    cluster.onRequest = () =>
      keyAnswer({
        view: {
          type: 'document',
          chunks: [new Uint8Array(1), new Uint8Array(1)],
          operations: documentOperationsMax + 1,
          context: '',
        },
        version: '1',
      });
    for (const call of [
      () => db.document('d').get(),
      () => db.document('d').change(() => {}),
      () => db.document('d').compact(),
    ]) {
      const called = track(call());
      await cluster.host.settle();
      expect(called.error).toMatchObject({ code: 'LIMIT_EXCEEDED', definite: true });
    }
  });

  it('is followed', async () => {
    const { cluster, db, document, run } = await setUp();
    await run(
      db.document<Note>('d').change((draft) => {
        draft.n = 1;
      }),
    );
    const next = track(db.document<Note>('d').watch().next());
    cluster.onRequest = () => undefined;
    await cluster.host.settle();
    const chunks = [...document.chunks.values()].map(({ bytes }) => bytes);
    cluster.last.answer({
      kind: 'watch',
      events: [{ key: 'd', value: null, version: '1', view: { type: 'document', chunks, operations: 1, context: '' } }],
      cursor: 'c1',
      reset: 'last',
    });
    await cluster.host.settle();
    expect(next.value?.value).toEqual({ value: { n: 1 }, version: '1', cursor: 'c1' });
  });
});

describe('compaction', () => {
  it('happens by itself after a while, and loses nothing', async () => {
    const { cluster, db, document, run } = await setUp();
    const note = db.document<Note>('d');
    let changes = 0;
    while (!document.updates.includes('compact')) {
      await run(
        note.change((draft) => {
          draft.n = ++changes;
        }),
      );
      expect(changes).toBeLessThanOrEqual(96);
    }
    await cluster.host.settle();
    expect(changes).toBeGreaterThanOrEqual(32);
    expect(document.chunks.size).toBeLessThanOrEqual(2);
    expect(await run(note.get())).toMatchObject({ value: { n: changes } });
  });

  it('keeps the actor, whose changes it holds', async () => {
    const { db, document, run } = await setUp();
    const note = db.document<Note>('d');
    await run(
      note.change((draft) => {
        draft.n = 1;
      }),
    );
    await run(
      note.change((draft) => {
        draft.n = 2;
      }),
    );
    expect(await run(note.compact())).toMatchObject({ valid: true, outcome: 'applied' });
    expect(document.chunks.size).toBe(1);
    await run(
      note.change((draft) => {
        draft.n = 3;
      }),
    );
    await run(note.compact());
    const engine = await documentEngine();
    const [{ bytes } = { bytes: new Uint8Array() }] = [...document.chunks.values()];
    // Made by one actor from the start: another one's name would stand in it too.
    const alone = [1, 2, 3].reduce(
      (chunks, n) => [
        ...chunks,
        engine.edit(chunks, '0123456789abcdef', (draft) => {
          draft['n'] = n;
        })!,
      ],
      [] as Uint8Array[],
    );
    expect(bytes.length).toBe(engine.compact(alone).bytes.length);
    expect(equalBytes(bytes, engine.compact(alone).bytes)).toBe(false);
  });

  it('makes room for a change that was refused for its chunks', async () => {
    const { db, document, run } = await setUp();
    const note = db.document<Note>('d');
    document.chunksMax = 3;
    for (let i = 1; i <= 6; i++)
      expect(
        await run(
          note.change((draft) => {
            draft.n = i;
          }),
        ),
      ).toMatchObject({ outcome: 'applied' });
    expect(document.updates).toContain('compact');
    expect(await run(note.get())).toMatchObject({ value: { n: 6 } });
  });

  it('is no concern of the change before it when it fails', async () => {
    const { cluster, db, document, run } = await setUp();
    const answer = document.answer.bind(document);
    document.answer = (operation) =>
      (operation as unknown as { change?: { action: string } }).change?.action === 'compact'
        ? errorAnswer('STORAGE_FULL')
        : answer(operation);
    const note = db.document<Note>('d');
    const asked = (): number =>
      cluster.requests.filter(
        ({ request }) => (request.operation as { change?: { action: string } }).change?.action === 'compact',
      ).length;
    const change = async (): Promise<void> => {
      expect(
        await run(
          note.change((draft) => {
            draft.n = (draft.n ?? 0) + 1;
          }),
        ),
      ).toMatchObject({ outcome: 'applied' });
    };
    while (asked() === 0) await change();
    await change();
    await cluster.host.settle();
    expect(asked()).toBe(1);
    await cluster.host.advance(30_000);
    await change();
    await cluster.host.settle();
    expect(asked()).toBe(2);
  });
});
