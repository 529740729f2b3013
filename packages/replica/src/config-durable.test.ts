import { nodeId } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { World } from './testing/world.ts';

/** Of four nodes, three go on without the disk of the last, which follows. */
function worldWithoutOneDisk(): { world: World; behind: string; gone: string } {
  const world = new World({ nodeCount: 4 });
  const leader = world.awaitLeader();
  world.run(1_000);
  const [behind = '', gone = ''] = world.names.filter((name) => name !== leader);
  world.hangDisk(behind, true);
  return { world, behind, gone };
}

describe('a change of members', () => {
  it('is under way for a node, and not answered by it, until its disk has the end of it', () => {
    const { world, behind, gone } = worldWithoutOneDisk();
    const call = world.call(behind, { kind: 'changeMembers', add: [], remove: [nodeId(gone)] });
    const voters = (): readonly string[] => world.replica(behind).status().partitions[0]?.voters ?? [];
    world.until(() => !voters().includes(gone), 10_000, 'the node is gone');
    world.run(500);
    expect(world.replica(behind).partitionsForTests[0]?.config.votersOutgoing).toEqual([]);
    expect(world.replica(behind).metrics()).toMatchObject({ joint_configurations: 1 });
    expect(call.answer).toBeUndefined();
    world.hangDisk(behind, false);
    expect(world.settle(call)).toEqual({ kind: 'done' });
    expect(world.replica(behind).metrics()).toMatchObject({ joint_configurations: 0 });
  });

  it('is over for good where nothing is written after it: nodes that start again do without whom they let go', () => {
    const world = new World({ nodeCount: 4 });
    const leader = world.awaitLeader();
    world.run(1_000);
    const gone = world.names.filter((name) => name !== leader).slice(0, 2);
    const left = world.names.filter((name) => !gone.includes(name));
    expect(
      world.settle(world.call(leader, { kind: 'changeMembers', add: [], remove: gone.map((name) => nodeId(name)) })),
    ).toEqual({ kind: 'done' });
    world.until(
      () => left.every((name) => world.replica(name).metrics()['joint_configurations'] === 0),
      1_000,
      'nothing is under way',
    );
    for (const name of world.names) world.crash(name);
    for (const name of left) world.start(name);
    expect(left).toContain(world.awaitLeader());
  });
});
