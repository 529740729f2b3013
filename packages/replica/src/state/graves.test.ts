import { partitionId, replicaId } from '@skerry/base';
import { stampZero, type Stamp, type Value } from '@skerry/crdt';
import { expect, it } from 'vitest';
import { stateKeys } from '../keys.ts';
import { MemoryStorage } from '../ports/memory-storage.ts';
import { StagedStore } from '../staged-store.ts';
import { Graves, gravesMax, type GraveFacts } from './graves.ts';

const replica = replicaId(9);
const stamp = (wallMs: number): Stamp => ({ wallMs, counter: 0, replica });
const deleted = (wallMs: number): Value => ({
  parts: [{ type: 'register', stamp: stamp(wallMs), dot: { replica, sequence: wallMs }, value: null, replaces: null }],
});

function start(): { graves: Graves; facts: GraveFacts } {
  const facts: GraveFacts = { count: 0, floor: stampZero };
  const store = new StagedStore(new MemoryStorage());
  return { graves: new Graves({ keys: stateKeys(partitionId(0), 0), store, header: { graves: facts } }), facts };
}

it('keeps the last delete of each register', () => {
  const { graves, facts } = start();
  graves.add('a', deleted(2));
  graves.add('a', deleted(5));
  graves.add('a', deleted(3));
  graves.add('b', deleted(1));
  expect([graves.stampOf('a'), graves.stampOf('b'), graves.stampOf('c')]).toEqual([stamp(5), stamp(1), stampZero]);
  expect(facts.count).toBe(2);
  expect([graves.names('', 1), graves.names('a', 9)]).toEqual([['a'], ['b']]);
});

it('keeps nothing of a deleted set, which no stamp decides on', () => {
  const { graves, facts } = start();
  const adds = { entries: new Map(), context: undefined as never };
  graves.add('a', { parts: [{ type: 'set', adds, writtenAt: stamp(1), deletedAt: stamp(2) } as never] });
  expect([facts.count, graves.isAny]).toEqual([0, false]);
});

it('keeps so many, and of those beyond that none may be older; all go when no region is out', () => {
  const { graves, facts } = start();
  for (let n = 1; n <= gravesMax; n++) graves.add(`k${n}`, deleted(n));
  expect(facts).toEqual({ count: gravesMax, floor: stampZero });
  graves.add('one more', deleted(7));
  graves.add('k1', deleted(9));
  expect(facts).toEqual({ count: gravesMax, floor: stamp(7) });
  expect(['one more', 'never deleted', 'k2', 'k1', 'k8'].map((key) => graves.stampOf(key).wallMs)).toEqual([
    7, 7, 7, 9, 8,
  ]);
  graves.drop(gravesMax - 1);
  expect([facts, graves.isAny]).toEqual([{ count: 1, floor: stampZero }, true]);
  graves.drop(gravesMax);
  expect([facts.count, graves.isAny, graves.names('', 1)]).toEqual([0, false, []]);
});
