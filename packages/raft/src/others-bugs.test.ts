import { nodeId, SeededRandom, utf8Encode } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { logIndex, Raft, term, type Message } from './index.ts';
import { entryOf, Group, logOf } from './testing/group.ts';
import { MemoryStorage } from './testing/memory-storage.ts';
import { TestNode, testOptions, testTicks } from './testing/test-node.ts';

/** Raft bugs that other systems had; the list is in FAULTS, section 3. */
describe('bugs of others', () => {
  it('LogCabin #44, figure 8: an entry of an old term on a majority can still be replaced, so it is not committed', () => {
    const group = new Group({
      voters: ['s1', 's2', 's3', 's4', 's5'],
      logs: { s1: [1, 2], s2: [1, 2], s3: [1], s4: [1], s5: [1, 3] },
      raft: { appendBytesMax: 1 },
    });
    // s1 leads in term 4 and brings 2/2 to s3, but its own first entry to nobody.
    group.drop = (message) =>
      message.to === 's5' ||
      message.to === 's4' ||
      (message.kind === 'append' && message.entries.some((entry) => entry.kind === 'noop'));
    for (const node of group.nodes.values()) {
      node.storage.hardState = { ...node.storage.hardState, term: term(3) };
      node.restart();
    }
    const s1 = group.elect('s1');
    s1.raft.step({
      kind: 'appendResponse',
      from: nodeId('s3'),
      to: nodeId('s1'),
      term: term(4),
      rejected: true,
      index: logIndex(2),
      hintIndex: logIndex(1),
      hintTerm: term(1),
    });
    group.settle();
    group.tick(3);
    expect(logOf(group.node('s3'))).toBe('1/1 2/2');
    expect(s1.raft.status().commit).toBe(0);
    // s1 crashes, s5 is elected by s3, s4 and itself, and replaces 2/2.
    s1.crash();
    group.heal();
    for (const id of ['s2', 's3', 's4', 's5']) group.node(id).restart();
    for (let i = 0; i < 5 && group.leader()?.id !== 's5'; i++) group.elect('s5');
    group.tick(3);
    expect(logOf(group.node('s3'))).toMatch(/^1\/1 2\/3 /);
  });

  it('PySyncObj #166: commit, match and term never go back, whatever arrives late', () => {
    const group = new Group();
    group.elect('a');
    for (let i = 0; i < 5; i++) {
      group.propose('a', `${i}`);
      group.settle();
    }
    const late = [...group.delivered];
    const before = new Map([...group.nodes.values()].map((node) => [node.id, node.raft.status()]));
    for (const message of late.reverse()) {
      group.node(message.to).raft.step(message);
      group.settle();
    }
    for (const [id, { term: termBefore, commit, peers }] of before) {
      const after = group.node(id).raft.status();
      expect(after.term).toBeGreaterThanOrEqual(termBefore);
      expect(after.commit).toBeGreaterThanOrEqual(commit);
      for (const peer of peers)
        expect(after.peers.find((each) => each.id === peer.id)?.match).toBeGreaterThanOrEqual(peer.match);
    }
  });

  it('PySyncObj #202: term and vote are one record, durable before the vote leaves', () => {
    const node = new Group().node('a');
    const request: Message = {
      kind: 'vote',
      from: nodeId('b'),
      to: node.id,
      term: term(7),
      lastIndex: logIndex(0),
      lastTerm: term(0),
      commit: logIndex(0),
      commitTerm: term(0),
      transfer: false,
    };
    node.raft.step(request);
    node.run();
    expect(node.outputs.map((output) => output.persist?.hardState)).toEqual([{ term: 7, vote: 'b', commit: 0 }]);
    expect(node.outbox).toEqual([]);
    node.sync();
    expect(node.outbox).toMatchObject([{ kind: 'voteResponse', granted: true }]);
    // After a crash it remembers, and votes for nobody else.
    node.restart();
    node.raft.step({ ...request, from: nodeId('c') });
    node.run();
    node.sync();
    expect(node.outbox).toMatchObject([{ kind: 'voteResponse', to: 'c', granted: false }]);
  });

  it('Ongaro 2015: no membership change before the leader has committed in its own term', () => {
    const group = new Group();
    group.drop = (message) => message.kind === 'append';
    const leader = group.elect('a');
    const change = [{ kind: 'addVoter' as const, id: nodeId('d') }];
    expect(leader.raft.proposeConfig(change)).toEqual({ ok: false, reason: 'noCommitInTerm', leader: 'a' });
    group.heal();
    group.tick(3);
    expect(leader.raft.proposeConfig(change).ok).toBe(true);
  });

  it('a node that rejoins after a long absence does not disrupt', () => {
    const group = new Group();
    group.elect('a');
    group.node('c').crash();
    for (let i = 0; i < 20; i++) group.propose('a', `${i}`);
    group.tick(10);
    group.node('c').restart();
    group.isolate('c');
    group.tick(10 * testTicks.electionTicksMax);
    group.heal();
    group.tick(5);
    expect(group.leader()?.raft.status()).toMatchObject({ id: 'a', term: 1 });
    expect(logOf(group.node('c'))).toBe(logOf(group.node('a')));
  });

  it('Cloudflare 2020: partially connected nodes settle on a leader, and keep it', () => {
    // a and c do not reach each other; b reaches both.
    const group = new Group();
    group.elect('a');
    group.drop = (message) =>
      (message.from === 'a' && message.to === 'c') || (message.from === 'c' && message.to === 'a');
    let leaders = 0;
    let last: string | undefined;
    for (let i = 0; i < 50 * testTicks.electionTicksMax; i++) {
      group.tick();
      const leader = group.leader();
      const now = leader === null ? undefined : `${leader.id} ${leader.raft.status().term}`;
      if (now !== undefined && now !== last) {
        leaders++;
        last = now;
      }
    }
    expect(leaders).toBe(1);
    group.propose('a', 'still working');
    group.settle();
    expect(group.node('a').raft.status().commit).toBe(2);
  });

  it('Cloudflare 2020, other half: a leader that everybody hears but that hears nobody gives way', () => {
    const group = new Group();
    group.elect('a');
    group.drop = (message) => message.to === 'a';
    group.tick(4 * testTicks.electionTicksMax);
    expect(group.node('a').raft.status().role).not.toBe('leader');
    expect(['b', 'c']).toContain(group.leader()?.id);
  });

  it('hashicorp/raft #503: a leader whose disk hangs stops leading by itself, and hands over', () => {
    const group = new Group();
    const old = group.elect('a');
    group.propose('a', 'x');
    // The disk of a takes writes and completes none; its network and clock go on.
    for (let i = 0; i < 4 * testTicks.electionTicksMax; i++) {
      for (const node of group.nodes.values()) node.raft.tick();
      for (let moved = true; moved;) {
        moved = false;
        for (const node of group.nodes.values()) {
          node.run();
          if (node !== old) node.sync();
          node.run();
        }
        for (const node of group.nodes.values()) {
          const outbox = node.outbox;
          node.outbox = [];
          for (const message of outbox) moved = group.deliver(message) || moved;
        }
      }
    }
    expect(old.raft.status()).toMatchObject({
      role: 'follower',
      stepDownReason: 'a persist hangs',
      storageHealthy: false,
    });
    const leader = group.leader();
    expect(['b', 'c']).toContain(leader?.id);
    expect(leader?.raft.propose(utf8Encode('y')).ok).toBe(true);
  });

  it('hashicorp/raft #503: told of a hung disk, a leader hands over at once and does not campaign until it is well', () => {
    const group = new Group();
    const old = group.elect('a');
    old.raft.stepDown('sync takes too long');
    group.settle();
    expect(old.raft.status()).toMatchObject({ role: 'follower', stepDownReason: 'sync takes too long' });
    expect(group.leader()?.raft.status()).toMatchObject({ id: 'b', term: 2 });
    group.node('b').crash();
    group.node('c').crash();
    group.tick(5 * testTicks.electionTicksMax);
    expect(old.raft.status()).toMatchObject({ role: 'follower', term: 2 });
    old.raft.setStorageHealthy(true);
    group.tick(2 * testTicks.electionTicksMax);
    expect(old.raft.status().role).toBe('preCandidate');
  });

  it('etcd #18055: a snapshot that races appends neither undoes them nor vouches for what is not durable', () => {
    const group = new Group();
    const node = group.node('b');
    const config = node.config;
    const append = (prevIndex: number, index: number): Message => ({
      kind: 'append',
      from: nodeId('a'),
      to: node.id,
      term: term(1),
      prevIndex: logIndex(prevIndex),
      prevTerm: term(prevIndex === 0 ? 0 : 1),
      entries: [entryOf(index, 1)],
      commit: logIndex(0),
    });
    const snapshot = (index: number): Message => ({
      kind: 'snapshot',
      from: nodeId('a'),
      to: node.id,
      term: term(1),
      meta: { index: logIndex(index), term: term(1), config },
    });
    // Appends overtook it: the log stays, only the commit index moves.
    node.raft.step(append(0, 1));
    node.raft.step(append(1, 2));
    node.raft.step(append(2, 3));
    node.raft.step(snapshot(2));
    node.run();
    expect(node.raft.status()).toMatchObject({ lastIndex: 3, commit: 2 });
    // It jumps ahead while a persist of older entries is outstanding: that one's completion says nothing of the new log.
    node.raft.step(snapshot(9));
    node.raft.step(append(9, 10));
    node.run();
    expect(node.persistsOutstanding).toBe(2);
    node.sync(1);
    expect(node.raft.status().durableIndex).toBe(0);
    expect(node.outbox.filter((message) => message.kind === 'appendResponse' && message.index > 3)).toEqual([]);
    node.sync(1);
    expect(node.raft.status()).toMatchObject({ durableIndex: 10, applied: 9, commit: 9 });
  });

  it('etcd #14370: a group of one commits nothing before its own sync', () => {
    const group = new Group({ voters: ['a'] });
    const node = group.elect('a');
    group.propose('a', 'x');
    node.run();
    expect(node.raft.status()).toMatchObject({ lastIndex: 2, commit: 1 });
    expect(node.applied).toBe(1);
    node.sync();
    node.run();
    expect(node.applied).toBe(2);
  });

  it('etcd #20418: a read is not answered by what an earlier life of the node asked', () => {
    const group = new Group();
    group.elect('a');
    const follower = group.node('b');
    follower.raft.readIndex(1);
    follower.run();
    const asked = follower.outbox.find((message) => message.kind === 'readIndex');
    follower.outbox = [];
    group.deliver(asked as Message);
    const held: Message[] = [];
    group.drop = (message) => message.kind === 'readIndexResponse' && held.push(message) > 0;
    group.settle();
    expect(held).toHaveLength(1);
    group.heal();
    // b restarts, its owner counts contexts from 1 again, and more is committed.
    follower.restart();
    group.tick(3);
    group.propose('a', 'x');
    group.settle();
    group.drop = (message) => message.kind === 'readIndex';
    follower.raft.readIndex(1);
    follower.run();
    follower.raft.step(held[0] as Message);
    group.settle();
    expect(follower.readStates).toEqual([]);
  });

  it('etcd #20418: a leader that slept does not answer a read by the heartbeats of before', () => {
    const group = new Group();
    const old = group.elect('a');
    // Before it sleeps, a asked with a round; the answers are still under way.
    old.raft.readIndex(1);
    old.run();
    const held: Message[] = [];
    group.drop = (message) => message.to === 'a' && held.push(message) > 0;
    group.settle();
    expect(held).toHaveLength(2);
    // The others elect another leader, which commits more.
    group.tick(2 * testTicks.electionTicksMax, ['b', 'c']);
    const leader = group.leader();
    expect(leader?.id).not.toBe('a');
    // a wakes up, asks again, and then gets the old answers.
    old.raft.readIndex(2);
    old.run();
    for (const message of held) if (message.kind === 'heartbeatResponse') old.raft.step(message);
    old.run();
    expect(old.readStates).toEqual([{ context: 1, index: 1 }]);
  });

  it('etcd #13766: what is applied and what is told as applied restart from one record, and nothing is applied twice', () => {
    const group = new Group();
    group.elect('a');
    group.propose('a', 'x');
    group.propose('a', 'y');
    group.settle();
    const node = group.node('c');
    // The state of entry 2 became durable, that of entry 3 did not.
    node.storage.applied = logIndex(2);
    node.restart();
    node.raft.step({ kind: 'heartbeat', from: nodeId('a'), to: node.id, term: term(1), commit: logIndex(3), round: 0 });
    node.run();
    expect(node.appliedEntries.map((entry) => entry.index)).toEqual([3]);
  });

  it('etcd #22442: entries that were replaced do not come back after a restart', () => {
    const group = new Group({ logs: { a: [1, 1, 1, 1] } });
    const node = group.node('a');
    node.raft.step({
      kind: 'append',
      from: nodeId('b'),
      to: node.id,
      term: term(2),
      prevIndex: logIndex(1),
      prevTerm: term(1),
      entries: [entryOf(2, 2)],
      commit: logIndex(0),
    });
    node.run();
    node.sync();
    node.restart();
    expect(node.raft.status()).toMatchObject({ lastIndex: 2 });
    expect(logOf(node)).toBe('1/1 2/2');
  });

  it('an acknowledgement of a persist does not vouch for entries that replaced its own', () => {
    const node = new Group().node('a');
    const append = (from: string, atTerm: number, text: string): Message => ({
      kind: 'append',
      from: nodeId(from),
      to: node.id,
      term: term(atTerm),
      prevIndex: logIndex(0),
      prevTerm: term(0),
      entries: [entryOf(1, text === 'new' ? 2 : 1, text)],
      commit: logIndex(0),
    });
    node.raft.step(append('b', 1, 'old'));
    node.run();
    node.raft.step(append('c', 2, 'new'));
    node.run();
    // A third leader brings the first entry back: same index and term as in the persist that completes now.
    node.raft.step(append('b', 3, 'old'));
    node.run();
    expect(node.persistsOutstanding).toBe(3);
    node.sync(1);
    expect(node.raft.status().durableIndex).toBe(0);
    node.sync(1);
    expect(node.raft.status().durableIndex).toBe(0);
    node.sync(1);
    expect(node.raft.status().durableIndex).toBe(1);
  });

  it('votes won by the log of an earlier life do not count for a shorter one', () => {
    const storage = new MemoryStorage(['a', 'b', 'c'].map(nodeId));
    const node = new TestNode(testOptions(nodeId('a'), new SeededRandom(3), { preVote: false }), storage);
    node.raft.step({
      kind: 'append',
      from: nodeId('b'),
      to: node.id,
      term: term(1),
      prevIndex: logIndex(0),
      prevTerm: term(0),
      entries: [entryOf(1, 1)],
      commit: logIndex(0),
    });
    node.raft.campaign();
    node.run();
    // Its entry and its new term are not durable, so nobody has been asked for a vote.
    expect(node.outbox).toEqual([]);
    node.sync();
    expect(node.outbox.filter((message) => message.kind === 'vote')).toMatchObject([
      { lastIndex: 1 },
      { lastIndex: 1 },
    ]);
  });

  it('a log that is shorter than what it was told is committed is refused with the numbers', () => {
    const storage = new MemoryStorage(['a'].map(nodeId));
    storage.hardState = { term: term(3), vote: null, commit: logIndex(5) };
    expect(() => new Raft(testOptions(nodeId('a'), new SeededRandom(1)), storage, storage.restored())).toThrow(
      /commit=5 last=0/,
    );
  });
});
