import { expect, it } from 'vitest';
import { World } from './testing/world.ts';

/** Found by the simulator, seeds 1155 and 1161. */
it('writes the first members of a new cluster into one entry, since whoever the directory does not have is removed', () => {
  const world = new World({ limits: { batchCommandsMax: 1, uncommittedBytesMax: 40 } });
  const leader = world.awaitLeader();
  const first = world.replica(leader).status().partitions[0]?.lastIndex ?? 0;
  world.until(
    () => (world.replica(leader).status().partitions[0]?.commit ?? 0) > first,
    5_000,
    'an entry after that of the term',
  );
  for (const name of world.names) world.hangDisk(name, true);
  world.run(300);
  for (const name of world.names) world.hangDisk(name, false);
  for (let i = 0; i < 20; i++) {
    world.run(50);
    for (const name of world.names)
      expect(world.replica(name).status().partitions[0]?.voters).toEqual(['n1', 'n2', 'n3']);
  }
});
