import { expect, it } from 'vitest';
import type { Answer } from './requests.ts';
import { set, World } from './testing/world.ts';

const receiptOf = (answer: Answer): string => (answer.kind === 'key' ? (answer.receipt ?? '') : '');

/** Found by the simulator, seed 20084. */
it('tells of both copies of a retried write that they were superseded', () => {
  const world = new World({ nodeCount: 5 });
  world.awaitLeader();
  world.isolate('n1');
  world.isolate('n2');
  const receipts = ['n1', 'n2'].map((name, i) =>
    receiptOf(world.settle(world.call(name, set('k', 'early', false), { client: 'a', sequence: 1, retry: i > 0 }))),
  );
  world.run(2_000);
  expect(world.settle(world.call('n3', set('k', 'late'), { client: 'b' }))).toMatchObject({ outcome: 'applied' });
  world.heal();
  for (const receipt of receipts) {
    expect(world.settle(world.call('n3', { kind: 'receipt', receipt, wait: true }))).toMatchObject({
      state: 'superseded',
    });
  }
});

/** Found by the simulator, seed 78 of the day. */
it('tells so of the second copy also when the result of the first is forgotten', () => {
  const world = new World({ nodeCount: 5 });
  world.awaitLeader();
  world.isolate('n1');
  world.isolate('n2');
  const receipts = ['n1', 'n2'].map((name, i) =>
    receiptOf(world.settle(world.call(name, set('k', 'early', false), { client: 'a', sequence: 1, retry: i > 0 }))),
  );
  world.run(2_000);
  world.settle(world.call('n3', set('k', 'late'), { client: 'b' }));
  world.crash('n2');
  world.heal();
  world.settle(world.call('n3', { kind: 'receipt', receipt: receipts[0] ?? '', wait: true }));
  world.settle(world.call('n3', set('other', 'x'), { client: 'a', sequence: 2, answeredBelow: 2 }));
  world.start('n2');
  expect(world.settle(world.call('n3', { kind: 'receipt', receipt: receipts[1] ?? '', wait: true }))).toMatchObject({
    state: 'superseded',
  });
});
