import { SeededRandom, randomInt } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { KeyOrder } from './key-order.ts';

describe('an order of keys', () => {
  it('gives slices as a sorted list does, while keys come and go', () => {
    const random = new SeededRandom(1);
    const order = new KeyOrder();
    const model: Set<string> = new Set();
    for (let step = 0; step < 20_000; step++) {
      const key = `k${randomInt(random, 0, 5_000)}`;
      if (randomInt(random, 0, 99) > 0) {
        expect(order.add(key)).toBe(!model.has(key));
        model.add(key);
      } else {
        const count = randomInt(random, 0, 700);
        const wanted = [...model]
          .filter((other) => other >= key)
          .sort()
          .slice(0, count);
        expect(order.take(key, count)).toEqual(wanted);
        for (const taken of wanted) model.delete(taken);
      }
      expect(order.size).toBe(model.size);
    }
  });
});
