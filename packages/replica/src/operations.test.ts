import { utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import type { Answer, Operation } from './requests.ts';
import { get, set, swap, valueOf, World } from './testing/world.ts';

const list = (prefix: string, after = '', limit = 100, consistent = true): Operation => ({
  kind: 'list',
  prefix,
  after,
  limit,
  consistent,
  keysOnly: false,
});
const keysOf = (answer: Answer): string[] => (answer.kind === 'list' ? answer.entries.map(({ key }) => key) : []);
const versionOf = (answer: Answer): string | null => (answer.kind === 'key' ? answer.version : null);

describe('operations', () => {
  const world = new World();
  world.awaitLeader();

  it('lists a prefix in pages, in key order', () => {
    for (let i = 0; i < 25; i++) world.settle(world.call('n1', set(`p/${String(i).padStart(2, '0')}`, 'v')));
    world.settle(world.call('n1', set('q', 'v')));
    world.settle(world.call('n1', { kind: 'delete', key: 'p/03', consistent: true }));
    const first = world.settle(world.call('n2', list('p/', '', 10)));
    expect(keysOf(first)).toHaveLength(10);
    expect(keysOf(first)).not.toContain('p/03');
    expect(first).toMatchObject({ next: 'p/10' });
    const second = world.settle(world.call('n2', list('p/', 'p/10', 10)));
    const third = world.settle(world.call('n2', list('p/', 'p/20', 10)));
    expect([...keysOf(first), ...keysOf(second), ...keysOf(third)]).toHaveLength(24);
    expect(third).toMatchObject({ next: null });
  });

  it('lists pending writes in a local listing', () => {
    const cut = new World();
    cut.awaitLeader();
    cut.settle(cut.call('n1', set('l/a', 'v')));
    cut.settle(cut.call('n1', set('l/c', 'v')));
    cut.isolate('n1');
    cut.settle(cut.call('n1', set('l/b', 'v', false)));
    cut.settle(cut.call('n1', { kind: 'delete', key: 'l/c', consistent: false }));
    expect(keysOf(cut.settle(cut.call('n1', list('l/', '', 10, false))))).toEqual(['l/a', 'l/b']);
  });

  it('versions of a key grow', () => {
    const versions = [1, 2, 3].map((i) => versionOf(world.settle(world.call(`n${i}`, set('v', String(i))))) ?? '');
    expect([...versions].sort()).toEqual(versions);
    expect(new Set(versions).size).toBe(3);
    expect(versionOf(world.settle(world.call('n1', get('v'))))).toBe(versions[2]);
    expect(versionOf(world.settle(world.call('n1', get('none'))))).toBeNull();
  });

  it('a transaction compares and writes as one', () => {
    const put = (key: string, value: string): { kind: 'set'; key: string; value: Uint8Array } => ({
      kind: 'set',
      key,
      value: utf8Encode(value),
    });
    const txn: Operation = {
      kind: 'txn',
      compares: [{ kind: 'value', key: 't/a', equals: null }],
      then: [put('t/a', '1'), put('t/b', '2'), { kind: 'get', key: 't/a' }],
      otherwise: [{ kind: 'get', key: 't/b' }],
    };
    expect(world.settle(world.call('n1', txn))).toMatchObject({
      kind: 'txn',
      succeeded: true,
      results: [{ key: 't/a' }, { key: 't/b' }, { key: 't/a' }],
    });
    expect(world.settle(world.call('n2', txn))).toMatchObject({
      kind: 'txn',
      succeeded: false,
      results: [{ key: 't/b' }],
    });
    const version = versionOf(world.settle(world.call('n1', get('t/a'))));
    const guarded: Operation = {
      kind: 'txn',
      compares: [{ kind: 'version', key: 't/a', relation: '=', version }],
      then: [{ kind: 'delete', key: 't/a' }],
      otherwise: [],
    };
    expect(world.settle(world.call('n1', guarded))).toMatchObject({ succeeded: true });
    expect(world.settle(world.call('n1', guarded))).toMatchObject({ succeeded: false });
  });

  it('swap creates, deletes and refuses', () => {
    expect(world.settle(world.call('n1', swap('s', 'a', null)))).toMatchObject({ outcome: 'applied' });
    expect(world.settle(world.call('n1', swap('s', 'a', null)))).toMatchObject({ outcome: 'refused' });
    expect(world.settle(world.call('n1', swap('s', null, 'a')))).toMatchObject({ outcome: 'applied' });
    expect(valueOf(world.settle(world.call('n1', get('s'))))).toBeNull();
  });

  it('keys on a lease go when it ends, through the log of every node', () => {
    world.settle(world.call('n1', { kind: 'leaseGrant', lease: 'L', ttlMs: 500, key: 'e' }));
    expect(world.settle(world.call('n1', { ...set('e', 'here'), lease: 'L' } as Operation))).toMatchObject({
      valid: true,
    });
    world.run(300);
    expect(world.settle(world.call('n2', { kind: 'leaseKeepAlive', lease: 'L', key: 'e' }))).toMatchObject({
      kind: 'lease',
      ttlMs: 500,
    });
    world.run(300);
    expect(valueOf(world.settle(world.call('n3', get('e'))))).toBe('here');
    world.run(800);
    for (const name of world.names) expect(valueOf(world.settle(world.call(name, get('e'))))).toBeNull();
    expect(world.settle(world.call('n2', { kind: 'leaseKeepAlive', lease: 'L', key: 'e' }))).toMatchObject({
      code: 'LEASE_NOT_FOUND',
    });
    expect(world.settle(world.call('n1', { ...set('e', 'x'), lease: 'L' } as Operation))).toMatchObject({
      code: 'LEASE_NOT_FOUND',
    });
  });

  it('a key that was set again without the lease stays', () => {
    world.settle(world.call('n1', { kind: 'leaseGrant', lease: 'M', ttlMs: 300, key: 'f' }));
    world.settle(world.call('n1', { ...set('f', 'leased'), lease: 'M' } as Operation));
    world.settle(world.call('n1', set('f', 'kept')));
    world.run(1_000);
    expect(valueOf(world.settle(world.call('n1', get('f'))))).toBe('kept');
  });

  it('refuses bad input with its own code', () => {
    const code = (operation: Operation): unknown => {
      const answer = world.settle(world.call('n1', operation));
      return answer.kind === 'error' ? answer.code : answer.kind;
    };
    expect(code(set('', 'v'))).toBe('KEY_EMPTY');
    expect(code(set('ä'.repeat(513), 'v'))).toBe('KEY_TOO_LONG');
    expect(code(get('\ud800'))).toBe('KEY_NOT_UTF8');
    expect(code({ kind: 'set', key: 'k', value: new Uint8Array(512 * 1024 + 1), consistent: true })).toBe(
      'VALUE_TOO_LARGE',
    );
    expect(
      code({
        kind: 'txn',
        compares: [],
        then: Array.from({ length: 513 }, () => ({ kind: 'get', key: 'k' }) as const),
        otherwise: [],
      }),
    ).toBe('TXN_TOO_LARGE');
  });
});

describe('watch', () => {
  const watch = (key: string, prefix: boolean, cursor: string | null = null) =>
    ({ kind: 'watch', key, prefix, cursor }) as const;
  const eventsOf = (answers: readonly Answer[]): string[] =>
    answers.flatMap((answer) =>
      answer.kind === 'watch'
        ? answer.events.map(({ key, value }) => `${key}=${value === null ? '' : String.fromCharCode(...value)}`)
        : [],
    );
  const cursorOf = (answer: Answer | undefined): string => (answer?.kind === 'watch' ? answer.cursor : '');

  it('tells every change in order and goes on by cursor at another node', () => {
    const world = new World();
    world.awaitLeader();
    const call = world.call('n1', watch('w/', true));
    world.settle(call);
    for (let i = 0; i < 5; i++) world.settle(world.call('n2', set('w/k', String(i))));
    world.settle(world.call('n2', set('other', 'x')));
    world.until(() => eventsOf(call.answers).length === 5);
    expect(eventsOf(call.answers)).toEqual(['w/k=0', 'w/k=1', 'w/k=2', 'w/k=3', 'w/k=4']);
    const cursor = cursorOf(call.answer);
    world.settle(world.call('n3', { kind: 'delete', key: 'w/k', consistent: true }));
    const second = world.call('n3', watch('w/', true, cursor));
    world.until(() => eventsOf(second.answers).length === 1);
    expect(eventsOf(second.answers)).toEqual(['w/k=']);
  });

  it('tells one that goes on by cursor every change that it missed, also several of one key', () => {
    const world = new World();
    world.awaitLeader();
    const first = world.call('n1', watch('w', false));
    const cursor = cursorOf(world.settle(first));
    for (let i = 0; i < 5; i++) world.settle(world.call('n2', set('w', String(i))));
    const late = world.call('n1', watch('w', false, cursor));
    world.settle(world.call('n2', set('w', '5')));
    world.until(() => eventsOf(late.answers).includes('w=5'));
    expect(eventsOf(late.answers)).toEqual(['w=0', 'w=1', 'w=2', 'w=3', 'w=4', 'w=5']);
  });

  it('tells one that goes on by cursor a value of another type as it is by now, in order with the others', () => {
    const world = new World();
    world.awaitLeader();
    const first = world.call('n1', watch('w/', true));
    const cursor = cursorOf(world.settle(first));
    const add = {
      kind: 'update',
      key: 'w/c',
      change: { type: 'counter', action: 'add', amount: 2 },
      consistent: true,
    } as const;
    world.settle(world.call('n2', add));
    world.settle(world.call('n2', set('w/k', '1')));
    world.settle(world.call('n2', add));
    world.settle(world.call('n2', set('w/k', '2')));
    const late = world.call('n1', watch('w/', true, cursor));
    world.until(() => eventsOf(late.answers).includes('w/k=2'));
    expect(eventsOf(late.answers)).toEqual(['w/c=', 'w/k=1', 'w/k=2']);
    const events = late.answers.flatMap((answer) => (answer.kind === 'watch' ? answer.events : []));
    expect(events[0]?.view).toEqual({ type: 'counter', total: '4' });
  });

  it('tells of much that was missed page by page, and of what comes meanwhile behind it', () => {
    const world = new World();
    world.awaitLeader();
    const first = world.call('n1', watch('', true));
    const cursor = cursorOf(world.settle(first));
    const written: string[] = [];
    const write = (i: number): void => {
      written.push(`k${i % 3}=${i}`);
      world.settle(world.call('n1', set(`k${i % 3}`, `${i} ${'x'.repeat(100_000)}`)));
    };
    const told = (answers: readonly Answer[]): string[] => eventsOf(answers).map((event) => event.replace(/ x*$/, ''));
    for (let i = 0; i < 20; i++) write(i);
    const late = world.call('n1', watch('', true, cursor));
    for (let i = 20; i < 23; i++) write(i);
    world.until(() => told(late.answers).includes('k1=22'));
    expect(told(late.answers)).toEqual(written);
    const pages = late.answers.filter((answer) => answer.kind === 'watch' && answer.more === true);
    expect(pages.length).toBeGreaterThan(4);
    // Whoever reads no further than a page goes on from its cursor.
    const page = pages[2] as Answer;
    const again = world.call('n1', watch('', true, cursorOf(page)));
    world.until(() => told(again.answers).includes('k1=22'));
    expect(told(again.answers)).toEqual(
      written.slice(told(late.answers.slice(0, late.answers.indexOf(page) + 1)).length),
    );
  });

  it('sends the current state with a marker when the cursor is older than the feed', () => {
    const world = new World({ limits: { logKeepEntries: 10 } });
    world.awaitLeader();
    const first = world.call('n1', watch('', true));
    const cursor = cursorOf(world.settle(first));
    world.replica('n1');
    for (let i = 0; i < 100; i++) world.settle(world.call('n1', set(`k${i % 20}`, String(i))));
    world.run(500);
    const late = world.call('n1', watch('', true, cursor));
    world.until(() => late.answers.some((answer) => answer.kind === 'watch' && answer.reset === 'last'));
    expect(eventsOf(late.answers)).toHaveLength(20);
    expect(eventsOf(late.answers)).toContain('k19=99');
    world.settle(world.call('n1', set('k1', 'after')));
    world.until(() => eventsOf(late.answers).includes('k1=after'));
  });

  it('refuses a cursor that is none', () => {
    const world = new World();
    world.awaitLeader();
    expect(world.settle(world.call('n1', watch('k', false, 'no!')))).toMatchObject({ code: 'CURSOR_INVALID' });
  });
});
