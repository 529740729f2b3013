import { replicaId } from '@skerry/base';
import type { Dot } from '@skerry/crdt';
import { expect, it } from 'vitest';
import { RefusedPushes } from './refused-pushes.ts';

const dot = (sequence: number, replica = 1): Dot => ({ replica: replicaId(replica), sequence });

/** Which of the dots 1 to 6 have to wait, where those of `here` are held or settled. */
function waiting(refused: RefusedPushes, here: readonly number[], nowMs = 0): number[] {
  return [1, 2, 3, 4, 5, 6].filter((sequence) =>
    refused.isAfterOne(dot(sequence), (one) => here.includes(one.sequence), nowMs),
  );
}

it('what comes after a refused push waits until that is here, and of several until all are, in their order', () => {
  const refused = new RefusedPushes();
  expect(waiting(refused, [])).toEqual([]);
  for (const sequence of [2, 4]) refused.refuse(dot(sequence), 0);
  expect(waiting(refused, [1])).toEqual([3, 4, 5, 6]);
  expect(waiting(refused, [1, 2])).toEqual([4, 5, 6]);
  expect(waiting(refused, [1, 2, 3])).toEqual([5, 6]);
  expect(waiting(refused, [1, 2, 3, 4])).toEqual([]);
});

it('what another node accepted does not wait for it', () => {
  const refused = new RefusedPushes();
  refused.refuse(dot(2), 0);
  expect(refused.isAfterOne(dot(3, 2), () => false, 0)).toBe(false);
});

it('what is not pushed again for long is waited for no more', () => {
  const refused = new RefusedPushes();
  refused.refuse(dot(2), 0);
  refused.refuse(dot(2), 9_000);
  expect(waiting(refused, [1], 18_000)).toEqual([3, 4, 5, 6]);
  expect(waiting(refused, [1], 20_000)).toEqual([]);
});
