import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainEdit } from '../testing/memory-values.ts';
import { applyJson, type JsonObject } from './apply-json.ts';
import { applyEdit, parseDelete, parseEdit } from './edits.ts';

function edited(draft: JsonObject, ...edits: readonly string[]): unknown {
  plainEdit((target, text) => {
    for (const edit of edits) applyEdit(target, parseEdit(edit), text);
  }, draft);
  return draft;
}

/** Counts what is written into an object and what is below it. */
function counted(value: unknown, writes: string[], path = ''): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const [key, child] of Object.entries(value))
    (value as JsonObject)[key] = counted(child, writes, `${path}/${key}`);
  return new Proxy(value, {
    set: (target, key, next) => {
      writes.push(`${path}/${String(key)}`);
      return Reflect.set(target, key, next);
    },
    deleteProperty: (target, key) => {
      writes.push(`-${path}/${String(key)}`);
      return Reflect.deleteProperty(target, key);
    },
  });
}

describe('making a document read as given JSON', () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  const object = fc.dictionary(fc.constantFrom('a', 'b', 'c'), json, { maxKeys: 3 });

  test('leads from any object to any other', () => {
    fc.assert(
      fc.property(object, object, (from, wanted) => {
        const draft = structuredClone(from) as JsonObject;
        plainEdit((target, text) => applyJson(target, wanted as JsonObject, text), draft);
        expect(JSON.parse(JSON.stringify(draft))).toEqual(JSON.parse(JSON.stringify(wanted)));
      }),
    );
  });

  test.each([
    ['one key of many', { a: 1, b: { c: 1, d: 2 }, e: [1] }, { a: 1, b: { c: 1, d: 3 }, e: [1] }, ['/b/d']],
    ['nothing', { a: [{ b: 1, c: 2 }] }, { a: [{ c: 2, b: 1 }] }, []],
    ['a key that goes and one that comes', { a: 1, b: 2 }, { b: 2, c: 3 }, ['-/a', '/c']],
    ['one item between equal ones', { l: [1, { n: 1 }, 3] }, { l: [1, { n: 2 }, 3] }, ['/l/1/n']],
    ['an item at the end', { l: [1, 2] }, { l: [1, 2, 3] }, ['/l/2', '/l/length']],
  ])('writes only what differs: %s', (_, from, wanted, expected) => {
    const writes: string[] = [];
    const draft = counted(structuredClone(from), writes) as JsonObject;
    plainEdit((target, text) => applyJson(target, wanted, text), draft);
    expect(writes).toEqual(expected);
  });

  test('leaves the items alone that stand behind one put in or taken out', () => {
    for (const [from, wanted] of [
      [
        [1, 2],
        [0, 1, 2],
      ],
      [
        [0, 1, 2],
        [1, 2],
      ],
    ] as const) {
      const writes: string[] = [];
      const items = (list: readonly number[]): JsonObject => ({ l: list.map((n) => ({ n })) });
      const draft = counted(items(from), writes) as JsonObject;
      plainEdit((target, text) => applyJson(target, items(wanted), text), draft);
      expect(draft).toEqual(items(wanted));
      expect(writes.filter((path) => path.endsWith('/n'))).toEqual([]);
    }
  });

  test('changes a text within itself, wherever it stands', () => {
    const draft = { t: 'old bread', l: ['x', { t: 'a' }] };
    const made = plainEdit((target, text) => applyJson(target, { t: 'rye bread', l: ['x', { t: 'b' }] }, text), draft);
    expect(made).toEqual([
      ['update', 't', 'rye bread'],
      ['update', 'l.1.t', 'b'],
    ]);
  });
});

describe('edits of a document', () => {
  test('assign text and JSON, append, replace characters, and make what is missing on the way', () => {
    expect(edited({}, 'title=a=b', 'n:=[1]', 'n[]:=2', 'n[]=x', 'a.b.c=1', '["x.y"]:=null')).toEqual({
      title: 'a=b',
      n: [1, 2, 'x'],
      a: { b: { c: '1' } },
      'x.y': null,
    });
    expect(edited({ t: 'hello', l: ['ab', 1] }, 't[0:1]=J', 't[5:]=!', 'l[0][1:1]=-', 'l[1]:=2')).toEqual({
      t: 'Jello!',
      l: ['a-b', 2],
    });
  });

  test('delete keys and items', () => {
    const draft = { a: { b: 1, c: 2 }, l: [1, 2, 3] };
    plainEdit((target, text) => {
      for (const path of ['a.b', 'l[1]']) applyEdit(target, parseDelete(path), text);
    }, draft);
    expect(draft).toEqual({ a: { c: 2 }, l: [1, 3] });
  });

  test.each([
    ['t[9:10]=x', 't has 5 characters'],
    ['t[]=x', 't is no list; t:=[] makes it one'],
    ['n[0:1]=x', 'n is no text'],
    ['l[5]=x', 'there is no l[5]; l[] appends'],
    ['t.x=1', 'there is no t.x: t is no object'],
    ['[0]=1', '[0]=1 is no edit'],
    ['=1', '=1 is no edit'],
    ['t[0:1]:=1', 'characters of a text are replaced by text'],
  ])('%s leads nowhere', (edit, message) => {
    expect(() => edited({ t: 'hello', n: 1, l: [] }, edit)).toThrow(message);
  });

  test('a deletion of what is not there leads nowhere', () => {
    expect(() => plainEdit((target, text) => applyEdit(target, parseDelete('x.y'), text), { x: {} })).toThrow(
      'there is no x.y',
    );
    expect(() => parseDelete('x=1')).toThrow('is no edit');
  });
});
