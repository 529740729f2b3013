import { SeededRandom, randomInt } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { OrderedMap } from './ordered-map.ts';

describe('an ordered map', () => {
  it('gives ranges of one kind and across kinds, as sorting everything would', () => {
    const random = new SeededRandom(7);
    const map: OrderedMap<number> = new OrderedMap();
    const model: Map<string, number> = new Map();
    const kinds = ['s/0000/0/k', 's/0000/0/x', 's/0001/1/k', 'l', 'w'];
    const draw = (): string =>
      `${kinds[randomInt(random, 0, kinds.length - 1)] as string}/${randomInt(random, 0, 299)}`;
    let found = 0;
    for (let step = 0; step < 30_000; step++) {
      const key = draw();
      if (randomInt(random, 0, 2) > 0) {
        map.set(key, step);
        model.set(key, step);
      } else {
        map.delete(key);
        model.delete(key);
      }
      if (step % 50 > 0) continue;
      const across = randomInt(random, 0, 1) > 0;
      const kind = kinds[randomInt(random, 0, kinds.length - 1)] as string;
      const [a, b] = across ? [draw(), draw()] : [`${kind}/${randomInt(random, 0, 299)}`, `${kind}0`];
      const [from, to] = a < b ? [a, b] : [b, a];
      const wanted = [...model.keys()].filter((one) => one >= from && one < to).sort();
      expect(map.range(from, to)).toEqual(wanted);
      found += wanted.length;
      expect(map.get(key)).toBe(model.get(key));
      expect(map.size).toBe(model.size);
    }
    expect(found).toBeGreaterThan(10_000);
  });

  it('still knows the order after more keys came than it keeps an index for', () => {
    const map: OrderedMap<number> = new OrderedMap();
    map.set('w/1', 1);
    expect(map.range('w/', 'w0')).toEqual(['w/1']);
    for (let i = 10_000; i < 19_999; i++) map.set(`w/${i}`, i);
    expect(map.range('w/19990', 'w0')).toHaveLength(9);
    map.delete('w/19998');
    map.set('w/19998', 2);
    expect(map.range('w/19998', 'w0')).toEqual(['w/19998']);
  });
});
