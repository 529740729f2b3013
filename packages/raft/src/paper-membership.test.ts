import { nodeId } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { enterChange, leaveJoint, simpleConfig } from './config-change.ts';
import { logIndex, type MemberChange } from './index.ts';
import { Group, logOf } from './testing/group.ts';
import { testTicks } from './testing/test-node.ts';

function changes(text: string): MemberChange[] {
  const kinds = { '+': 'addVoter', '~': 'addLearner', '-': 'remove' } as const;
  return text
    .split(' ')
    .map((part) => ({ kind: kinds[part.charAt(0) as keyof typeof kinds], id: nodeId(part.slice(1)) }));
}

describe('configurations (§6)', () => {
  const abc = simpleConfig(['a', 'b', 'c'].map(nodeId), [nodeId('l')]);

  it.each([
    ['+d', { voters: ['a', 'b', 'c', 'd'], votersOutgoing: ['a', 'b', 'c'], learners: ['l'], learnersNext: [] }],
    ['-c +d', { voters: ['a', 'b', 'd'], votersOutgoing: ['a', 'b', 'c'], learners: ['l'], learnersNext: [] }],
    ['~c', { voters: ['a', 'b'], votersOutgoing: ['a', 'b', 'c'], learners: ['l'], learnersNext: ['c'] }],
    ['+l', { voters: ['a', 'b', 'c', 'l'], votersOutgoing: ['a', 'b', 'c'], learners: [], learnersNext: [] }],
    ['~m -l', { voters: ['a', 'b', 'c'], votersOutgoing: [], learners: ['m'], learnersNext: [] }],
    ['-a -b -c', null],
    ['+a', null],
    ['-z', null],
    ['+d -d', null],
  ])('%s leads to %j', (text, expected) => {
    expect(enterChange(abc, changes(text))).toEqual(expected);
  });

  it('a demoted voter becomes a learner at the end, not before', () => {
    const entered = enterChange(abc, changes('~c'));
    expect(entered === null ? null : leaveJoint(entered)).toEqual({
      voters: ['a', 'b'],
      votersOutgoing: [],
      learners: ['c', 'l'],
      learnersNext: [],
    });
  });
});

describe('joint consensus (§6)', () => {
  it('a joint configuration needs a majority of the old voters', () => {
    const group = new Group({ spares: ['d', 'e', 'f', 'g'] });
    const leader = group.elect('a');
    // b and c never see what follows; a, d, e, f, g are a majority of the new voters alone.
    group.drop = (message) => message.kind === 'append' && (message.to === 'b' || message.to === 'c');
    leader.raft.proposeConfig(changes('+d +e +f +g'));
    group.tick(5);
    expect(leader.raft.status().commit).toBe(1);
    group.heal();
    group.tick(5);
    expect(leader.raft.status().config).toMatchObject({
      voters: ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
      votersOutgoing: [],
    });
  });

  it('while a joint configuration is in force, a majority of the new voters alone commits nothing', () => {
    const group = new Group({ spares: ['d', 'e', 'f', 'g'] });
    const leader = group.elect('a');
    leader.raft.proposeConfig(changes('+d +e +f +g'));
    // b and c acknowledge what enters the joint configuration, and get nothing after that.
    group.drop = (message) =>
      (message.to === 'b' || message.to === 'c') &&
      message.kind === 'append' &&
      !message.entries.some((entry) => entry.index === 2);
    group.tick(5);
    expect(leader.raft.status()).toMatchObject({ commit: 2, config: { votersOutgoing: ['a', 'b', 'c'] } });
    expect(
      leader.raft
        .status()
        .peers.filter((peer) => peer.match >= 3)
        .map((peer) => peer.id),
    ).toEqual(['d', 'e', 'f', 'g']);
    group.heal();
    group.tick(5);
    expect(leader.raft.status().config.votersOutgoing).toEqual([]);
  });

  it('a joint configuration is not left without a majority of the new voters', () => {
    const group = new Group({ spares: ['d', 'e', 'f', 'g'] });
    const leader = group.elect('a');
    group.isolate('a', 'b', 'c');
    leader.raft.proposeConfig(changes('+d +e +f +g'));
    group.tick(5);
    expect(leader.raft.status().config.votersOutgoing).toEqual(['a', 'b', 'c']);
    const { commit } = leader.raft.status();
    group.propose('a', 'x');
    group.tick(5);
    expect(leader.raft.status().commit).toBe(commit);
    group.heal();
    group.tick(5);
    expect(leader.raft.status().config.votersOutgoing).toEqual([]);
  });

  it('the next leader finishes a change that its predecessor began', () => {
    const group = new Group({ voters: ['a', 'b', 'c'], spares: ['d', 'e'] });
    const leader = group.elect('a');
    leader.raft.proposeConfig(changes('+d +e -b'));
    group.drop = (message) => message.kind === 'append' && message.entries.some((entry) => entry.index === 3);
    group.settle();
    expect(leader.raft.status().config.votersOutgoing).toEqual(['a', 'b', 'c']);
    leader.crash();
    group.heal();
    group.tick(3 * testTicks.electionTicksMax);
    expect(group.leader()?.raft.status().config).toMatchObject({ voters: ['a', 'c', 'd', 'e'], votersOutgoing: [] });
  });

  it('a leader that removes itself leads until that is committed, and hands over', () => {
    const group = new Group();
    group.elect('a').raft.proposeConfig(changes('-a'));
    group.settle();
    expect(group.node('a').raft.status()).toMatchObject({ role: 'follower', stepDownReason: 'no longer a voter' });
    expect(group.leader()?.raft.status()).toMatchObject({ id: 'b', config: { voters: ['b', 'c'] } });
  });

  it('a removed node does not disrupt (thesis 4.2.3)', () => {
    const group = new Group();
    const leader = group.elect('a');
    // c does not learn of its removal and keeps campaigning.
    group.isolate('c');
    leader.raft.proposeConfig(changes('-c'));
    group.tick(3);
    group.heal();
    group.node('c').raft.leaderLost();
    group.tick(10 * testTicks.electionTicksMax);
    expect(group.leader()?.raft.status()).toMatchObject({ id: 'a', term: 1 });
  });

  it('a removed leader that alone knows of its removal tells those who wait for its vote', () => {
    const group = new Group({ voters: ['a', 'b'] });
    const leader = group.elect('a');
    leader.raft.proposeConfig(changes('-a'));
    group.drop = (message) =>
      message.from === 'a' &&
      (((message.kind === 'append' || message.kind === 'commit') && message.commit >= 3) ||
        message.kind === 'timeoutNow');
    group.settle();
    expect(leader.raft.status()).toMatchObject({ role: 'follower', commit: 3 });
    expect(group.node('b').raft.status().config.votersOutgoing).toEqual(['a', 'b']);
    group.heal();
    group.tick(3 * testTicks.electionTicksMax);
    expect(group.leader()?.raft.status()).toMatchObject({ id: 'b', config: { voters: ['b'] } });
  });

  it('three voters become five and three again, replacing a node that is gone', () => {
    const group = new Group({ spares: ['d', 'e'] });
    const leader = group.elect('a');
    leader.raft.proposeConfig(changes('+d +e'));
    group.tick(3);
    group.node('b').crash();
    expect(leader.raft.proposeConfig(changes('-b -c')).ok).toBe(true);
    group.tick(3);
    expect(leader.raft.status().config).toMatchObject({ voters: ['a', 'd', 'e'], votersOutgoing: [] });
  });

  it('a configuration survives a restart together with the applied index', () => {
    const group = new Group({ spares: ['d'] });
    group.elect('a').raft.proposeConfig(changes('+d'));
    group.settle();
    group.propose('a', 'x');
    group.settle();
    for (const node of group.nodes.values()) node.restart();
    for (const node of group.nodes.values()) expect(node.raft.status().config.voters).toEqual(['a', 'b', 'c', 'd']);
  });

  /** Found by the simulator, seed 361943290. */
  it('a joint configuration that was left stays left when those who saw it start again, and an outgoing voter is lost', () => {
    const group = new Group({ voters: ['a', 'b'], learners: ['c'] });
    group.elect('a').raft.proposeConfig(changes('+c'));
    // Nothing is proposed after it, so no entry carries the commit index to the disks.
    group.settle();
    for (const node of group.nodes.values())
      expect(node.raft.status().config).toMatchObject({ voters: ['a', 'b', 'c'], votersOutgoing: [] });
    group.node('a').crash();
    group.node('b').restart();
    group.node('c').restart();
    group.tick(5 * testTicks.electionTicksMax);
    expect(group.leader()?.raft.status().config).toMatchObject({ voters: ['a', 'b', 'c'], votersOutgoing: [] });
  });

  it('a configuration that is on disk is not written again by the restart that takes it from the log', () => {
    const group = new Group({ spares: ['d'] });
    group.elect('a').raft.proposeConfig(changes('+d'));
    group.settle();
    const node = group.node('b');
    // The owner stores applied state in its own time: here, not yet.
    node.storage.applied = logIndex(0);
    node.storage.config = simpleConfig(['a', 'b', 'c'].map(nodeId));
    node.restart();
    node.run();
    expect(node.raft.status().config.voters).toEqual(['a', 'b', 'c', 'd']);
    expect(node.outputs.some(({ persist }) => persist !== null)).toBe(false);
  });
});

describe('learners (thesis 4.2.1)', () => {
  it('a learner gets the log, does not vote and does not campaign', () => {
    const group = new Group({ voters: ['a', 'b', 'c'], learners: ['l'] });
    group.elect('a');
    group.propose('a', 'x');
    group.settle();
    expect(logOf(group.node('l'))).toBe('1/1 2/1');
    group.node('a').crash();
    group.node('b').crash();
    group.tick(5 * testTicks.electionTicksMax);
    expect(group.leader()).toBeNull();
    expect(group.node('l').raft.status()).toMatchObject({ role: 'follower', term: 1 });
  });
});
