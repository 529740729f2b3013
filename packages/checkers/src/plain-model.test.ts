import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { judgeKey, type Action, type KeyHistory, type Shown, type Write } from './plain-model.ts';

/** A consistent write that was acknowledged a moment after it was made. */
function write(action: Action, options: Partial<Write> = {}): Write {
  const fromMs = options.fromMs ?? 10;
  return {
    key: 'k',
    action,
    region: 0,
    session: 0,
    pinned: false,
    consistent: true,
    fromMs,
    toMs: options.isApplied === false ? Number.POSITIVE_INFINITY : fromMs + 1,
    isApplied: true,
    version: null,
    ...options,
  };
}

function problems(after: Shown | null, writes: readonly Write[], rest: Partial<KeyHistory> = {}): number {
  const type = writes[0]?.action.type ?? after?.type ?? 'register';
  return judgeKey({ type, before: null, isolations: [], writes, ...rest }, after).length;
}

const register = (value: string, version: string): Shown => ({ type: 'register', value, version });
const set = (value: string | null, version: string | null, options: Partial<Write> = {}): Write =>
  write({ type: 'register', value }, { version, ...options });

test('of a register, the write with the last version is what shows', () => {
  const writes = [set('a', '1'), set('b', '2', { region: 1 })];
  expect(problems(register('b', '2'), writes)).toBe(0);
  expect(problems(register('a', '1'), writes)).toBe(1);
  expect(problems(register('b', '3'), writes)).toBe(1);
  expect(problems(register('c', '3'), writes)).toBe(1);
  expect(problems(null, writes)).toBe(1);
  expect(problems(register('z', '0'), writes, { before: register('z', '0') })).toBe(1);
});

test('of a register, an undecided write may show or not', () => {
  const writes = [set('a', '1'), set('b', null, { isApplied: false })];
  expect(problems(register('a', '1'), writes)).toBe(0);
  expect(problems(register('b', '2'), writes)).toBe(0);
  expect(problems(register('b', '0'), writes)).toBe(1);
});

test('a deleted register is gone unless it was set after that', () => {
  const [earlier, later] = [{ fromMs: 10 }, { fromMs: 20 }];
  expect(problems(null, [set('a', '1', earlier), set(null, null, later)])).toBe(0);
  expect(problems(register('a', '1'), [set('a', '1', earlier), set(null, null, later)])).toBe(1);
  // From elsewhere, either may be the later one.
  expect(problems(register('a', '1'), [set('a', '1', earlier), set(null, null, { ...later, region: 1 })])).toBe(0);
  expect(problems(null, [set(null, null, earlier), set('a', '1', later)])).toBe(1);
  expect(problems(null, [set('a', '1', later), set(null, '2', { ...earlier, region: 1 })])).toBe(0);
  expect(problems(null, [set('a', '3', later), set(null, '2', { ...earlier, region: 1 })])).toBe(1);
  expect(problems(register('z', '0'), [set(null, null)], { before: register('z', '0') })).toBe(1);
});

test('a counter is the sum of its increments, undecided ones counted or not', () => {
  const add = (amount: number, isApplied = true): Write => write({ type: 'counter', amount }, { isApplied });
  const total = (value: bigint): Shown => ({ type: 'counter', total: value });
  expect(problems(total(3n), [add(5), add(-2)])).toBe(0);
  expect(problems(total(8n), [add(5), add(-2)])).toBe(1);
  expect(problems(total(14n), [add(5), add(-1)], { before: total(10n) })).toBe(0);
  expect(problems(null, [add(5)])).toBe(1);
  for (const [value, count] of [
    [5n, 0],
    [12n, 0],
    [105n, 0],
    [112n, 0],
    [100n, 1],
  ] as const) {
    expect(problems(total(value), [add(5), add(7, false), add(100, false)])).toBe(count);
  }
});

const elements = (...all: string[]): Shown => ({ type: 'set', elements: new Set(all) });
const add = (options: Partial<Write> = {}): Write => write({ type: 'set', action: 'add', element: 'e' }, options);
const remove = (options: Partial<Write> = {}): Write => write({ type: 'set', action: 'remove', element: 'e' }, options);

test('an element that was added stays unless a removal can have seen it', () => {
  expect(problems(elements('e'), [add()])).toBe(0);
  expect(problems(elements(), [add()])).toBe(1);
  expect(problems(elements('f'), [add()])).toBe(2);
  expect(problems(elements(), [remove({ fromMs: 1 }), add()])).toBe(1);
  expect(problems(elements(), [add(), remove({ region: 1 })])).toBe(0);
  expect(problems(elements(), [add(), remove({ fromMs: 1, isApplied: false })])).toBe(0);
});

test('an element whose every addition was seen by a removal is gone', () => {
  expect(problems(elements('e'), [add(), remove({ fromMs: 20 })])).toBe(1);
  expect(problems(elements('e'), [add(), remove({ fromMs: 20, region: 1 })])).toBe(0);
  expect(problems(elements('e'), [add(), remove({ fromMs: 20, isApplied: false })])).toBe(0);
  expect(problems(elements('e'), [remove()], { before: elements('e') })).toBe(1);
  expect(problems(elements('e'), [remove(), add({ region: 1 })], { before: elements('e') })).toBe(0);
  // Of quorum-less ones only those of one session at one node are known to be in order.
  const weak = { consistent: false } as const;
  expect(problems(elements('e'), [add(weak), remove({ ...weak, fromMs: 20 })])).toBe(0);
  expect(problems(elements('e'), [add({ ...weak, pinned: true }), remove({ ...weak, pinned: true, fromMs: 20 })])).toBe(
    1,
  );
});

test('an addition in a region that was cut off all the time was seen by no removal elsewhere', () => {
  const both = [add({ fromMs: 20 }), remove({ fromMs: 30, region: 1 })];
  const isolation = { fromMs: 10, toMs: 40 };
  expect(problems(elements(), both, { isolations: [{ ...isolation, region: 0 }] })).toBe(1);
  expect(problems(elements(), both, { isolations: [{ ...isolation, region: 1 }] })).toBe(1);
  expect(problems(elements(), both, { isolations: [{ ...isolation, region: 2 }] })).toBe(0);
  expect(problems(elements(), both, { isolations: [{ ...isolation, region: 0, toMs: 30 }] })).toBe(0);
});

test('a flag is enabled unless every enabling was seen', () => {
  const flag = (enabled: boolean): Shown => ({ type: 'flag', enabled });
  const turn = (enabled: boolean, options: Partial<Write> = {}): Write => write({ type: 'flag', enabled }, options);
  expect(problems(flag(true), [turn(true)])).toBe(0);
  expect(problems(flag(false), [turn(true)])).toBe(1);
  expect(problems(flag(true), [turn(true), turn(false, { fromMs: 20 })])).toBe(1);
  expect(problems(flag(true), [turn(true), turn(false, { fromMs: 20, region: 1 })])).toBe(0);
  expect(problems(null, [turn(false)])).toBe(0);
});

test('a multi-value register shows what nobody who read it replaced', () => {
  const values = (...all: string[]): Shown => ({ type: 'multi', values: new Set(all) });
  const put = (value: string, replaces: string[], options: Partial<Write> = {}): Write =>
    write({ type: 'multi', value, replaces }, options);
  const writes = [put('b', ['a']), put('c', ['a'])];
  const rest = { before: values('a') };
  expect(problems(values('b', 'c'), writes, rest)).toBe(0);
  expect(problems(values('b'), writes, rest)).toBe(1);
  expect(problems(values('a', 'b', 'c'), writes, rest)).toBe(1);
  expect(problems(values('b', 'c', 'd'), writes, rest)).toBe(1);
  const undecided = [put('b', ['a'], { isApplied: false })];
  expect(problems(values('a'), undecided, rest)).toBe(0);
  expect(problems(values('b'), undecided, rest)).toBe(0);
});

test('a document has all edits, each once', () => {
  const edit = (action: 'put' | 'take' | 'insert', name: string, options: Partial<Write> = {}): Write =>
    write({ type: 'document', action, name }, options);
  const shown = (fields: string[], tokens: string[]): Shown => ({ type: 'document', fields: new Set(fields), tokens });
  const writes = [edit('put', 'f'), edit('take', 'old'), edit('insert', 't'), edit('put', 'g', { isApplied: false })];
  const rest = { before: shown(['old', 'kept'], ['s']) };
  expect(problems(shown(['f', 'kept'], ['t', 's']), writes, rest)).toBe(0);
  expect(problems(shown(['f', 'g', 'kept'], ['s', 't']), writes, rest)).toBe(0);
  expect(problems(shown(['kept'], ['s', 't']), writes, rest)).toBe(1);
  expect(problems(shown(['f'], ['s', 't']), writes, rest)).toBe(1);
  expect(problems(shown(['f', 'kept', 'old'], ['s', 't']), writes, rest)).toBe(1);
  expect(problems(shown(['f', 'kept', 'new'], ['s', 't']), writes, rest)).toBe(1);
  expect(problems(shown(['f', 'kept'], ['s']), writes, rest)).toBe(1);
  expect(problems(shown(['f', 'kept'], ['s', 't', 't']), writes, rest)).toBe(1);
  expect(problems(shown(['f', 'kept'], ['s', 't', 'u']), writes, rest)).toBe(1);
});

test('the model shares no code with what it judges: it imports nothing', () => {
  const source = readFileSync(new URL('plain-model.ts', import.meta.url), 'utf8');
  expect(source).toContain('export function judgeKey');
  expect(source).not.toMatch(/\bimport\b|\bfrom '/);
});
