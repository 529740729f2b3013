import { nodeId, replicaId } from '@skerry/base';
import { expect, it } from 'vitest';
import { World } from './testing/world.ts';

/** Found by the simulator, seeds 3, 11, 27 and 34: the empty newcomer got the heartbeats, and could have voted, for the old one. */
it('names the new incarnation of a replaced member to the server only when the old one has left the group', () => {
  const world = new World({ partitionCount: 2 });
  world.awaitLeader();
  world.run(1_000);
  world.crash('n3');
  world.wipe('n3');
  world.awaitLeader();
  const leader = world.awaitLeader(1);
  const replica = world.replica(leader);
  const seen: { readonly told: number | null; readonly isMember: boolean }[] = [];
  const flush = replica.flush.bind(replica);
  replica.flush = (now) => {
    const effects = flush(now);
    const entry = effects?.directory?.find(({ node }) => node === 'n3');
    if (entry !== undefined)
      seen.push({
        told: entry.replica,
        isMember: replica.status().partitions.some(({ voters }) => voters.includes(nodeId('n3'))),
      });
    return effects;
  };
  const spec = {
    node: nodeId('n3'),
    peerUrl: '',
    clientUrl: '',
    adminUrl: '',
    learner: false,
    replica: replicaId(103),
  };
  expect(world.settle(world.call(leader, { kind: 'changeMembers', add: [spec], remove: [] }))).toMatchObject({
    kind: 'done',
  });
  world.until(() => seen.some(({ told }) => told === 103), 10_000, 'the new incarnation in the directory');
  const first = seen.findIndex(({ told }) => told === 103);
  expect(seen.slice(0, first).some(({ told, isMember }) => told === 3 && isMember)).toBe(true);
  expect(seen[first]).toMatchObject({ isMember: false });
});
