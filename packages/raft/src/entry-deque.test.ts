import { SeededRandom, randomInt } from '@skerry/base';
import { expect, it } from 'vitest';
import { entryBytes } from './entry-bytes.ts';
import { EntryDeque } from './entry-deque.ts';
import { Inflights } from './inflights.ts';
import { logIndex } from './types.ts';
import { entryOf } from './testing/group.ts';

it('the deque behaves like an array that is pushed, shifted and truncated', () => {
  const random = new SeededRandom(7);
  const deque = new EntryDeque(logIndex(1));
  let model: ReturnType<typeof entryOf>[] = [];
  let end = 1;
  for (let i = 0; i < 3000; i++) {
    const roll = randomInt(random, 0, 99);
    if (roll < 52) {
      const entry = entryOf(end++, 1, 'x'.repeat(roll % 7));
      deque.push(entry);
      model.push(entry);
    } else if (roll < 98 && model.length > 0) {
      deque.shift();
      model.shift();
    } else if (roll === 98 && model.length > 0) {
      end = (model[0] as { index: number }).index + randomInt(random, 0, model.length);
      model = model.filter((entry) => entry.index < end);
      deque.truncateFrom(logIndex(end));
    }
    expect(deque.end).toBe(end);
    expect(deque.count).toBe(model.length);
    expect(deque.bytes).toBe(model.reduce((bytes, entry) => bytes + entryBytes(entry), 0));
    expect(model.every((entry) => deque.at(entry.index) === entry)).toBe(true);
  }
});

it('inflights behave like a list of appends, and are full at either limit', () => {
  const random = new SeededRandom(8);
  const inflights = new Inflights(20, 1000);
  let model: { last: number; bytes: number }[] = [];
  for (let i = 1; i < 5000; i++) {
    if (!inflights.full) {
      const bytes = randomInt(random, 0, 200);
      inflights.add(i, bytes);
      model.push({ last: i, bytes });
    }
    const acknowledged = randomInt(random, i - 25, i);
    if (randomInt(random, 0, 2) === 0) {
      inflights.freeTo(acknowledged);
      model = model.filter(({ last }) => last > acknowledged);
    }
    const bytes = model.reduce((sum, each) => sum + each.bytes, 0);
    expect([inflights.count, inflights.bytes, inflights.full]).toEqual([
      model.length,
      bytes,
      model.length >= 20 || bytes >= 1000,
    ]);
  }
});
