import { nodeId } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { logIndex, term } from './index.ts';
import { Group } from './testing/group.ts';
import { testTicks } from './testing/test-node.ts';

describe('read index (thesis 6.4)', () => {
  it('all reads of a turn share one round', () => {
    const group = new Group();
    const leader = group.elect('a');
    for (let context = 0; context < 50; context++) leader.raft.readIndex(context);
    leader.run();
    expect(leader.outbox.map((message) => message.kind)).toEqual(['heartbeat', 'heartbeat']);
    group.settle();
    expect(leader.readStates).toEqual(Array.from({ length: 50 }, (_, context) => ({ context, index: 1 })));
  });

  it('all reads of a turn on a follower are one request', () => {
    const group = new Group();
    group.elect('a');
    const follower = group.node('b');
    for (let context = 0; context < 50; context++) follower.raft.readIndex(context);
    follower.run();
    expect(follower.outbox.map((message) => message.kind)).toEqual(['readIndex']);
    group.settle();
    expect(follower.readStates).toHaveLength(50);
  });

  it('a leader answers no read before it has committed in its term', () => {
    const group = new Group();
    group.drop = (message) => message.kind === 'append';
    const leader = group.elect('a');
    leader.raft.readIndex(1);
    group.settle();
    expect(leader.readStates).toEqual([]);
    group.heal();
    group.tick(3);
    expect(leader.readStates).toEqual([{ context: 1, index: 1 }]);
  });

  it('a leader that was deposed without noticing answers nothing, and fails the reads when it learns', () => {
    const group = new Group();
    const old = group.elect('a');
    group.isolate('a');
    group.tick(2 * testTicks.electionTicksMax, ['b', 'c']);
    expect(group.leader()?.id).not.toBe('a');
    old.raft.readIndex(1);
    group.settle();
    expect(old.raft.status().role).toBe('leader');
    expect(old.readStates).toEqual([]);
    group.heal();
    group.tick(3);
    expect(old.readStates).toEqual([{ context: 1, index: null }]);
  });

  it('a round whose heartbeats are lost is asked again with the next heartbeat', () => {
    const group = new Group();
    const leader = group.elect('a');
    group.isolate('a');
    leader.raft.readIndex(1);
    group.settle();
    group.heal();
    group.tick(testTicks.heartbeatTicks);
    expect(leader.readStates).toEqual([{ context: 1, index: 1 }]);
  });

  it('a group of one answers at once', () => {
    const group = new Group({ voters: ['a'] });
    const node = group.elect('a');
    node.raft.readIndex(1);
    node.run();
    expect(node.readStates).toEqual([{ context: 1, index: 1 }]);
  });

  it('fails at once without a leader', () => {
    const node = new Group().node('a');
    node.raft.readIndex(1);
    node.run();
    expect(node.readStates).toEqual([{ context: 1, index: null }]);
  });

  it('a forwarded read that gets no answer fails after an election timeout', () => {
    const group = new Group();
    group.elect('a');
    group.drop = (message) => message.kind === 'readIndex';
    const follower = group.node('b');
    follower.raft.readIndex(1);
    group.settle();
    group.tick(testTicks.electionTicksMin - 1);
    expect(follower.readStates).toEqual([]);
    group.tick(1);
    expect(follower.readStates).toEqual([{ context: 1, index: null }]);
  });

  it('a learner can ask as well', () => {
    const group = new Group({ learners: ['l'] });
    group.elect('a');
    group.node('l').raft.readIndex(4);
    group.settle();
    expect(group.node('l').readStates).toEqual([{ context: 4, index: 1 }]);
  });

  it('an answer of an older round does not confirm a newer one', () => {
    const group = new Group();
    const leader = group.elect('a');
    leader.raft.readIndex(1);
    leader.run();
    leader.raft.readIndex(2);
    leader.run();
    leader.raft.step({ kind: 'heartbeatResponse', from: nodeId('b'), to: leader.id, term: term(1), round: 1 });
    leader.run();
    expect(leader.readStates).toEqual([{ context: 1, index: logIndex(1) }]);
  });
});
