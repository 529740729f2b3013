import { nodeId } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { logIndex, simpleConfig, term } from './index.ts';
import { Group, logOf } from './testing/group.ts';
import { testTicks } from './testing/test-node.ts';

/** A leader whose log starts after entry 6, and a follower c that has entry 1 only. */
function behind(): Group {
  const group = new Group();
  group.elect('a');
  group.isolate('c');
  for (let i = 0; i < 6; i++) {
    group.propose('a', `entry ${i}`);
    group.settle();
  }
  group.node('a').compact(logIndex(6));
  return group;
}

describe('snapshots (§7)', () => {
  it('a follower behind the first index gets a snapshot and then the log', () => {
    const group = behind();
    group.heal();
    group.tick(4);
    expect(group.node('c').raft.status()).toMatchObject({ commit: 7, applied: 7, lastIndex: 7 });
    expect(group.delivered.some((message) => message.kind === 'snapshot')).toBe(true);
  });

  it('nothing is sent to a follower while its snapshot is on its way', () => {
    const group = behind();
    const leader = group.node('a');
    group.drop = (message) => message.kind === 'snapshot';
    // Keeps the transfer open: the drop would report it as failed.
    leader.raft.reportSnapshot = () => {};
    group.tick(4);
    expect(leader.raft.status().peers.find(({ id }) => id === 'c')?.state).toBe('snapshot');
    group.delivered = [];
    group.propose('a', 'more');
    group.settle();
    expect(group.delivered.filter((message) => message.to === 'c')).toEqual([]);
  });

  it('a failed transfer is tried again', () => {
    const group = behind();
    group.drop = (message) => message.kind === 'snapshot';
    group.tick(6);
    expect(group.node('c').raft.status().lastIndex).toBe(1);
    group.heal();
    group.tick(2 * testTicks.heartbeatTicks);
    expect(group.node('c').raft.status().commit).toBe(7);
  });

  it('while no snapshot can be made, the follower waits for one', () => {
    const group = behind();
    const { storage } = group.node('a');
    storage.snapshotReady = false;
    group.heal();
    group.tick(6);
    expect(group.node('c').raft.status().lastIndex).toBe(1);
    storage.snapshotReady = true;
    group.tick(2 * testTicks.heartbeatTicks);
    expect(group.node('c').raft.status().commit).toBe(7);
  });

  it('a snapshot that is behind what is committed changes nothing', () => {
    const group = new Group();
    group.elect('a');
    group.propose('a', 'x');
    group.settle();
    const node = group.node('b');
    node.outputs = [];
    node.raft.step({
      kind: 'snapshot',
      from: nodeId('a'),
      to: node.id,
      term: term(1),
      meta: { index: logIndex(1), term: term(1), config: simpleConfig([node.id]) },
    });
    group.settle();
    expect(node.outputs.every((output) => output.persist === null)).toBe(true);
    expect(node.raft.status()).toMatchObject({ commit: 2, config: { voters: ['a', 'b', 'c'] } });
  });

  it('a snapshot brings its configuration and replaces a conflicting log', () => {
    const group = new Group({ logs: { b: [1, 1, 1] } });
    const node = group.node('b');
    const config = simpleConfig(['a', 'b', 'd'].map(nodeId));
    node.raft.step({
      kind: 'snapshot',
      from: nodeId('a'),
      to: node.id,
      term: term(4),
      meta: { index: logIndex(2), term: term(3), config },
    });
    node.run();
    // Nothing after it is applied, and nothing acknowledged, before it is durable.
    expect(node.outbox).toEqual([]);
    node.sync();
    expect(node.outbox).toMatchObject([{ kind: 'appendResponse', rejected: false, index: 2 }]);
    expect(node.raft.status()).toMatchObject({ firstIndex: 3, lastIndex: 2, commit: 2, applied: 2, config });
    expect(node.storage).toMatchObject({ applied: 2, log: [], config });
  });

  it('committed entries after a snapshot wait until it is durable', () => {
    const group = behind();
    group.heal();
    const c = group.node('c');
    const leader = group.node('a');
    group.drop = (message) => message.to === 'c' && message.kind === 'append' && message.entries.length > 0;
    c.raft.step({
      kind: 'snapshot',
      from: leader.id,
      to: c.id,
      term: term(1),
      meta: { index: logIndex(6), term: term(1), config: c.config },
    });
    c.raft.step({
      kind: 'append',
      from: leader.id,
      to: c.id,
      term: term(1),
      prevIndex: logIndex(6),
      prevTerm: term(1),
      entries: leader.storage.entries(logIndex(7), logIndex(8), 99),
      commit: logIndex(7),
    });
    c.run();
    expect(c.applied).toBe(1);
    c.sync();
    c.run();
    expect(c.applied).toBe(7);
  });

  it('compaction keeps the term of the last entry removed, so that the next one still matches', () => {
    const group = new Group();
    group.elect('a');
    group.propose('a', 'x');
    group.settle();
    for (const node of group.nodes.values()) {
      node.storage.writeApplied(node.applied, node.config);
      node.compact(logIndex(2));
    }
    group.propose('a', 'y');
    group.settle();
    for (const node of group.nodes.values()) expect(logOf(node)).toBe('3/1');
  });
});

describe('restart', () => {
  it('a node never applies again what it has durably applied', () => {
    const group = new Group();
    group.elect('a');
    for (let i = 0; i < 5; i++) {
      group.propose('a', `${i}`);
      group.settle();
    }
    const node = group.node('b');
    const { applied } = node.storage;
    expect(applied).toBeGreaterThan(3);
    node.restart();
    group.tick(3);
    expect(node.appliedEntries.map((entry) => entry.index)).toEqual(
      Array.from({ length: 6 - applied }, (_, i) => applied + 1 + i),
    );
  });
});
