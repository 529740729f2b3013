import { nodeId, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { logIndex, term, type AppendMessage, type Entry, type Message } from './index.ts';
import { entryOf, Group, logOf } from './testing/group.ts';
import { testTicks, type TestNode } from './testing/test-node.ts';

function append(to: string, fields: Partial<AppendMessage>): AppendMessage {
  return {
    kind: 'append',
    from: nodeId('b'),
    to: nodeId(to),
    term: term(9),
    prevIndex: logIndex(0),
    prevTerm: term(0),
    entries: [],
    commit: logIndex(0),
    ...fields,
  };
}

function ack(from: string, index: number, atTerm = 1): Message {
  return {
    kind: 'appendResponse',
    from: nodeId(from),
    to: nodeId('a'),
    term: term(atTerm),
    rejected: false,
    index: logIndex(index),
    hintIndex: logIndex(0),
    hintTerm: term(0),
  };
}

function answer(node: TestNode, message: Message): Message[] {
  node.outbox = [];
  node.raft.step(message);
  node.run();
  node.sync();
  node.run();
  return node.outbox;
}

function follower(terms: readonly number[]): TestNode {
  return new Group({ logs: { a: terms } }).node('a');
}

describe('log replication (§5.3)', () => {
  it('an entry is committed once a majority holds it, and then applied by all', () => {
    const group = new Group();
    group.elect('a');
    group.propose('a', 'x');
    group.settle();
    for (const node of group.nodes.values()) {
      expect(node.appliedEntries.map((entry) => entry.kind)).toEqual(['noop', 'normal']);
    }
  });

  it('an entry that no majority holds is not committed', () => {
    const group = new Group();
    group.elect('a');
    group.isolate('a');
    group.propose('a', 'x');
    group.settle();
    expect(group.node('a').raft.status()).toMatchObject({ commit: 1, lastIndex: 2 });
  });

  it('committing an entry commits those of earlier leaders before it', () => {
    const group = new Group({ logs: { a: [1, 2], b: [1, 2], c: [1, 2] } });
    group.elect('a');
    expect(group.node('a').appliedEntries.map((entry) => entry.term)).toEqual([1, 2, 3]);
  });

  it('many proposals of one turn are one append for each follower', () => {
    const group = new Group();
    const leader = group.elect('a');
    for (let i = 0; i < 20; i++) group.propose('a', `${i}`);
    leader.run();
    const appends = leader.outbox.filter((message) => message.kind === 'append');
    expect(appends.map((message) => message.entries.length)).toEqual([20, 20]);
  });

  it.each([
    ['an append after an unknown position is rejected', [1], 2, 1, [], 'rejected', [1]],
    ['an append after a position of another term is rejected', [1, 2], 2, 3, [], 'rejected', [1, 2]],
    ['entries are appended after a matching position', [1], 1, 1, [2, 2], 3, [1, 2, 2]],
    ['a conflict and all that follows it is replaced', [1, 1, 1, 1], 1, 1, [1, 2], 3, [1, 1, 2]],
    ['what is there already stays, even if the append ends before it', [1, 1, 1, 1], 1, 1, [1], 2, [1, 1, 1, 1]],
    ['an append of entries from the start replaces all of a conflicting log', [1, 1], 0, 0, [2], 1, [2]],
    ['an empty append cuts nothing off', [1, 1, 1], 1, 1, [], 1, [1, 1, 1]],
  ] as const)('%s', (_, own, prevIndex, prevTerm, entryTerms, outcome, log) => {
    const node = follower(own);
    const entries: Entry[] = entryTerms.map((entryTerm, i) => entryOf(prevIndex + 1 + i, entryTerm));
    const [response] = answer(node, append('a', { prevIndex: logIndex(prevIndex), prevTerm: term(prevTerm), entries }));
    expect(response).toMatchObject(
      outcome === 'rejected' ? { rejected: true, index: prevIndex } : { rejected: false, index: outcome },
    );
    expect(node.storage.log.map((entry) => entry.term)).toEqual(log);
  });

  it('a follower commits what the leader has, but not beyond what it knows to match', () => {
    const node = follower([1, 1, 1]);
    answer(
      node,
      append('a', { prevIndex: logIndex(1), prevTerm: term(1), entries: [entryOf(2, 1)], commit: logIndex(3) }),
    );
    expect(node.raft.status().commit).toBe(2);
  });

  it.each([
    { what: 'what it has, of the same term', commitTerm: 1, commit: 2, committed: 2 },
    { what: 'nothing for an entry of another term', commitTerm: 9, commit: 2, committed: 0 },
    { what: 'nothing for an entry that it lacks', commitTerm: 1, commit: 4, committed: 0 },
  ])('a follower that is told how far is committed commits $what, and answers nothing', (told) => {
    const node = follower([1, 1, 1]);
    const message: Message = {
      kind: 'commit',
      from: nodeId('b'),
      to: nodeId('a'),
      term: term(9),
      commit: logIndex(told.commit),
      commitTerm: term(told.commitTerm),
    };
    expect(answer(node, message)).toEqual([]);
    expect(node.raft.status()).toMatchObject({ commit: told.committed, leader: 'b', term: 9 });
  });

  it('a follower learns from the next heartbeat what is committed where that was lost', () => {
    const group = new Group();
    group.elect('a');
    group.drop = (message) => message.kind === 'commit';
    group.propose('a', 'x');
    group.settle();
    expect(group.node('c').raft.status().commit).toBe(1);
    group.tick(3);
    expect(group.node('c').raft.status().commit).toBe(2);
  });

  it('a leader of the past that tells how far is committed hears of the new term', () => {
    const group = new Group();
    const old = group.elect('a');
    group.isolate('a');
    group.tick(3 * testTicks.electionTicksMax, ['b', 'c']);
    expect(old.raft.status().role).toBe('leader');
    group.heal();
    group.node('c').raft.step({
      kind: 'commit',
      from: nodeId('a'),
      to: nodeId('c'),
      term: old.raft.status().term,
      commit: logIndex(1),
      commitTerm: term(1),
    });
    group.settle();
    expect(old.raft.status()).toMatchObject({ role: 'follower', term: group.node('c').raft.status().term });
  });

  it('a follower skips a whole term when its log conflicts', () => {
    const group = new Group({
      voters: ['a', 'b', 'c'],
      logs: {
        a: [1, ...Array.from({ length: 100 }, () => 5)],
        b: [1, ...Array.from({ length: 100 }, () => 3)],
        c: [1, ...Array.from({ length: 100 }, () => 5)],
      },
    });
    group.elect('a');
    expect(logOf(group.node('b'))).toBe(logOf(group.node('a')));
    const rejections = group.delivered.filter((message) => message.kind === 'appendResponse' && message.rejected);
    expect(rejections.length).toBeLessThanOrEqual(2);
  });

  it('a lost append is sent again, and a duplicate is harmless', () => {
    const group = new Group();
    group.elect('a');
    group.drop = (message) => message.kind === 'append' && message.to === 'c';
    group.propose('a', 'x');
    group.settle();
    group.heal();
    group.tick(3);
    expect(logOf(group.node('c'))).toBe('1/1 2/1');
    for (const message of group.delivered.slice()) group.node('c').raft.step(message);
    group.settle();
    expect(logOf(group.node('c'))).toBe('1/1 2/1');
  });
});

describe('committing entries of earlier terms (§5.4.2)', () => {
  it('an entry of an earlier term is not committed by counting, but with one of the own term (figure 8)', () => {
    const group = new Group({
      voters: ['a', 'b', 'c', 'd', 'e'],
      logs: { a: [1, 2], b: [1, 2], c: [1], d: [1], e: [1] },
    });
    group.drop = (message) => message.kind === 'append';
    const leader = group.elect('a');
    expect(leader.raft.status()).toMatchObject({ role: 'leader', term: 3, lastIndex: 3 });
    for (const from of ['b', 'c', 'd', 'e']) leader.raft.step(ack(from, 2, 3));
    expect(leader.raft.status().commit).toBe(0);
    leader.raft.step(ack('b', 3, 3));
    leader.raft.step(ack('c', 3, 3));
    expect(leader.raft.status().commit).toBe(3);
  });
});

describe('flow control (thesis 10.2.1)', () => {
  it('the leader writes its own log in parallel with its followers', () => {
    const group = new Group();
    const leader = group.elect('a');
    group.propose('a', 'x');
    leader.run();
    expect(leader.persistsOutstanding).toBe(1);
    expect(leader.outbox.map((message) => message.kind)).toEqual(['append', 'append']);
  });

  it('commits by its followers alone while its own disk is slow', () => {
    const group = new Group();
    const leader = group.elect('a');
    group.propose('a', 'x');
    leader.run();
    leader.raft.step(ack('b', 2));
    expect(leader.raft.status().commit).toBe(1);
    leader.raft.step(ack('c', 2));
    leader.run();
    expect(leader.raft.status()).toMatchObject({ commit: 2, durableIndex: 1 });
    expect(leader.applied).toBe(2);
  });

  it('appends are pipelined up to the window, and go on as it empties', () => {
    const group = new Group({ raft: { appendBytesMax: 20, inflightAppendsMax: 4 } });
    const leader = group.elect('a');
    for (let i = 0; i < 10; i++) group.propose('a', 'x'.repeat(20));
    leader.run();
    expect(leader.outbox.filter((message) => message.to === 'b')).toHaveLength(4);
    leader.raft.step(ack('b', 3));
    leader.outbox = [];
    leader.run();
    expect(
      leader.outbox.filter((message) => message.to === 'b' && message.kind === 'append' && message.entries.length > 0),
    ).toHaveLength(2);
  });

  it('bounds the bytes in flight as well', () => {
    const group = new Group({ raft: { appendBytesMax: 100, inflightBytesMax: 200 } });
    const leader = group.elect('a');
    for (let i = 0; i < 50; i++) group.propose('a', 'x'.repeat(50));
    leader.run();
    const peer = leader.raft.status().peers.find(({ id }) => id === 'b');
    expect(peer?.inflightBytes).toBeGreaterThanOrEqual(200);
    expect(peer?.inflightBytes).toBeLessThan(300);
  });

  it('refuses proposals beyond the limit of what is not committed, and takes them again', () => {
    const group = new Group({ raft: { uncommittedBytesMax: 100 } });
    const leader = group.elect('a');
    expect(leader.raft.propose(new Uint8Array(500)).ok).toBe(true);
    expect(leader.raft.propose(new Uint8Array(1))).toEqual({ ok: false, reason: 'tooMuchUncommitted', leader: 'a' });
    group.settle();
    expect(leader.raft.propose(new Uint8Array(1)).ok).toBe(true);
  });

  it('hands out no more committed data than is applied', () => {
    const group = new Group({ raft: { applyBytesMax: 100 } });
    const leader = group.elect('a');
    for (let i = 0; i < 10; i++) group.propose('a', 'x'.repeat(50));
    group.settle();
    for (const output of leader.outputs) expect(output.committed.length).toBeLessThanOrEqual(2);
    expect(leader.applied).toBe(11);
  });

  it('reads old entries from the log reader when they are no longer cached', () => {
    const group = new Group({ raft: { entriesCachedBytesMax: 0 } });
    group.elect('a');
    group.isolate('c');
    for (let i = 0; i < 40; i++) {
      group.propose('a', `entry ${i}`);
      group.settle();
    }
    group.heal();
    group.tick(6);
    expect(logOf(group.node('c'))).toBe(logOf(group.node('a')));
  });

  it('tells followers the new commit index at once, with entries if there are any', () => {
    const group = new Group();
    const leader = group.elect('a');
    group.propose('a', 'x');
    leader.run();
    leader.sync();
    leader.raft.step(ack('b', 2));
    leader.raft.propose(utf8Encode('y'));
    leader.outbox = [];
    leader.run();
    const [toB] = leader.outbox.filter((message) => message.to === 'b');
    expect(toB).toMatchObject({ kind: 'append', commit: 2, entries: [{ index: 3 }] });
    expect(leader.outbox).toHaveLength(2);
  });

  it('tells those that are in step how far is committed without asking for an answer', () => {
    const group = new Group();
    group.elect('a');
    group.delivered.length = 0;
    group.propose('a', 'x');
    group.settle();
    expect(group.delivered.filter(({ to }) => to === 'a').map(({ kind }) => kind)).toEqual([
      'appendResponse',
      'appendResponse',
    ]);
    expect(group.node('c').raft.status().commit).toBe(2);
  });
});

describe('idle', () => {
  it('there is no output when there is nothing to do', () => {
    const group = new Group();
    const leader = group.elect('a');
    expect(leader.raft.takeOutput()).toBeNull();
    leader.raft.tick();
    expect(leader.raft.takeOutput()).toBeNull();
    group.node('b').raft.tick();
    expect(group.node('b').raft.takeOutput()).toBeNull();
  });
});
