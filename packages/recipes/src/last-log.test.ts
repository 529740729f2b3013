import { randomInt, SeededRandom } from '@skerry/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { getLastLog } from './last-log.ts';
import {
  decodePosition,
  encodePosition,
  findPosition,
  HashedLog,
  positionAfter,
  positionStart,
  tailMax,
} from './position.ts';
import { MemoryDb } from './testing/memory-db.ts';

/** A log as of dpkg: several records of one second, some of them equal but for it. */
const logOf = (count: number, from = 0): string[] =>
  Array.from(
    { length: count },
    (_, i) =>
      `2026-01-01 00:00:${String(Math.floor((from + i) / 7)).padStart(2, '0')} status half-configured pkg-${(from + i) % 5} ${Math.floor((from + i) / 35)}\n`,
  );

describe('getLastLog', () => {
  it('returns everything first, then what is new, then nothing', async () => {
    const { client } = new MemoryDb();
    const log = logOf(100);
    expect(await getLastLog(client, 's', log.slice(0, 60))).toEqual(log.slice(0, 60));
    expect(await getLastLog(client, 's', log)).toEqual(log.slice(60));
    expect(await getLastLog(client, 's', log)).toEqual([]);
    expect(await getLastLog(client, 's', [])).toEqual([]);
  });

  it('keeps servers apart', async () => {
    const { client } = new MemoryDb();
    expect(await getLastLog(client, 'a', ['1'])).toEqual(['1']);
    expect(await getLastLog(client, 'b', ['1'])).toEqual(['1']);
  });

  it('gives text for text, and leaves a line that is still being written', async () => {
    const { client } = new MemoryDb();
    expect(await getLastLog(client, 's', 'one\ntw')).toBe('one\n');
    expect(await getLastLog(client, 's', 'one\ntwo\n\nthree')).toBe('two\n\n');
    expect(await getLastLog(client, 's', 'one\ntwo\n\nthree')).toBe('');
  });

  it('neither loses nor repeats records that are equal', async () => {
    const { client } = new MemoryDb();
    const same = Array.from({ length: 50 }, () => 'the same record\n');
    expect(await getLastLog(client, 's', same.slice(0, 20))).toHaveLength(20);
    expect(await getLastLog(client, 's', same.slice(0, 21))).toHaveLength(1);
    expect(await getLastLog(client, 's', same)).toHaveLength(29);
  });

  it('finds its place after the beginning was rotated away, in part or as a whole', async () => {
    const { client } = new MemoryDb();
    const log = logOf(2_000);
    await getLastLog(client, 's', log.slice(0, 1_000));
    expect(await getLastLog(client, 's', log.slice(300, 1_100))).toEqual(log.slice(1_000, 1_100));
    expect(await getLastLog(client, 's', log.slice(1_099, 1_200))).toEqual(log.slice(1_100, 1_200));
    expect(await getLastLog(client, 's', log.slice(1_200, 1_300))).toEqual(log.slice(1_200, 1_300));
  });

  it('knows a new log by more than its first records', async () => {
    const { client } = new MemoryDb();
    const banner = Array.from({ length: 40 }, (_, i) => `banner ${i}`);
    const [first, second] = [
      [...banner, ...logOf(100)],
      [...banner, ...logOf(200, 5_000)],
    ];
    expect(await getLastLog(client, 's', first)).toEqual(first);
    expect(await getLastLog(client, 's', second.slice(0, 90))).toEqual(second.slice(0, 90));
    expect(await getLastLog(client, 's', second)).toEqual(second.slice(90));
  });

  it('takes the place that shares most records, where several would fit', async () => {
    const { client } = new MemoryDb();
    await getLastLog(client, 's', ['x', 'y', 'x']);
    expect(await getLastLog(client, 's', ['y', 'x', 'new', 'x'])).toEqual(['new', 'x']);
  });

  it('gives nothing to a caller whose copy is older, across a rotation too', async () => {
    const { client } = new MemoryDb();
    const log = logOf(1_000);
    await getLastLog(client, 's', log.slice(500));
    expect(await getLastLog(client, 's', log.slice(500, 900))).toEqual([]);
    expect(await getLastLog(client, 's', log.slice(0, 800))).toEqual([]);
    expect(await getLastLog(client, 's', log.slice(400, 1_000))).toEqual([]);
  });

  it('returns each record to one of 64 callers that race over a growing, rotating log, whatever becomes of them later', async () => {
    const { client } = new MemoryDb();
    const random = new SeededRandom(7);
    const log = logOf(600);
    const returned: string[] = [];
    let end = 0;
    const caller = async (): Promise<void> => {
      while (end < log.length) {
        end = Math.min(log.length, end + randomInt(random, 0, 5));
        const copy = log.slice(Math.max(0, end - 250), end);
        for (let i = randomInt(random, 0, 4); i > 0; i--) await Promise.resolve();
        returned.push(...(await getLastLog(client, 's', copy)));
      }
    };
    await Promise.all(Array.from({ length: 64 }, caller));
    returned.push(...(await getLastLog(client, 's', log.slice(-250))));
    expect([...returned].sort()).toEqual([...log].sort());
  });
});

describe('a position', () => {
  it('is what a plain count says, for any growth and rotation of a log of distinct records', () => {
    const steps = fc.array(
      fc.record({ grow: fc.nat({ max: 40 }), rotate: fc.nat({ max: 30 }), stale: fc.nat({ max: 10 }) }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        let position = positionStart;
        let [start, end, returned] = [0, 0, 0];
        for (const { grow, rotate, stale } of list) {
          end += grow;
          // Not beyond what was returned: rotation does not eat what nobody has read.
          start = Math.min(start + rotate, Math.max(start, returned - 1), end);
          const to = Math.max(start, end - stale);
          const records = Array.from({ length: to - start }, (_, i) => `record ${start + i}`);
          const from = findPosition(new HashedLog(records), position);
          expect(from).toBe(Math.min(Math.max(0, returned - start), records.length));
          if (from === records.length) continue;
          position = positionAfter(new HashedLog(records), from, position);
          returned = to;
          expect(position.total).toBe(returned);
          expect(position.tail.length).toBeLessThanOrEqual(tailMax);
        }
      }),
    );
  });

  it('decodes to what was encoded, and refuses anything else', () => {
    const position = positionAfter(new HashedLog(logOf(700)), 100, positionStart);
    const bytes = encodePosition(position);
    expect(decodePosition(bytes)).toEqual(position);
    expect(bytes.length).toBeLessThan(5_000);
    expect(() => decodePosition(bytes.subarray(1))).toThrow();
    expect(() => decodePosition(bytes.subarray(0, bytes.length - 1))).toThrow();
  });
});
