import { nodeId, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { logIndex, term, type Message, type VoteMessage } from './index.ts';
import { Group, logOf } from './testing/group.ts';
import { testTicks, type TestNode } from './testing/test-node.ts';

function voteOf(from: string, to: string, fields: Partial<VoteMessage> = {}): VoteMessage {
  return {
    kind: 'vote',
    from: nodeId(from),
    to: nodeId(to),
    term: term(1),
    lastIndex: logIndex(0),
    lastTerm: term(0),
    commit: logIndex(0),
    commitTerm: term(0),
    transfer: false,
    ...fields,
  };
}

/** What `node` answers to a vote request, once its disk has it. */
function answerTo(node: TestNode, request: Message): Message[] {
  node.outbox = [];
  node.raft.step(request);
  node.run();
  node.sync();
  node.run();
  return node.outbox;
}

describe('terms (§5.1)', () => {
  it.each(['follower', 'candidate', 'leader'] as const)(
    'a %s that sees a higher term becomes a follower in it',
    (role) => {
      const group = new Group({ raft: { preVote: false } });
      const node = group.node('a');
      if (role === 'leader') group.elect('a');
      if (role === 'candidate') node.raft.campaign();
      expect(node.raft.status().role).toBe(role);
      node.raft.step({
        kind: 'heartbeat',
        from: nodeId('b'),
        to: node.id,
        term: term(9),
        commit: logIndex(0),
        round: 0,
      });
      expect(node.raft.status()).toMatchObject({ role: 'follower', term: 9, leader: 'b', vote: null });
    },
  );

  it('a message of an older term changes nothing, and its sender learns the term', () => {
    const group = new Group();
    group.elect('a');
    const before = group.node('b').raft.status();
    const answers = answerTo(group.node('b'), {
      kind: 'append',
      from: nodeId('c'),
      to: nodeId('b'),
      term: term(0),
      prevIndex: logIndex(0),
      prevTerm: term(0),
      entries: [],
      commit: logIndex(0),
    });
    expect(group.node('b').raft.status()).toEqual(before);
    expect(answers).toMatchObject([{ kind: 'appendResponse', term: 1, rejected: true }]);
  });
});

describe('leader election (§5.2)', () => {
  it('nodes start as followers', () => {
    expect(new Group().node('a').raft.status()).toMatchObject({ role: 'follower', term: 0, leader: null });
  });

  it('a leader sends heartbeats to all followers at every interval', () => {
    const group = new Group();
    group.elect('a');
    group.delivered = [];
    group.tick(testTicks.heartbeatTicks * 3, ['a']);
    const heartbeats = group.delivered.filter((message) => message.kind === 'heartbeat').map((message) => message.to);
    expect(heartbeats).toEqual(['b', 'c', 'b', 'c', 'b', 'c']);
  });

  it('a follower that hears from nobody for an election timeout campaigns, and one that does, does not', () => {
    const group = new Group();
    group.elect('a');
    group.tick(100);
    expect(group.leader()?.id).toBe('a');
    expect(group.node('a').raft.status().term).toBe(1);
    group.node('a').crash();
    group.tick(testTicks.electionTicksMax + 1);
    expect(group.leader()).not.toBeNull();
  });

  it('a candidate raises its term, votes for itself and asks all others', () => {
    const group = new Group({ raft: { preVote: false } });
    const node = group.node('a');
    node.raft.campaign();
    node.run();
    expect(node.raft.status()).toMatchObject({ role: 'candidate', term: 1, vote: 'a' });
    node.sync();
    expect(node.storage.hardState).toMatchObject({ term: 1, vote: 'a' });
    expect(node.outbox.map((message) => `${message.kind} ${message.to}`)).toEqual(['vote b', 'vote c']);
  });

  it.each([
    [1, 0, 'leader'],
    [3, 1, 'leader'],
    [3, 0, 'candidate'],
    [5, 2, 'leader'],
    [5, 1, 'candidate'],
  ] as const)('with %i voters, %i votes of others make it a %s', (size, grants, role) => {
    const voters = ['a', 'b', 'c', 'd', 'e'].slice(0, size);
    const group = new Group({ voters, raft: { preVote: false } });
    const node = group.node('a');
    node.raft.campaign();
    node.run();
    node.sync();
    for (const from of voters.slice(1, 1 + grants)) {
      node.raft.step({
        kind: 'voteResponse',
        from: nodeId(from),
        to: node.id,
        term: term(1),
        granted: true,
        commit: logIndex(0),
        commitTerm: term(0),
      });
    }
    expect(node.raft.status().role).toBe(role);
  });

  it('a vote that arrives twice counts once', () => {
    const group = new Group({ voters: ['a', 'b', 'c', 'd', 'e'], raft: { preVote: false } });
    const node = group.node('a');
    node.raft.campaign();
    node.run();
    node.sync();
    for (let i = 0; i < 5; i++) {
      node.raft.step({
        kind: 'voteResponse',
        from: nodeId('b'),
        to: node.id,
        term: term(1),
        granted: true,
        commit: logIndex(0),
        commitTerm: term(0),
      });
    }
    expect(node.raft.status().role).toBe('candidate');
  });

  it('a node votes for one candidate in a term, first come first served, and again for the same one', () => {
    const node = new Group().node('a');
    expect(answerTo(node, voteOf('b', 'a'))).toMatchObject([{ kind: 'voteResponse', granted: true }]);
    expect(answerTo(node, voteOf('c', 'a'))).toMatchObject([{ kind: 'voteResponse', granted: false }]);
    expect(answerTo(node, voteOf('b', 'a'))).toMatchObject([{ kind: 'voteResponse', granted: true }]);
  });

  it('a candidate that hears from a leader of its term becomes its follower', () => {
    const group = new Group({ raft: { preVote: false } });
    const node = group.node('a');
    node.raft.campaign();
    node.raft.step({ kind: 'heartbeat', from: nodeId('b'), to: node.id, term: term(1), commit: logIndex(0), round: 0 });
    expect(node.raft.status()).toMatchObject({ role: 'follower', term: 1, leader: 'b', vote: 'a' });
  });

  it('election timeouts are drawn from the whole range, anew for each election', () => {
    const group = new Group({ voters: ['a', 'b'], raft: { preVote: false } });
    group.isolate('a');
    const node = group.node('a');
    const waits = new Set<number>();
    for (let i = 0, lastTerm = 0, since = 0; i < 3000; i++) {
      group.tick(1, ['a']);
      since++;
      const now = node.raft.status().term;
      if (now === lastTerm) continue;
      waits.add(since);
      lastTerm = now;
      since = 0;
    }
    expect([...waits].sort((x, y) => x - y)).toEqual(
      Array.from({ length: 11 }, (_, i) => testTicks.electionTicksMin + i),
    );
  });
});

describe('election restriction (§5.4.1)', () => {
  it.each([
    [[1], [1], true],
    [[1], [1, 1], true],
    [[1, 1], [1], false],
    [[1, 1, 1], [2], true],
    [[2], [1, 1, 1], false],
    [[1, 2], [1, 1, 2], true],
  ] as const)('a voter with terms %j grants to a log with terms %j: %s', (own, candidate, granted) => {
    const node = new Group({ logs: { a: own } }).node('a');
    const request = voteOf('b', 'a', {
      term: term(5),
      lastIndex: logIndex(candidate.length),
      lastTerm: term(candidate.at(-1) ?? 0),
    });
    expect(answerTo(node, request)).toMatchObject([{ kind: 'voteResponse', granted }]);
  });
});

describe('pre-vote (thesis 9.6)', () => {
  it('a node that is cut off does not raise its term, however long', () => {
    const group = new Group();
    group.elect('a');
    group.isolate('c');
    group.tick(500);
    expect(group.node('c').raft.status()).toMatchObject({ term: 1 });
    group.heal();
    group.tick(10);
    expect(group.leader()?.raft.status()).toMatchObject({ id: 'a', term: 1 });
  });

  it('asking changes neither term nor vote of anybody', () => {
    const group = new Group();
    const node = group.node('a');
    group.drop = (message) => message.kind === 'preVoteResponse';
    node.raft.campaign();
    group.settle();
    for (const each of group.nodes.values()) expect(each.raft.status()).toMatchObject({ term: 0, vote: null });
    expect(node.raft.status().role).toBe('preCandidate');
  });

  it('is refused by whoever has a longer log', () => {
    const group = new Group({ logs: { b: [1, 1], c: [1, 1], a: [1] } });
    group.elect('a');
    expect(group.node('a').raft.status()).toMatchObject({ role: 'follower', term: 1 });
    expect(logOf(group.node('a'))).toBe('1/1');
  });

  it('of two that ask at once, one is elected in the same term', () => {
    const group = new Group({ voters: ['a', 'b', 'c'] });
    group.node('c').crash();
    group.node('a').raft.campaign();
    group.node('b').raft.campaign();
    group.settle();
    expect(group.leader()?.raft.status()).toMatchObject({ id: 'b', term: 1 });
  });

  it('that was refused is asked for again soon: the clock of who refused may only have been slower', () => {
    const ticksUntilLeader = (seed: number): number => {
      const group = new Group({ seed });
      group.elect('a');
      group.tick(testTicks.heartbeatTicks);
      group.isolate('a');
      for (let ticks = 1; ; ticks++) {
        group.tick(1, ['b']);
        if (ticks % 3 > 0) group.tick(1, ['c']);
        const { leader } = group.node('b').raft.status();
        if (leader !== null && leader !== 'a') return ticks;
      }
    };
    const worst = Math.max(...Array.from({ length: 100 }, (_, seed) => ticksUntilLeader(seed + 1)));
    expect(worst).toBeLessThanOrEqual(testTicks.electionTicksMax + testTicks.electionTicksMin / 2);
  });

  it('is granted to a lower one by who asked long before it and was not heard', () => {
    const group = new Group();
    group.node('c').crash();
    group.drop = (message) => message.from === 'b';
    group.node('b').raft.campaign();
    group.tick(testTicks.electionTicksMin / 2);
    group.heal();
    group.elect('a');
    expect(group.leader()?.raft.status()).toMatchObject({ id: 'a', term: 1 });
  });
});

describe('the owner loops until there is no output', () => {
  it('a leader that is deposed in the turn in which it had something to send has nothing to do for ever', () => {
    const group = new Group();
    const leader = group.elect('a');
    leader.raft.propose(utf8Encode('x'));
    leader.raft.step({
      kind: 'heartbeat',
      from: nodeId('b'),
      to: leader.id,
      term: term(9),
      commit: logIndex(0),
      round: 0,
    });
    leader.run();
    expect(leader.raft.takeOutput()).toBeNull();
  });
});

describe('check-quorum and leases (thesis 4.2.3, 6.2)', () => {
  it('a leader without contact to a majority steps down', () => {
    const group = new Group();
    group.elect('a');
    group.isolate('a');
    group.tick(testTicks.electionTicksMin + 1, ['a']);
    expect(group.node('a').raft.quorumActive()).toBe(false);
    group.tick(testTicks.electionTicksMax, ['a']);
    expect(group.node('a').raft.status()).toMatchObject({
      role: 'follower',
      term: 1,
      stepDownReason: 'no contact to a majority',
    });
  });

  it('a voter in contact with a leader ignores a vote request of a higher term', () => {
    const group = new Group();
    group.elect('a');
    const before = group.node('b').raft.status();
    expect(
      answerTo(group.node('b'), voteOf('c', 'b', { term: term(7), lastIndex: logIndex(9), lastTerm: term(6) })),
    ).toEqual([]);
    expect(group.node('b').raft.status()).toEqual(before);
  });

  it('a leader in contact with a majority ignores one too', () => {
    const group = new Group();
    group.elect('a');
    answerTo(group.node('a'), voteOf('c', 'a', { term: term(7), lastIndex: logIndex(9), lastTerm: term(6) }));
    expect(group.node('a').raft.status()).toMatchObject({ role: 'leader', term: 1 });
  });

  it('a node that has lost its connection to a live leader does not unseat it, and one whose voters lost it too is elected at once', () => {
    const group = new Group();
    group.elect('a');
    group.drop = (message) => message.to === 'c' && message.from === 'a';
    group.node('c').raft.leaderLost();
    group.tick(5);
    expect(group.leader()?.raft.status()).toMatchObject({ id: 'a', term: 1 });
    group.heal();
    group.tick(3);
    group.node('a').crash();
    group.node('b').raft.leaderLost();
    group.node('c').raft.leaderLost();
    group.tick(4);
    expect(group.leader()?.raft.status()).toMatchObject({ term: 2 });
  });
});

describe('leadership transfer (thesis 3.10)', () => {
  it('brings the target up to date first, takes no proposals meanwhile, and is quick', () => {
    const group = new Group();
    const leader = group.elect('a');
    group.propose('a', 'x');
    expect(leader.raft.transferLeadership(nodeId('c'))).toBe(true);
    expect(leader.raft.propose(utf8Encode('y'))).toEqual({ ok: false, reason: 'transferring', leader: 'a' });
    group.settle();
    expect(group.leader()?.raft.status()).toMatchObject({ id: 'c', term: 2, commit: 3 });
  });

  it('brings a target up to date that lags behind', () => {
    const group = new Group();
    const leader = group.elect('a');
    group.isolate('c');
    for (let i = 0; i < 30; i++) group.propose('a', `entry ${i}`);
    group.settle();
    group.heal();
    leader.raft.transferLeadership(nodeId('c'));
    group.tick(4);
    expect(group.leader()?.raft.status()).toMatchObject({ id: 'c', commit: 32 });
  });

  it.each(['a', 'd', 'z'])('is refused for %s: the leader itself, a learner, a stranger', (to) => {
    const group = new Group({ learners: ['d'] });
    expect(group.elect('a').raft.transferLeadership(nodeId(to))).toBe(false);
  });

  it('reaches voters in spite of their lease', () => {
    const group = new Group({ voters: ['a', 'b', 'c', 'd', 'e'] });
    group.elect('a').raft.transferLeadership(nodeId('e'));
    group.settle();
    expect(group.leader()?.id).toBe('e');
  });
});
