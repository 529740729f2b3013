import { SkerryError } from '@skerry/client';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { z } from 'zod';
import { bindConfig, type Config, type ConfigOptions, type ConfigProblem, type ConfigSource } from './config.ts';
import type { StandardSchema } from './schema.ts';
import { FakeStore } from './testing/fake-store.ts';

const schema = z.object({ port: z.number().int(), host: z.string().default('localhost') });
type Settings = z.infer<typeof schema>;

let folder: string;
let file: string;
const open: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skerry-config-'));
  file = join(folder, 'cache', 'settings');
});

afterEach(async () => {
  for (const config of open.splice(0)) await config.close();
  await rm(folder, { recursive: true });
});

async function bind<T>(source: ConfigSource, options: ConfigOptions<T>): Promise<Config<T>> {
  const config = await bindConfig(source, options);
  open.push(config);
  return config;
}

/** A source that can never connect. */
const unreachable = (): Promise<never> => Promise.reject(new SkerryError({ code: 'NO_ENDPOINT' }));

function storeWith(entries: Record<string, string>): FakeStore {
  const store = new FakeStore();
  for (const [key, value] of Object.entries(entries)) store.set(key, value);
  return store;
}

async function cached(): Promise<void> {
  const config = await bindConfig(storeWith({ app: '{"port": 1}' }).client, { key: 'app', schema, cache: file });
  await config.close();
}

describe('a key that is bound to a schema', () => {
  it('is read as its type, with what the schema adds', async () => {
    const config = await bind(storeWith({ app: '{"port": 7}' }).client, { key: 'app', schema });
    expectTypeOf(config.value).toEqualTypeOf<Settings>();
    expect(config.value).toEqual({ port: 7, host: 'localhost' });
    expect(config.origin).toBe('store');
    expect(config.problem).toBeNull();
  });

  it('has a value when it is missing only if the schema gives one', async () => {
    const config = await bind(new FakeStore().client, { key: 'app', schema: schema.default({ port: 1, host: 'h' }) });
    expect(config.value).toEqual({ port: 1, host: 'h' });
    await expect(bindConfig(new FakeStore().client, { key: 'app', schema })).rejects.toMatchObject({
      name: 'ConfigError',
      kind: 'invalid',
    });
  });

  it('tells of each new value, and of no value twice', async () => {
    const store = storeWith({ app: '{"port": 1}', apple: '{"port": 5}' });
    const config = await bind(store.client, { key: 'app', schema });
    const told: number[] = [];
    const watched: number[] = [];
    const stop = config.onChange(({ port }) => told.push(port));
    const done = (async () => {
      for await (const { port } of config.watch()) {
        expectTypeOf(port).toBeNumber();
        watched.push(port);
      }
    })();
    await vi.waitFor(() => expect(watched).toEqual([1]));
    store.set('app', '{"port": 2}');
    await vi.waitFor(() => expect(watched).toEqual([1, 2]));
    store.set('app', '{"port": 2}');
    store.reset();
    store.set('app', '{"port": 3}');
    await vi.waitFor(() => expect(watched).toEqual([1, 2, 3]));
    expect(told).toEqual([2, 3]);
    stop();
    store.set('app', '{"port": 4}');
    await vi.waitFor(() => expect(watched).toEqual([1, 2, 3, 4]));
    expect(told).toEqual([2, 3]);
    await config.close();
    await done;
    expect(config.value.port).toBe(4);
  });

  it('keeps the last good value when what is there does not fit, says why, and goes on', async () => {
    const store = storeWith({ app: '{"port": 1}' });
    const problems: ConfigProblem[] = [];
    const config = await bind(store.client, { key: 'app', schema, onProblem: (problem) => problems.push(problem) });
    for (const bad of ['{"port": "x"}', '{"port": ', null]) {
      const before = problems.length;
      store.set('app', bad);
      await vi.waitFor(() => expect(problems.length).toBe(before + 1));
      expect(config.value.port).toBe(1);
      expect(config.problem).toBe(problems.at(-1));
    }
    expect(problems.map(({ kind }) => kind)).toEqual(['invalid', 'invalid', 'invalid']);
    expect(problems[0]).toMatchObject({
      issues: [{ path: ['port'], message: expect.any(String) }],
      message: expect.stringContaining('port: '),
    });
    store.set('app', '{"port": 2}');
    await vi.waitFor(() => expect(config.value.port).toBe(2));
    expect(config.problem).toBeNull();
  });

  it('can be text, bytes of its own format, or a value of another type', async () => {
    const text = await bind(storeWith({ app: 'a: 1' }).client, { key: 'app', schema: z.string(), format: 'text' });
    expect(text.value).toBe('a: 1');
    const sized = await bind(storeWith({ app: 'abc' }).client, {
      key: 'app',
      schema: z.number(),
      format: (bytes) => bytes.length,
    });
    expect(sized.value).toBe(3);
    const store = new FakeStore();
    store.set('app/flag', { type: 'flag', enabled: true });
    store.set('app/count', { type: 'counter', total: 12n });
    store.set('app/many', { type: 'counter', total: 2n ** 60n });
    store.set('app/tags', { type: 'set', elements: [new TextEncoder().encode('a')] });
    store.set('app/hosts', { type: 'multiRegister', values: [new TextEncoder().encode('h')], context: 'c' });
    store.set('app/doc', { type: 'document', chunks: [], operations: 1, read: () => Promise.resolve({ deep: [1] }) });
    const all = await bind(store.client, { prefix: 'app/', schema: z.record(z.string(), z.unknown()) });
    expect(all.value).toEqual({
      flag: true,
      count: 12,
      many: String(2n ** 60n),
      tags: ['a'],
      hosts: ['h'],
      doc: { deep: [1] },
    });
  });

  it('is invalid where it cannot even be read', async () => {
    const store = new FakeStore();
    store.set('app', { type: 'set', elements: [new Uint8Array([0xff])] });
    await expect(bindConfig(store.client, { key: 'app', schema: z.unknown() })).rejects.toMatchObject({
      kind: 'invalid',
      issues: [{ path: [], message: 'the value is not UTF-8' }],
    });
    store.set('app', {
      type: 'document',
      chunks: [],
      operations: 1,
      read: () => Promise.reject(new Error('too long a history')),
    });
    await expect(bindConfig(store.client, { key: 'app', schema: z.unknown() })).rejects.toMatchObject({
      issues: [{ message: 'too long a history' }],
    });
  });

  it('takes any Standard Schema, one that waits or throws included', async () => {
    const even: StandardSchema<number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) => {
          await Promise.resolve();
          if (value === 13) throw new Error('unlucky');
          return typeof value === 'number' && value % 2 === 0
            ? { value }
            : { issues: [{ message: 'odd', path: [{ key: 'a' }, 0] }] };
        },
      },
    };
    const store = storeWith({ app: '2' });
    const config = await bind(store.client, { key: 'app', schema: even });
    store.set('app', '3');
    await vi.waitFor(() =>
      expect(config.problem).toMatchObject({ kind: 'invalid', issues: [{ path: ['a', '0'], message: 'odd' }] }),
    );
    store.set('app', '13');
    await vi.waitFor(() => expect(config.problem).toMatchObject({ kind: 'invalid', issues: [{ message: 'unlucky' }] }));
    expect(config.value).toBe(2);
  });
});

describe('a prefix that is bound to a schema', () => {
  const both = z.object({ port: z.number(), 'db/host': z.string() });

  it('is an object by key, good or bad as a whole', async () => {
    const store = storeWith({ 'app/port': '1', 'app/db/host': '"h"', other: '5' });
    const config = await bind(store.client, { prefix: 'app/', schema: both });
    expect(config.value).toEqual({ port: 1, 'db/host': 'h' });
    store.set('app/port', '{');
    store.set('app/db/host', '"i"');
    await vi.waitFor(() => expect(config.problem).toMatchObject({ issues: [{ path: ['port'] }] }));
    expect(config.value).toEqual({ port: 1, 'db/host': 'h' });
    store.set('app/port', '2');
    await vi.waitFor(() => expect(config.value).toEqual({ port: 2, 'db/host': 'i' }));
    store.entries.delete('app/db/host');
    store.reset();
    await vi.waitFor(() => expect(config.problem).toMatchObject({ issues: [{ path: ['db/host'] }] }));
  });

  it('is bound alone, or a key is', async () => {
    await expect(bindConfig(new FakeStore().client, { schema })).rejects.toThrow(TypeError);
    await expect(bindConfig(new FakeStore().client, { schema, key: 'a', prefix: 'b' })).rejects.toThrow(TypeError);
  });
});

describe('a start without the store', () => {
  it('uses what was last good, and goes on with the store when it comes', async () => {
    await cached();
    const store = storeWith({ app: '{"port": 2}' });
    let reachable = false;
    const problems: ConfigProblem[] = [];
    const config = await bind(() => (reachable ? Promise.resolve(store.client) : unreachable()), {
      key: 'app',
      schema,
      cache: file,
      startTimeoutMs: 50,
      onProblem: (problem) => problems.push(problem),
    });
    expect(config.value).toEqual({ port: 1, host: 'localhost' });
    expect(config.origin).toBe('cache');
    expect(config.problem).toMatchObject({ kind: 'unreachable' });
    expect(Math.abs(config.savedMs - Date.now())).toBeLessThan(60_000);
    reachable = true;
    await vi.waitFor(() => expect(config.value.port).toBe(2), { timeout: 5_000 });
    expect(config.origin).toBe('store');
    expect(config.problem).toBeNull();
    expect(problems.every(({ kind }) => kind === 'unreachable')).toBe(true);
  });

  it('waits for a store that is silent for no longer than it is told', async () => {
    await cached();
    const store = storeWith({ app: '{"port": 2}' });
    store.silent = true;
    const config = await bind(store.client, { key: 'app', schema, cache: file, startTimeoutMs: 50 });
    expect(config.origin).toBe('cache');
    expect(config.problem).toMatchObject({ kind: 'unreachable' });
    store.silent = false;
    store.set('app', '{"port": 3}');
    await vi.waitFor(() => expect(config.value.port).toBe(3));
  });

  it('uses it too where what is in the store does not fit', async () => {
    await cached();
    const config = await bind(storeWith({ app: '{}' }).client, { key: 'app', schema, cache: file });
    expect(config.value.port).toBe(1);
    expect(config.problem).toMatchObject({ kind: 'invalid' });
  });

  it('fails where nothing was ever good', async () => {
    await expect(
      bindConfig(unreachable, { key: 'app', schema, cache: file, startTimeoutMs: 50 }),
    ).rejects.toMatchObject({ name: 'ConfigError', kind: 'unreachable' });
    await expect(bindConfig(unreachable, { key: 'app', schema, startTimeoutMs: 50 })).rejects.toMatchObject({
      kind: 'unreachable',
    });
  });

  it.each([
    ['damaged', async () => writeFile(file, (await readFile(file, 'utf8')).replace('app', 'apq'))],
    ['cut off', async () => writeFile(file, (await readFile(file)).subarray(0, 90))],
    ['empty', async () => writeFile(file, '')],
  ])('does not use a cache that is %s', async (_, spoil) => {
    await cached();
    await spoil();
    const problems: ConfigProblem[] = [];
    await expect(
      bindConfig(unreachable, {
        key: 'app',
        schema,
        cache: file,
        startTimeoutMs: 50,
        onProblem: (problem) => problems.push(problem),
      }),
    ).rejects.toMatchObject({ kind: 'unreachable' });
    expect(problems.map(({ kind, message }) => (kind === 'cache' ? message : ''))).toContainEqual(
      expect.stringContaining('damaged'),
    );
  });

  it('does not use a cache of another key, or one that does not fit the schema of today', async () => {
    await cached();
    await expect(
      bindConfig(unreachable, { key: 'other', schema: z.unknown(), cache: file, startTimeoutMs: 50 }),
    ).rejects.toMatchObject({ kind: 'unreachable' });
    await expect(
      bindConfig(unreachable, { prefix: 'app', schema: z.unknown(), cache: file, startTimeoutMs: 50 }),
    ).rejects.toMatchObject({ kind: 'unreachable' });
    const stricter = schema.extend({ token: z.string() });
    await expect(
      bindConfig(unreachable, { key: 'app', schema: stricter, cache: file, startTimeoutMs: 50 }),
    ).rejects.toMatchObject({ kind: 'unreachable' });
  });

  it('can be given up', async () => {
    const store = new FakeStore();
    store.silent = true;
    const abort = new AbortController();
    const never = bindConfig(() => new Promise<never>(() => {}), { key: 'app', schema, signal: abort.signal });
    const silent = bindConfig(store.client, { key: 'app', schema, signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(never).rejects.toThrow('enough');
    await expect(silent).rejects.toThrow('enough');
  });
});

describe('the cache', () => {
  it('is not written again for what it has', async () => {
    let looks = 0;
    const counting = schema.refine(() => ++looks > 0);
    const store = storeWith({ app: '{"port": 1}' });
    const config = await bind(store.client, { key: 'app', schema: counting, cache: file });
    await vi.waitFor(() => stat(file));
    const { ino } = await stat(file);
    store.reset();
    await vi.waitFor(() => expect(looks).toBe(2));
    await config.close();
    expect((await stat(file)).ino).toBe(ino);
  });

  it('is written whole beside and renamed, for its owner alone, with nothing left over', async () => {
    const store = storeWith({ app: '{"port": 0}' });
    const config = await bind(store.client, { key: 'app', schema, cache: file });
    for (let port = 1; port <= 20; port++) store.set('app', `{"port": ${port}}`);
    await vi.waitFor(() => expect(config.value.port).toBe(20));
    await config.close();
    expect(await readdir(join(folder, 'cache'))).toEqual(['settings']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const again = await bind(unreachable, { key: 'app', schema, cache: file, startTimeoutMs: 50 });
    expect(again.value.port).toBe(20);
  });

  it('keeps values of other types, and bytes that are no text', async () => {
    const store = new FakeStore();
    store.set('app/flag', { type: 'flag', enabled: true });
    store.set('app/raw', { type: 'register', value: new Uint8Array([0xff, 0]) });
    const options = {
      prefix: 'app/',
      schema: z.object({ flag: z.boolean(), raw: z.array(z.number()) }),
      format: (bytes: Uint8Array) => [...bytes],
      cache: file,
      startTimeoutMs: 50,
    };
    await (await bindConfig(store.client, options)).close();
    const config = await bind(unreachable, options);
    expect(config.value).toEqual({ flag: true, raw: [255, 0] });
  });

  it('that cannot be written is a problem, and no reason to stop', async () => {
    const problems: ConfigProblem[] = [];
    await writeFile(join(folder, 'cache'), 'a file where the folder should be');
    const config = await bind(storeWith({ app: '{"port": 1}' }).client, {
      key: 'app',
      schema,
      cache: file,
      onProblem: (problem) => problems.push(problem),
    });
    await vi.waitFor(() => expect(problems.map(({ kind }) => kind)).toEqual(['cache']));
    expect(config.value.port).toBe(1);
    expect(config.problem).toBeNull();
  });

  it('is not written with what does not fit', async () => {
    const store = storeWith({ app: '{"port": 1}' });
    const config = await bind(store.client, { key: 'app', schema, cache: file });
    store.set('app', '{"port": "x"}');
    await vi.waitFor(() => expect(config.problem).not.toBeNull());
    await config.close();
    expect((await bind(unreachable, { key: 'app', schema, cache: file, startTimeoutMs: 50 })).value.port).toBe(1);
  });
});

describe('the client', () => {
  it('that was connected for the binding is closed with it, also one that comes later; another is not', async () => {
    const store = storeWith({ app: '{"port": 1}' });
    await (await bindConfig(store.client, { key: 'app', schema })).close();
    expect(store.closed).toBe(0);
    await (await bindConfig(() => Promise.resolve(store.client), { key: 'app', schema })).close();
    expect(store.closed).toBe(1);
    await cached();
    let connected: (client: typeof store.client) => void = () => {};
    const config = await bindConfig(
      () =>
        new Promise<typeof store.client>((resolve) => {
          connected = resolve;
        }),
      { key: 'app', schema, cache: file, startTimeoutMs: 20 },
    );
    await config.close();
    connected(store.client);
    await vi.waitFor(() => expect(store.closed).toBe(2));
  });

  it('whose watch fails is used again, or another one is connected', async () => {
    const store = storeWith({ app: '{"port": 1}' });
    let connects = 0;
    const config = await bind(
      () => {
        connects++;
        return Promise.resolve(store.client);
      },
      { key: 'app', schema },
    );
    store.break(new SkerryError({ code: 'SLOW_CONSUMER' }));
    await vi.waitFor(() =>
      expect(config.problem).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('SLOW_CONSUMER') }),
    );
    store.mend();
    store.set('app', '{"port": 2}');
    await vi.waitFor(() => expect(config.value.port).toBe(2), { timeout: 5_000 });
    expect(connects).toBe(2);
    expect(store.closed).toBe(1);
    expect(config.problem).toBeNull();
  });

  it('of the caller that was closed is not asked again', async () => {
    const store = storeWith({ app: '{"port": 1}' });
    let watches = 0;
    const watch: typeof store.client.watch = (...parameters) => {
      watches++;
      return store.client.watch(...parameters);
    };
    const config = await bind({ ...store.client, watch }, { key: 'app', schema });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    store.break(new SkerryError({ code: 'CLOSED' }));
    await vi.advanceTimersByTimeAsync(60_000);
    vi.useRealTimers();
    expect(config.problem).toMatchObject({ kind: 'unreachable' });
    expect(watches).toBe(1);
    expect(config.value.port).toBe(1);
  });
});
