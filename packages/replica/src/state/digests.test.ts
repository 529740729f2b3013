import { partitionId, replicaId } from '@skerry/base';
import type { Value } from '@skerry/crdt';
import { expect, it } from 'vitest';
import { stateKeys } from '../keys.ts';
import { MemoryStorage } from '../ports/memory-storage.ts';
import { StagedStore } from '../staged-store.ts';
import { bucketCount, bucketOf, Digests } from './digests.ts';

const keys = stateKeys(partitionId(0), 0);
const store = (): StagedStore => new StagedStore(new MemoryStorage());

function value(sequence: number): Value {
  const replica = replicaId(1);
  return {
    parts: [
      {
        type: 'register',
        stamp: { wallMs: sequence, counter: 0, replica },
        dot: { replica, sequence },
        value: new Uint8Array(1),
        replaces: null,
      },
    ],
  };
}

it('equal contents have equal sums, in whatever order they came about', () => {
  const [a, b] = [new Digests(keys, store()), new Digests(keys, store())];
  a.replace('x', null, value(1));
  a.replace('y', null, value(2));
  a.replace('x', value(1), value(3));
  b.replace('x', null, value(3));
  b.replace('y', null, value(2));
  expect(a.root).toEqual(b.root);
  expect(a.differing(b.encode())).toEqual([]);
  a.replace('y', value(2), null);
  expect(a.differing(b.encode())).toEqual([bucketOf('y')]);
  expect(a.root).not.toEqual(b.root);
});

it('are there again after a restart', () => {
  const kept = store();
  const digests = new Digests(keys, kept);
  for (let i = 1; i <= 500; i++) digests.replace(`k${i}`, null, value(i));
  digests.save();
  const again = new Digests(keys, kept);
  expect(again.root).toEqual(digests.root);
  expect(again.encode()).toEqual(digests.encode());
  again.replace('k7', value(7), value(1_000));
  again.save();
  expect(new Digests(keys, kept).differing(digests.encode())).toEqual([bucketOf('k7')]);
});

it('spread keys over all buckets', () => {
  const used = new Set(Array.from({ length: 40_000 }, (_, i) => bucketOf(`configuration/service-${i}`)));
  expect(used.size).toBeGreaterThan(0.98 * bucketCount);
});

it('refuse what is not an encoding of sums', () => {
  expect(new Digests(keys, store()).differing(new Uint8Array(10))).toBeNull();
});
