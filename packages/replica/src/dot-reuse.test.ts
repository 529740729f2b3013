import { expect, it } from 'vitest';
import { get, set, valueOf, World } from './testing/world.ts';

/** Found by the simulator, seed 19. */
it('I7: shows a quorum-less write to nobody before it is durable, so a crash cannot give its dot to another write', () => {
  const world = new World();
  const leader = world.awaitLeader();
  const node = world.names.find((name) => name !== leader) as string;
  world.hangDisk(node, true);
  const lost = world.call(node, set('k', 'lost', false), { client: 'a' });
  world.run(300);
  expect(lost.answer).toBeUndefined();
  world.crash(node);
  world.hangDisk(node, false);
  world.start(node);
  const answer = world.settle(world.call(node, set('k', 'kept', false), { client: 'b' }));
  const receipt = answer.kind === 'key' ? (answer.receipt ?? '') : '';
  expect(world.settle(world.call(node, { kind: 'receipt', receipt, wait: true }))).toMatchObject({ state: 'promoted' });
  for (const name of world.names) expect(valueOf(world.settle(world.call(name, get('k'))))).toBe('kept');
});
