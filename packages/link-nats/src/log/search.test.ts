import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { doubtSequences, findStart, type Peek, type PeekableLog } from './search.ts';

class ModelLog implements PeekableLog {
  readonly #messages: readonly Peek[];
  looks = 0;

  constructor(messages: readonly Peek[]) {
    this.#messages = messages;
  }

  tail(): Promise<Peek | null> {
    this.looks++;
    return Promise.resolve(this.#messages.at(-1) ?? null);
  }

  at(sequence: number): Promise<Peek | null> {
    this.looks++;
    return Promise.resolve(this.#messages.find((message) => message.sequence >= sequence) ?? null);
  }
}

/** Batches of entries one after the other, at rising stream sequences with gaps (other subjects lie between). */
const risingLog = fc
  .array(fc.record({ size: fc.integer({ min: 1, max: 5 }), skip: fc.nat(9), lost: fc.constantFrom(0, 0, 0, 3) }), {
    maxLength: 80,
  })
  .map((shapes) => {
    let [sequence, entry] = [0, 1];
    return shapes.map(({ size, skip, lost }) => {
      sequence += 1 + skip;
      const first = entry + lost;
      entry = first + size;
      return { sequence, first, last: entry - 1 };
    });
  });

/** One message per sequence, of one entry each. */
function log(entries: readonly number[]): ModelLog {
  return new ModelLog(entries.map((entry, i) => ({ sequence: i + 1, first: entry, last: entry })));
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

describe('the start of a reader', () => {
  test('in a log whose entries rise, misses nothing from the position on', async () => {
    await fc.assert(
      fc.asyncProperty(risingLog, fc.integer({ min: 1, max: 300 }), async (messages, position) => {
        const start = await findStart(new ModelLog(messages), position);
        const wanted = messages.filter(({ last }) => last >= position);
        expect(messages.filter(({ sequence }) => sequence >= start)).toEqual(expect.arrayContaining(wanted));
        const covers = wanted[0] !== undefined && wanted[0].first <= position;
        // Exactly the message, unless that is not there: then a margin is left for one that stands out of order.
        if (covers) expect(start).toBe(wanted[0]?.sequence);
      }),
    );
  });

  test('of an empty log is its beginning', async () => {
    expect(await findStart(log([]), 77)).toBe(1);
  });

  test('of one who has everything takes one look, and of one who nearly has it few', async () => {
    const tail = log(range(1, 100_000));
    expect(await findStart(tail, 100_001)).toBe(100_001);
    expect(tail.looks).toBe(1);
    const near = log(range(1, 100_000));
    expect(await findStart(near, 99_990)).toBe(99_990);
    expect(near.looks).toBeLessThan(12);
    const far = log(range(1, 100_000));
    expect(await findStart(far, 3)).toBe(3);
    expect(far.looks).toBeLessThan(40);
  });

  test('of one who is ahead of the log, as after a loss, is its end', async () => {
    expect(await findStart(log(range(1, 1000)), 5000)).toBe(1001);
  });

  test('of a log that begins later than the position is its beginning', async () => {
    const late = range(1, 50).map((n) => ({ sequence: 900 + n, first: n + 500, last: n + 500 }));
    expect(await findStart(new ModelLog(late), 20)).toBeLessThanOrEqual(901);
  });

  test('is not misled by a late repetition at the end', async () => {
    const repeated = log([...range(1, 300), 7, 8, 9]);
    const start = await findStart(repeated, 295);
    expect(start).toBeLessThanOrEqual(295);
    expect(start).toBeGreaterThan(295 - 2 * doubtSequences);
  });

  test('in a log that was published twice is at one of the two places', async () => {
    const twice = log([...range(1, 200), ...range(101, 260)]);
    for (const position of [50, 101, 150, 200, 201, 260]) {
      const start = await findStart(twice, position);
      const from = [...range(1, 200), ...range(101, 260)].slice(start - 1);
      expect(from).toEqual(expect.arrayContaining(range(position, 260)));
    }
  });

  test('is found in a log that is trimmed while it is searched', async () => {
    let messages = range(1, 1000).map((n) => ({ sequence: n, first: n, last: n }));
    const trimmed: PeekableLog = {
      tail: () => Promise.resolve(messages.at(-1) ?? null),
      at: (sequence) => {
        messages = messages.slice(300);
        return Promise.resolve(messages.find((message) => message.sequence >= sequence) ?? null);
      },
    };
    expect(await findStart(trimmed, 10)).toBeGreaterThan(0);
  });
});
