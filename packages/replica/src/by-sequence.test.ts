import type { ClientId } from '@skerry/base';
import { expect, it } from 'vitest';
import { BySequence } from './by-sequence.ts';

it('is a map by both: counts each pair once, and forgets a client with its last sequence', () => {
  const [a, b] = ['a', 'b'] as ClientId[] as [ClientId, ClientId];
  const map = new BySequence<{ readonly name: string }>();
  map.set({ client: a, sequence: 2 }, { name: 'a2' });
  map.set({ client: a, sequence: 1 }, { name: 'a1' });
  map.set({ client: a, sequence: 1 }, { name: 'A1' });
  map.set({ client: b, sequence: 1 }, { name: 'b1' });
  expect(map.size).toBe(3);
  expect([...map.values()].map(({ name }) => name)).toEqual(['A1', 'a2', 'b1']);
  map.delete({ client: a, sequence: 3 });
  map.delete({ client: b, sequence: 1 });
  expect(map.size).toBe(2);
  expect(map.get({ client: b, sequence: 1 })).toBeUndefined();
  expect(map.get({ client: a, sequence: 2 })).toEqual({ name: 'a2' });
  map.clear();
  expect([map.size, map.get({ client: a, sequence: 2 })]).toEqual([0, undefined]);
});
