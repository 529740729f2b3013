import { utf8Encode, type NodeId } from '@skerry/base';
import { describe, expect, it } from 'vitest';
import { get, set, valueOf, World } from './testing/world.ts';

describe('faults of a region', () => {
  it('elects within 600 ms after the leader was killed, and within 1 s after it was cut off or paused', () => {
    const times = (fault: (world: World, leader: string) => void): number[] =>
      Array.from({ length: 10 }, (_, seed) => {
        const world = new World({ seed: seed + 1 });
        const leader = world.awaitLeader();
        world.run(100 + seed * 7);
        fault(world, leader);
        const start = world.nowMs;
        world.until(() =>
          world.names.some(
            (name) =>
              name !== leader && world.isUp(name) && world.replica(name).status().partitions[0]?.role === 'leader',
          ),
        );
        return world.nowMs - start;
      });
    expect(Math.max(...times((world, leader) => world.crash(leader)))).toBeLessThan(600);
    expect(Math.max(...times((world, leader) => world.pause(leader)))).toBeLessThan(1_000);
    expect(Math.max(...times((world, leader) => world.isolate(leader)))).toBeLessThan(1_000);
  });

  it('hashicorp/raft #503: a leader whose disk hangs is replaced within 2 s and commits nothing meanwhile', () => {
    const world = new World();
    const leader = world.awaitLeader();
    world.hangDisk(leader, true);
    const other = world.names.find((name) => name !== leader) as string;
    const start = world.nowMs;
    const call = world.call(other, set('k', 'v'));
    world.until(
      () =>
        world.names.some((name) => name !== leader && world.replica(name).status().partitions[0]?.role === 'leader'),
      2_000,
    );
    expect(world.settle(call)).toMatchObject({ outcome: 'applied' });
    expect(world.nowMs - start).toBeLessThan(2_000);
    world.hangDisk(leader, false);
    world.run(1_000);
    expect(valueOf(world.settle(world.call(leader, get('k'))))).toBe('v');
  });

  it('a paused leader answers no stale read when it wakes (etcd #20418)', () => {
    const world = new World();
    const leader = world.awaitLeader();
    world.settle(world.call(leader, set('k', 'old')));
    const read = world.call(leader, get('k'));
    world.pause(leader);
    world.run(1_500);
    const other = world.names.find((name) => name !== leader) as string;
    world.settle(world.call(other, set('k', 'new'), { client: 'b' }));
    const late = world.call(leader, get('k'));
    world.resume(leader);
    expect(valueOf(world.settle(late))).toBe('new');
    expect(['old', 'new']).toContain(valueOf(world.settle(read)));
  });

  it('sends a snapshot to a node that lags behind the log, sessions included', () => {
    const world = new World({ limits: { logKeepEntries: 20, snapshotChunkBytes: 512 } });
    world.awaitLeader();
    world.crash('n3');
    world.settle(
      world.call('n1', { kind: 'swap', key: 'once', oldValue: null, newValue: new Uint8Array([1]) }, { sequence: 1 }),
    );
    for (let i = 0; i < 200; i++) world.settle(world.call('n1', set(`k${i % 50}`, `v${i}`), { client: 'b' }));
    world.run(500);
    expect(world.replica('n1').status().partitions[0]?.firstIndex).toBeGreaterThan(100);
    world.start('n3');
    world.until(
      () => world.replica('n3').status().partitions[0]?.applied === world.replica('n1').status().partitions[0]?.applied,
    );
    expect(valueOf(world.settle(world.call('n3', get('k49', false))))).toBe('v199');
    for (const name of ['n1', 'n2']) world.crash(name);
    for (const name of ['n1', 'n2']) world.start(name);
    world.crash('n1');
    const retry = world.call(
      'n3',
      { kind: 'swap', key: 'once', oldValue: null, newValue: new Uint8Array([1]) },
      { sequence: 1, retry: true },
    );
    expect(world.settle(retry)).toMatchObject({ outcome: 'applied' });
    world.crash('n3');
    world.start('n3');
    world.run(1_000);
    expect(valueOf(world.settle(world.call('n3', get('k49'))))).toBe('v199');
  });

  it('replaces a wiped node under a new incarnation, and grows and shrinks the region', () => {
    const world = new World({ nodeCount: 5, votersAtStart: 3 });
    world.awaitLeader();
    world.settle(world.call('n1', set('k', 'v')));
    const member = (node: string, replica: number | null): never =>
      ({
        node,
        replica,
        learner: false,
        peerUrl: `ws://${node}/peer`,
        clientUrl: `ws://${node}/client`,
        adminUrl: `http://${node}/admin`,
      }) as never;
    const voters = (name: string): readonly string[] => world.replica(name).status().partitions[0]?.voters ?? [];
    world.run(1_000);
    expect(
      world.settle(world.call('n1', { kind: 'changeMembers', add: [member('n4', 4), member('n5', 5)], remove: [] })),
    ).toMatchObject({ kind: 'done' });
    world.until(() => world.names.every((name) => voters(name).length === 5), 20_000, 'five voters');
    expect(
      world.settle(world.call('n1', { kind: 'changeMembers', add: [], remove: ['n4', 'n5'] as never })),
    ).toMatchObject({ kind: 'done' });
    world.until(() => ['n1', 'n2', 'n3'].every((name) => voters(name).length === 3), 20_000, 'three voters');
    world.wipe('n2');
    world.settle(world.call('n1', { kind: 'changeMembers', add: [member('n2', 102)], remove: [] }));
    world.until(() => voters('n1').length === 2, 20_000, 'the old incarnation to leave');
    world.start('n2', { join: true });
    world.until(
      () => ['n1', 'n2', 'n3'].every((name) => voters(name).length === 3),
      20_000,
      'the new incarnation to vote',
    );
    expect(world.settle(world.call('n2', set('k', 'w')))).toMatchObject({ outcome: 'applied' });
    expect(valueOf(world.settle(world.call('n1', get('k'))))).toBe('w');
  });

  it('replaces a node that lost its disk before it ever told its incarnation', () => {
    const world = new World();
    const leader = world.awaitLeader();
    const lost = world.names.find((name) => name !== leader) as string;
    world.wipe(lost);
    world.settle(world.call(leader, set('k', 'v')));
    const voters = (name: string): readonly string[] => world.replica(name).status().partitions[0]?.voters ?? [];
    const urls = { peerUrl: 'ws://p', clientUrl: 'ws://c', adminUrl: 'http://a' };
    world.run(1_000);
    const spec = { node: lost, replica: 100 + Number(lost.slice(1)), learner: false, ...urls } as never;
    expect(world.settle(world.call(leader, { kind: 'changeMembers', add: [spec], remove: [] }))).toMatchObject({
      kind: 'done',
    });
    world.until(() => !voters(leader).includes(lost), 20_000, 'the old incarnation to leave');
    world.start(lost, { join: true });
    world.until(() => world.names.every((name) => voters(name).length === 3), 20_000, 'the new incarnation to vote');
    expect(valueOf(world.settle(world.call(lost, get('k'))))).toBe('v');
  });

  it('hands leadership over without failing a call', () => {
    const world = new World();
    const leader = world.awaitLeader();
    world.run(200);
    const to = world.names.find((name) => name !== leader) as string;
    const calls = Array.from({ length: 20 }, (_, i) =>
      world.call(world.names[i % 3] as string, set(`k${i}`, 'v'), { timeoutMs: 1_000 }),
    );
    const handOver = world.call(leader, { kind: 'transferLeadership', partition: 0, to: to as never });
    const start = world.nowMs;
    expect(world.settle(handOver)).toMatchObject({ kind: 'done' });
    expect(world.nowMs - start).toBeLessThan(50);
    for (const call of calls) expect(world.settle(call)).toMatchObject({ outcome: 'applied' });
  });

  it('a full disk refuses writes, serves reads and heals', () => {
    const world = new World({ nodeCount: 1 });
    world.awaitLeader();
    world.settle(world.call('n1', set('k', 'v')));
    const now = { wallMs: 1_700_000_000_000 + world.nowMs, monoMs: world.nowMs };
    world.replica('n1').setStorageFull(true, now);
    world.hangDisk('n1', true);
    expect(world.settle(world.call('n1', set('k', 'w')))).toMatchObject({ code: 'STORAGE_FULL' });
    expect(world.settle(world.call('n1', set('k', 'w', false)))).toMatchObject({ code: 'STORAGE_FULL' });
    world.run(2_000);
    expect(valueOf(world.settle(world.call('n1', get('k'))))).toBe('v');
    world.hangDisk('n1', false);
    world.replica('n1').setStorageFull(false, { ...now, monoMs: world.nowMs });
    expect(world.settle(world.call('n1', set('k', 'w')))).toMatchObject({ outcome: 'applied' });
  });

  it('serves consistent reads on a node whose own disk alone is full: the leader reads for it', () => {
    const world = new World();
    const leader = world.awaitLeader();
    const full = world.names.find((name) => name !== leader) as string;
    world.hangDisk(full, true);
    world.replica(full).setStorageFull(true, { wallMs: 0, monoMs: world.nowMs });
    for (const value of ['1', '2']) {
      expect(world.settle(world.call(leader, set('k', value)))).toMatchObject({ outcome: 'applied' });
      expect(valueOf(world.settle(world.call(full, get('k')), 1_000))).toBe(value);
    }
    // Whoever leads next is asked.
    world.crash(leader);
    const read = world.call(full, get('k'));
    world.run(100);
    expect(read.answer).toBeUndefined();
    world.start(leader);
    world.until(() => world.leader() !== null && world.leader() !== full);
    expect(valueOf(world.settle(read))).toBe('2');
  });

  it('takes no answer to what it asked in an earlier life for one of this (etcd #20418)', () => {
    const world = new World();
    const leader = world.awaitLeader();
    const full = world.names.find((name) => name !== leader) as string;
    for (const key of ['a', 'b']) world.settle(world.call(leader, set(key, `value of ${key}`)));
    const fill = (): void => {
      world.hangDisk(full, true);
      world.replica(full).setStorageFull(true, { wallMs: 0, monoMs: world.nowMs });
    };
    fill();
    // The leader cannot confirm that it leads, until the node has been started again and asks for something else.
    let passes = false;
    world.passes = (_, to, { kind }) => passes || to !== leader || kind === 'readAsk';
    world.call(full, get('a'));
    world.run(20);
    world.crash(full);
    world.hangDisk(full, false);
    world.start(full);
    fill();
    const read = world.call(full, get('b'));
    world.run(5);
    passes = true;
    expect(valueOf(world.settle(read))).toBe('value of b');
  });

  it('I13: a node whose disk is full does not read older values locally than it read through the leader', () => {
    const world = new World();
    const leader = world.awaitLeader();
    const full = world.names.find((name) => name !== leader) as string;
    const list = (): unknown =>
      world.settle(
        world.call(full, { kind: 'list', prefix: '', after: '', limit: 10, keysOnly: false, consistent: false }),
      );
    world.settle(world.call(leader, set('gone', 'x')));
    world.until(() => valueOf(world.settle(world.call(full, get('gone', false)))) === 'x');
    world.hangDisk(full, true);
    world.replica(full).setStorageFull(true, { wallMs: 0, monoMs: world.nowMs });
    world.passes = (_, to, message) =>
      to !== full ||
      message.kind !== 'raft' ||
      message.message.kind !== 'append' ||
      message.message.entries.length === 0;
    world.settle(world.call(leader, set('k', '1')));
    world.settle(world.call(leader, { kind: 'delete', key: 'gone', consistent: true }));
    for (const [key, value] of [
      ['k', '1'],
      ['gone', null],
    ] as const) {
      expect(valueOf(world.settle(world.call(full, get(key)), 1_000))).toBe(value);
      expect(valueOf(world.settle(world.call(full, get(key, false))))).toBe(value);
    }
    expect(list()).toMatchObject({ entries: [{ key: 'k', value: utf8Encode('1') }] });
    // Once there is room the own state counts again.
    world.passes = () => true;
    world.hangDisk(full, false);
    world.replica(full).setStorageFull(false, { wallMs: 0, monoMs: world.nowMs });
    world.settle(world.call(leader, set('k', '2')));
    world.until(() => valueOf(world.settle(world.call(full, get('k', false)))) === '2');
  });

  it('serves consistent reads while the disks of all nodes are full, whichever filled up first', () => {
    for (let gapMs = 0; gapMs < 40; gapMs++) {
      const world = new World();
      const leader = world.awaitLeader();
      world.settle(world.call(leader, set('k', 'v')));
      world.run(100);
      for (const name of [leader, ...world.names.filter((other) => other !== leader)]) {
        world.replica(name).setStorageFull(true, { wallMs: 1_700_000_000_000 + world.nowMs, monoMs: world.nowMs });
        world.hangDisk(name, true);
        world.run(gapMs);
      }
      for (let second = 0; second < 4; second++) {
        for (const name of world.names)
          expect(valueOf(world.settle(world.call(name, get('k')), 500)), `gap ${gapMs} ms`).toBe('v');
        world.run(1_000);
      }
    }
  });

  it('runs several partitions side by side', () => {
    const world = new World({ partitionCount: 4 });
    for (let partition = 0; partition < 4; partition++) world.awaitLeader(partition);
    for (let i = 0; i < 40; i++)
      world.settle(world.call(world.names[i % 3] as string, set(`k/${i}`, `v${i}`), { client: `c${i}` }));
    const listed = world.settle(
      world.call('n2', { kind: 'list', prefix: 'k/', after: '', limit: 100, consistent: true, keysOnly: false }),
    );
    expect(listed).toMatchObject({ next: null });
    expect(listed.kind === 'list' ? listed.entries.length : 0).toBe(40);
  });

  it('does not wait for what was lost with a connection that was replaced: a follower asks its leader again at once', () => {
    const world = new World();
    const leader = world.awaitLeader();
    const follower = world.names.find((name) => name !== leader) as NodeId;
    for (const operation of [set('k', 'v'), get('k'), set('k', 'w', false)]) {
      const call = world.call(follower, operation);
      world.step();
      world.cut(follower, leader);
      world.heal();
      world.settle(call, 100);
      world.until(() => world.replica(follower).status().partitions[0]?.pending === 0, 100);
    }
    expect(world.awaitLeader()).toBe(leader);
  });
});

describe('large values', () => {
  const large = (key: string, consistent: boolean): ReturnType<typeof set> =>
    ({ kind: 'set', key, value: new Uint8Array(512 * 1_024).fill(7), consistent }) as never;

  it('promotes 200 pending writes of 512 KiB without losing its leader, each once in the log', () => {
    const world = new World();
    world.awaitLeader();
    world.crash('n2');
    world.crash('n3');
    for (let i = 0; i < 200; i++) world.settle(world.call('n1', large(`k${i}`, false)));
    world.start('n2');
    world.start('n3');
    world.until(() => world.replica('n1').status().partitions[0]?.pending === 0, 20_000, 'promotion of all');
    const { term, lastIndex } = world.replica('n1').status().partitions[0] as { term: number; lastIndex: number };
    expect(term).toBeLessThan(6);
    expect(lastIndex).toBeLessThan(260);
    expect(world.replica('n1').metrics()['receipts_settled_total']).toBe(200);
  }, 60_000);

  it('takes 100 consistent writes of 512 KiB at once through a follower', () => {
    const world = new World();
    const leader = world.awaitLeader();
    const follower = world.names.find((name) => name !== leader) as string;
    const calls = Array.from({ length: 100 }, (_, i) => world.call(follower, large(`k${i}`, true)));
    world.until(() => calls.every((call) => call.answer !== undefined), 20_000, 'all answers');
    for (const call of calls) expect(call.answer).toMatchObject({ outcome: 'applied' });
    expect(world.replica(leader).metrics()['raft_log_bytes']).toBeLessThan(60 * 1_024 * 1_024);
  }, 60_000);

  it('refuses with PENDING_FULL when the pending writes take too many bytes', () => {
    const world = new World({ limits: { pendingBytesMax: 2 * 1_024 * 1_024 } });
    world.awaitLeader();
    world.isolate('n1');
    const answers = Array.from({ length: 6 }, (_, i) => world.settle(world.call('n1', large(`k${i}`, false))));
    expect(answers.filter((answer) => answer.kind === 'error' && answer.code === 'PENDING_FULL')).toHaveLength(2);
  });
});
