import { replicaId, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { decodeChanges, encodeChanges, resolveChange, type Change } from './feed.ts';

const stamp = { wallMs: 1, counter: 2, replica: replicaId(3) };
const changeOf = (key: string, value: Uint8Array | null): Change => ({ key, stamp, typed: false, value });

describe('the feed', () => {
  it('tells values that stand in the log entry by their place, wherever that lies in memory later', () => {
    const memory = utf8Encode('......entry with a value in it and more......');
    const entry = memory.subarray(6, memory.length - 6);
    const value = entry.subarray(13, 18);
    const changes = [changeOf('a', value), changeOf('b', null), changeOf('c', utf8Encode('own'))];
    const bytes = encodeChanges(changes, entry);
    expect(Buffer.from(bytes).includes('value')).toBe(false);
    const later = utf8Encode(`${' '.repeat(99)}entry with a value in it and more`).subarray(99);
    expect(decodeChanges(bytes).map((change) => resolveChange(change, () => later))).toEqual(changes);
  });

  it('holds values that stand elsewhere, also in the same memory outside of the entry', () => {
    const memory = utf8Encode('before entry after');
    const changes = [changeOf('a', memory.subarray(0, 6)), changeOf('b', memory.subarray(10, 18))];
    const bytes = encodeChanges(changes, memory.subarray(7, 12));
    const resolved = decodeChanges(bytes).map((change) =>
      resolveChange(change, () => {
        throw new Error('the entry was asked for');
      }),
    );
    expect(resolved).toEqual(changes);
  });

  it('refuses a place outside of the entry rather than tell another value', () => {
    const entry = utf8Encode('a longer entry');
    const bytes = encodeChanges([changeOf('a', entry.subarray(9))], entry);
    const [change] = decodeChanges(bytes);
    expect(() => resolveChange(change as NonNullable<typeof change>, () => utf8Encode('short'))).toThrow(
      /within its log entry/,
    );
  });
});
